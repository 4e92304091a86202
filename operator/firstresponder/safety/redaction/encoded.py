"""Base64 whose decoding is a secret."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any

import re2

from firstresponder.safety.redaction.rule import Rule, Span

# Base64 of ASCII, by the letters that its three characters in four can begin with: others need no look.
_FIRST = "[A-Za-f]"
_SECOND = "[A-HQ-Xg-nw-z0-3]"
_THIRD = "[ABEFIJMNQRUVYZcdghklopstwx014589]"
_QUARTET = rf"{_FIRST}{_SECOND}{_THIRD}[A-Za-z0-9+/_-]"
_ENCODED = re2.compile(rf"(?:^|[^A-Za-z0-9+])((?:{_QUARTET}){{3,}}(?:{_FIRST}{_SECOND}(?:{_THIRD}=?|==)?)?)")
_GOES_ON = re2.compile(r"[A-Za-z0-9+/_-]")
_MOST = 16384  # of a longer one, the beginning decides


def decoded(text: str) -> str | None:
    """What base64 text stands for, where that is text too."""
    text = text[:_MOST].rstrip("=").translate({ord("-"): "+", ord("_"): "/"})
    text = text[: len(text) - 1] if len(text) % 4 == 1 else text
    try:
        found = base64.b64decode(text + "=" * (-len(text) % 4)).decode("ascii")
    except (binascii.Error, UnicodeDecodeError):
        return None
    return found if all(each.isprintable() or each in "\r\n\t" for each in found) else None


def hidden_in_base64(text: str, redacted: Callable[[str], str]) -> Iterator[Span]:
    """Where base64 stands that decodes to what is secret itself. All of it is looked at together, which is faster."""
    found = [
        (match.span(1), meant)
        for match in _ENCODED.finditer(text)
        if not _GOES_ON.match(text[match.end() : match.end() + 1]) and (meant := decoded(match.group(1)))
    ]
    if not found:
        return
    lines = "\n".join(meant for _, meant in found).split("\n")
    told = zip(lines, redacted("\n".join(lines)).split("\n"), strict=True)
    for span, meant in found:
        changed = [line != shown for line, shown in islice(told, meant.count("\n") + 1)]
        if any(changed):
            yield span


def _is_login(match: Any) -> bool:
    """Whether it decodes to user:password."""
    meant = decoded(match.group(1))
    return meant is not None and 0 < meant.find(":") < len(meant) - 1


RULES = (
    Rule(r"(?i)\bbasic[ \t]+([A-Za-z0-9+/_-]{6,}={0,2})", _is_login),
    Rule(r"(?i)\b_?auth[\"']?\]?[ \t]*(?:=>|[:=])[ \t]*[\"']?([A-Za-z0-9+/_-]{6,}={0,2})", _is_login),
)
