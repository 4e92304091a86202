"""The decision: what the evidence says, by the rules, and nothing else.

The same evidence gives the same decision: no clock, no order of diagnostics, no randomness. Unknown is never
true and never false; it hands over to a human.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from firstresponder.actions.action import Count
from firstresponder.api.base import JSON
from firstresponder.api.incident import HypothesisResult
from firstresponder.api.reasons import EscalationReason
from firstresponder.api.runbook import (
    Action,
    Guard,
    Hypothesis,
    Method,
    Outcome,
    Recommendation,
    RunbookSpec,
    Triage,
)
from firstresponder.expressions import Scope, Verdict, render_text, resolve_variables
from firstresponder.runbooks.names import compiled, names_in

DEFAULT_MARGIN = 20
"""Points of likelihood by which the winner must lead, unless the EscalationPolicy says otherwise."""


@dataclass(frozen=True)
class Setting:
    """What is known before anything is observed."""

    service: str
    parameters: Mapping[str, JSON]
    hosts: Mapping[str, Mapping[str, JSON]]
    """Role → name, address, expectedUnits."""


@dataclass(frozen=True)
class Proposed:
    """A hypothesis won, and this action follows from it."""

    hypothesis: Hypothesis
    action: Action


@dataclass(frozen=True)
class Led:
    """A playbook's hypothesis won, and this runbook goes on."""

    hypothesis: Hypothesis
    runbook: str


@dataclass(frozen=True)
class SelfRecovered:
    """The symptom is gone: act on nothing, verify only."""


@dataclass(frozen=True)
class HandOver:
    """A human must decide."""

    reason: EscalationReason
    message: str
    to: tuple[str, ...] = ()
    human_action: str | None = None
    hypothesis: Hypothesis | None = None
    recommendations: tuple[Recommendation, ...] = ()


Conclusion = Proposed | Led | SelfRecovered | HandOver


@dataclass(frozen=True)
class Decision:
    """The conclusion, and the verdict on everything that was judged on the way to it."""

    conclusion: Conclusion
    verdicts: tuple[HypothesisResult, ...]
    recommendations: tuple[Recommendation, ...] = ()


def scope_of(
    spec: Triage,
    setting: Setting,
    evidence: Mapping[str, Mapping[str, JSON]],
    baseline: Mapping[str, Mapping[str, JSON]] | None = None,
) -> Scope:
    """What expressions see. A diagnostic that was not observed is an empty map (rule 2)."""
    known = {**setting.parameters, "service": setting.service, "hosts": dict(setting.hosts)}
    observed = {diagnostic.name: dict(evidence.get(diagnostic.name, {})) for diagnostic in spec.diagnostics}
    names = names_in(spec)
    variables = [(variable.name, compiled(variable.expression, names)) for variable in spec.variables]
    return resolve_variables(variables, Scope({**known, **observed, "baseline": dict(baseline or {})}))


def _judged(
    spec: Triage, scope: Scope, name: str, kind: str, source: str, likelihood: int | None = None
) -> HypothesisResult:
    """One expression judged: Holds, Refuted or Unknown, with the reason."""
    expression = compiled(source, names_in(spec))
    verdict = expression.verdict(scope)
    words = {Verdict.TRUE: "Holds", Verdict.FALSE: "Refuted", Verdict.UNKNOWN: "Unknown"}
    because = expression.explain(scope)
    return HypothesisResult.model_validate(
        {
            "name": name,
            "kind": kind,
            "likelihood": likelihood,
            "verdict": words[verdict],
            "because": because[:2048],
        }
    )


def _follow(spec: Triage, scope: Scope, outcome: Outcome, hypothesis: Hypothesis | None, otherwise: str) -> Conclusion:
    """The conclusion that an outcome stands for."""
    if outcome.escalate is not None:
        return HandOver(
            outcome.escalate.reason,
            otherwise,
            tuple(outcome.escalate.to or spec.escalate_to),
            render_text(outcome.escalate.human_action, scope),
            hypothesis,
            recommended(outcome, scope),
        )
    if outcome.runbook is not None and hypothesis is not None:
        return Led(hypothesis, outcome.runbook)
    actions = spec.actions if isinstance(spec, RunbookSpec) else []
    action = next((each for each in actions if each.name == outcome.action), None)
    if action is None or hypothesis is None:
        return HandOver(EscalationReason.INVALID_RUNBOOK, f"the runbook has no action named {outcome.action}")
    return Proposed(hypothesis, action)


