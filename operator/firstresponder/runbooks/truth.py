"""Conditions that ask for a value which is never true or false: a number, a text, a list."""

from __future__ import annotations

from collections.abc import Iterator

from firstresponder.api.runbook import Triage
from firstresponder.evidence.catalogue import PROBES
from firstresponder.expressions import Expression
from firstresponder.expressions.form import ALL, ANY, NOT, Form, path_of
from firstresponder.runbooks.names import compiled, names_in

_ANYTHING = ("json", "jc")
"""Fields whose value the host's program or service decides."""


def neither_true_nor_false(spec: Triage, expression: Expression) -> str | None:
    """What the expression asks of a value that is neither, and what to do; None when it asks nothing such."""
    for path in _asked(spec, expression.form):
        if (what := _other_than_boolean(spec, path)) is not None:
            name = ".".join(path)
            return f"{name} is {what}, not true or false: compare it with something"
    return None


def _asked(spec: Triage, form: Form) -> Iterator[tuple[str, ...]]:
    """The plain paths whose own truth decides, those behind variables too."""
    if form[0] in (ALL, ANY, NOT):
        for each in form[1:]:
            yield from _asked(spec, each)
    elif (path := path_of(form)) is not None:
        yield path


def _other_than_boolean(spec: Triage, path: tuple[str, ...]) -> str | None:
    root, *rest = path
    for parameter in spec.parameters:
        if parameter.name == root:
            return f"a parameter of type {parameter.type}"
    for variable in spec.variables:
        if variable.name == root and not rest:
            expression = compiled(variable.expression, names_in(spec))
            if expression.result_type not in {"BOOL", "DYN"}:
                return f"a variable of type {expression.result_type.lower()}"
            found = (_other_than_boolean(spec, each) for each in _asked(spec, expression.form))
            return next((what for what in found if what is not None), None)
    for diagnostic in spec.diagnostics:
        if diagnostic.name == root and len(rest) == 1 and rest[0] not in _ANYTHING:
            meaning = PROBES[diagnostic.probe].fields.get(rest[0], "Whether")
            return None if meaning.startswith("Whether") else "a number, a text or a list"
    return "the incident's" if root in ("service", "hosts") else None
