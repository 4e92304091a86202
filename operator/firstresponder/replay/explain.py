"""Why an incident was decided as it was, and whether the stored evidence decides it so again.

Pure: the incident and its pinned runbook revision are all it reads. Numbers and words of hosts are shown as the
decision saw them, neutralised.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from firstresponder.actions.action import Seen
from firstresponder.actions.catalogue import methods_of, scaling_of
from firstresponder.actions.clause import action_clause
from firstresponder.api.advice import Recommendation
from firstresponder.api.base import JSON, format_time
from firstresponder.api.incident import CriterionResult, HypothesisResult, Incident, IncidentStatus
from firstresponder.api.packet import DecisionPacket, ProposedAction
from firstresponder.api.reasons import EscalationReason
from firstresponder.api.runbook import Action, RunbookSpec, Triage
from firstresponder.expressions import ExpressionError, Scope, TemplateError, Verdict
from firstresponder.incident.approval.packet import Refused, Shaped, shape_action
from firstresponder.incident.decision.amount import plan_amount
from firstresponder.incident.decision.decide import (
    DEFAULT_MARGIN,
    Conclusion,
    Delegate,
    Escalate,
    EvaluationInputs,
    Proposed,
    SelfRecovered,
    check_preconditions,
    decide,
    judge_preconditions,
    recommendations_of,
    scope_of,
)
from firstresponder.incident.decision.observations import evidence_of, values_of
from firstresponder.runbooks.parameters import InvalidParameter, recorded, resolve
from firstresponder.runbooks.symbols import compiled, names_in
from firstresponder.safety.neutralise import shown
from firstresponder.safety.values import format_value

_VALUE, _SAW = 400, 1200
"""Characters of one value, enough to see which process of a list a guard is about, and of any one text."""
_WORDS = {Verdict.TRUE: "true", Verdict.FALSE: "false", Verdict.UNKNOWN: "unknown"}
_OF_THE_WORLD = frozenset(
    {
        EscalationReason.HOST_UNREACHABLE,
        EscalationReason.ACTION_CLASS_MISSING,
        EscalationReason.INVALID_RUNBOOK,
        EscalationReason.PRECONDITION_FAILED,
        EscalationReason.RECURRENCE,
        EscalationReason.ABORTED,
    }
)
"""Reasons for which a cause that was found led to no packet, though the evidence allowed one: hosts, approvers, clocks,
previews and other incidents are not among the evidence."""


_Key = TypeVar("_Key")


class NotDecided(ValueError):
    """The incident holds no decision that could be explained; the message says why."""


@dataclass(frozen=True)
class Judged:
    """One expression: what it is for, what it says, what it read, and what came out."""

    kind: str
    name: str
    expression: str
    saw: str
    verdict: str


@dataclass(frozen=True)
class Explanation:
    """Every expression in the order of judgement, what follows from the stored evidence, and every difference from
    what was recorded: none when the same evidence gives the same decision."""

    judged: tuple[Judged, ...]
    conclusion: str
    verified: tuple[Judged, ...]
    """The criteria at the last look of the verification, as they were recorded; none before one ended."""
    differences: tuple[str, ...]


@dataclass(frozen=True)
class _Again:
    """A triage made again from what was stored."""

    conclusion: Conclusion
    outcome: Conclusion | Shaped | Refused
    """The conclusion; for a proposed action all that the evidence makes of it, or why there is no packet."""
    verdicts: tuple[HypothesisResult, ...]
    recommendations: tuple[Recommendation, ...]


def explain(incident: Incident, runbook: str, spec: Triage) -> Explanation:
    """Decide again from what that runbook's triage saw. Raises NotDecided."""
    status = incident.status
    found = evidence_of(status, runbook)
    if not found:
        raise NotDecided("it has no evidence: it ended before triage, or is not triaged yet")
    evidence = values_of(found)
    try:
        scope = scope_of(spec, setting_then(incident, spec), evidence)
        again = _again(status, spec, scope, evidence)
        judged = tuple(_judged(spec, scope, again))
    except (ExpressionError, TemplateError, InvalidParameter) as problem:  # another version took them
        raise NotDecided(f"its runbook cannot be evaluated by this version: {shown(str(problem), _SAW)}") from None
    return Explanation(
        judged=judged,
        conclusion=_outcome_text(again),
        verified=tuple(_criterion(each) for each in status.verification.criteria) if status.verification else (),
        differences=tuple(_differences(status, runbook, spec, again)),
    )


