"""The form of an expression: its tree without what changes nothing in its meaning.

Two conditions that are only written differently have the same form: white space and brackets are gone, the operands
of ``&&``, ``||`` and ``==`` have one order, ``a > b`` is ``b < a``, a negation stands as far inside as it can, and the
variable of an ``exists`` has no name. Where a value is missing, both ways of writing are unknown too.

``a == true`` is not ``a``, for of a text the one is false and the other unknown; and ``!(a / b > c)`` is not
``a / b <= c``, for zero by zero is neither above nor below anything.

A form is a tuple that begins with what it is: ``(ALL, …)`` and ``(ANY, …)`` of conditions, ``(NOT, condition)``,
``(LESS, a, b)``, ``(AT_MOST, a, b)``, ``(EQUAL, a, b)``, ``(NAME, name)``, ``(FIELD, operand, name)``,
``(CONSTANT, type, value)``; anything else is its function or its kind, and its parts.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from firstresponder.expressions.tree import Message, checked_expression

Form = tuple[Any, ...]

ALL, ANY, NOT = "all", "any", "not"
LESS, AT_MOST, EQUAL = "<", "<=", "=="
CONDITIONS = (ALL, ANY, NOT, LESS, AT_MOST, EQUAL)
"""Forms whose value, where they have one, is true or false."""
NAME, FIELD, CONSTANT = "name", "field", "constant"
TRUE: Form = (CONSTANT, "bool", True)
FALSE: Form = (CONSTANT, "bool", False)


def read_form(serialised: bytes) -> Form:
    """The form of what ``Expression.serialize()`` gives. Raises ValueError on anything else."""
    return _form(checked_expression(serialised).message(4), {})


def path_of(form: Form) -> tuple[str, ...] | None:
    """``a.b.c`` as its parts, or None for anything but a name with fields."""
    if form[0] == NAME:
        return (form[1],)
    if form[0] != FIELD:
        return None
    operand = path_of(form[1])
    return None if operand is None else (*operand, form[2])


def _form(expr: Message, bound: Mapping[str, Form]) -> Form:
    """Field numbers are those of ``cel.expr.Expr``, as in tree.py; ``bound`` are the variables of comprehensions."""
    if expr.has(3):
        return _constant(expr.message(3))
    if expr.has(4):
        name = expr.message(4).text(1).removeprefix(".")
        return bound.get(name, (NAME, name))
    if expr.has(5):
        select = expr.message(5)
        return (FIELD, _form(select.message(1), bound), select.text(2))
    if expr.has(6):
        call = expr.message(6)
        return _call(call.text(2), *(_form(each, bound) for each in (*call.messages(1), *call.messages(3))))
    if expr.has(7):
        return ("list", *(_form(each, bound) for each in expr.message(7).messages(1)))
    if expr.has(8):
        entries = expr.message(8).messages(2)
        return ("map", *((_form(each.message(3), bound), _form(each.message(4), bound)) for each in entries))
    if expr.has(9):
        return _comprehension(expr.message(9), bound)
    raise ValueError("an expression of a kind that this does not know")


def _constant(constant: Message) -> Form:
    if constant.has(2):
        return TRUE if constant.number(2) else FALSE
    if constant.has(3) or constant.has(4):
        return (CONSTANT, "int", constant.signed(3) if constant.has(3) else constant.number(4))
    if constant.has(5):
        return (CONSTANT, "double", constant.double(5))
    return (CONSTANT, "string", constant.text(6)) if constant.has(6) else (CONSTANT, "bytes", constant.raw(7))


def _call(function: str, *operands: Form) -> Form:
    match function, operands:
        case "!_", (condition,):
            return negation(condition)
        case "_&&_", _:
            return _joined(ALL, operands)
        case "_||_", _:
            return _joined(ANY, operands)
        case "_<_", (one, other):
            return (LESS, _number(one), _number(other))
        case "_>_", (one, other):
            return (LESS, _number(other), _number(one))
        case "_<=_", (one, other):
            return (AT_MOST, _number(one), _number(other))
        case "_>=_", (one, other):
            return (AT_MOST, _number(other), _number(one))
        case "_==_", (one, other):
            return _equal(_number(one), _number(other))
        case "_!=_", (one, other):
            return negation(_equal(_number(one), _number(other)))
        case "-_", ((kind, "int" | "double" as type_, value),) if kind == CONSTANT:
            return (CONSTANT, type_, -value)
        case "_[_]", (operand, (kind, "string", key)) if kind == CONSTANT:
            return (FIELD, operand, key)
    return (function, *operands)


def negation(condition: Form) -> Form:
    """The form of ``!(condition)``."""
    match condition:
        case (kind, *conditions) if kind in (ALL, ANY):
            return _joined(ANY if kind == ALL else ALL, [negation(each) for each in conditions])
        case (kind, inner) if kind == NOT:
            return inner  # type: ignore[no-any-return]
        case (kind, one, other) if kind in (LESS, AT_MOST) and is_orderly(one) and is_orderly(other):
            return (AT_MOST if kind == LESS else LESS, other, one)
        case (kind, "bool", value) if kind == CONSTANT:
            return FALSE if value else TRUE
    return (NOT, condition)


def is_orderly(form: Form) -> bool:
    """Whether its value, where it has one, is below, at or above any other: arithmetic may give what is no number."""
    return form[0] in (CONSTANT, "size") or path_of(form) is not None


def _joined(kind: str, conditions: Any) -> Form:
    """All or any of them: once each, and in one order, however they were nested."""
    flat = {inner for each in conditions for inner in (each[1:] if each[0] == kind else (each,))}
    return flat.pop() if len(flat) == 1 else (kind, *sorted(flat, key=repr))


def _equal(one: Form, other: Form) -> Form:
    for constant, condition in ((one, other), (other, one)):
        if constant in (TRUE, FALSE) and condition[0] in CONDITIONS:
            return condition if constant == TRUE else negation(condition)
    return (EQUAL, *sorted((one, other), key=repr))


def _number(form: Form) -> Form:
    """An integer that is compared is as good as a double, as which all evidence comes."""
    return (CONSTANT, "double", float(form[2])) if form[:2] == (CONSTANT, "int") else form


def _comprehension(loop: Message, bound: Mapping[str, Form]) -> Form:
    first = 1 + max((number for _, number in bound.values()), default=-1)
    names = [name for name in (loop.text(1), loop.text(8), loop.text(3)) if name]
    inner = {**bound, **{name: ("bound", number) for number, name in enumerate(names, first)}}
    outside, inside = (2, 4), (5, 6, 7)  # the range and the start; the condition, the step and the result
    return (
        "comprehension",
        *(_form(loop.message(number), bound) for number in outside),
        *(_form(loop.message(number), inner) for number in inside),
    )
