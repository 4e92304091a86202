"""The checked syntax tree of an expression, as far as it is needed to say what the expression reads.

The library hands a tree out only as a serialised ``cel.expr.CheckedExpr``, so this reads that Protocol Buffers
message directly. Field numbers are from cel-spec, ``proto/cel/expr/syntax.proto`` and ``checked.proto``; the
wire format from protobuf.dev/programming-guides/encoding.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

Place = tuple[str, ...]

INT, DYN = "int", "dyn"
_ARITHMETIC = {"_+_": "+", "_-_": "-", "_*_": "*", "_/_": "/", "_%_": "%"}
_COMPARISON = {"_<_": "<", "_<=_": "<=", "_>_": ">", "_>=_": ">=", "_==_": "=="}
_MIRRORED = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "==": "=="}


@dataclass(frozen=True)
class Comparison:
    """``path operator against``, as in ``disk.usedPercent < 80``."""

    path: str
    operator: str
    """One of ``< <= > >= ==``."""
    against: float | str
    """A number, or the dotted path of another value."""


ANY_ENTRY = "*"
"""A step of a path that may be any element of a list or any value of a map."""


@dataclass(frozen=True)
class Read:
    """A value that an expression reads, not counting what it only passes on its way to another."""

    path: tuple[str, ...]
    """Names and keys, and :data:`ANY_ENTRY`."""
    whole: bool
    """Whether all below it counts, as in ``==``; only its own keys or elements do for ``size`` and a macro's range."""


@dataclass
class Tree:
    """What a tree says about its expression. Offsets count characters from the start of the source."""

    references: set[str] = field(default_factory=set)
    """Dotted paths that it reads, the variables of its own comprehensions excluded."""
    ranges: set[str] = field(default_factory=set)
    """Dotted paths of the lists that its comprehensions go through, but for those within another comprehension."""
    reads: set[Read] = field(default_factory=set)
    """What it reads, those of its comprehensions' own variables as entries of what they run over."""
    presence_tests: list[int] = field(default_factory=list)
    """Offsets of ``has(…)``."""
    mixed_arithmetic: list[tuple[int, str]] = field(default_factory=list)
    """Offset and operator where an integer meets a value that is a double, if it is a number."""
    growing_replacements: list[int] = field(default_factory=list)
    """Offsets of ``replace(…)`` whose result may be longer than its text."""
    messages: list[int] = field(default_factory=list)
    """Offsets of literals of Protocol Buffers messages, such as ``google.protobuf.Int64Value{value: 1}``."""
    comparisons: list[Comparison] = field(default_factory=list)
    """Where a path is compared with a number or another path, seen from each path's side."""


def read_tree(serialised: bytes) -> Tree:
    """Read what ``Expression.serialize()`` gives. Raises ValueError on anything else."""
    return _Reader(checked_expression(serialised)).read()


def checked_expression(serialised: bytes) -> Message:
    """The ``cel.expr.CheckedExpr`` in what ``Expression.serialize()`` gives. Raises ValueError on anything else."""
    envelope = Message(serialised)  # google.protobuf.Any
    if not envelope.text(1).endswith("/cel.expr.CheckedExpr"):
        raise ValueError(f"{envelope.text(1)!r} is not a checked expression")
    return envelope.message(2)


