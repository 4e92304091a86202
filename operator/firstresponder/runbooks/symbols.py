"""The names that a runbook's expressions and templates can use, and its compiled expressions."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

from firstresponder.api.runbook import Triage
from firstresponder.expressions import Expression, compile_expression

GIVEN = frozenset({"service", "hosts", "baseline"})
"""Names that every runbook has: the incident's service, its hosts by role, the triage evidence."""


def names_in(spec: Triage) -> frozenset[str]:
    """Every name that an expression of this runbook may use."""
    return frozenset(
        GIVEN
        | {parameter.name for parameter in spec.parameters}
        | {diagnostic.name for diagnostic in spec.diagnostics}
        | {variable.name for variable in spec.variables}
    )


@lru_cache(maxsize=1024)
def compiled(source: str, names: frozenset[str]) -> Expression:
    """The checked expression; a runbook's expressions are evaluated again and again."""
    return compile_expression(source, names)


def free_of_evidence(spec: Triage) -> frozenset[str]:
    """The names that an argument may use: everything but evidence and the variables that rest on it (rule 13)."""
    names = names_in(spec)
    free = names - {diagnostic.name for diagnostic in spec.diagnostics} - {"baseline"}
    for variable in spec.variables:
        if not compiled(variable.expression, names).names <= free:
            free -= {variable.name}
    return free


def diagnostics_behind(spec: Triage, sources: Iterable[str]) -> frozenset[str]:
    """The diagnostics that these expressions rest on, directly or through variables."""
    found = frozenset[str]().union(*(each.names for each in expressions_behind(spec, sources)))
    return found & {diagnostic.name for diagnostic in spec.diagnostics}


def expressions_behind(spec: Triage, sources: Iterable[str]) -> list[Expression]:
    """These expressions, compiled, and those of the variables that they rest on; each variable once."""
    names = names_in(spec)
    variables = {variable.name: variable.expression for variable in spec.variables}
    wanted, found = list(sources), list[Expression]()
    while wanted:
        expression = compiled(wanted.pop(), names)
        found.append(expression)
        wanted += [variables.pop(name) for name in sorted(expression.names & variables.keys())]
    return found
