"""One GET, by ``curl`` on the host or by the operator itself: did it answer, with what status, how fast, which JSON.

That no whole answer came is an observation, so ``error`` is always there, empty when it came; else there is no status:
half an answer is not one. How far it came is reported all the same: ``connected``, and ``AnswerIncomplete`` for an
answer that began. A path that loses large packets looks like that, while everything small gets through. Redirects are
not followed.

Of curl the body comes on one stream and its own account on the other, so no body can forge it. The account uses what
curl 7.74 knows (Debian 11): ``%{exitcode}`` came with 7.75, so the shell reports the exit status.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import Field

from firstresponder.api.base import JSON, ApiModel
from firstresponder.api.command import CommandOutput
from firstresponder.api.diagnostics import Template
from firstresponder.evidence import bounded_wait
from firstresponder.evidence.field import anything, boolean, number, text
from firstresponder.evidence.manual_steps import Asked, ManualSteps, command_line
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
from firstresponder.evidence.public_json import public_json
from firstresponder.safety import redact


class HttpArguments(ApiModel):
    """One GET, from the host or from the operator: status, latency, JSON body."""

    url: Template
    """The address as reached from where the request is made; a template."""
    from_: Annotated[Literal["host", "operator"], Field(alias="from")] = "host"
    """Who asks: the host itself, or the operator, as a client of the service would; neither follows a redirect, and
    the operator asks only the addresses of Hosts of the incident's namespace, as $(hosts.ROLE.address) gives them."""


BODY_LIMIT = 16 * 1024
"""Bytes of the longest body that is read as JSON."""

_SCRIPT = f'{{ curl "$@"; echo "exitcode=$?" >&2; }} | head -c {BODY_LIMIT + 1}'
_ACCOUNT = r"%{stderr}\nstatus=%{http_code}\nconnect=%{time_connect}\nseconds=%{time_total}\n"
_ACCOUNT_LINES = re.compile(
    r"^status=([0-9]{3})\nconnect=([0-9]{1,6}\.[0-9]{1,9})\nseconds=([0-9]{1,6}\.[0-9]{1,9})\n"
    r"exitcode=([0-9]{1,3})\n\Z",
    re.MULTILINE,
)
_WRITE_ERROR = 23
"""curl's exit status when head had read enough: the answer came, its body is too long."""

# curl(1), "EXIT CODES"
_ERRORS = {
    6: "NameNotResolved",
    7: "ConnectionFailed",  # refused or no route; curl does not say which
    1: "BadReply",  # not HTTP, for our URLs are
    8: "BadReply",
    28: "TimedOut",
    35: "TlsFailed",
    51: "TlsFailed",
    58: "TlsFailed",
    60: "TlsFailed",
    18: "ConnectionClosed",
    52: "ConnectionClosed",
    55: "ConnectionClosed",
    56: "ConnectionClosed",
    92: "ConnectionClosed",
}
_BROKEN_OFF = {"TimedOut", "ConnectionClosed"}
"""What an answer that has begun can end with."""


def _argv(arguments: HttpArguments, context: Context) -> tuple[str, ...]:
    return ("sh", "-c", _SCRIPT, "sh", *_options(arguments, context.timeout))


def _options(arguments: HttpArguments, timeout: float) -> tuple[str, ...]:
    """The command line of curl, which may take so many seconds."""
    return (
        "--disable",  # no ~/.curlrc; has to come first
        *("--silent", "--globoff", "--noproxy", "*", "--proto", "=http,https"),
        # Less than the whole, so that a server that hangs is an observation.
        *("--max-time", f"{timeout * bounded_wait.SHARE:.1f}"),
        *("--write-out", _ACCOUNT),
        *("--url", require_url(arguments.url)),
    )


def require_url(text: str) -> str:
    """The text, when it is a URL without a secret in it. Raises Unobserved(BadArgument)."""
    try:
        parts = urlsplit(text)
        usable = parts.scheme in {"http", "https"} and parts.hostname and (parts.port is None or parts.port > 0)
    except ValueError:
        usable = False
    if _is_bare_ipv6(text):
        message = f"{redact(text)!r}: an IPv6 address stands in brackets in a URL, such as http://[fd00::3]/health"
        raise Unobserved(Reason.BAD_ARGUMENT, message, "url")
    if not usable or not re.fullmatch(r"[!-~]+", text):
        raise Unobserved(Reason.BAD_ARGUMENT, f"{redact(text)!r} is not a URL such as http://10.0.0.3/health", "url")
    if "@" in parts.netloc:
        raise Unobserved(Reason.BAD_ARGUMENT, "holds a user name or password, which would be shown to everybody", "url")
    return text


