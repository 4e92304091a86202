"""Text of others made harmless, once however often a report tells it.

What was told is kept for that. A program that reports may do so, for it ends soon; the operator loads nothing of this.
"""

from __future__ import annotations

from functools import lru_cache

from firstresponder import safety

_TEXTS = 4096

redact = lru_cache(_TEXTS)(safety.redact)
shown = lru_cache(_TEXTS)(safety.shown)
