"""Ping: what is lost of the packets that were sent."""

from __future__ import annotations

from typing import Any

import pytest

from firstresponder.api.command import CommandOutput
from firstresponder.evidence.probe import Reason, Unobserved
from tests.unit.evidence.asking import argv, printed, seen, unseen

HOST: dict[str, Any] = {"host": "10.0.0.3", "count": 5}


def pinged(summary: str, times: str = "", status: int = 0) -> CommandOutput:
    """As iputils prints it."""
    head = "PING 10.0.0.3 (10.0.0.3) 56(84) bytes of data.\n\n--- 10.0.0.3 ping statistics ---\n"
    return printed(f"{head}{summary}, time 805ms\n{times}\nping={status}\n")


TIMES = "rtt min/avg/max/mdev = 0.020/0.031/0.045/0.008 ms\n"


def test_nothing_lost_is_zero_percent_with_the_average_time() -> None:
    output = pinged("5 packets transmitted, 5 received, 0% packet loss", TIMES)
    assert seen("ping", output, **HOST) == {"lossPercent": 0.0, "rttMs": 0.031}


def test_some_lost_is_counted_from_the_packets_and_not_from_the_rounded_text() -> None:
    output = pinged("3 packets transmitted, 2 received, 33.3333% packet loss", TIMES)
    assert seen("ping", output, host="10.0.0.3", count=3) == {"lossPercent": 33.3, "rttMs": 0.031}


def test_all_lost_has_no_time() -> None:
    output = pinged("5 packets transmitted, 0 received, +5 errors, 100% packet loss", status=1)
    assert seen("ping", output, **HOST) == {"lossPercent": 100.0}


@pytest.mark.parametrize(
    "text",
    [
        "ping: connect: Network is unreachable\n",
        "ping: connect: No route to host\n",
        "ping: connect: Permission denied\n",  # a route of type prohibit
        "ping: connect: Invalid argument\n",  # a route of type blackhole
        "ping: connect: Cannot assign requested address\n",
    ],
)
def test_without_a_way_everything_is_lost(text: str) -> None:
    assert seen("ping", printed(f"{text}ping=2\n"), **HOST) == {"lossPercent": 100.0}


@pytest.mark.parametrize(
    ("output", "reason"),
    [
        (printed("ping: nosuch: Name or service not known\nping=2\n"), Reason.FAILED),
        (printed("ping: socktype: SOCK_RAW\nping: socket: Operation not permitted\nping=2\n"), Reason.FAILED),
        (printed("ping: socket: Operation not permitted\nping=2\n"), Reason.NO_PERMISSION),
        (printed("sh: 1: ping: not found\nping=127\n"), Reason.MISSING_PROGRAM),
        (printed("no gateway\n"), Reason.NOT_FOUND),
        (pinged("2 packets transmitted, 2 received, 0% packet loss", TIMES), Reason.UNPARSEABLE),
        (pinged("5 packets transmitted, 6 received, 0% packet loss", TIMES), Reason.UNPARSEABLE),
        (pinged("5 packets transmitted, 5 received, 0% packet loss"), Reason.UNPARSEABLE),
        (pinged("5 Pakete übertragen, 5 empfangen, 0% Paketverlust", TIMES), Reason.UNPARSEABLE),
        (printed("PING 10.0.0.3 (10.0.0.3) 56(84) bytes of data.\n", status=1), Reason.FAILED),
        (printed("ping=1\n"), Reason.UNPARSEABLE),
    ],
)
def test_what_was_not_sent_is_neither_lost_nor_received(output: CommandOutput, reason: Reason) -> None:
    unseen("ping", output, reason, **HOST)


def test_the_default_gateway_is_found_on_the_host() -> None:
    command = argv("ping", host="default-gateway", count=5)
    assert command[:2] == ("sh", "-c")
    assert "ip -4 route show default" in command[2]
    assert command[3:] == ("sh", "5", "56")


def test_the_host_is_an_argument_of_a_constant_script() -> None:
    assert argv("ping", **HOST)[3:] == ("sh", "5", "56", "10.0.0.3")
    with pytest.raises(Unobserved, match="host: ") as unobserved:
        argv("ping", host="-f")
    assert unobserved.value.reason is Reason.BAD_ARGUMENT


def test_packets_carry_as_many_bytes_as_is_asked_for() -> None:
    assert argv("ping", **HOST, size=1452)[3:] == ("sh", "5", "1452", "10.0.0.3")
