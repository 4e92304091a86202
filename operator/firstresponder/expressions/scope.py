"""The names that an expression or a template can use, with what is known about them.

What is not known is absent; there is no null. ``null == 'b'`` is false, ``!(NaN > 80.0)`` is true and an empty
list satisfies ``all``: each would turn missing evidence into an answer.

What was withheld (:mod:`firstresponder.safety.publish`) is not known either, and what it was left out of is not known
as a whole: its known parts can be read, but nobody can say what it has not, how much it holds or what it equals.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from firstresponder.expressions.size import Size, measured
from firstresponder.expressions.tree import ANY_ENTRY, Read
from firstresponder.safety import is_withheld

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
        self._sizes: dict[tuple[str, ...], Size] = {}

    @property
    def names(self) -> frozenset[str]:
        """The names that have a value."""
        return frozenset(self._values)

    def bind(self, name: str, value: Any) -> Scope:
        """A scope with one more name; a value that is not known leaves the name unset."""
        scope = Scope({name: value})
        scope._values = {**self._values, **scope._values}
        scope._sizes = {path: size for path, size in self._sizes.items() if path[0] != name}
        return scope

    def replaced(self, path: str, value: Any) -> Scope:
        """A scope with another value at a dotted path that leads through maps. Raises KeyError where it does not."""
        root, *rest = path.split(".")
        return self.bind(root, _replaced(self._values[root], rest, value))

    def lookup(self, path: str) -> Any:
        """The value at a dotted path such as ``processes.top.unit``, or None where nothing is known."""
        value: Any = self._values
        for part in path.split("."):
            if not isinstance(value, dict) or part not in value:
                return None
            value = value[part]
        return value

    def size(self, path: tuple[str, ...]) -> Size:
        """How large the value at a path of names is. It is measured once, for every expression asks."""
        if path not in self._sizes:
            self._sizes[path] = measured(self.lookup(".".join(path)))
        return self._sizes[path]

    def select(self, names: Iterable[str], reads: Iterable[Read] = ()) -> dict[str, Any]:
        """The values of those of the names that have one, as far as the given reads find them complete.

        What one of them would read with a part missing is taken away: selecting it is an error then, and an
        expression may still be decided by another operand of ``||`` or ``&&``.
        """
        selected = {name: self._values[name] for name in names if name in self._values}
        # What is taken away leaves its container incomplete, so the deepest go first.
        for read in sorted(reads, key=lambda each: (-len(each.path), each.path)):
            root = read.path[0]
            if root in selected:
                value = _complete(selected[root], read.path[1:], read)
                if value is None:
                    del selected[root]
                else:
                    selected[root] = value
        return {name: _plain(value) for name, value in selected.items()}

    def incomplete(self, reads: Iterable[Read]) -> list[str]:
        """The dotted paths of those reads that would miss a part which was withheld."""
        found = {
            ".".join(read.path)
            for read in reads
            if read.path[0] in self._values
            and _complete(self._values[read.path[0]], read.path[1:], read) is not self._values[read.path[0]]
        }
        return sorted(path.replace(f".{ANY_ENTRY}", "[]") for path in found)


def resolve_variables(variables: Iterable[tuple[str, Expression]], scope: Scope) -> Scope:
    """The scope with each variable evaluated in order, seeing those before it; one that errors stays unset."""
    for name, expression in variables:
        scope = scope.bind(name, expression.evaluate(scope).value)
    return scope


def _replaced(value: Any, path: list[str], other: Any) -> Any:
    if not path:
        return other
    replaced = {**value, path[0]: _replaced(value[path[0]], path[1:], other)}
    return _Incomplete(replaced) if isinstance(value, _Incomplete) else replaced


class _Incomplete(dict[str, Any]):
    """A map of which a part is not known."""


def _complete(value: Any, steps: tuple[str, ...], read: Read) -> Any:
    """The value without what ``read`` would find incomplete below it; the same object when there is nothing such,
    and None when it is this value itself."""
    if not steps:
        return None if _misses_a_part(value, whole=read.whole) else value
    step, below = steps[0], steps[1:]
    match value:
        case dict():
            changed = {
                key: kept
                for key, each in value.items()
                if step in (key, ANY_ENTRY) and (kept := _complete(each, below, read)) is not each
            }
            if not changed:
                return value
            if step == ANY_ENTRY and None in changed.values():
                return None  # nor may a macro run over what is left of a map
            return _Incomplete({key: each for key, old in value.items() if (each := changed.get(key, old)) is not None})
        case list() if step == ANY_ENTRY:
            elements = [_complete(each, below, read) for each in value]
            if any(each is None for each in elements):
                return None  # a list without an element would be another list
            return value if all(new is old for new, old in zip(elements, value, strict=True)) else elements
    return value


def _misses_a_part(value: Any, *, whole: bool) -> bool:
    """Whether the value itself is incomplete, or with ``whole`` anything below it."""
    if isinstance(value, _Incomplete):
        return True
    if not whole:
        return False
    below = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return any(_misses_a_part(each, whole=True) for each in below)


def _plain(value: Any) -> Any:
    """The value as the library takes it."""
    match value:
        case dict():
            return {key: _plain(each) for key, each in value.items()}
        case list():
            return [_plain(each) for each in value]
    return value


def _known(value: Any, depth: int) -> Any:
    """The value as an expression may see it, or None."""
    match value:
        case bool():
            return value
        case int() | float():
            return _finite(value)
        case str():
            return value if _has_utf8(value) and not is_withheld(value) else None
        case Mapping() if depth < MAX_DEPTH:
            present = {key: _known(each, depth + 1) for key, each in value.items() if each is not None}
            entries = {key: each for key, each in present.items() if each is not None and _has_utf8(key)}
            whole = len(entries) == len(present) and not isinstance(value, _Incomplete)
            return entries if whole else _Incomplete(entries)
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
