"""Whether a TCP connection from the host can be opened, by bash's own ``/dev/tcp``; nothing is sent.

That it cannot is an observation, so ``error`` is always there: empty when it is open, else Refused, TimedOut, NoRoute,
Filtered or NameNotResolved. Of a name with several addresses each is tried, and the last one's error counts.
"""

from __future__ import annotations

import re
import shlex

from firstresponder.api.base import JSON, ApiModel
from firstresponder.api.command import CommandOutput
from firstresponder.api.diagnostics import Port, Template
from firstresponder.evidence import bounded_wait
from firstresponder.evidence.argument_checks import require_host
from firstresponder.evidence.field import boolean, text
from firstresponder.evidence.manual_steps import Asked, ManualSteps
from firstresponder.evidence.probe import Context, Probe, Reason, Unobserved, failure, text_of


class TcpArguments(ApiModel):
    """Whether a TCP connection from the host can be opened."""

    host: Template
    """A name or an address."""
    port: Port
    """Its number, or the parameter that holds it."""


_CONNECT = '(exec 3<>"/dev/tcp/$1/$2")'
# What connect(2) says, in strerror(3)'s words, of each answer that a router, a firewall or the host's own routes can
# give: Linux, net/ipv4/icmp.c (icmp_err_convert), net/ipv6/icmp.c (tab_unreach) and net/ipv4/fib_semantics.c
# (fib_props). IPv4 has EHOSTUNREACH for "administratively prohibited", IPv6 EACCES.
_CONNECT_ERRORS = {
    "Connection refused": "Refused",
    "Connection timed out": "TimedOut",
    "No route to host": "NoRoute",
    "Network is unreachable": "NoRoute",
    "Host is down": "NoRoute",
    "Machine is not on the network": "NoRoute",
    "Invalid argument": "NoRoute",
    "Cannot assign requested address": "NoRoute",
    "Address family not supported by protocol": "NoRoute",
    "Protocol not available": "Filtered",
    "Permission denied": "Filtered",
}
# gai_strerror(3); a name cannot hold any of it.
_NAME_ERRORS = (
    "Name or service not known",
    "Temporary failure in name resolution",
    "No address associated with hostname",
)
_ERROR = re.compile(rf": (?:connect: ({'|'.join(_CONNECT_ERRORS)})|({'|'.join(_NAME_ERRORS)}))$", re.MULTILINE)


def _argv(arguments: TcpArguments, context: Context) -> tuple[str, ...]:
    return bounded_wait.argv(context, _CONNECT, *_place(arguments))


def _place(arguments: TcpArguments) -> tuple[str, str]:
    """Host and port. Raises Unobserved(BadArgument)."""
    if not re.fullmatch(r"[0-9]{1,5}", arguments.port) or not 1 <= int(arguments.port) <= 65535:
        raise Unobserved(Reason.BAD_ARGUMENT, f"{arguments.port!r} is not a port from 1 to 65535", "port")
    return require_host("host", arguments.host), str(int(arguments.port))


def _parse(arguments: TcpArguments, output: CommandOutput, context: Context) -> dict[str, JSON]:
    del arguments, context
    ended = bounded_wait.answer(output)
    if ended is None:
        return {"open": False, "error": "TimedOut"}
    if ended.exit_status == 0 and not ended.stderr:
        return {"open": True, "error": ""}
    found = _ERROR.findall(text_of(ended.stderr))
    if not found:
        raise failure(ended)
    connect, _ = found[-1]
    return {"open": False, "error": _CONNECT_ERRORS.get(connect, "NameNotResolved")}


def _manual_steps(arguments: TcpArguments, asked: Asked) -> str:
    host, port = _place(arguments)
    return bounded_wait.manual_steps(asked, f"bash -c {shlex.quote(f'exec 3<>/dev/tcp/{host}/{port}')}")


_MESSAGES = "; ".join(
    f"{', '.join(f'`{text}`' for text, each in _CONNECT_ERRORS.items() if each == error)}: `{error}`"
    for error in dict.fromkeys(_CONNECT_ERRORS.values())
)

PROBE = Probe(
    name="tcp",
    arguments=TcpArguments,
    source="bash /dev/tcp",
    fields={
        "open": boolean("Whether the connection was opened"),
        "error": text("Why not: Refused, TimedOut, NoRoute, Filtered or NameNotResolved; empty when it was"),
    },
    argv=_argv,
    parse=_parse,
    manual_steps=ManualSteps(
        lambda _: {
            "open": f"true at `status=0`; false at {bounded_wait.BY_HAND}, or where bash says why it could not "
            "`connect`, or finds no such name; else unknown",
            "error": f"`''` at `status=0`; `TimedOut` at {bounded_wait.BY_HAND}; `NameNotResolved` where bash knows no "
            f"such name; by what it says behind `connect`: {_MESSAGES}",
        },
        _manual_steps,
    ),
)
