"""What the schema cannot refuse: expressions, references and bounds of a runbook, all problems at once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from firstresponder.api.base import JSON
from firstresponder.api.runbook import Triage
from firstresponder.runbooks.lint import actions, diagnostics, expressions, names, parameters, templates, verification
from firstresponder.runbooks.models import RUNBOOK_SPECS
from firstresponder.runbooks.problem import Problem
from firstresponder.runbooks.schema_errors import complaints

_APART: Mapping[str, JSON] = {
    "match": {},
    "mode": None,
    "escalateTo": None,
    "otherwise": {"escalate": {"reason": "UnknownRootCause", "humanAction": "Find the cause."}},
    "verify": {
        "window": "1m",
        "timeout": "5m",
        "criteria": [{"name": "any", "require": "service != ''"}],
        "onFailure": {"escalate": {"reason": "FixFailed", "humanAction": "Find the cause."}},
    },
    "tests": None,
}
"""Fields that nothing else rests on, with what stands in for one that does not fit, so that the rest can be checked."""


def lint(kind: str, spec: Mapping[str, JSON]) -> list[Problem]:
    """Every problem of a Runbook's or TriagePlaybook's ``spec``; empty when it can be used."""
    model = RUNBOOK_SPECS[kind]
    unfit = complaints(model, spec, "spec")
    rest = _without_unfit(model, spec, unfit)
    return [*unfit, *(_problems(model.model_validate(rest)) if rest is not None else ())]


def _without_unfit(
    model: type[Triage], spec: Mapping[str, JSON], unfit: Iterable[Problem]
) -> Mapping[str, JSON] | None:
    """The content without fields that do not fit, where nothing else rests on them; None where something does."""
    fields = {problem.field.removeprefix("spec.").partition(".")[0].partition("[")[0] for problem in unfit}
    known = {info.alias for info in model.model_fields.values()}
    if any(problem.field == "spec" for problem in unfit) or fields & known - _APART.keys():
        return None
    kept = {name: value for name, value in spec.items() if name not in fields}
    return {**kept, **{name: _APART[name] for name in fields & known if _APART[name] is not None}}


def _problems(spec: Triage) -> list[Problem]:
    # Names, probes, actions and patterns first: whatever uses a wrong one would be a problem of its own.
    first = (names.clashes, diagnostics.malformed, actions.malformed, parameters.patterns, diagnostics.patterns)
    if found := [problem for check in first for problem in check(spec)]:
        return found
    then = (
        *(expressions.unusable, expressions.costs, templates.unusable, expressions.baselines),
        *(diagnostics.refused, names.dangling, parameters.values, actions.arguments, verification.window),
    )
    found = [problem for check in then for problem in check(spec)]
    if any(problem.field.startswith("spec.variables") for problem in found):
        return found  # what conditions mean is not known
    fields = {problem.field for problem in found}
    return [*found, *(problem for problem in expressions.hopeless(spec) if problem.field not in fields)]
