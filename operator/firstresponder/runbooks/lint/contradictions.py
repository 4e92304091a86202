"""What of an expression can never work, and what takes missing evidence for an answer.

CEL takes ``health.status == '503'`` for a question like any other: it is false for ever, and ``!=`` is true for ever.
The kinds of values distinguish such a question from one that evidence can answer. And it takes ``'request' in
oom.extracted`` for a question about the world, though the probe only leaves out what it did not see. Where a kind is
not known, nothing is said.
"""

from __future__ import annotations

from collections.abc import Iterator

from firstresponder.evidence.field import Field, Kind
from firstresponder.expressions.form import ALL, AT_MOST, CONSTANT, EQUAL, FIELD, LESS, NAME, NOT, Form
from firstresponder.expressions.form import ANY as SOME
from firstresponder.runbooks.kinds import ARITHMETIC, Bound, Kinds, field_problem, said, within

_OF_TEXT = frozenset(
    {"startsWith", "endsWith", "contains", "matches", "lowerAscii", "upperAscii", "replace", "split", "substring"}
    | {"trim", "charAt", "indexOf", "lastIndexOf"}
)
"""Functions that a text has, and nothing else."""
_NULL: Form = (CONSTANT, "bytes", b"")
_PRESENCE = (
    "what is missing there was not seen, which is not an answer; compare the field itself, then missing evidence stays "
    "unknown"
)


def contradictions(kinds: Kinds, form: Form, bound: Bound | None = None) -> Iterator[str]:
    """What of an expression can never work, or asks whether something is there, each in words for its author."""
    bound = bound or {}
    match form:
        case (kind, operand, name) if kind == FIELD:
            found = kinds.of(operand, bound)
            if found is not None and (problem := field_problem(found, said(operand), name)) is not None:
                yield problem
        case (kind, *operands) if kind in (ALL, SOME, NOT):
            yield from (each for each in (no_condition(kinds, operand, bound) for operand in operands) if each)
        case ("_?_:_", asked, *_):
            yield from (each for each in [no_condition(kinds, asked, bound)] if each)
        case (kind, one, other) if kind in (EQUAL, LESS, AT_MOST):
            yield from _compared(kinds, one, other, bound)
        case ("@in", one, many):
            yield from _sought(kinds, one, many, bound)
        case ("size", operand):
            found = kinds.of(operand, bound)
            if found is not None and found.kind not in (Kind.LIST, Kind.TEXT, Kind.ANY):
                why = _PRESENCE if found.kind is Kind.MAP else "it has none"
                yield f"asks for the size of {said(operand)}, which is {found.kind}: {why}"
        case (function, one, other) if function in ARITHMETIC:
            yield from _calculated(kinds, function, one, other, bound)
        case (function, operand, *_) if function in _OF_TEXT:
            found = kinds.of(operand, bound)
            if found is not None and found.kind not in (Kind.TEXT, Kind.ANY):
                yield f"{function}() is for texts, and {said(operand)} is {found.kind}"
    if form[0] == "comprehension":
        yield from _looped(kinds, form, bound)
        return
    for part in form[1:]:
        if isinstance(part, tuple) and part and form[0] not in (NAME, CONSTANT):
            yield from contradictions(kinds, part, bound)


def no_condition(kinds: Kinds, form: Form, bound: Bound | None = None) -> str | None:
    """Why a part of an expression can be no condition; None where it is true or false, or may be."""
    found = kinds.of(form, bound)
    if found is None or found.kind in (Kind.BOOLEAN, Kind.ANY):
        return None
    return f"{said(form)} is {found.kind}, not true or false: compare it with something"


def _looped(kinds: Kinds, form: Form, bound: Bound) -> Iterator[str]:
    _, over, *inside = form
    yield from contradictions(kinds, over, bound)
    found = kinds.of(over, bound)
    if found is not None and found.kind is Kind.MAP:
        yield f"goes through {said(over)}, which is a map: {_PRESENCE}"
    elif found is not None and found.kind not in (Kind.LIST, Kind.ANY):
        yield f"goes through {said(over)}, which is {found.kind} and no list"
    for part in inside:
        yield from contradictions(kinds, part, within(kinds, over, bound))


def _compared(kinds: Kinds, one: Form, other: Form, bound: Bound) -> Iterator[str]:
    if _NULL in (one, other):
        operand = other if one == _NULL else one
        if (found := kinds.of(operand, bound)) is not None and found.kind is not Kind.ANY:
            yield f"compares {said(operand)} with null: {_PRESENCE}"
        return
    for operand, against in ((one, other), (other, one)):
        found = kinds.of(operand, bound)
        if found is not None and found.kind is Kind.MAP and against[0] == "map":
            yield f"compares {said(operand)} with a map: {_PRESENCE}"
            return
    if differ := _never_equal(kinds, one, other, bound):
        yield f"compares {differ}: they are never equal"


def _sought(kinds: Kinds, one: Form, many: Form, bound: Bound) -> Iterator[str]:
    if many[0] == "list":
        differing = [_never_equal(kinds, one, each, bound) for each in many[1:]]
        yield from (f"looks for {each}: they are never equal" for each in differing if each is not None)
        return
    found = kinds.of(many, bound)
    if found is None or found.kind is Kind.ANY:
        return
    if found.kind is Kind.MAP:
        yield f"asks whether {said(one)} is in {said(many)}: {_PRESENCE}"
    elif found.kind is not Kind.LIST:
        yield f"looks for {said(one)} in {said(many)}, which is {found.kind} and no list"
    else:
        wanted, entries = kinds.of(one, bound), found.entries
        if _differ(wanted, entries):
            yield f"looks for {said(one)} in {said(many)}, whose entries are of another kind: they are never equal"


def _never_equal(kinds: Kinds, one: Form, other: Form, bound: Bound) -> str | None:
    """Both operands with their kinds where those differ; None where they may be equal."""
    if one[0] == CONSTANT:
        one, other = other, one
    first, second = kinds.of(one, bound), kinds.of(other, bound)
    if first is None or second is None:
        return None
    written = [each for each in (one, other) if each[0] == "list" and each[1:]]
    if not _differ(first, second) and not (written and _differ(first.entries, second.entries)):
        return None
    return f"{said(one)}, {first.kind}, with {said(other)}, {second.kind}"


def _differ(one: Field | None, other: Field | None) -> bool:
    return one is not None and other is not None and Kind.ANY not in (one.kind, other.kind) and one.kind != other.kind


def _calculated(kinds: Kinds, function: str, one: Form, other: Form, bound: Bound) -> Iterator[str]:
    for operand in (one, other):
        found = kinds.of(operand, bound)
        fits = (Kind.NUMBER, Kind.ANY, *((Kind.TEXT, Kind.LIST) if function == "_+_" else ()))
        if found is not None and found.kind not in fits:
            yield f"{ARITHMETIC[function]} cannot be applied to {said(operand)}, which is {found.kind}"
            return
    if function == "_+_" and (differ := _never_equal(kinds, one, other, bound)):
        yield f"+ cannot join {differ}"
