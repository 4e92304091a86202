"""What kind of value each part of an expression gives: by what the probes promise (evidence/field.py), what parameters
are declared as, and what every runbook is given. CEL itself knows nothing of the shape of evidence."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from firstresponder.api.runbook import Triage
from firstresponder.evidence.catalogue import PROBES
from firstresponder.evidence.field import ANY, BOOLEAN, NUMBER, TEXT, Field, Kind, record, texts
from firstresponder.expressions.form import ALL, AT_MOST, CONSTANT, EQUAL, FIELD, LESS, NAME, NOT, Form
from firstresponder.expressions.form import ANY as SOME
from firstresponder.runbooks.symbols import compiled, names_in

_PARAMETERS = {"number": NUMBER, "integer": NUMBER, "quantity": NUMBER}
"""Kinds by a parameter's type; all others are texts."""
_OF_TYPES = {"BOOL": BOOLEAN, "DOUBLE": NUMBER, "INT": NUMBER, "STRING": TEXT}
"""Kinds by what CEL itself says an expression gives."""
ARITHMETIC = {"_+_": "+", "_-_": "-", "_*_": "*", "_/_": "/", "_%_": "%"}
_LONG = 64
"""Characters of an operand that a message repeats."""
_NOUNS = {"hosts": "role", "baseline": "diagnostic"}
"""What the names that every runbook has are followed by."""

Bound = Mapping[Form, Field]
"""The variables of comprehensions that are known."""


@dataclass(frozen=True)
class Kinds:
    """What every name of a runbook is."""

    names: Mapping[str, Field]

    def of(self, form: Form, bound: Bound | None = None) -> Field | None:
        """What a part of an expression gives; None where that is not known."""
        bound = bound or {}
        match form:
            case (kind, *_) if kind in (ALL, SOME, NOT, LESS, AT_MOST, EQUAL, "@in"):
                return BOOLEAN
            case (kind, name) if kind == NAME:
                return self.names.get(name)
            case (kind, operand, name) if kind == FIELD:
                found = self.of(operand, bound)
                return found.below(name) if found is not None else None
            case (kind, type_, _) if kind == CONSTANT:
                return {"bool": BOOLEAN, "int": NUMBER, "double": NUMBER, "string": TEXT}.get(type_)
            case ("bound", _):
                return bound.get(form)
            case ("_[_]", operand, _):
                found = self.of(operand, bound)
                return found.entries if found is not None else None
            case ("_?_:_", _, *either):
                return self._alike(either, bound)
            case (function, *operands) if function in ARITHMETIC:
                found, *others = (self.of(each, bound) for each in operands)
                alike = found is not None and all(each is not None and each.kind is found.kind for each in others)
                return found if alike and found in (NUMBER, TEXT) else None
            case ("size" | "-_" | "double" | "int" | "indexOf" | "lastIndexOf", *_):
                return NUMBER
            case ("matches" | "contains" | "startsWith" | "endsWith" | "bool", *_):
                return BOOLEAN
            case (str(function), *_) if function.startswith("math."):
                return NUMBER
            case ("string" | "lowerAscii" | "upperAscii" | "replace" | "substring" | "trim" | "charAt" | "join", *_):
                return TEXT
            case ("split", *_):
                return texts()
            case ("list", *entries):
                return Field(Kind.LIST, entries=self._alike(entries, bound))
            case ("map", *_):
                return Field(Kind.MAP, members=ANY)
            case ("comprehension", over, start, *inside):
                return self._gathered(over, start, inside, bound)
        return None

    def _alike(self, forms: Sequence[Form], bound: Bound) -> Field | None:
        """What all of them give, where that is one thing."""
        found = [self.of(each, bound) for each in forms]
        known = [each for each in found if each is not None]
        if not known or len(known) < len(found) or len({each.kind for each in known}) > 1:
            return None
        return known[0] if all(each == known[0] for each in known) else Field(known[0].kind)

    def _gathered(self, over: Form, start: Form, inside: Sequence[Form], bound: Bound) -> Field | None:
        """What a macro gives: ``exists`` and the like a truth, ``filter`` and ``map`` a list of what they gather."""
        if start[0] != "list":
            return BOOLEAN  # true or false from the beginning, or for exists_one a count that is compared in the end
        inner = within(self, over, bound)
        parts = [each for form in inside for each in _lists(form)]
        return Field(Kind.LIST, entries=self._alike([part for each in parts for part in each[1:]], inner))

    def path_problem(self, path: str) -> str | None:
        """Why there can be nothing at a dotted path such as ``hosts.upstream.address``; None if there can be."""
        root, *rest = path.split(".")
        found: Field | None = self.names.get(root)
        place = root
        for name in rest:
            if found is None or found.kind is Kind.ANY:
                return None
            if (problem := field_problem(found, place, name)) is not None:
                return problem
            found, place = found.below(name), f"{place}.{name}"
        return None


