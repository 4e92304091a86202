"""ICMP echo from the host: ``lossPercent`` of the packets sent, ``rttMs`` on average in milliseconds.

``rttMs`` is left out when nothing came back. A network or host that cannot be reached loses everything: 100 percent.
A name that does not resolve, or no default gateway to ask, is nothing observed.

Packets larger than the path takes are lost where nobody reports it to the host: Linux forbids routers to take them
apart (ip(7), IP_MTU_DISCOVER), as it does for TCP, and sends smaller pieces once it knows the path's limit.
"""

from __future__ import annotations

import re
import shlex
from typing import Annotated

from pydantic import Field

from firstresponder.api.base import JSON, ApiModel
from firstresponder.api.command import CommandOutput
from firstresponder.api.diagnostics import Template
from firstresponder.evidence.argument_checks import require_host
from firstresponder.evidence.field import number
from firstresponder.evidence.manual_steps import Asked, ManualSteps
from firstresponder.evidence.probe import (
    Context,
    Probe,
    Reason,
    Unobserved,
    failure,
    require_whole,
    text_of,
    unparseable,
)


class PingArguments(ApiModel):
    """ICMP echo from the host: what is lost, and how long it takes."""

    host: Template
    """A name, an address, or default-gateway: where the default route leads."""
    count: Annotated[int, Field(ge=1, le=50)] = 5
    """How many packets are sent, five a second."""
    size: Annotated[int, Field(ge=16, le=9000)] = 56
    """Bytes that each carries: a path that loses packets of 1,452, and not the small ones, loses the answers of TCP."""


DEFAULT_GATEWAY = "default-gateway"

# Five packets a second, as fast as ping lets everybody; one second for the last answer. Its end is distinguished from
# systemd-run's, which gives 1 for a program that ran into its time limit, as ping does for no answer.
_ECHO = "ping -n -q -i 0.2 -W 1"
_PING = f'{_ECHO} -c "$1" -s "$2" -- "$3" 2>&1; echo "ping=$?"'
_GATEWAY = (
    "gateway=$(ip -4 route show default | sed -n '/^default via /{s/^default via \\([0-9.]*\\) .*/\\1/p;q}'); "
    '[ "$gateway" ] || gateway=$(ip -6 route show default | '
    "sed -n '/^default via /{s/^default via \\([0-9a-f:]*\\) dev \\([^ ]*\\).*/\\1%\\2/p;q}'); "
    '[ "$gateway" ] || { echo no gateway; exit; }; set -- "$1" "$2" "$gateway"; '
)
_END = re.compile(r"(.*)^ping=([0-9]+)\n", re.DOTALL | re.MULTILINE)
_LOSS = re.compile(r"^([0-9]{1,4}) packets transmitted, ([0-9]{1,4}) received, ", re.MULTILINE)
_TIMES = re.compile(r"^rtt min/avg/max/mdev = [0-9.]+/([0-9]{1,7}\.[0-9]{1,3})/", re.MULTILINE)
# What connect(2) says of an address that no packet can be sent to, by the route's type (ip-route(8): "unreachable",
# "prohibit", "blackhole"), or from a host without an address of that family.
_UNREACHABLE = re.compile(
    r"^ping: (?:.*(?:Network is unreachable|No route to host)"
    r"|connect: (?:Permission denied|Invalid argument|Host is down|Cannot assign requested address))$",
    re.MULTILINE,
)


def _argv(arguments: PingArguments, context: Context) -> tuple[str, ...]:
    del context
    numbers = (str(arguments.count), str(arguments.size))
    if arguments.host == DEFAULT_GATEWAY:
        return ("sh", "-c", _GATEWAY + _PING, "sh", *numbers)
    return ("sh", "-c", _PING, "sh", *numbers, require_host("host", arguments.host))


def _parse(arguments: PingArguments, output: CommandOutput, context: Context) -> dict[str, JSON]:
    del context
    require_whole(output)
    text = text_of(output.stdout)
    if output.exit_status == 0 and text == "no gateway\n":
        raise Unobserved(Reason.NOT_FOUND, "the host has no default route with a gateway")
    found = _END.fullmatch(text)
    if found is None or output.exit_status != 0:
        raise failure(output)
    said, status = found[1], int(found[2])
    if status == 2 and _UNREACHABLE.search(said):
        return {"lossPercent": 100.0}
    if status not in {0, 1}:
        raise failure(CommandOutput(stdout=b"", stderr=said.encode(), exit_status=status))
    return _statistics(said, arguments.count)


def _statistics(said: str, count: int) -> dict[str, JSON]:
    loss = _LOSS.search(said)
    if loss is None or int(loss[1]) != count or int(loss[2]) > count:
        raise unparseable(f"ping did not report what became of {count} packets")
    received = int(loss[2])
    values: dict[str, JSON] = {"lossPercent": round(100 * (count - received) / count, 1)}
    if received:
        times = _TIMES.search(said)
        if times is None:
            raise unparseable("ping reported no round-trip times of the packets that came back")
        values["rttMs"] = float(times[1])
    return values


_FIRST_GATEWAY = """\
gateway=$(ip -4 route show default | awk '/^default via / { print $3; exit }')
[ "$gateway" ] || gateway=$(ip -6 route show default | awk '/^default via / { print $3 "%" $5; exit }')
"""


def _manual_steps(arguments: PingArguments, asked: Asked) -> str:
    del asked
    ping = f"{_ECHO} -c {arguments.count} -s {arguments.size} --"
    if arguments.host == DEFAULT_GATEWAY:
        return f'{_FIRST_GATEWAY}{ping} "$gateway"'
    return f"{ping} {shlex.quote(require_host('host', arguments.host))}"


PROBE = Probe(
    name="ping",
    arguments=PingArguments,
    source="ping",
    fields={
        "lossPercent": number("Packets that did not come back, in percent of those sent", measured=True),
        "rttMs": number("The average round trip, in milliseconds; left out when nothing came back", measured=True),
    },
    argv=_argv,
    parse=_parse,
    manual_steps=ManualSteps(
        lambda _: {
            "lossPercent": "`packet loss`; 100 where `ping` cannot send to that address at all (`unreachable`, "
            "`No route`, or `connect:` with another complaint); unknown where it says anything "
            "else, or there is no default gateway",
            "rttMs": "the second number of `rtt`; unknown where there is no such line",
        },
        _manual_steps,
    ),
    timeout=20.0,
)
