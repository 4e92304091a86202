"""How much an evaluation can take at most, computed from the expression's tree and the sizes of the values that it
reads.

The unit is a byte that is made or looked at, and some of the library's own time is counted in it too: a million of
units is about a millisecond and at most a mebibyte. As in Kubernetes' estimate of CEL (k8s.io/apiserver, package cel),
a comprehension costs its step as often as its range is long; other than there, the sizes are those of the very values,
so that nothing has to be said of evidence beforehand.

What the library does was measured with cel-expr-python 0.1: ``map`` and ``filter`` copy their list at each step, and a
list that is put together of lists is written out in the end.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import reduce
from typing import Any

import re2

from firstresponder.expressions.scope import Scope
from firstresponder.expressions.size import ENTRY, SMALL, Size, measured, unknown
from firstresponder.expressions.tree import Message, checked_expression

MAX_COST = 64 * 1024 * 1024
_STEP = 100
"""For the visit of one part of the tree."""
_MOST_ITERATIONS = 10_000
"""Of all comprehensions of one evaluation; then the library gives up."""
_MOST_INSTRUCTIONS = 250_000
"""Of a pattern that RE2 compiles with its default memory."""
_FORMATTED = 1100
"""Characters of a formatted number at most: its precision is at most 1000."""

Node = tuple[Any, ...]
"""``(CONSTANT, value)``, ``(PATH, names)``, ``(FIELD, operand, name)``, ``(CALL, function, operands)``,
``(LIST, parts)`` of lists and maps, ``(LOOP, range, start, parts, result, variables)``."""
CONSTANT, PATH, FIELD, CALL, LIST, LOOP = "constant", "path", "field", "call", "list", "loop"

Look = Callable[[tuple[str, ...]], Size]
"""The size of the value at a path."""


def read_cost_tree(serialised: bytes) -> Node:
    """The tree of what ``Expression.serialize()`` gives, as far as costs go. Raises ValueError on anything else."""
    return _node(checked_expression(serialised).message(4))


def cost(tree: Node, scope: Scope, names: frozenset[str]) -> float:
    """The most that an evaluation of it with these values can take, in units; those that it reads are given."""

    handed_over = sum(scope.size((name,)).total for name in names)
    evaluated, result = _cost(tree, scope.size, {})
    return handed_over + evaluated + result.total


def _node(expr: Message) -> Node:
    """Field numbers are those of ``cel.expr.Expr``, as in tree.py."""
    if expr.has(3):
        constant = expr.message(3)
        if not (constant.has(6) or constant.has(7)):
            return (CONSTANT, SMALL)
        return (CONSTANT, measured(constant.text(6) or "x" * len(constant.raw(7))))
    if expr.has(4):
        return (PATH, (expr.message(4).text(1).removeprefix("."),))
    if expr.has(5):
        operand, name = _node(expr.message(5).message(1)), expr.message(5).text(2)
        return (PATH, (*operand[1], name)) if operand[0] == PATH else (FIELD, operand, name)
    if expr.has(6):
        call = expr.message(6)
        return (CALL, call.text(2), tuple(map(_node, (*call.messages(1), *call.messages(3)))))
    if expr.has(9):
        loop = expr.message(9)
        parts = tuple(_node(loop.message(number)) for number in (5, 6))
        names = tuple(name for name in (loop.text(1), loop.text(8)) if name)
        around = (_node(loop.message(2)), _node(loop.message(4)), parts, _node(loop.message(7)))
        return (LOOP, *around, names, loop.text(3))
    if expr.has(7):
        return (LIST, tuple(map(_node, expr.message(7).messages(1))))
    if expr.has(8):
        entries = expr.message(8).messages(2)
        return (LIST, tuple(_node(each.message(number)) for each in entries for number in (3, 4)))
    raise ValueError("an expression of a kind that this does not know")


def _cost(node: Node, look: Look, bound: Mapping[str, Size]) -> tuple[float, Size]:
    kind = node[0]
    if kind == CONSTANT:
        return _STEP, node[1]
    if kind == PATH:
        first, *fields = node[1]
        size = reduce(Size.at, fields, bound[first]) if first in bound else look(node[1])
        return _STEP * len(node[1]), size
    if kind == FIELD:
        spent, operand = _cost(node[1], look, bound)
        return spent + _STEP, operand.at(node[2])
    if kind == LOOP:
        return _loop(node, look, bound)
    costs, sizes = [], []
    for each in node[-1]:
        spent, size = _cost(each, look, bound)
        costs.append(spent)
        sizes.append(size)
    if kind == LIST:
        totals = [size.total for size in sizes]
        size = Size(ENTRY * (len(totals) + 1) + sum(totals), len(totals), max(totals, default=0.0))
        return sum(costs) + _STEP + ENTRY * len(totals), size
    spent, size = _call(node[1], sizes)
    return sum(costs) + _STEP + spent, size


def _loop(node: Node, look: Look, bound: Mapping[str, Size]) -> tuple[float, Size]:
    _, range_, start, parts, result, names, accumulator = node
    spent, over = _cost(range_, look, bound)
    begun, first = _cost(start, look, bound)
    times = min(over.places, _MOST_ITERATIONS)
    inner = {**bound, **dict.fromkeys(names, over.entry), accumulator: first}
    costs, sizes = zip(*(_cost(each, look, inner) for each in parts), strict=True)
    grows = max(sizes[-1].total - first.total, 0.0)
    copied = ENTRY * times if grows else 0.0  # what was gathered so far, at each step
    whole = Size(first.total + times * grows, first.places + times, max(first.largest, grows))
    ended, size = _cost(result, look, {**bound, accumulator: whole if grows else first})
    return spent + begun + ended + times * (sum(costs) + _STEP + copied), size


_SHORTER = frozenset(
    {"lowerAscii", "upperAscii", "trim", "substring", "reverse", "replace", "charAt", "dyn", "string", "bytes"}
)
"""Functions whose result is no larger than what they are called on."""
_ASKING = frozenset(
    {"!_", "_&&_", "_||_", "@in", "in"}
    | {"@not_strictly_false", "size", "type", "int", "double", "uint", "bool", "_-_", "_*_", "_/_", "_%_", "-_"}
)
"""Functions that look at what they are given, once, and answer with one value."""


def _call(function: str, operands: list[Size]) -> tuple[float, Size]:
    """What a function takes, and the size of what it gives."""
    total = sum(each.total for each in operands)
    match function, operands:
        case (("startsWith" | "endsWith" | "_==_" | "_!=_" | "_<_" | "_<=_" | "_>_" | "_>=_"), (one, other)):
            return min(one.total, other.total), SMALL  # as far as both go
        case "_+_", (one, other) if one == other == SMALL:
            return 0.0, SMALL
        case "_+_", (one, other):
            places = one.places + other.places
            texts = one.text is not None or other.text is not None
            largest = total if texts else max(one.largest, other.largest)
            return total if texts else ENTRY * places, Size(total, places, largest)
        case "_?_:_", (_, *ways):
            return 0.0, Size(
                *(max(values) for values in zip(*((s.total, s.places, s.largest) for s in ways), strict=True))
            )
        case "_[_]", (operand, _):
            return 0.0, operand.entry
        case "matches", (text, pattern):
            instructions = _instructions(pattern)
            return _STEP * instructions / 10 + text.total * instructions, SMALL
        case (("contains" | "indexOf" | "lastIndexOf"), (text, part, *_)):
            return total + text.total * part.total / 64, SMALL
        case "split", (text, *_):
            pieces = text.total + 1
            return pieces * 2 * ENTRY, Size(pieces * 2 * ENTRY + text.total, pieces, text.total)
        case "join", (parts, *separator):
            return _text(parts.total + parts.places * sum(each.total for each in separator))
        case "format", (pattern, values):
            return _text(pattern.total * _FORMATTED + 4 * pattern.total * values.total)
        case name, (operand, *_) if name in _SHORTER:
            return total, unknown(operand.total + 32)
        case name, _ if name in _ASKING:
            return (0.0 if name in {"!_", "_&&_", "_||_", "@not_strictly_false", "size"} else total), SMALL
    return _text(8 * total)


def _text(total: float) -> tuple[float, Size]:
    return total, unknown(total)


def _instructions(pattern: Size) -> float:
    """Of the compiled pattern: for so many a text may be looked at again for each of its characters."""
    if pattern.text is None:
        return min(pattern.total * 1000, _MOST_INSTRUCTIONS)
    options = re2.Options()
    options.log_errors = False
    try:
        return float(max(re2.compile(pattern.text, options).programsize, 1))
    except re2.error:
        return 1.0  # the evaluation ends there
