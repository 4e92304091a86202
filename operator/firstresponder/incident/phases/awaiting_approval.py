"""AwaitingApproval: nothing happens until exactly this packet is approved, and then only if it still fits."""

from __future__ import annotations

from datetime import datetime, timedelta

from firstresponder.api.approvalrequest import ApprovalRequest
from firstresponder.api.base import condition, is_true
from firstresponder.api.incident import ConditionType, Incident, IncidentStatus, Phase, TimelineEvent
from firstresponder.api.packet import DecisionPacket
from firstresponder.api.reasons import EscalationReason
from firstresponder.api.runbook import RunbookSpec
from firstresponder.expressions import TemplateError
from firstresponder.incident.approval.attempts import fix_text, order_ids, with_attempt_started
from firstresponder.incident.approval.binding import approvers, digest_of
from firstresponder.incident.approval.packet import request_spec
from firstresponder.incident.approval.recheck import needed_for, packet_problem, stale_reason
from firstresponder.incident.approval.validity import (
    GATE_FIRST,
    foreign_problem,
    gate_problem,
    is_consumed_by,
)
from firstresponder.incident.decision.context import ContextError, TriageContext, acting_context, triage_context
from firstresponder.incident.decision.decide import Escalate
from firstresponder.incident.phases.escalation import escalate
from firstresponder.incident.phases.proposal import approval_events
from firstresponder.incident.phases.recurrence import defer_to_same_fix
from firstresponder.incident.plan import (
    Again,
    CheckGate,
    CloseRequest,
    Consume,
    CreateRequest,
    Event,
    Perform,
    Plan,
    Wait,
    wait,
)
from firstresponder.incident.related import Fix, acting_there
from firstresponder.incident.snapshot import Snapshot
from firstresponder.incident.status import with_condition, with_fields, with_observed_generation, with_timeline_entry
from firstresponder.safety.neutralise import neutralise, shown

_COLLECTED = timedelta(minutes=1)
"""How long the garbage collector is given to remove what a deleted incident left."""
_TURN = timedelta(seconds=2)
"""How soon an approved incident looks again whether another one has ended its action on the same host."""


def await_approval(snapshot: Snapshot, now: datetime) -> Plan:
    """Phase AwaitingApproval: ask, wait, and on approval check everything again before Consumed and Started."""
    incident = snapshot.incident
    packet, ref = incident.status.decision_packet, incident.status.approval_request_ref
    if incident.spec.abort:
        return escalate(snapshot, now, EscalationReason.ABORTED, "spec.abort was set before the action was started")
    if packet is None or ref is None or digest_of(packet.bound) != packet.digest:
        text = "the packet in status is missing or does not match its digest: it was changed by somebody else"
        return escalate(snapshot, now, EscalationReason.PACKET_SUPERSEDED, text)
    context = triage_context(snapshot) if packet.bound.undoes is None else acting_context(snapshot)
    if isinstance(context, ContextError):
        return escalate(snapshot, now, context.reason, context.message)
    if snapshot.revision is None or snapshot.revision.ref.digest != packet.bound.runbook_digest:
        text = "the pinned revision of the runbook is another than the one that the packet rests on"
        return escalate(snapshot, now, EscalationReason.PACKET_SUPERSEDED, text)
    if context.parameters != packet.bound.parameters:
        return _supersede_by_parameters(snapshot, now)
    if problem := packet_problem(snapshot, context, packet):
        return escalate(snapshot, now, EscalationReason.PACKET_SUPERSEDED, problem)

    fix = fix_of(context.runbook, packet)
    if packet.bound.undoes is None and (yielded := defer_to_same_fix(snapshot, now, fix)) is not None:
        return yielded
    request = snapshot.request
    if ref.uid is None and request is None:
        return Plan(next=Perform(CreateRequest(ref.name, request_spec(incident, packet, snapshot.operator))))
    if ref.uid is None and request is not None and _left_behind(incident, request, now):
        return Plan(next=Wait(_TURN))
    if problem := foreign_problem(snapshot, packet, request):
        return escalate(snapshot, now, EscalationReason.PACKET_SUPERSEDED, problem)
    assert request is not None  # noqa: S101 - a missing request is a problem
    if ref.uid is None:
        status = with_fields(incident.status, approval_request_ref=ref.model_copy(update={"uid": request.metadata.uid}))
        return Plan(status=with_observed_generation(status, incident), next=Again())

    consumed = is_consumed_by(request, packet)
    if ended := _ending(request, packet, now, consumed):
        reason, message = ended
        return escalate(snapshot, now, reason, message)
    if request.spec.reviews:
        # A review counts only if nothing but its author could have written it, so the gate is tested as soon as there
        # is one, and again right before acting.
        if snapshot.facts.gate is None:
            return Plan(next=Perform(CheckGate()))
        if not snapshot.facts.gate.safe:
            return gate_lost(snapshot, now, snapshot.facts.gate.message)
    if len(approvers(request)) < request.spec.required_approvals:
        if consumed:
            text = "the request was closed as Consumed, but nobody approved it: its status was written by somebody else"
            return escalate(snapshot, now, EscalationReason.PACKET_SUPERSEDED, text)
        if incident.metadata.generation != incident.status.observed_generation:
            return Plan(status=with_observed_generation(incident.status, incident))
        until = wait(request.spec.expiration_time, now)
        return Plan(events=approval_events(incident.status, packet, request.name), next=Wait(until))
    return _act_on_approval(snapshot, now, context, packet, request, consumed=consumed)


def fix_of(runbook: str, packet: DecisionPacket) -> Fix:
    """What the packet does to what, where."""
    proposed = packet.bound.proposed_action
    return Fix(runbook, proposed.name, proposed.target, packet.bound.host_key)