def guarded(spec: Triage, scope: Scope) -> tuple[Conclusion | None, tuple[HypothesisResult, ...]]:
    """Rule 4: what follows from the guards, None when all are refuted; and the verdict on each."""
    # By name: the order in the file never matters.
    ordered = sorted(spec.guards, key=lambda each: each.name)
    verdicts = tuple(_judged(spec, scope, guard.name, "Guard", guard.when) for guard in ordered)
    if held := [(guard, result) for guard, result in zip(ordered, verdicts, strict=True) if result.verdict == "Holds"]:
        return _guarded(spec, scope, held), verdicts
    if blind := next((result for result in verdicts if result.verdict == "Unknown"), None):
        message = f"guard {blind.name} cannot be judged: {blind.because}"
        return HandOver(EscalationReason.EVIDENCE_UNAVAILABLE, message), verdicts
    return None, verdicts


def decide(spec: Triage, scope: Scope, margin: int = DEFAULT_MARGIN) -> Decision:
    """Rules 4 to 9: guards, symptom, hypotheses ranked with the margin."""
    stopped, verdicts = guarded(spec, scope)
    if stopped is not None:
        return _decided(stopped, verdicts)

    if isinstance(spec, RunbookSpec):
        symptom = _judged(spec, scope, spec.symptom, "Symptom", spec.symptom)
        verdicts = (*verdicts, symptom)
        if symptom.verdict == "Refuted":
            return Decision(SelfRecovered(), verdicts)
        if symptom.verdict == "Unknown":
            message = f"the symptom {spec.symptom} cannot be judged: {symptom.because}"
            return Decision(HandOver(EscalationReason.EVIDENCE_UNAVAILABLE, message), verdicts)

    ranked = sorted(spec.hypotheses, key=lambda each: (-each.likelihood, each.name))
    results = [_judged(spec, scope, each.name, "Hypothesis", each.when, each.likelihood) for each in ranked]
    verdicts = (*verdicts, *results)
    judged = list(zip(ranked, results, strict=True))
    holding = [hypothesis for hypothesis, result in judged if result.verdict == "Holds"]
    unknown = [(hypothesis, result) for hypothesis, result in judged if result.verdict == "Unknown"]
    if not holding:
        return _decided(_nothing_holds(spec, scope, unknown), verdicts)
    winner = holding[0]
    floor = winner.likelihood - margin
    rivals = [each for each in holding[1:] if each.likelihood > floor and each.then.leads_elsewhere(than=winner.then)]
    if rivals:
        return Decision(_ambiguous(winner, rivals, margin), verdicts)
    if hidden := next(((h, r) for h, r in unknown if h.likelihood > floor), None):
        message = f"{winner.name} holds, but {hidden[0].name} cannot be judged: {hidden[1].because}"
        return Decision(HandOver(EscalationReason.EVIDENCE_UNAVAILABLE, message), verdicts)
    conclusion = _follow(spec, scope, winner.then, winner, f"cause: {winner.name}")
    return Decision(conclusion, verdicts, recommended(winner.then, scope))


def _decided(conclusion: Conclusion, verdicts: tuple[HypothesisResult, ...]) -> Decision:
    """A decision in which no hypothesis won."""
    recommendations = conclusion.recommendations if isinstance(conclusion, HandOver) else ()
    return Decision(conclusion, verdicts, recommendations)


def _guarded(spec: Triage, scope: Scope, held: Sequence[tuple[Guard, HypothesisResult]]) -> Conclusion:
    """Rule 4. Of several guards the first gives the reason, and all that they name are told all of it."""
    first, *others = (
        _follow(spec, scope, guard.then, None, f"guard {guard.name}: {result.because}") for guard, result in held
    )
    for other in others:
        if isinstance(first, HandOver) and isinstance(other, HandOver):
            first = replace(
                first,
                message=f"{first.message}; {other.reason}: {other.message}",
                to=tuple(dict.fromkeys(first.to + other.to)),
                human_action=" ".join(filter(None, (first.human_action, other.human_action))),
            )
    return first


