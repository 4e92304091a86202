"""Whether a TCP connection from the host can be opened, by bash's own ``/dev/tcp``; nothing is sent.

That it cannot is an observation, so ``error`` is always there: empty when it is open, else Refused, TimedOut, NoRoute
or NameNotResolved. Of a name with several addresses each is tried, and the last one's error counts.
"""

from __future__ import annotations

import re
import shlex

from firstresponder.api.base import JSON
from firstresponder.api.command import CommandOutput
from firstresponder.api.diagnostics import TcpArguments
from firstresponder.evidence import patience
from firstresponder.evidence.by_hand import Asked, ByHand
from firstresponder.evidence.place import require_host
from firstresponder.evidence.probe import Context, Probe, Reason, Unobserved, failure, text_of

_CONNECT = '(exec 3<>"/dev/tcp/$1/$2")'
# What the C library says (strerror(3), gai_strerror(3)); a name cannot hold any of it.
_ERRORS = {
    "Connection refused": "Refused",
    "Connection timed out": "TimedOut",
    "No route to host": "NoRoute",
    "Network is unreachable": "NoRoute",
    "Name or service not known": "NameNotResolved",
    "Temporary failure in name resolution": "NameNotResolved",
    "No address associated with hostname": "NameNotResolved",
}


def _argv(arguments: TcpArguments, context: Context) -> tuple[str, ...]:
    return patience.argv(context, _CONNECT, *_place(arguments))


def _place(arguments: TcpArguments) -> tuple[str, str]:
    """Host and port. Raises Unobserved(BadArgument)."""
    if not re.fullmatch(r"[0-9]{1,5}", arguments.port) or not 1 <= int(arguments.port) <= 65535:
        raise Unobserved(Reason.BAD_ARGUMENT, f"port: {arguments.port!r} is not a port from 1 to 65535")
    return require_host("host", arguments.host), str(int(arguments.port))


def _parse(arguments: TcpArguments, output: CommandOutput, context: Context) -> dict[str, JSON]:
    del arguments, context
    ended = patience.answer(output)
    if ended is None:
        return {"open": False, "error": "TimedOut"}
    if ended.exit_status == 0 and not ended.stderr:
        return {"open": True, "error": ""}
    endings = (line.rpartition(": ")[2] for line in text_of(ended.stderr).splitlines())
    errors = [_ERRORS[ending] for ending in endings if ending in _ERRORS]
    if not errors:
        raise failure(ended)
    return {"open": False, "error": errors[-1]}


def _by_hand(arguments: TcpArguments, asked: Asked) -> str:
    host, port = _place(arguments)
    return patience.by_hand(asked, f"bash -c {shlex.quote(f'exec 3<>/dev/tcp/{host}/{port}')}")


PROBE = Probe(
    name="tcp",
    arguments=TcpArguments,
    source="bash /dev/tcp",
    fields={
        "open": "Whether the connection was opened",
        "error": "Why not: Refused, TimedOut, NoRoute or NameNotResolved; empty when it was",
    },
    argv=_argv,
    parse=_parse,
    by_hand=ByHand(
        lambda _: {
            "open": f"true at `status=0`; false at {patience.BY_HAND}, or where bash says that the connection was "
            "refused or timed out, or knows no route or no such name; else unknown",
            "error": f"`''` at `status=0`; `TimedOut` at {patience.BY_HAND} or `timed out`; `Refused` at `refused`; "
            "`NoRoute` at `No route` or `unreachable`; `NameNotResolved` where it finds no such name",
        },
        _by_hand,
    ),
)
