"""Hosts and paths, as diagnostics may send them to a program."""

from __future__ import annotations

import re

from firstresponder.evidence.probe import Reason, Unobserved

_NAME = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_.-]{0,251}[A-Za-z0-9_.])?|[0-9A-Fa-f:.]{2,45}")


def require_host(field: str, text: str) -> str:
    """The text, when it is a host's name or address and no option. Raises Unobserved(BadArgument)."""
    if not _NAME.fullmatch(text):
        raise Unobserved(Reason.BAD_ARGUMENT, f"{text!r} is not a host's name or address", field)
    return text


def require_path(field: str, text: str) -> str:
    """The text, when it is an absolute path. Raises Unobserved(BadArgument)."""
    if not re.fullmatch(r"/[ -~]*", text):
        raise Unobserved(Reason.BAD_ARGUMENT, f"{text!r} is not an absolute path such as /var/log", field)
    return text
