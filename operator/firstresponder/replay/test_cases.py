"""A runbook's own test cases, decided as for real: recorded evidence in, cause and action out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from firstresponder.api.base import JSON
from firstresponder.api.packet import VerificationPlan
from firstresponder.api.runbook import Case, Expectation, RunbookSpec, Triage
from firstresponder.expressions import Scope
from firstresponder.incident.decision.amount import plan_amount
from firstresponder.incident.decision.decide import (
    DEFAULT_MARGIN,
    Delegate,
    Escalate,
    EvaluationInputs,
    Proposed,
    SelfRecovered,
    check_preconditions,
    decide,
    scope_of,
)
from firstresponder.incident.decision.verification import take_sample, verification_plan
from firstresponder.incident.facts import Sample
from firstresponder.runbooks.parameters import resolve
from firstresponder.safety.values import format_value

_MOMENT = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class CaseResult:
    """One case: what was expected, what came out, and each difference between them."""

    name: str
    expected: Expectation
    outcome: Expectation
    differences: tuple[str, ...]

    @property
    def passed(self) -> bool:
        return not self.differences


def patched(target: Mapping[str, JSON], patch: Mapping[str, JSON]) -> dict[str, JSON]:
    """RFC 7396: null takes a member away, a map is merged, anything else replaces."""
    merged = dict(target)
    for key, value in patch.items():
        if value is None:
            merged.pop(key, None)
        elif isinstance(value, dict):
            before = merged.get(key)
            merged[key] = patched(before if isinstance(before, dict) else {}, value)
        else:
            merged[key] = value
    return merged


def run_tests(spec: Triage, parameters: Mapping[str, JSON] | None = None) -> list[CaseResult]:
    """Run every case. Raises ValueError that names a case whose evidence set does not exist."""
    tests = spec.tests
    if tests is None:
        return []
    hosts = {
        role: {"name": host.name, "address": host.address, "expectedUnits": list(host.expected_units)}
        for role, host in tests.hosts.items()
    }
    inputs = EvaluationInputs(tests.service, resolve(spec.parameters, parameters or {}).values, hosts)
    results = []
    for case in tests.cases:
        if case.given not in tests.evidence:
            known = ", ".join(sorted(tests.evidence))
            raise ValueError(f"tests.cases[{case.name}].given: no evidence named {case.given} (there is: {known})")
        given = tests.evidence[case.given]
        results.append(_run(spec, inputs, case, patched(given, case.with_), given))
    return results


def _run(
    spec: Triage, inputs: EvaluationInputs, case: Case, evidence: Mapping[str, Any], baseline: Mapping[str, Any]
) -> CaseResult:
    outcome = outcome_of(spec, inputs, evidence, baseline)
    differences = tuple(
        f"{info.alias}: expected {in_words(expected)}, got {in_words(getattr(outcome, name))}"
        for name, info in Expectation.model_fields.items()
        if (expected := getattr(case.expect, name)) is not None and getattr(outcome, name) != expected
    )
    return CaseResult(case.name, case.expect, outcome, differences)


def in_words(value: JSON) -> str:
    """The value of a field of an expectation."""
    if value is None:
        return "nothing"
    return ", ".join(value) or "none" if isinstance(value, list) else format_value(value, 200)


def outcome_of(
    spec: Triage,
    inputs: EvaluationInputs,
    evidence: Mapping[str, Any],
    baseline: Mapping[str, Any],
    margin: int = DEFAULT_MARGIN,
) -> Expectation:
    """Everything a case may expect, as this evidence gives it; ``baseline`` is what triage saw before it."""
    scope = scope_of(spec, inputs, evidence, baseline=baseline)
    decision = decide(spec, scope, margin)
    conclusion = decision.conclusion
    contacts = dict.fromkeys(contact for each in decision.recommendations for contact in each.to)
    found: dict[str, Any] = {"recommend": list(contacts)}
    hypothesis = getattr(conclusion, "hypothesis", None)
    if hypothesis is not None:
        found["cause"] = hypothesis.name
    match conclusion:
        case Escalate():
            found["escalate"] = conclusion.reason
        case Delegate():
            found["runbook"] = conclusion.runbook
        case SelfRecovered():
            found["verify_only"] = True
        case Proposed() if isinstance(spec, RunbookSpec):
            found |= _proposal(spec, conclusion, scope)
    if isinstance(spec, RunbookSpec):
        plan = verification_plan(spec, inputs)
        sample = take_sample(spec, plan, scope, _MOMENT)
        found |= {"unmet": unmet(plan, sample), "failed": sample.failed}
    return Expectation.model_construct(**{name: found.get(name) for name in Expectation.model_fields})


def unmet(plan: VerificationPlan, sample: Sample) -> list[str]:
    """The criteria that do not hold in one sample."""
    return [criterion.name for criterion in plan.criteria if sample.verdicts.get(criterion.name) is not True]


def _proposal(spec: RunbookSpec, proposed: Proposed, scope: Scope) -> dict[str, Any]:
    refused = check_preconditions(spec, proposed.action, scope)
    if refused is not None:
        return {"escalate": refused.reason}
    plan = plan_amount(spec, proposed.action, scope)
    if isinstance(plan, Escalate):
        return {"escalate": plan.reason}
    return {
        "action": proposed.action.name,
        "desired": plan.count.desired if plan.count is not None else None,
        "methods": [method.name for method in plan.methods],
    }
