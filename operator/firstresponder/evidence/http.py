"""One GET, by ``curl`` on the host or by the operator itself: did it answer, with what status, how fast, which JSON.

That nothing answered is an observation (``ok`` false and an ``error``), and then there is no status: half an answer
is not one. Redirects are not followed. Of curl the body comes on one stream and its own account on the other, so no
body can forge it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from firstresponder.api.base import JSON
from firstresponder.api.command import CommandOutput
from firstresponder.api.diagnostics import HttpArguments
from firstresponder.evidence import patience
from firstresponder.evidence.by_hand import ByHand, command_line
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
from firstresponder.evidence.public_json import public_json
from firstresponder.safety import redact

BODY_LIMIT = 16 * 1024
"""Bytes of the longest body that is read as JSON."""

_SCRIPT = f'curl "$@" | head -c {BODY_LIMIT + 1}'
_ACCOUNT = r"%{stderr}\nexitcode=%{exitcode}\nstatus=%{http_code}\nseconds=%{time_total}\n"
_ACCOUNT_LINES = re.compile(
    r"^exitcode=([0-9]{1,3})\nstatus=([0-9]{3})\nseconds=([0-9]{1,6}\.[0-9]{1,9})\n\Z", re.MULTILINE
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


def _argv(arguments: HttpArguments, context: Context) -> tuple[str, ...]:
    return ("sh", "-c", _SCRIPT, "sh", *_options(arguments, context.timeout))


def _options(arguments: HttpArguments, timeout: float) -> tuple[str, ...]:
    """The command line of curl, which may take so many seconds."""
    return (
        "--disable",  # no ~/.curlrc; has to come first
        *("--silent", "--globoff", "--noproxy", "*", "--proto", "=http,https"),
        # Less than the whole, so that a server that hangs is an observation.
        *("--max-time", f"{timeout * patience.SHARE:.1f}"),
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
    if not usable or not re.fullmatch(r"[!-~]+", text):
        raise Unobserved(Reason.BAD_ARGUMENT, f"url: {redact(text)!r} is not a URL such as http://10.0.0.3/health")
    if "@" in parts.netloc:
        raise Unobserved(Reason.BAD_ARGUMENT, "url: holds a user name or password, which would be shown to everybody")
    return text


def _parse(arguments: HttpArguments, output: CommandOutput, context: Context) -> dict[str, JSON]:
    del arguments, context
    require_whole(output)
    account = _ACCOUNT_LINES.search(text_of(output.stderr))
    if account is None:  # curl did not come to its end
        raise failure(output)
    exit_code, status = int(account[1]), int(account[2])
    if exit_code not in {0, _WRITE_ERROR}:
        return no_answer(_error(exit_code))
    return answer(Reply(status, float(account[3]), output.stdout if exit_code == 0 else None))


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
        return no_answer("BadReply")
    values: dict[str, JSON] = {
        "ok": 200 <= reply.status <= 299,
        "status": reply.status,
        "latencySeconds": round(reply.seconds, 3),
    }
    if reply.body is not None and len(reply.body) <= BODY_LIMIT:
        body = public_json(reply.body)
        if body is not None:
            values["json"] = body
    return values


def no_answer(error: str) -> dict[str, JSON]:
    """The typed value when no server answered."""
    return {"ok": False, "error": error}


def _error(exit_code: int) -> str:
    """What went wrong between the host and the server. Raises Unobserved when curl itself is at fault."""
    try:
        return _ERRORS[exit_code]
    except KeyError:
        if exit_code == 3:
            raise Unobserved(Reason.BAD_ARGUMENT, "url: curl cannot read it") from None
        raise unparseable(f"curl ended with status {exit_code}, which says nothing about the server") from None


def _read_by_hand(arguments: HttpArguments) -> dict[str, str]:
    del arguments
    errors: dict[str, list[str]] = {}
    for code, error in _ERRORS.items():
        errors.setdefault(error, []).append(str(code))
    return {
        "ok": "true where `exitcode` is 0 and `status` 200 to 299; false at another `status`, or where `exitcode` is "
        f"one of {', '.join(map(str, sorted(_ERRORS)))}; else unknown",
        "status": "`status`; unknown where `exitcode` is not 0",
        "latencySeconds": "`seconds`; unknown where `exitcode` is not 0",
        "json": "the text before `exitcode`, as JSON; unknown where it is none",
        "error": "by `exitcode`: " + "; ".join(f"{', '.join(codes)}: `{error}`" for error, codes in errors.items()),
    }


PROBE = Probe(
    name="http",
    arguments=HttpArguments,
    source="curl",
    fields={
        "ok": "Whether the status is 200 to 299; false when nothing answered",
        "status": "The HTTP status; left out when nothing answered",
        "latencySeconds": "From the beginning to the end of the answer, in seconds",
        "json": "The body as JSON, without what could be a secret; left out when it is none or longer than 16 KiB",
        "error": "Why nothing answered: NameNotResolved, ConnectionFailed, ConnectionClosed, TimedOut, TlsFailed "
        "or BadReply; left out otherwise",
    },
    quoted=("json",),
    measures={"latencySeconds": Unit.SECONDS},
    argv=_argv,
    parse=_parse,
    by_hand=ByHand(_read_by_hand, lambda arguments, asked: command_line(["curl", *_options(arguments, asked.timeout)])),
)
