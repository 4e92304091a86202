"""Regular expressions that a runbook's author writes, before anything is matched with them."""

from __future__ import annotations

from functools import lru_cache

import re2

from firstresponder.safety import shown

_MOST_INSTRUCTIONS = 10_000
"""Of a compiled pattern. RE2 takes time that grows with these times the text (github.com/google/re2/wiki/WhyRE2); those
of the catalogue have some hundreds."""
_MOST_MEMORY = 4 * 1024 * 1024
"""Bytes that RE2 may take for one pattern."""


@lru_cache(maxsize=256)
def pattern_problem(pattern: str) -> str | None:
    """Why a pattern cannot be used, with what to do; None where it can."""
    options = re2.Options()
    options.log_errors = False
    options.max_mem = _MOST_MEMORY
    try:
        compiled = re2.compile(pattern, options)
    except re2.error as error:
        detail = error.args[0]
        text = detail.decode("utf-8", "replace") if isinstance(detail, bytes) else str(detail)
        return f"not a usable regular expression: {shown(text, 300)}"
    if compiled.programsize > _MOST_INSTRUCTIONS:
        return "not a usable regular expression: too large once its repetitions are written out: make them smaller"
    return None
