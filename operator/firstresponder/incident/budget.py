"""How much an incident's status may hold, and what goes first where it would be more.

The API server refuses an object of more than some 1.5 MB for ever; an outcome that cannot be written would be lost.
So every status is held far below that: words for people are shortened, the least needed first. What decides and what
was approved is never touched; where that alone is too much, no packet is made of it.
"""

from __future__ import annotations

import json

from firstresponder.api.base import JSON
from firstresponder.safety.neutralise import ELLIPSIS


def size(value: JSON) -> int:
    """Bytes of the value as the API server stores it: compact JSON in UTF-8, with ``<``, ``>`` and ``&`` escaped."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    escaped = sum(text.count(character) for character in "<>&") * (len(r"\u003c") - 1)
    return len(text.encode("utf-8", "surrogatepass")) + escaped


def head(text: str, limit: int) -> str:
    """The text if it takes at most ``limit`` bytes within a status, else its beginning that does, ending in ``…``."""
    if _bytes(text) <= limit:
        return text
    fits, too_long = 0, min(len(text), limit)
    while too_long - fits > 1:
        middle = (fits + too_long) // 2
        fits, too_long = (middle, too_long) if _bytes(text[:middle] + ELLIPSIS) <= limit else (fits, middle)
    return text[:fits] + ELLIPSIS


def _bytes(text: str) -> int:
    return size(text) - len('""')