class _Reader:
    def __init__(self, checked: Message) -> None:
        self._root = checked.message(4)
        self._types = {entry.number(1): _type_name(entry.message(2)) for entry in checked.messages(3)}
        self._offsets = {entry.number(1): entry.number(2) for entry in checked.message(5).messages(4)}
        self._tree = Tree()

    def read(self) -> Tree:
        self._visit(self._root, frozenset())
        self._read(self._root, {}, whole=True)
        return self._tree

    def _read(self, expr: Message, bound: Mapping[str, Place | None], *, whole: bool) -> None:
        """Note what an expression reads; ``bound`` says what the variables of comprehensions stand for."""
        place = _place(expr, bound)
        if place is not None:
            self._tree.reads.add(Read(place, whole))
        if expr.has(5):
            if place is None:
                self._read(expr.message(5).message(1), bound, whole=True)
            else:
                self._read_indices(expr.message(5).message(1), bound)
        elif expr.has(6):
            self._read_call(expr, place, bound, whole=whole)
        elif expr.has(9):
            self._read_comprehension(expr.message(9), bound)
        else:
            for child in _elements(expr):
                self._read(child, bound, whole=True)

    def _read_call(self, expr: Message, place: Place | None, bound: Mapping[str, Place | None], *, whole: bool) -> None:
        call = expr.message(6)
        operands = [*call.messages(1), *call.messages(3)]
        if place is not None:
            self._read_indices(expr, bound)
        elif call.text(2) == "size":
            self._read(operands[0], bound, whole=False)
        elif call.text(2) == "_?_:_":
            for operand, all_of_it in zip(operands, (True, whole, whole), strict=True):
                self._read(operand, bound, whole=all_of_it)
        else:
            for operand in operands:
                self._read(operand, bound, whole=True)

    def _read_indices(self, expr: Message, bound: Mapping[str, Place | None]) -> None:
        """What stands in the brackets of a path is read too."""
        while not expr.has(4):
            if expr.has(5):
                expr = expr.message(5).message(1)
            else:
                operand, index = expr.message(6).messages(3)
                self._read(index, bound, whole=True)
                expr = operand

    def _read_comprehension(self, loop: Message, bound: Mapping[str, Place | None]) -> None:
        over = _place(loop.message(2), bound)
        self._read(loop.message(2), bound, whole=over is None)
        entry = (*over, ANY_ENTRY) if over is not None else None
        names = {name: entry for name in (loop.text(1), loop.text(8)) if name}
        accumulator: dict[str, Place | None] = {loop.text(3): None}
        self._read(loop.message(4), bound, whole=True)
        for number in (5, 6):  # condition, step
            self._read(loop.message(number), {**bound, **names, **accumulator}, whole=True)
        self._read(loop.message(7), {**bound, **accumulator}, whole=True)

    def _visit(self, expr: Message, bound: frozenset[str]) -> None:
        path = _path(expr)
        if path is not None:
            if path[0] not in bound:
                self._tree.references.add(".".join(path))
            self._note_presence_test(expr)
        elif expr.has(5):  # select on something that is no plain name
            self._note_presence_test(expr)
            self._visit(expr.message(5).message(1), bound)
        elif expr.has(6):
            self._visit_call(expr, bound)
        elif expr.message(8).text(1):  # a struct with the name of a message
            self._tree.messages.append(self._offset(expr))
        elif expr.has(9):
            self._visit_comprehension(expr.message(9), bound)
        else:
            for child in _elements(expr):
                self._visit(child, bound)

    def _note_presence_test(self, expr: Message) -> None:
        if expr.message(5).number(3):
            self._tree.presence_tests.append(self._offset(expr))

    def _visit_call(self, expr: Message, bound: frozenset[str]) -> None:
        call = expr.message(6)
        operands = [*call.messages(1), *call.messages(3)]
        operator = _ARITHMETIC.get(call.text(2))
        if operator and {self._types.get(each.number(2)) for each in operands} == {INT, DYN}:
            self._tree.mixed_arithmetic.append((self._offset(expr), operator))
        if call.text(2) == "replace" and not _shortens(*call.messages(3)[:2]):
            self._tree.growing_replacements.append(self._offset(expr))
        if call.text(2) in _COMPARISON and len(operands) == 2:
            self._note_comparison(_COMPARISON[call.text(2)], *(_compared(each, bound) for each in operands))
        for operand in operands:
            self._visit(operand, bound)

    def _note_comparison(self, operator: str, left: float | str | None, right: float | str | None) -> None:
        if left is None or right is None:
            return
        if isinstance(left, str):
            self._tree.comparisons.append(Comparison(left, operator, right))
        if isinstance(right, str):
            self._tree.comparisons.append(Comparison(right, _MIRRORED[operator], left))

    def _visit_comprehension(self, loop: Message, bound: frozenset[str]) -> None:
        self._visit(loop.message(2), bound)  # range
        if not bound and (path := _path(loop.message(2))) is not None:
            self._tree.ranges.add(".".join(path))
        self._visit(loop.message(4), bound)  # start of the accumulator
        inner = bound | {loop.text(1), loop.text(8), loop.text(3)}
        for number in (5, 6):  # condition, step
            self._visit(loop.message(number), inner)
        self._visit(loop.message(7), bound | {loop.text(3)})  # result

    def _offset(self, expr: Message) -> int:
        return self._offsets.get(expr.number(2), 0)


