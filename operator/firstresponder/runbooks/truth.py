"""Conditions that ask for a value which is never true or false: a number, a text, a list."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from firstresponder.api.runbook import Triage
from firstresponder.evidence.catalogue import PROBES
from firstresponder.expressions import Expression
from firstresponder.expressions.form import ALL, ANY, EQUAL, FALSE, NOT, TRUE, Form, path_of
from firstresponder.runbooks.names import compiled, names_in

_ANYTHING = ("json", "jc")
"""Fields whose value the host's program or service decides."""


def neither_true_nor_false(spec: Triage, expression: Expression, variables: Mapping[str, str]) -> str | None:
    """What the expression asks of a value that is neither, and what to do; None when it asks nothing such.

    ``variables`` are those that are neither, as :func:`variables_that_are_neither` tells.
    """
    for path in _asked(expression.form):
        if (what := _other_than_boolean(spec, path, variables)) is not None:
            return f"{'.'.join(path)} is {what}, not true or false: compare it with something"
    return None


def variables_that_are_neither(spec: Triage) -> dict[str, str]:
    """The variables whose value is never true or false, with what it is. Raises ExpressionError."""
    names, found = names_in(spec), dict[str, str]()
    for variable in spec.variables:  # each rests only on those before it
        expression = compiled(variable.expression, names)
        if expression.result_type not in {"BOOL", "DYN"}:
            found[variable.name] = f"a variable of type {expression.result_type.lower()}"
            continue
        asked = (_other_than_boolean(spec, each, found) for each in _asked(expression.form))
        if (what := next((each for each in asked if each is not None), None)) is not None:
            found[variable.name] = what
    return found


def _asked(form: Form) -> Iterator[tuple[str, ...]]:
    """The plain paths whose own truth decides."""
    if form[0] in (ALL, ANY, NOT):
        for each in form[1:]:
            yield from _asked(each)
    elif form[0] == EQUAL and (TRUE in form or FALSE in form):
        yield from (path for path in map(path_of, form[1:]) if path is not None)
    elif (path := path_of(form)) is not None:
        yield path


def _other_than_boolean(spec: Triage, path: tuple[str, ...], variables: Mapping[str, str]) -> str | None:
    root, *rest = path
    for parameter in spec.parameters:
        if parameter.name == root:
            return f"a parameter of type {parameter.type}"
    if root in variables and not rest:
        return variables[root]
    for diagnostic in spec.diagnostics:
        if diagnostic.name == root and len(rest) == 1 and rest[0] not in _ANYTHING:
            meaning = PROBES[diagnostic.probe].fields.get(rest[0], "Whether")
            return None if meaning.startswith("Whether") else "a number, a text or a list"
    return "the incident's" if root in ("service", "hosts") else None
