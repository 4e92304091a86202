"""A pattern and what of it is hidden."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import re2

Span = tuple[int, int]
Finder = Callable[[str], Iterator[Span]]
Check = Callable[[Any], bool]

BLANK = "\x01"
"""Stands for each character that an earlier rule hid, and between lines that were not adjacent."""
MARK = "\x02"
"""Stands for each character of a mark: what was hidden before, of which no more is hidden."""


class Rule:
    """What the groups of a pattern hold is hidden, or all of a match where it has no group.

    A group that is called ``key`` is not hidden; it is for ``check``, which may say of a match that it is none.
    No pattern tells the beginning or the end of the text from that of a line.
    Patterns run on RE2, whose time is linear in the text: hostile log lines cannot slow them down.
    """

    def __init__(self, pattern: str, check: Check | None = None) -> None:
        self._pattern = re2.compile(pattern)
        self._check = check
        key = self._pattern.groupindex.get("key")
        self._groups = [each for each in range(1, self._pattern.groups + 1) if each != key] or [0]

    def occurs_in(self, text: str) -> bool:
        """Whether the pattern matches anywhere, whatever the check says of the match."""
        return self._pattern.search(text) is not None

    def __call__(self, text: str) -> Iterator[Span]:
        for match in self._pattern.finditer(text):
            if self._check is None or self._check(match):
                for group in self._groups:
                    start, end = match.span(group)
                    if 0 <= start < end:
                        yield start, end


def any_of(*patterns: str) -> str:
    return "(?:" + "|".join(patterns) + ")"