def _supersede_by_parameters(snapshot: Snapshot, now: datetime) -> Plan:
    """Rule 21: a parameter patch before acting goes back to Triaging and gets one new packet."""
    incident, request = snapshot.incident, snapshot.request
    text = "spec.parameters changed: the packet no longer fits"
    if request is not None and not is_true(request.status.conditions, "Closed"):
        return Plan(next=Perform(CloseRequest(request, "Superseded", text)))
    ref = incident.status.approval_request_ref
    event = Event("PacketSuperseded", text, warning=True, dedup_key=ref.name if ref is not None else "")
    status = with_timeline_entry(incident.status, now, TimelineEvent.PACKET_SUPERSEDED, text)
    status = with_fields(status, phase=Phase.TRIAGING, approval_request_ref=None, decision_packet=None)
    status = with_condition(status, incident, now, ConditionType.APPROVED, "False", "Superseded", text)
    status = with_condition(
        status, incident, now, ConditionType.TRIAGED, "False", "Triaging", "triaging again with the new parameters"
    )
    return Plan(status=with_observed_generation(status, incident), events=(event,), next=Again())


def _left_behind(incident: Incident, request: ApprovalRequest, now: datetime) -> bool:
    """Whether the name is taken by the request of a deleted incident of the same name, which the garbage collector is
    about to remove."""
    asked = condition(incident.status.conditions, ConditionType.APPROVED)
    recently = asked is not None and now - asked.last_transition_time < _COLLECTED
    return request.spec.incident_ref.uid != incident.metadata.uid and recently


def _ending(
    request: ApprovalRequest, packet: DecisionPacket, now: datetime, consumed: bool
) -> tuple[EscalationReason, str] | None:
    """Denied, expired or closed: the ends of a request that lead to a human."""
    denials = {user: review for user, review in request.spec.reviews.items() if review.verdict == "Denied"}
    closed = condition(request.status.conditions, "Closed")
    if denials:
        user, review = min(denials.items(), key=lambda denial: denial[0])
        text = f"{fix_text(packet)} was denied by {neutralise(user, 200)}" + (
            f": {shown(review.comment, 500)}" if review.comment else ""
        )
        return EscalationReason.APPROVAL_DENIED, text
    if now >= request.spec.expiration_time:
        there, needed = len(approvers(request)), request.spec.required_approvals
        text = f"{fix_text(packet)} was not approved and started by {request.spec.expiration_time:%FT%TZ}"
        return EscalationReason.APPROVAL_EXPIRED, f"{text}: it had {there} of {needed} approvals"
    if closed is not None and closed.status == "True" and not consumed:
        return EscalationReason.PACKET_SUPERSEDED, f"the request was closed ({closed.reason}): {closed.message}"
    return None


def _act_on_approval(
    snapshot: Snapshot,
    now: datetime,
    context: TriageContext[RunbookSpec],
    packet: DecisionPacket,
    request: ApprovalRequest,
    *,
    consumed: bool,
) -> Plan:
    """Approved, behind a gate that holds: fresh look, Consumed, Started, in this order.

    The fresh look may take long, so the gate is tested once more after it: what an observation brings back replaces
    what was known of the gate.
    """
    incident = snapshot.incident
    if snapshot.facts.observation is None:
        if acting_there(packet.bound.host_key, snapshot.incident.metadata.uid, snapshot.related) is not None:
            return Plan(next=Wait(_TURN))  # one incident at a time acts on a host; the host sees to it in the end
        try:
            return Plan(next=Perform(needed_for(context, packet, packet.bound.orders[0])))
        except TemplateError as error:
            return escalate(snapshot, now, EscalationReason.PACKET_SUPERSEDED, str(error))
    over = stale_reason(packet, packet.bound.orders[0], incident.status.roles, context, snapshot.facts.observation)
    if isinstance(over, Escalate):
        return escalate(snapshot, now, over.reason, over.message, to=over.to, human_action=over.human_action)
    if not consumed:
        return Plan(next=Perform(Consume(request, order_ids(packet))))
    status = incident.status
    for user in approvers(request):
        comment = request.spec.reviews[user].comment
        status = with_timeline_entry(
            status, now, TimelineEvent.APPROVAL_GRANTED, shown(comment, 500) if comment else "", by=user
        )
    status = with_attempt_started(with_approval(status, incident, request, now), packet, packet.bound.orders[0], now)
    return Plan(status=with_observed_generation(with_fields(status, phase=Phase.ACTING), incident), next=Again())


def with_approval(
    status: IncidentStatus, incident: Incident, request: ApprovalRequest, now: datetime
) -> IncidentStatus:
    """The status that says who approved."""
    names = ", ".join(approvers(request))
    return with_condition(
        status, incident, now, ConditionType.APPROVED, "True", "Approved", f"approved by {names}"[:2048]
    )


def gate_lost(snapshot: Snapshot, now: datetime, message: str) -> Plan:
    """Whoever could write while the gate did not hold could write anybody's review: none of them counts any more.

    Waiting until the gate holds again would act on what was written meanwhile.
    """
    text = gate_problem(message)
    incident = snapshot.incident
    status = with_condition(incident.status, incident, now, ConditionType.APPROVED, "False", "ApprovalGateUnsafe", text)
    status = with_timeline_entry(status, now, TimelineEvent.APPROVAL_GATE_UNSAFE, text)
    reason = EscalationReason.PACKET_SUPERSEDED
    return escalate(snapshot, now, reason, text, human_action=GATE_FIRST, status=status)
