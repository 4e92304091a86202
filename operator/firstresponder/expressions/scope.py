"""The names that an expression or a template can use, with what is known about them.

What is not known is absent; there is no null. ``null == 'b'`` is false, ``!(NaN > 80.0)`` is true and an empty
list satisfies ``all``: each would turn missing evidence into an answer.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from firstresponder.expressions.expression import Expression

MAX_DEPTH = 32
"""Maps and lists nested deeper than this are not known."""


class Scope:
    """Names and their values, frozen.

    Every number enters as a double, for CEL cannot add or multiply an integer and a double. Left out are null,
    numbers that are not finite, text that has no UTF-8 form, and a list that holds any of these.
    """

    def __init__(self, values: Mapping[str, Any] | None = None) -> None:
        """Raises TypeError for values that JSON does not have."""
        self._values: dict[str, Any] = _known(values or {}, 0)

    @property
    def names(self) -> frozenset[str]:
        """The names that have a value."""
        return frozenset(self._values)

    def bind(self, name: str, value: Any) -> Scope:
        """A scope with one more name; a value that is not known leaves the name unset."""
        scope = Scope({name: value})
        scope._values = {**self._values, **scope._values}
        return scope

    def lookup(self, path: str) -> Any:
        """The value at a dotted path such as ``processes.top.unit``, or None where nothing is known."""
        value: Any = self._values
        for part in path.split("."):
            if not isinstance(value, dict) or part not in value:
                return None
            value = value[part]
        return value

    def select(self, names: Iterable[str]) -> dict[str, Any]:
        """The values of those of the names that have one."""
        return {name: self._values[name] for name in names if name in self._values}


def resolve_variables(variables: Iterable[tuple[str, Expression]], scope: Scope) -> Scope:
    """The scope with each variable evaluated in order, seeing those before it; one that errors stays unset."""
    for name, expression in variables:
        scope = scope.bind(name, expression.evaluate(scope).value)
    return scope


def _known(value: Any, depth: int) -> Any:
    """The value as an expression may see it, or None."""
    match value:
        case bool():
            return value
        case int() | float():
            return _finite(value)
        case str():
            return value if _has_utf8(value) else None
        case Mapping() if depth < MAX_DEPTH:
            entries = ((key, _known(each, depth + 1)) for key, each in value.items())
            return {key: each for key, each in entries if each is not None and _has_utf8(key)}
        case list() | tuple() if depth < MAX_DEPTH:
            elements = [_known(each, depth + 1) for each in value]
            return None if any(each is None for each in elements) else elements
        case None | Mapping() | list() | tuple():
            return None
    raise TypeError(f"{value!r} ({type(value).__name__}) is not a value that JSON has")


def _finite(number: float) -> float | None:
    try:
        double = float(number)
    except OverflowError:
        return None
    return double if math.isfinite(double) else None


def _has_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