def setting_then(incident: Incident, spec: Triage) -> EvaluationInputs:
    """What triage knew before it looked: parameters and hosts as they were recorded."""
    status = incident.status
    hosts = {
        each.role: {"name": each.name, "address": each.address, "expectedUnits": list(each.expected_units)}
        for each in status.roles
    }
    parameters = resolve(spec.parameters, recorded(spec.parameters, status.parameters)).values
    return EvaluationInputs(incident.spec.service, parameters, hosts)


def _again(status: IncidentStatus, spec: Triage, scope: Scope, evidence: Seen) -> _Again:
    decision = decide(spec, scope, DEFAULT_MARGIN if status.margin_points is None else status.margin_points)
    outcome: Conclusion | Shaped | Refused = decision.conclusion
    verdicts, recommendations = decision.verdicts, decision.recommendations
    if isinstance(spec, RunbookSpec):
        if isinstance(outcome, Proposed) and _reached(status):
            verdicts += judge_preconditions(spec, outcome.action, scope)
            outcome = _shaped(status, spec, outcome.action, scope, evidence)
            recommendations += outcome.recommendations if isinstance(outcome, Escalate) else ()
        if status.attempts and status.verification is not None and status.verification.result == "Failed":
            recommendations += recommendations_of(spec.verify.on_failure, scope)
    return _Again(decision.conclusion, outcome, verdicts, recommendations[:16])


def _reached(status: IncidentStatus) -> bool:
    """Whether the host that the action is for answered: where it did not, nothing more was evaluated."""
    escalation = status.escalation
    return escalation is None or escalation.reason != EscalationReason.HOST_UNREACHABLE


def _shaped(
    status: IncidentStatus, spec: RunbookSpec, action: Action, scope: Scope, evidence: Seen
) -> Shaped | Escalate | Refused:
    plan = check_preconditions(spec, action, scope) or plan_amount(spec, action, scope)
    if isinstance(plan, Escalate):
        return plan
    host = next((each.name for each in status.roles if each.role == action.role), None)
    if host is None:
        return Refused(EscalationReason.HOST_UNREACHABLE, f"{action.name} needs a host of role {action.role}")
    # A dry run is no evidence: it is taken as it was recorded.
    previews = status.decision_packet.bound.preview if status.decision_packet is not None else []
    return shape_action(spec, action, host, plan, scope, evidence, next((each.project for each in previews), None))


def _judged(spec: Triage, scope: Scope, again: _Again) -> Iterator[Judged]:
    """Variables, then what was evaluated, in that order; what an earlier verdict made needless is not there."""
    for variable in spec.variables:
        yield _one(spec, scope, "Variable", variable.name, variable.expression)
    sources = {("Guard", each.name): each.when for each in spec.guards}
    sources |= {("Hypothesis", each.name): each.when for each in spec.hypotheses}
    action = again.conclusion.action if isinstance(again.conclusion, Proposed) else None
    if isinstance(spec, RunbookSpec):
        sources["Symptom", spec.symptom] = spec.symptom
    if action is not None:
        sources |= {("Precondition", each.name): each.require for each in action.preconditions}
    for verdict in again.verdicts:
        yield _one(spec, scope, verdict.kind, verdict.name, sources[verdict.kind, verdict.name])
    if action is not None and all(each.verdict == "Holds" for each in again.verdicts if each.kind == "Precondition"):
        yield from _amount(spec, scope, action)


def _amount(spec: Triage, scope: Scope, action: Action) -> Iterator[Judged]:
    """What decides how much of an action is proposed."""
    if (scaling := scaling_of(action)) is not None:
        yield _one(spec, scope, "Count", "current", scaling.current)
        yield _one(spec, scope, "Count", "desired", scaling.desired)
        yield Judged("Count", "minimum", str(scaling.minimum), "", str(scaling.minimum))
        yield _one(spec, scope, "Count", "maximum", scaling.maximum)
    if (ways := methods_of(action)) is not None:
        yield _one(spec, scope, "Target", "until", ways.until)
        for method in ways.methods:
            yield _one(spec, scope, "Method", method.name, method.when)


def _one(spec: Triage, scope: Scope, kind: str, name: str, source: str) -> Judged:
    expression = compiled(source, names_in(spec))
    result = expression.evaluate(scope)
    saw = expression.read(scope, _VALUE) if result.known else expression.explain(scope)
    verdict = _WORDS[expression.verdict(scope)]
    if verdict == "unknown" and result.known:  # a variable or a count need not be a condition
        verdict = shown(format_value(result.value, 64), 64)
    return Judged(kind, name, source, shown(saw, _SAW), verdict)


def _criterion(result: CriterionResult) -> Judged:
    verdict = "true" if result.holds else "not true"
    if result.holds and result.since is not None:
        verdict = f"true since {format_time(result.since)}"
    return Judged("Criterion", result.name, result.require or "", shown(result.because, _SAW), verdict)