def _ambiguous(winner: Hypothesis, rivals: Sequence[Hypothesis], margin: int) -> HandOver:
    held = ", ".join(f"{each.name} ({each.likelihood})" for each in (winner, *rivals))
    return HandOver(EscalationReason.AMBIGUOUS_ROOT_CAUSE, f"less than {margin} points apart and both hold: {held}")


def _nothing_holds(spec: Triage, scope: Scope, unknown: Sequence[tuple[Hypothesis, HypothesisResult]]) -> Conclusion:
    """Rule 9: refuted everything is a finding; not knowing something is not."""
    if unknown:
        blind = "; ".join(f"{hypothesis.name}: {result.because}" for hypothesis, result in unknown)
        return HandOver(
            EscalationReason.EVIDENCE_UNAVAILABLE, f"no hypothesis holds, but not all can be judged: {blind}"
        )
    return _follow(spec, scope, spec.otherwise, None, "every hypothesis was refuted")


def recommended(outcome: Outcome, scope: Scope) -> tuple[Recommendation, ...]:
    """What is told to people beside an outcome, in words."""
    return tuple(
        each.model_copy(update={"text": render_text(each.text, scope)[:2048]}) for each in outcome.recommendations
    )


def judge_preconditions(spec: RunbookSpec, action: Action, scope: Scope) -> tuple[HypothesisResult, ...]:
    """The verdict on each precondition of an action."""
    return tuple(
        _judged(spec, scope, precondition.name, "Precondition", precondition.require)
        for precondition in action.preconditions
    )


def check_preconditions(spec: RunbookSpec, action: Action, scope: Scope) -> HandOver | None:
    """Rule 10: a precondition that is not true hands over, and never falls through to the next hypothesis."""
    for precondition, result in zip(action.preconditions, judge_preconditions(spec, action, scope), strict=True):
        if result.verdict == "Holds":
            continue
        message = f"precondition {precondition.name}: {result.because}"
        if precondition.otherwise is not None:
            over = _follow(spec, scope, precondition.otherwise, None, message)
            if isinstance(over, HandOver):
                return over
        return HandOver(EscalationReason.PRECONDITION_FAILED, message)
    return None


def guard_problem(spec: RunbookSpec, scope: Scope) -> str | None:
    """The guard that is not false now, so that nothing may be done; None when all are."""
    for guard in spec.guards:
        result = _judged(spec, scope, guard.name, "Guard", guard.when)
        if result.verdict != "Refuted":
            return f"guard {guard.name} is {result.verdict.lower()} now: {result.because}"
    return None


def still_holds(
    spec: RunbookSpec, action: Action, hypothesis: Hypothesis, scope: Scope, plan: Planned | None = None
) -> str | None:
    """Rule 14, just before acting: every guard false, symptom, winning ``when`` and preconditions true, and the
    count and each admitted method as they were.

    Returns why not, or None when all of it holds.
    """
    if guard := guard_problem(spec, scope):
        return guard
    methods = plan.methods if plan is not None else ()
    required = [(spec.symptom, spec.symptom), (hypothesis.name, hypothesis.when)]
    for name, expression in [*required, *((method.name, method.when) for method in methods)]:
        result = _judged(spec, scope, name, "Hypothesis", expression)
        if result.verdict != "Holds":
            return f"{name} is {result.verdict.lower()} now: {result.because}"
    if action.until is not None and (met := until_verdict(spec, action.until, scope)).verdict != "Refuted":
        return f"until is {met.verdict.lower()} now: {met.because}"
    if plan is not None and plan.count is not None and (changed := count_changed(spec, action, scope, plan.count)):
        return changed
    refused = check_preconditions(spec, action, scope)
    return refused.message if refused is not None else None


@dataclass(frozen=True)
class Planned:
    """How much of an action is called for."""

    count: Count | None = None
    methods: tuple[Method, ...] = ()