def _is_bare_ipv6(text: str) -> bool:
    """Whether a URL's host is an IPv6 address without brackets, so that nobody can tell it from a port."""
    found = re.match(r"https?://([0-9A-Fa-f:.]+(?:%\w+)?)(?:[/?#]|$)", text)
    return found is not None and found[1].count(":") > 1


def _parse(arguments: HttpArguments, output: CommandOutput, context: Context) -> dict[str, JSON]:
    del arguments, context
    require_whole(output)
    account = _ACCOUNT_LINES.search(text_of(output.stderr))
    if account is None:  # curl did not come to its end
        raise failure(output)
    status, connect, seconds, exit_code = int(account[1]), float(account[2]), float(account[3]), int(account[4])
    if exit_code not in {0, _WRITE_ERROR}:
        return no_answer(_error(exit_code), connected=connect > 0, begun=status > 0)
    return answer(Reply(status, seconds, output.stdout if exit_code == 0 else None))


@dataclass(frozen=True)
class Reply:
    """A server's answer, whoever asked."""

    status: int
    seconds: float
    """From the beginning of the connection to the end of the answer."""
    body: bytes | None
    """None when it was too long; so is one of more than ``BODY_LIMIT`` bytes."""


def answer(reply: Reply) -> dict[str, JSON]:
    """The typed value of an answer."""
    if not 100 <= reply.status <= 599:
        return no_answer("BadReply", connected=True)
    values: dict[str, JSON] = {
        "ok": 200 <= reply.status <= 299,
        "connected": True,
        "status": reply.status,
        "latencySeconds": round(reply.seconds, 3),
        "error": "",
    }
    if reply.body is not None and len(reply.body) <= BODY_LIMIT:
        body = public_json(reply.body)
        if body is not None:
            values["json"] = body
    return values


def no_answer(error: str, *, connected: bool, begun: bool = False) -> dict[str, JSON]:
    """The typed value when no whole answer came; ``begun`` when its status did."""
    incomplete = begun and error in _BROKEN_OFF
    return {"ok": False, "connected": connected, "error": "AnswerIncomplete" if incomplete else error}


def _error(exit_code: int) -> str:
    """What went wrong between the host and the server. Raises Unobserved when curl itself is at fault."""
    try:
        return _ERRORS[exit_code]
    except KeyError:
        if exit_code == 3:
            raise Unobserved(Reason.BAD_ARGUMENT, "curl cannot read it", "url") from None
        raise unparseable(f"curl ended with status {exit_code}, which says nothing about the server") from None


def _manual_steps(arguments: HttpArguments, asked: Asked) -> str:
    return f'{command_line(["curl", *_options(arguments, asked.timeout)])}; echo "exitcode=$?"'


def _read_by_hand(arguments: HttpArguments) -> dict[str, str]:
    del arguments
    errors: dict[str, list[str]] = {}
    for code, error in _ERRORS.items():
        errors.setdefault(error, []).append(str(code))
    return {
        "ok": "true where `exitcode` is 0 and `status` 200 to 299; false at another `status`, or where `exitcode` is "
        f"one of {', '.join(map(str, sorted(_ERRORS)))}; else unknown",
        "connected": "whether `connect` is above 0",
        "status": "`status`; unknown where `exitcode` is not 0",
        "latencySeconds": "`seconds`; unknown where `exitcode` is not 0",
        "json": "the text before `status`, as JSON; unknown where it is none",
        "error": "`''` where `exitcode` is 0; else by `exitcode`: "
        + "; ".join(f"{', '.join(codes)}: `{error}`" for error, codes in errors.items())
        + "; but `AnswerIncomplete` for "
        + " and ".join(f"`{error}`" for error in sorted(_BROKEN_OFF))
        + " where `status` is not 000",
    }


PROBE = Probe(
    name="http",
    arguments=HttpArguments,
    source="curl",
    fields={
        "ok": boolean("Whether the status is 200 to 299; false when no whole answer came"),
        "connected": boolean("Whether a connection to the server was made, even if no answer came"),
        "status": number("The HTTP status; left out when no whole answer came"),
        "latencySeconds": number("From the beginning to the end of the answer, in seconds", measured=True),
        "json": anything(
            "The body as JSON, without what could be a secret; left out when it is none or longer than 16 KiB"
        ),
        "error": text(
            "Why no whole answer came: NameNotResolved, ConnectionFailed, ConnectionClosed, TimedOut, TlsFailed, "
            "BadReply, or AnswerIncomplete where the status came and the rest did not; empty when it did"
        ),
    },
    quoted=("json",),
    argv=_argv,
    parse=_parse,
    manual_steps=ManualSteps(_read_by_hand, _manual_steps),
    by_operator=lambda arguments: arguments.from_ == "operator",
)