def _outcome_text(again: _Again) -> str:
    """What follows, in one sentence."""
    conclusion, outcome = again.conclusion, again.outcome
    cause = f"cause {conclusion.hypothesis.name}: " if isinstance(conclusion, Proposed | Delegate) else ""
    match outcome:
        case Shaped():
            return f"{cause}propose {outcome.proposed.name} ({action_clause(outcome.proposed)})"
        case Proposed():
            return f"{cause}propose {outcome.action.name}, but its host did not answer"
        case Delegate():
            return f"{cause}go on with runbook {outcome.runbook}"
        case SelfRecovered():
            return "the symptom is gone: verify only"
        case Escalate() | Refused():
            return f"{cause}escalate: {outcome.reason}: {shown(outcome.message, _SAW)}"


def _differences(status: IncidentStatus, runbook: str, spec: Triage, again: _Again) -> Iterator[str]:
    """Where the decision made again is not the recorded one."""
    then = {(each.kind, each.name): each.verdict for each in status.hypotheses if each.runbook == runbook}
    now = {(each.kind, each.name): each.verdict for each in again.verdicts}
    yield from _different(then, now, "not evaluated", lambda key: f"{key[0]} {key[1]}")
    # After a patch of parameters, a packet without a request is one that was superseded.
    proposes = isinstance(spec, RunbookSpec) and spec.mode == "Observe"
    packet = status.decision_packet
    if packet is not None and (proposes or status.approval_request_ref is not None):
        yield from _other_packet(packet, again)
    elif status.escalation is not None:
        yield from _other_reason(status.escalation.reason, again.outcome)
    said = _texts(status.recommendations), _texts(again.recommendations)
    if said[0] != said[1]:
        yield f"recommendations: recorded {said[0]}, now {said[1]}"


def _other_packet(packet: DecisionPacket, again: _Again) -> Iterator[str]:
    """Where the recorded packet is not the one that the evidence makes, but for hosts, clocks and approvals."""
    bound, outcome = packet.bound, again.outcome
    if not isinstance(outcome, Shaped) or not isinstance(again.conclusion, Proposed):
        yield f"action: recorded {bound.proposed_action.name}, now {_outcome_text(again)}"
        return
    proposed = outcome.proposed
    then: dict[str, JSON] = {"cause": bound.hypothesis, **_fields(bound.proposed_action)}
    if bound.undoes is None:
        now = {"cause": again.conclusion.hypothesis.name, **_fields(proposed)}
        then["orders"] = [_order(each.action, each.arguments, each.timeout_seconds) for each in bound.orders]
        now["orders"] = [_order(each.name, each.arguments, math.ceil(each.timeout)) for each in outcome.steps]
    else:  # the rollback goes from where the decision led to where it began
        back = {"current_count": proposed.desired_count, "desired_count": proposed.current_count}
        now = {"cause": again.conclusion.hypothesis.name, **_fields(proposed.model_copy(update=back))}
    yield from _different(then, now, "none", str)


def _other_reason(recorded: EscalationReason, outcome: Conclusion | Shaped | Refused) -> Iterator[str]:
    """Where an incident that led to no packet was escalated for another reason than the evidence gives."""
    match outcome:
        case Escalate():
            # A host that did not answer is reported as such, whatever its silence means for the hypotheses.
            fits = recorded in {outcome.reason, EscalationReason.HOST_UNREACHABLE}
        case Refused():
            fits = recorded == outcome.reason or recorded in _OF_THE_WORLD
        case Shaped():
            fits = recorded in _OF_THE_WORLD
        case _:
            return
    if not fits:
        now = f"propose {outcome.proposed.name}" if isinstance(outcome, Shaped) else outcome.reason
        yield f"reason: recorded {recorded}, now {now}"


def _fields(proposed: ProposedAction) -> dict[str, JSON]:
    fields = proposed.wire()
    return {"action": fields.pop("name"), **fields}


def _order(action: str, arguments: Sequence[str], seconds: int) -> str:
    return " ".join([action, *arguments, f"within {seconds} s"])


def _texts(recommendations: Sequence[Recommendation]) -> str:
    return "; ".join(f"to {', '.join(each.to)}: {shown(each.text, _SAW)}" for each in recommendations) or "none"


def _different(
    then: Mapping[_Key, JSON], now: Mapping[_Key, JSON], absent: str, name: Callable[[_Key], str]
) -> Iterator[str]:
    for key in dict.fromkeys([*then, *now]):
        if then.get(key) != now.get(key):
            was, becomes = then.get(key, absent), now.get(key, absent)
            yield f"{name(key)}: recorded {shown(str(was), _SAW)}, now {shown(str(becomes), _SAW)}"
