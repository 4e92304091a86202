"""Text from hosts and alerts, made harmless to look at.

A terminal obeys control characters, and bidirectional or invisible ones make a reader see something else than
what is there. Each becomes a visible escape, so nothing is hidden and nothing is obeyed.
"""

from __future__ import annotations

import re
import unicodedata

from firstresponder.safety.redact import redact

ELLIPSIS = "…"

# Control, format (bidi, zero-width, tags), surrogate, private and unassigned characters, and line separators.
_HARMFUL_CATEGORIES = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
# Invisible though their category says letter or mark (Unicode property Default_Ignorable_Code_Point).
_INVISIBLE = frozenset(
    {0x034F, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x3164, 0xFFA0}
    | set(range(0x180B, 0x1810))
    | set(range(0xFE00, 0xFE10))
    | set(range(0xE0100, 0xE01F0))
)
_NAMES = {"\n": r"\n", "\r": r"\r", "\t": r"\t"}
_NOT_PLAIN = re.compile(r"[^ -~]")


def neutralise(text: str, limit: int, *, lines: bool = False) -> str:
    """The text with every control and invisible character written out (``\\x1b``, ``\\u202e``).

    Capped at ``limit`` characters, the last of them ``…`` when something was cut. With ``lines``, line feeds
    and tabs are kept; otherwise the result is one line.
    """
    # An escape is at least as long as its character, so nothing beyond the limit can be needed.
    cut = len(text) > limit
    text = text[: limit + 1]
    text = _NOT_PLAIN.sub(lambda match: _visible(match.group(), lines), text)
    if cut or len(text) > limit:
        return text[: max(limit - 1, 0)] + ELLIPSIS
    return text


def shown(text: str, limit: int, *, lines: bool = False) -> str:
    """Text of others as it may be shown: redacted, then neutralised and capped at ``limit`` characters."""
    return neutralise(redact(text), limit, lines=lines)


def _visible(character: str, lines: bool) -> str:
    if lines and character in "\n\t":
        return character
    code = ord(character)
    if unicodedata.category(character) not in _HARMFUL_CATEGORIES and code not in _INVISIBLE:
        return character
    if character in _NAMES:
        return _NAMES[character]
    if code <= 0xFF:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"
