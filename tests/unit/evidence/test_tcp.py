"""TCP: open, or why not, as bash and the C library say it."""

from __future__ import annotations

from typing import Any

import pytest

from firstresponder.api.command import CommandOutput
from firstresponder.evidence.probe import Reason, Unobserved
from tests.unit.evidence.asking import argv, printed, seen, unseen

PORT: dict[str, Any] = {"host": "10.0.0.3", "port": 5432}
# As bash 5.2 prints it.
REFUSED = "bash: connect: Connection refused\nbash: line 1: /dev/tcp/10.0.0.3/5432: Connection refused\n"


def tried(text: str = "", status: int = 1, read: int = 1) -> CommandOutput:
    return printed(f"read={read}\n{text}status={status}\n")


def test_an_open_port_is_open_and_has_no_error() -> None:
    assert seen("tcp", tried(status=0), **PORT) == {"open": True, "error": ""}


@pytest.mark.rule(2)
@pytest.mark.parametrize(
    ("text", "error"),
    [
        (REFUSED, "Refused"),
        ("bash: connect: Connection timed out\nbash: line 1: /dev/tcp/x/1: Connection timed out\n", "TimedOut"),
        ("bash: connect: No route to host\nbash: line 1: /dev/tcp/x/1: No route to host\n", "NoRoute"),
        ("bash: connect: Network is unreachable\nbash: line 1: /dev/tcp/x/1: Network is unreachable\n", "NoRoute"),
        (
            "bash: line 1: x: Name or service not known\nbash: line 1: /dev/tcp/x/1: Invalid argument\n",
            "NameNotResolved",
        ),
        (
            "bash: line 1: x: Temporary failure in name resolution\nbash: line 1: /dev/tcp/x/1: Invalid argument\n",
            "NameNotResolved",
        ),
        ("bash: connect: Permission denied\nbash: line 1: /dev/tcp/fd00::3/1: Permission denied\n", "Filtered"),
        ("bash: connect: Protocol not available\nbash: line 1: /dev/tcp/x/1: Protocol not available\n", "Filtered"),
        ("bash: connect: Invalid argument\nbash: line 1: /dev/tcp/x/1: Invalid argument\n", "NoRoute"),
        ("bash: connect: Host is down\nbash: line 1: /dev/tcp/x/1: Host is down\n", "NoRoute"),
        (
            "bash: connect: Cannot assign requested address\nbash: line 1: /dev/tcp/::2/1: Cannot assign requested\n",
            "NoRoute",
        ),
        ("bash: connect: Connection refused\nbash: connect: No route to host\nbash: x: No route to host\n", "NoRoute"),
    ],
)
def test_a_closed_port_is_an_observation_with_its_error(text: str, error: str) -> None:
    assert seen("tcp", tried(text), **PORT) == {"open": False, "error": error}


def test_nobody_answering_in_time_is_an_observation() -> None:
    assert seen("tcp", printed("read=142\n"), **PORT) == {"open": False, "error": "TimedOut"}


@pytest.mark.parametrize(
    ("output", "reason"),
    [
        (tried("bash: connect: Verbindungsaufbau abgelehnt\n"), Reason.FAILED),
        (tried("bash: connect: Operation not permitted\n"), Reason.NO_PERMISSION),
        (tried("bash: line 1: /dev/tcp/x/1: Permission denied\n"), Reason.NO_PERMISSION),
        (tried("bash: warning: setlocale\n", status=0), Reason.FAILED),
        (printed("read=1\nbash: connect: Connection refused\n"), Reason.UNPARSEABLE),
        (printed("read=0\nstatus=0"), Reason.UNPARSEABLE),
        (printed("read=1\nstatus=0\n", status=1), Reason.FAILED),
        (tried("", status=127), Reason.MISSING_PROGRAM),
    ],
)
def test_anything_else_says_nothing_about_the_port(output: CommandOutput, reason: Reason) -> None:
    unseen("tcp", output, reason, **PORT)


def test_the_script_is_constant_and_waits_less_than_the_host() -> None:
    command = argv("tcp", **PORT)
    assert command[:2] == ("bash", "-c")
    assert command[3:] == ("bash", "6.0", "10.0.0.3", "5432")
    assert argv("tcp", host="::1", port="$(port)".replace("$(port)", "80"))[2] == command[2]


@pytest.mark.parametrize("host", ["-x", "a b", "a/b", "$(id)", "a;b", "x'", "a\\"])
def test_a_host_is_a_name_or_an_address(host: str) -> None:
    with pytest.raises(Unobserved, match="host: ") as unobserved:
        argv("tcp", host=host, port=80)
    assert unobserved.value.reason is Reason.BAD_ARGUMENT


@pytest.mark.parametrize("port", ["65536", "99999"])
def test_a_port_is_a_port(port: str) -> None:
    with pytest.raises(Unobserved, match="port: "):
        argv("tcp", host="x", port=port)