def _path(expr: Message) -> tuple[str, ...] | None:
    """``a.b.c`` as its parts, or None for anything but a name with selections."""
    if expr.has(4):
        return (expr.message(4).text(1).removeprefix("."),)
    if not expr.has(5):
        return None
    select = expr.message(5)
    operand = _path(select.message(1))
    return None if operand is None else (*operand, select.text(2))


def _place(expr: Message, bound: Mapping[str, Place | None]) -> Place | None:
    """Where the value of names, selections and indices stands; None for anything else, and for accumulators."""
    if expr.has(4):
        name = expr.message(4).text(1).removeprefix(".")
        return bound.get(name, (name,))
    if expr.has(5):
        select = expr.message(5)
        operand = _place(select.message(1), bound)
        return None if operand is None else (*operand, select.text(2))
    if expr.has(6) and expr.message(6).text(2) == "_[_]":
        container, index = expr.message(6).messages(3)
        operand = _place(container, bound)
        key = index.message(3)
        return None if operand is None else (*operand, key.text(6) if key.has(6) else ANY_ENTRY)
    return None


def _compared(expr: Message, bound: frozenset[str]) -> float | str | None:
    """A number, or the dotted path of a value that is not a comprehension's own; None for anything else."""
    if expr.has(3):
        constant = expr.message(3)
        return constant.double(5) if constant.has(5) else float(constant.signed(3)) if constant.has(3) else None
    path = _path(expr)
    return ".".join(path) if path is not None and path[0] not in bound else None


def _shortens(old: Message, new: Message) -> bool:
    """Whether both are texts that are written out, and the new one is no longer."""
    texts = [each.message(3) for each in (old, new)]
    if not all(each.has(6) for each in texts):
        return False
    before, after = (len(each.raw(6)) for each in texts)  # in UTF-8
    return after <= before


def _elements(expr: Message) -> Iterator[Message]:
    """The elements of a list literal; the keys and values of a map literal."""
    yield from expr.message(7).messages(1)
    for entry in expr.message(8).messages(2):
        yield from entry.messages(3)
        yield from entry.messages(4)


def _type_name(kind: Message) -> str | None:
    if kind.has(1):
        return DYN
    return INT if kind.number(3) == 2 else None  # primitive INT64


class Message:
    """One Protocol Buffers message: the raw values of each field number, in order."""

    def __init__(self, data: bytes) -> None:
        self._fields: dict[int, list[int | bytes]] = {}
        position = 0
        while position < len(data):
            tag, position = _varint(data, position)
            value: int | bytes
            match tag & 7:
                case 0:
                    value, position = _varint(data, position)
                case 1:
                    value, position = data[position : position + 8], position + 8
                case 2:
                    length, position = _varint(data, position)
                    value, position = data[position : position + length], position + length
                case 5:
                    value, position = data[position : position + 4], position + 4
                case other:
                    raise ValueError(f"wire type {other} is not one of Protocol Buffers 3")
            self._fields.setdefault(tag >> 3, []).append(value)

    def has(self, number: int) -> bool:
        return number in self._fields

    def number(self, number: int) -> int:
        value = self._fields.get(number, [0])[-1]
        return value if isinstance(value, int) else 0

    def signed(self, number: int) -> int:
        value = self.number(number)
        return value - 2**64 if value >= 2**63 else value

    def double(self, number: int) -> float:
        value = self._fields.get(number, [bytes(8)])[-1]
        return float(struct.unpack("<d", value)[0]) if isinstance(value, bytes) else 0.0

    def text(self, number: int) -> str:
        value = self._fields.get(number, [b""])[-1]
        return value.decode() if isinstance(value, bytes) else ""

    def raw(self, number: int) -> bytes:
        value = self._fields.get(number, [b""])[-1]
        return value if isinstance(value, bytes) else b""

    def messages(self, number: int) -> list[Message]:
        return [Message(value) for value in self._fields.get(number, []) if isinstance(value, bytes)]

    def message(self, number: int) -> Message:
        """The field's message; an absent one reads as empty, as the format defines."""
        found = self.messages(number)
        return found[-1] if found else Message(b"")


def _varint(data: bytes, position: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        if position >= len(data):
            raise ValueError("the message ends in the middle of a number")
        byte = data[position]
        position += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return value, position
