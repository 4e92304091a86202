"""Templates name what exists; arguments use nothing that comes from evidence (rules 12 and 13)."""

from __future__ import annotations

import re
from collections.abc import Iterator

from pydantic import BaseModel

from firstresponder.actions.catalogue import TYPES
from firstresponder.api.runbook import Triage
from firstresponder.expressions import ExpressionError, TemplateError, template_references
from firstresponder.runbooks.lint.expressions import known_kinds
from firstresponder.runbooks.problem import Problem
from firstresponder.runbooks.symbols import free_of_evidence, names_in

_OF_TYPES = "|".join(str(field.alias) for kind in TYPES.values() for field in kind.fields.model_fields.values())
_ARGUMENTS = re.compile(rf"spec\.(diagnostics|experiments|roles|actions\[[0-9]+\]\.({_OF_TYPES}))\b")
"""Fields whose templates become arguments."""


def unusable(spec: Triage) -> Iterator[Problem]:
    """Names that are not there, and arguments that come from evidence."""
    names, kinds = names_in(spec), known_kinds(spec)
    try:
        arguments = free_of_evidence(spec)
    except ExpressionError:
        return  # reported where the expression stands
    for path, template in _texts("spec", spec.model_copy(update={"tests": None})):
        is_argument = bool(_ARGUMENTS.match(path))
        try:
            roots = {reference.partition(".")[0] for reference in template_references(template)}
        except TemplateError as error:
            yield Problem(path, str(error))
            continue
        if kinds is not None:
            problems = (kinds.path_problem(reference) for reference in sorted(template_references(template)))
            yield from (Problem(path, problem) for problem in problems if problem is not None)
        for root in sorted(roots - names):
            yield Problem(path, f"$({root}) is not known here: known names are {', '.join(sorted(names))}")
        for root in sorted((roots & names) - arguments) if is_argument else ():
            yield Problem(path, f"$({root}) comes from evidence, which no argument may use")


def _texts(path: str, model: BaseModel) -> Iterator[tuple[str, str]]:
    """Field path and value of every string under a model that may hold ``$(…)``."""
    for name, field in type(model).model_fields.items():
        yield from _text(f"{path}.{field.alias or name}", getattr(model, name))


def _text(path: str, value: object) -> Iterator[tuple[str, str]]:
    match value:
        case str() if "$(" in value:
            yield path, value
        case BaseModel():
            yield from _texts(path, value)
        case list():
            for index, each in enumerate(value):
                yield from _text(f"{path}[{index}]", each)