def planned(spec: RunbookSpec, action: Action, scope: Scope) -> Planned | HandOver:
    """How much of the action the evidence calls for: the size of a pool (rule 11), the methods it admits (rule 15)."""
    if action.ansible_scale is not None:
        desired = desired_count(spec, action, scope)
        if isinstance(desired, HandOver):
            return desired
        current = current_count(spec, action, scope)
        return current if isinstance(current, HandOver) else Planned(count=Count(current, desired))
    if action.methods is None or action.until is None:
        return Planned()
    met = until_verdict(spec, action.until, scope)
    if met.verdict == "Unknown":
        return HandOver(EscalationReason.EVIDENCE_UNAVAILABLE, f"until of {action.name} is unknown: {met.because}")
    if met.verdict == "Holds":
        return HandOver(EscalationReason.PRECONDITION_FAILED, f"until of {action.name} is true already: {met.because}")
    admitted = []
    for method in action.methods:
        result = _judged(spec, scope, method.name, "Precondition", method.when)
        if result.verdict == "Unknown":
            text = f"whether {method.name} is called for is unknown: {result.because}"
            return HandOver(EscalationReason.EVIDENCE_UNAVAILABLE, text)
        if result.verdict == "Holds":
            admitted.append(method)
    if not admitted:
        return HandOver(EscalationReason.PRECONDITION_FAILED, f"no method of {action.name} is called for")
    return Planned(methods=tuple(admitted))


def until_verdict(spec: RunbookSpec, until: str, scope: Scope) -> HypothesisResult:
    """Whether the target of an action with several methods is met."""
    return _judged(spec, scope, "until", "Precondition", until)


def desired_count(spec: RunbookSpec, action: Action, scope: Scope) -> int | HandOver:
    """Rule 11: the pool size that a scale action asks for; integral, within bounds, never clamped."""
    scale = action.ansible_scale
    if scale is None:
        raise ValueError(f"action {action.name} does not scale anything")
    found = _number(spec, action, scope, "desired", scale.desired)
    return within_bounds(spec, action, scope, found) if not isinstance(found, HandOver) else found


def within_bounds(spec: RunbookSpec, action: Action, scope: Scope, count: float) -> int | HandOver:
    """The count, if it is a whole number within the action's declared bounds."""
    scale = action.ansible_scale
    if scale is None:
        raise ValueError(f"action {action.name} does not scale anything")
    maximum = _number(spec, action, scope, "maximum", scale.maximum)
    if isinstance(maximum, HandOver):
        return maximum
    if count != int(count):
        return HandOver(EscalationReason.CAPACITY_LIMIT, f"{count:g} is not a whole number of instances")
    if not scale.minimum <= count <= maximum:
        text = f"the pool may have {scale.minimum} to {maximum:g} instances, not {count:g}"
        return HandOver(EscalationReason.CAPACITY_LIMIT, text)
    return int(count)


def current_count(spec: RunbookSpec, action: Action, scope: Scope) -> int | HandOver:
    """How many instances there are."""
    scale = action.ansible_scale
    if scale is None:
        raise ValueError(f"action {action.name} does not scale anything")
    found = _number(spec, action, scope, "current", scale.current)
    if isinstance(found, HandOver):
        return found
    if found != int(found) or found < 0:
        text = f"current count of {action.name} is {found:g}, which is no number of instances"
        return HandOver(EscalationReason.EVIDENCE_UNAVAILABLE, text)
    return int(found)


def count_changed(spec: RunbookSpec, action: Action, scope: Scope, count: Count) -> str | None:
    """Why the pool is not of the size that a packet started from; None if it is."""
    found = current_count(spec, action, scope)
    if isinstance(found, HandOver):
        return found.message
    return None if found == count.current else f"there are {found} instances now, not {count.current}"


def _number(spec: RunbookSpec, action: Action, scope: Scope, field: str, expression: str) -> float | HandOver:
    result = compiled(expression, names_in(spec)).evaluate(scope)
    if isinstance(result.value, bool) or not isinstance(result.value, int | float):
        message = f"{field} count of {action.name} is unknown: {result.because}"
        return HandOver(EscalationReason.EVIDENCE_UNAVAILABLE, message)
    return float(result.value)
