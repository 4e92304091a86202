"""One GET from the host, by ``curl``: did it answer, with what status, how fast, and which JSON.

That nothing answered is an observation (``ok`` false and an ``error``), and then there is no status: half an answer
is not one. Redirects are not followed. The body comes on one stream and curl's own account on the other, so no body
can forge it.
"""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from firstresponder.api.base import JSON
from firstresponder.api.command import CommandOutput
from firstresponder.api.diagnostics import HttpArguments
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

BODY_LIMIT = 16 * 1024
"""Bytes of the longest body that is read as JSON."""

_SCRIPT = f'curl "$@" | head -c {BODY_LIMIT + 1}'
_ACCOUNT = r"%{stderr}exitcode=%{exitcode}\nstatus=%{http_code}\nseconds=%{time_total}\n"
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
    return (
        *("sh", "-c", _SCRIPT, "sh"),
        "--disable",  # no ~/.curlrc; has to come first
        *("--silent", "--globoff", "--noproxy", "*", "--proto", "=http,https"),
        # Less than the whole, so that a server that hangs is an observation.
        *("--max-time", f"{context.timeout * 0.8:.1f}"),
        *("--write-out", _ACCOUNT),
        *("--url", _url(arguments.url)),
    )


def _url(text: str) -> str:
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
        return {"ok": False, "error": _error(exit_code)}
    if not 100 <= status <= 599:
        return {"ok": False, "error": "BadReply"}
    values: dict[str, JSON] = {
        "ok": 200 <= status <= 299,
        "status": status,
        "latencySeconds": round(float(account[3]), 3),
    }
    if exit_code == 0 and len(output.stdout) <= BODY_LIMIT:
        body = public_json(output.stdout)
        if body is not None:
            values["json"] = body
    return values


def _error(exit_code: int) -> str:
    """What went wrong between the host and the server. Raises Unobserved when curl itself is at fault."""
    try:
        return _ERRORS[exit_code]
    except KeyError:
        if exit_code == 3:
            raise Unobserved(Reason.BAD_ARGUMENT, "url: curl cannot read it") from None
        raise unparseable(f"curl ended with status {exit_code}, which says nothing about the server") from None


PROBE = Probe(
    name="http",
    arguments=HttpArguments,
    source="curl",
    fields=frozenset({"ok", "status", "latencySeconds", "json", "error"}),
    argv=_argv,
    parse=_parse,
)
