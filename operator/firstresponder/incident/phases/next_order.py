"""Acting, between two orders of one packet: whether the next one may begin (rule 15).

Everything is read and observed again: what was approved once is not good for ever, and what is no longer needed is
not done.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from firstresponder.api.incident import Attempt, AttemptReason, ConditionType, IncidentStatus, Phase, TimelineEvent
from firstresponder.api.packet import DecisionPacket, Order
from firstresponder.api.reasons import EscalationReason
from firstresponder.expressions import TemplateError
from firstresponder.incident.approval.attempts import attempt_name, method_of, so_far, with_attempt_started
from firstresponder.incident.approval.recheck import host_problem, needed_for, packet_problem, stale_reason
from firstresponder.incident.approval.validity import GATE_FIRST, approval_problem, gate_problem
from firstresponder.incident.decision.amount import until_verdict
from firstresponder.incident.decision.context import ContextError, acting_context
from firstresponder.incident.decision.decide import Escalate, evaluate_guards, scope_of
from firstresponder.incident.decision.observations import values_of
from firstresponder.incident.phases.aftermath import to_do
from firstresponder.incident.phases.awaiting_approval import with_approval
from firstresponder.incident.phases.escalation import escalate
from firstresponder.incident.plan import Again, CheckGate, Perform, Plan
from firstresponder.incident.snapshot import Snapshot
from firstresponder.incident.status import with_condition, with_fields, with_observed_generation, with_timeline_entry


def start_next_order(snapshot: Snapshot, now: datetime, packet: DecisionPacket, order: Order) -> Plan:
    """Start the next order, skip what is left because the target is met, or stop."""
    incident, request, observation = snapshot.incident, snapshot.request, snapshot.facts.observation
    if halt := _no_longer_approved(snapshot, now, packet):
        return _stop(snapshot, now, packet, order, halt)
    context = acting_context(snapshot)
    if isinstance(context, ContextError):
        return _stop(snapshot, now, packet, order, Escalate(context.reason, context.message))
    if problem := packet_problem(snapshot, context, packet):
        return _stop(snapshot, now, packet, order, Escalate(EscalationReason.PACKET_SUPERSEDED, problem))
    if observation is None:
        try:
            return Plan(next=Perform(needed_for(context, packet, order)))
        except TemplateError as error:
            return _stop(snapshot, now, packet, order, Escalate(EscalationReason.INVALID_RUNBOOK, str(error)))
    if snapshot.facts.gate is None:  # after the look, which may take long
        return Plan(next=Perform(CheckGate()))
    if not snapshot.facts.gate.safe:
        problem = gate_problem(snapshot.facts.gate.message)
        lost = Escalate(EscalationReason.PACKET_SUPERSEDED, problem, human_action=GATE_FIRST)
        return _stop(snapshot, now, packet, order, lost)
    met = stale_reason(packet, order, incident.status.roles, context, observation)
    if isinstance(met, Escalate):
        return _stop(snapshot, now, packet, order, met)
    if met is not None:
        return _enough(snapshot, now, packet, order, met.because)
    assert request is not None  # noqa: S101 - a missing request is not approved
    status = with_attempt_started(with_approval(incident.status, incident, request, now), packet, order, now)
    return Plan(status=with_observed_generation(status, incident), next=Again())


def after_failure(snapshot: Snapshot, now: datetime, packet: DecisionPacket, attempt: Attempt) -> Plan:
    """A method ended with a failure: it is decided by its target. Its result stays what it was; where the target is
    met, verification follows, else a human. No further method begins."""
    incident, observation = snapshot.incident, snapshot.facts.observation
    failure = f"{attempt_name(attempt)} on {attempt.host} failed: {attempt.message}"
    if incident.spec.abort or incident.metadata.deletion_timestamp is not None:
        return _fail(snapshot, now, Escalate(EscalationReason.ABORTED, failure))
    context = acting_context(snapshot)
    problem = context.message if isinstance(context, ContextError) else packet_problem(snapshot, context, packet)
    if isinstance(context, ContextError) or problem:
        return _fail(snapshot, now, Escalate(EscalationReason.ACTION_FAILED, f"{failure}; {problem}"))
    if observation is None:
        try:
            return Plan(next=Perform(needed_for(context, packet, None)))
        except TemplateError as error:
            return _fail(snapshot, now, Escalate(EscalationReason.ACTION_FAILED, f"{failure}; {error}"))
    if strange := host_problem(packet, incident.status.roles, context, observation):
        return _fail(snapshot, now, Escalate(EscalationReason.ACTION_FAILED, f"{failure}; {strange.message}"))
    scope = scope_of(context.spec, context.inputs, values_of(observation.evidence))
    guard, _ = evaluate_guards(context.spec, scope)
    if isinstance(guard, Escalate) and guard.reason != EscalationReason.EVIDENCE_UNAVAILABLE:
        return _fail(snapshot, now, replace(guard, message=f"{guard.message}; before, {failure}"))
    assert packet.bound.until is not None  # noqa: S101 - without a target nothing fails short of it
    met = until_verdict(context.spec, packet.bound.until, scope)
    if met.verdict != "Holds":
        state = "is not met" if met.verdict == "Refuted" else "cannot be evaluated"
        text = f"{failure}; its target {state}: {met.because}"
        return _fail(snapshot, now, Escalate(EscalationReason.ACTION_FAILED, text))
    text = f"{failure}; its target is met anyway: {met.because}"
    status = with_timeline_entry(incident.status, now, TimelineEvent.TARGET_MET, text)
    status = with_condition(
        with_verification_begun(status, snapshot, now, text),
        incident,
        now,
        ConditionType.ACTED,
        "True",
        "TargetMet",
        text,
    )
    return Plan(status=with_observed_generation(status, incident), next=Again())


def _fail(snapshot: Snapshot, now: datetime, halt: Escalate) -> Plan:
    status, incident = snapshot.incident.status, snapshot.incident
    status = with_condition(
        status, incident, now, ConditionType.ACTED, "False", AttemptReason.EXIT_STATUS, so_far(status, halt.message)
    )
    human = halt.human_action
    if halt.reason == EscalationReason.ACTION_FAILED and incident.status.decision_packet is not None:
        human = to_do(incident.status.attempts[-1], incident.status.decision_packet)
    return escalate(snapshot, now, halt.reason, halt.message, to=halt.to, human_action=human, status=status)


def _no_longer_approved(snapshot: Snapshot, now: datetime, packet: DecisionPacket) -> Escalate | None:
    """Why people no longer want it, as far as that can be read; None if they do."""
    if snapshot.incident.spec.abort:
        return Escalate(EscalationReason.ABORTED, "spec.abort was set")
    if snapshot.incident.metadata.deletion_timestamp is not None:
        return Escalate(EscalationReason.ABORTED, "the Incident is being deleted")
    if problem := approval_problem(snapshot, packet):
        return Escalate(EscalationReason.PACKET_SUPERSEDED, problem)
    if now >= packet.bound.expiration_time:
        text = f"the approval ended at {packet.bound.expiration_time:%FT%TZ}"
        human = "Part of the approved action was done before its approval ended: decide how to go on."
        return Escalate(EscalationReason.APPROVAL_EXPIRED, text, human_action=human)
    return None


def _remaining(packet: DecisionPacket, order: Order) -> str:
    """The orders from this one on, by the names that people know."""
    orders = packet.bound.orders
    left = orders[orders.index(order) :]
    return ", ".join(method_of(packet, each) or f"order {each.attempt}" for each in left)


def _stop(snapshot: Snapshot, now: datetime, packet: DecisionPacket, order: Order, halt: Escalate) -> Plan:
    status = snapshot.incident.status
    text = so_far(
        status, f"stopped before {_remaining(packet, order)} on {packet.bound.proposed_action.host}: {halt.message}"
    )
    status = with_condition(status, snapshot.incident, now, ConditionType.ACTED, "False", halt.reason.value, text)
    return escalate(snapshot, now, halt.reason, text, to=halt.to, human_action=halt.human_action, status=status)


def _enough(snapshot: Snapshot, now: datetime, packet: DecisionPacket, order: Order, because: str) -> Plan:
    """The target is met: what is left is not needed."""
    text = f"the target is met ({because}), so not needed: {_remaining(packet, order)}"
    status = with_timeline_entry(snapshot.incident.status, now, TimelineEvent.ACTION_SKIPPED, text)
    return Plan(
        status=with_observed_generation(with_verification_begun(status, snapshot, now, text), snapshot.incident),
        next=Again(),
    )


def with_verification_begun(status: IncidentStatus, snapshot: Snapshot, now: datetime, message: str) -> IncidentStatus:
    """The status that goes on from acting to verification."""
    incident = snapshot.incident
    status = with_condition(
        status, incident, now, ConditionType.ACTED, "True", AttemptReason.SUCCEEDED, message or "the action succeeded"
    )
    status = with_condition(
        status, incident, now, ConditionType.VERIFIED, "Unknown", "Verifying", "the criteria are being watched"
    )
    return with_fields(status, phase=Phase.VERIFYING)