def within(kinds: Kinds, over: Form, bound: Bound) -> Bound:
    """The variables that are known inside a macro: its entry, and what it gathers (form.py counts them so)."""
    found = kinds.of(over, bound)
    first = 1 + max((number for _, number in bound), default=-1)
    entries = found.entries if found is not None else None
    return {**bound, ("bound", first): entries or ANY, ("bound", first + 1): ANY}


def _lists(form: Form) -> Iterator[Form]:
    """The lists that are written within a part of an expression."""
    if form[0] == "list":
        yield form
    elif form[0] not in (NAME, CONSTANT, "bound"):
        for part in form[1:]:
            if isinstance(part, tuple) and part:
                yield from _lists(part)


def kinds_of(spec: Triage) -> Kinds:
    """What the names of this runbook are. Raises ExpressionError."""
    host = record("", name=TEXT, address=TEXT, expectedUnits=texts())
    observed = {each.name: Field(Kind.MAP, members=PROBES[each.probe].fields) for each in spec.diagnostics}
    names = {
        "service": TEXT,
        "hosts": record("", **{role.name: host for role in spec.roles}),
        "baseline": record("", **observed),
        **{each.name: _PARAMETERS.get(each.type, TEXT) for each in spec.parameters},
        **observed,
    }
    known = names_in(spec)
    for variable in spec.variables:
        expression = compiled(variable.expression, known)
        found = Kinds(names).of(expression.form) or _OF_TYPES.get(expression.result_type)
        names = names | ({variable.name: found} if found is not None else {})
    return Kinds(names)


def field_problem(field: Field, place: str, name: str) -> str | None:
    """Why there is no such field; None where there can be one."""
    if field.below(name) is not None:
        return None
    if field.kind is not Kind.MAP:
        return f"{place} is {field.kind}: it has no field {name}"
    known = sorted(field.members) if isinstance(field.members, Mapping) else []
    close = difflib.get_close_matches(name[:_LONG], known, n=1)
    advice = f": did you mean {close[0]}?" if close else ";"
    return f"{place} has no {_NOUNS.get(place, 'field')} {name}{advice} it has {', '.join(known) or 'nothing'}"


def said(form: Form) -> str:
    """An operand as its author would know it again."""
    match form:
        case (kind, name) if kind == NAME:
            return str(name)
        case (kind, ("bound", _), name) if kind == FIELD:
            return f"{name} of an entry"
        case (kind, operand, name) if kind == FIELD:
            return f"{said(operand)}.{name}"
        case (kind, "string", value) if kind == CONSTANT:
            return repr(value) if len(value) < _LONG else f"{value[:_LONG]!r}…"
        case (kind, "double", value) if kind == CONSTANT:
            return f"{value:g}"
        case (kind, _, value) if kind == CONSTANT:
            return str(value).lower()
        case ("bound", _):
            return "an entry"
        case ("_[_]", operand, _):
            return f"an entry of {said(operand)}"
        case ("list", *entries):
            return "[…]" if entries else "[]"
        case (str(function), *_) if function.isidentifier():
            return f"what {function}() gives"
    return "a part of it"
