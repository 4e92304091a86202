"""ICMP echo from the host: ``lossPercent`` of the packets sent, ``rttMs`` on average in milliseconds.

``rttMs`` is left out when nothing came back. A network or host that cannot be reached loses everything: 100 percent.
A name that does not resolve, or no default gateway to ask, is nothing observed.
"""

from __future__ import annotations

import re
import shlex

from firstresponder.api.base import JSON
from firstresponder.api.command import CommandOutput
from firstresponder.api.diagnostics import PingArguments
from firstresponder.evidence.by_hand import Asked, ByHand
from firstresponder.evidence.place import require_host
from firstresponder.evidence.probe import (
    Context,
    Probe,
    Reason,
    Unit,
    Unobserved,
    failure,
    require_whole,
    text_of,
    unparseable,
)

DEFAULT_GATEWAY = "default-gateway"

# Five packets a second, as fast as ping lets everybody; one second for the last answer. Its end is told apart from
# systemd-run's, which gives 1 for a program that ran into its time limit, as ping does for no answer.
_ECHO = "ping -n -q -i 0.2 -W 1"
_PING = f'{_ECHO} -c "$1" -- "$2" 2>&1; echo "ping=$?"'
_GATEWAY = (
    "gateway=$(ip -4 route show default | sed -n '/^default via /{s/^default via \\([0-9.]*\\) .*/\\1/p;q}'); "
    '[ "$gateway" ] || gateway=$(ip -6 route show default | '
    "sed -n '/^default via /{s/^default via \\([0-9a-f:]*\\) dev \\([^ ]*\\).*/\\1%\\2/p;q}'); "
    '[ "$gateway" ] || { echo no gateway; exit; }; set -- "$1" "$gateway"; '
)
_END = re.compile(r"(.*)^ping=([0-9]+)\n", re.DOTALL | re.MULTILINE)
_LOSS = re.compile(r"^([0-9]{1,4}) packets transmitted, ([0-9]{1,4}) received, ", re.MULTILINE)
_TIMES = re.compile(r"^rtt min/avg/max/mdev = [0-9.]+/([0-9]{1,7}\.[0-9]{1,3})/", re.MULTILINE)
_UNREACHABLE = re.compile(r"^ping: .*(?:Network is unreachable|No route to host)$", re.MULTILINE)


def _argv(arguments: PingArguments, context: Context) -> tuple[str, ...]:
    del context
    count = str(arguments.count)
    if arguments.host == DEFAULT_GATEWAY:
        return ("sh", "-c", _GATEWAY + _PING, "sh", count)
    return ("sh", "-c", _PING, "sh", count, require_host("host", arguments.host))


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
        raise unparseable(f"ping did not tell what became of {count} packets")
    received = int(loss[2])
    values: dict[str, JSON] = {"lossPercent": round(100 * (count - received) / count, 1)}
    if received:
        times = _TIMES.search(said)
        if times is None:
            raise unparseable("ping told no round-trip times of the packets that came back")
        values["rttMs"] = float(times[1])
    return values


_FIRST_GATEWAY = """\
gateway=$(ip -4 route show default | awk '/^default via / { print $3; exit }')
[ "$gateway" ] || gateway=$(ip -6 route show default | awk '/^default via / { print $3 "%" $5; exit }')
"""


def _by_hand(arguments: PingArguments, asked: Asked) -> str:
    del asked
    if arguments.host == DEFAULT_GATEWAY:
        return f'{_FIRST_GATEWAY}{_ECHO} -c {arguments.count} -- "$gateway"'
    return f"{_ECHO} -c {arguments.count} -- {shlex.quote(require_host('host', arguments.host))}"


PROBE = Probe(
    name="ping",
    arguments=PingArguments,
    source="ping",
    fields={
        "lossPercent": "Packets that did not come back, in percent of those sent",
        "rttMs": "The average round trip, in milliseconds; left out when nothing came back",
    },
    measures={"lossPercent": Unit.PERCENT, "rttMs": Unit.MILLISECONDS},
    argv=_argv,
    parse=_parse,
    by_hand=ByHand(
        lambda _: {
            "lossPercent": "`packet loss`; 100 where `ping` says `Network is unreachable` or `No route to host`; "
            "unknown where it says anything else, or there is no default gateway",
            "rttMs": "the second number of `rtt`; unknown where there is no such line",
        },
        _by_hand,
    ),
    timeout=20.0,
)
