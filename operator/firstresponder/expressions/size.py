"""How large values are in an evaluation, in bytes as :mod:`firstresponder.expressions.cost` counts them.

Not how large they are in a status: that is ``incident/budget.py``.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

ENTRY = 32
"""For one number, truth, or place in a list or map."""


@dataclass(frozen=True)
class Size:
    """How large a value can be: as a whole, in places, and its largest entry. A text has no places that are visited."""

    total: float
    places: float
    largest: float
    values: tuple[Any, ...] | None = field(default=None, compare=False)
    """The very values that it can be, where they are known."""

    @property
    def text(self) -> str | None:
        """The very text, where it is known."""
        match self.values:
            case (str() as text,):
                return text
        return None

    def at(self, name: str) -> Size:
        """The field of that name."""
        if self.values is None:
            return unknown(self.largest)
        return either(each[name] for each in self.values if isinstance(each, dict) and name in each)

    @cached_property
    def entry(self) -> Size:
        """Any of its entries, or its keys."""
        if self.values is None:
            return unknown(self.largest)
        return either(entry for each in self.values for entry in _entries(each))


SMALL = Size(ENTRY, 0, 0)


def measured(value: Any) -> Size:
    """The size of a value of a scope."""
    return either((value,))


def either(values: Iterable[Any]) -> Size:
    """The size of a value that is one of these."""
    known = tuple(values)
    sizes = [_size(each) for each in known]
    if not sizes:
        return SMALL
    total, places, largest = (max(each) for each in zip(*sizes, strict=True))
    return Size(total, places, largest, known)


def unknown(total: float) -> Size:
    """Anything of that size at most."""
    return Size(total, total / ENTRY, total)


def _size(value: Any) -> tuple[float, float, float]:
    match value:
        case str():
            total = float(ENTRY + len(value.encode()))
            return total, total / ENTRY, total
        case list() | dict():
            totals = [_size(each)[0] for each in _entries(value)]
            places = float(len(totals))
            return ENTRY * (places + 1) + sum(totals), places, max(totals, default=0.0)
    return ENTRY, 0.0, 0.0


def _entries(value: Any) -> list[Any]:
    match value:
        case list():
            return value
        case dict():
            return [each for entry in value.items() for each in entry]
        case str():
            return [value]
    return []
