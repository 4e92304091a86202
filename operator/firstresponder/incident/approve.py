"""AwaitingApproval: nothing happens until exactly this packet is approved, and then only if it still fits."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from firstresponder.actions.action import Count
from firstresponder.actions.catalogue import TYPES
from firstresponder.api.approvalrequest import ApprovalRequest
from firstresponder.api.base import condition, is_true
from firstresponder.api.incident import Incident, IncidentStatus, Phase, RoleCast
from firstresponder.api.packet import DecisionPacket, ProposedAction
from firstresponder.api.reasons import EscalationReason
from firstresponder.api.runbook import Action, RunbookSpec
from firstresponder.expressions import TemplateError
from firstresponder.incident.attempts import begun, order_ids
from firstresponder.incident.decide import HandOver, Planned, count_changed, guard_problem, scope_of, still_holds
from firstresponder.incident.escalate import escalated
from firstresponder.incident.ground import Ground, NoGround, acted_ground, ground
from firstresponder.incident.look import observe, values_of
from firstresponder.incident.neighbours import acting_there
from firstresponder.incident.packet import clock_problem, digest_of, request_spec
from firstresponder.incident.plan import CheckGate, CloseRequest, Consume, CreateRequest, Event, Observe, Plan, wait
from firstresponder.incident.propose import asking
from firstresponder.incident.record import marked, noted, observed, updated
from firstresponder.incident.roles import recast
from firstresponder.incident.snapshot import Observation, Snapshot
from firstresponder.runbooks.names import diagnostics_behind
from firstresponder.safety.digest import sha256_digest
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
        return escalated(snapshot, now, EscalationReason.ABORTED, "spec.abort was set before the action was started")
    if packet is None or ref is None or digest_of(packet.bound) != packet.digest:
        text = "the packet in status is missing or does not match its digest: it was changed by somebody else"
        return escalated(snapshot, now, EscalationReason.PACKET_SUPERSEDED, text)
    base = ground(snapshot) if packet.bound.undoes is None else acted_ground(snapshot)
    if isinstance(base, NoGround):
        return escalated(snapshot, now, base.reason, base.message)
    if snapshot.revision is None or snapshot.revision.ref.digest != packet.bound.runbook_digest:
        text = "the pinned revision of the runbook is another than the one that the packet rests on"
        return escalated(snapshot, now, EscalationReason.PACKET_SUPERSEDED, text)
    if base.parameters != packet.bound.parameters:
        return _superseded_by_parameters(snapshot, now)

    request = snapshot.request
    if ref.uid is None and request is None:
        return Plan(effect=CreateRequest(ref.name, request_spec(incident, packet, snapshot.operator)))
    if ref.uid is None and request is not None and _left_behind(incident, request, now):
        return Plan(requeue_after=_TURN)
    if problem := _foreign(snapshot, packet, request):
        return escalated(snapshot, now, EscalationReason.PACKET_SUPERSEDED, problem)
    assert request is not None  # noqa: S101 - a missing request is a problem
    if ref.uid is None:
        status = updated(incident.status, approval_request_ref=ref.model_copy(update={"uid": request.metadata.uid}))
        return Plan(status=observed(status, incident), again=True)

    consumed = _consumed_by(request, packet)
    if ended := _ended(request, now, consumed):
        reason, message = ended
        return escalated(snapshot, now, reason, message)
    if request.spec.reviews:
        # A review counts only if nothing but its author could have written it, so the gate is tested as soon as there
        # is one, and again right before acting.
        if snapshot.gate is None:
            return Plan(effect=CheckGate())
        if not snapshot.gate.safe:
            return gate_lost(snapshot, now, snapshot.gate.message)
    if len(approvers(request)) < request.spec.required_approvals:
        if consumed:
            text = "the request was closed as Consumed, but nobody approved it: its status was written by somebody else"
            return escalated(snapshot, now, EscalationReason.PACKET_SUPERSEDED, text)
        if incident.metadata.generation != incident.status.observed_generation:
            return Plan(status=observed(incident.status, incident))
        until = wait(request.spec.expiration_time, now)
        return Plan(events=asking(incident.status, packet, request.name), requeue_after=until)
    return _approved(snapshot, now, base, packet, request, consumed=consumed)


def approvers(request: ApprovalRequest) -> list[str]:
    """Who approved exactly this packet. Programs never count: a review of theirs was written while no policy held."""
    return sorted(
        user
        for user, review in request.spec.reviews.items()
        if review.verdict == "Approved"
        and review.packet_digest == request.spec.packet_digest
        and not user.startswith("system:")
    )


def unapproved(snapshot: Snapshot, packet: DecisionPacket) -> str | None:
    """Why nothing of this packet may be sent to a host; None if it may.

    Asked again before every order: an incident's status says that an attempt was started, but only the request, with
    the reviews that people wrote, says that it may run.
    """
    request = snapshot.request
    if digest_of(packet.bound) != packet.digest:
        return "the packet in status does not match its digest"
    if snapshot.revision is None or snapshot.revision.ref.digest != packet.bound.runbook_digest:
        return "the pinned revision of the runbook is another than the one that the packet rests on"
    if problem := _foreign(snapshot, packet, request):
        return problem
    assert request is not None  # noqa: S101 - a missing request is a problem
    if any(review.verdict == "Denied" for review in request.spec.reviews.values()):
        return f"ApprovalRequest {request.name} is denied"
    if len(approvers(request)) < request.spec.required_approvals:
        return f"ApprovalRequest {request.name} is not approved"
    if not _consumed_by(request, packet):
        return f"ApprovalRequest {request.name} is not consumed by exactly these attempts"
    return None


def _superseded_by_parameters(snapshot: Snapshot, now: datetime) -> Plan:
    """Rule 21: a parameter patch before acting goes back to Triaging and gets one new packet."""
    incident, request = snapshot.incident, snapshot.request
    text = "spec.parameters changed: the packet no longer fits"
    if request is not None and not is_true(request.status.conditions, "Closed"):
        return Plan(effect=CloseRequest(request, "Superseded", text))
    ref = incident.status.approval_request_ref
    event = Event("PacketSuperseded", text, warning=True, occasion=ref.name if ref is not None else "")
    status = noted(incident.status, now, "PacketSuperseded", text)
    status = updated(status, phase=Phase.TRIAGING, approval_request_ref=None, decision_packet=None)
    status = marked(status, incident, now, "Approved", "False", "Superseded", text)
    status = marked(status, incident, now, "Triaged", "False", "Triaging", "triaging again with the new parameters")
    return Plan(status=observed(status, incident), events=(event,), again=True)


def _foreign(snapshot: Snapshot, packet: DecisionPacket, request: ApprovalRequest | None) -> str | None:
    """Why the request is not the one that asks for this packet; None if it is."""
    ref = snapshot.incident.status.approval_request_ref
    name = ref.name if ref is not None else ""
    if request is None:
        return f"ApprovalRequest {name} was deleted; it is never made again for the same packet"
    spec = request.spec
    if ref is not None and ref.uid is not None and request.metadata.uid != ref.uid:
        return f"ApprovalRequest {name} is another object than the one that was created"
    if spec.requested_by != snapshot.operator:
        return f"ApprovalRequest {name} was made by {neutralise(spec.requested_by, 200)}, not by this operator"
    if spec.incident_ref.uid != snapshot.incident.metadata.uid:
        return f"ApprovalRequest {name} is for another incident"
    if spec.packet_digest != packet.digest or sha256_digest(spec.packet.get("bound")) != packet.digest:
        return f"ApprovalRequest {name} holds another packet than the incident"
    bound = packet.bound
    copies = (spec.action_class, spec.required_approvals, spec.expiration_time)
    if copies != (bound.action_class, bound.required_approvals, bound.expiration_time):
        return f"ApprovalRequest {name} repeats the packet's class, approvals or expiry differently"
    return None


def _left_behind(incident: Incident, request: ApprovalRequest, now: datetime) -> bool:
    """Whether the name is taken by the request of a deleted incident of the same name, which the garbage collector is
    about to remove."""
    asked = condition(incident.status.conditions, "Approved")
    recently = asked is not None and now - asked.last_transition_time < _COLLECTED
    return request.spec.incident_ref.uid != incident.metadata.uid and recently


def _consumed_by(request: ApprovalRequest, packet: DecisionPacket) -> bool:
    """Whether the request was used up by exactly the attempts of this packet."""
    closed = condition(request.status.conditions, "Closed")
    return (
        closed is not None
        and closed.status == "True"
        and closed.reason == "Consumed"
        and tuple(request.status.attempt_ids) == order_ids(packet)
    )


def _ended(request: ApprovalRequest, now: datetime, consumed: bool) -> tuple[EscalationReason, str] | None:
    """Denied, expired or closed: the ends of a request that lead to a human."""
    denials = {user: review for user, review in request.spec.reviews.items() if review.verdict == "Denied"}
    closed = condition(request.status.conditions, "Closed")
    if denials:
        user, review = min(denials.items(), key=lambda denial: denial[0])
        text = f"denied by {neutralise(user, 200)}" + (f": {shown(review.comment, 500)}" if review.comment else "")
        return EscalationReason.APPROVAL_DENIED, text
    if now >= request.spec.expiration_time:
        return EscalationReason.APPROVAL_EXPIRED, f"not approved and started by {request.spec.expiration_time:%FT%TZ}"
    if closed is not None and closed.status == "True" and not consumed:
        return EscalationReason.PACKET_SUPERSEDED, f"the request was closed ({closed.reason}): {closed.message}"
    return None


def _approved(
    snapshot: Snapshot,
    now: datetime,
    base: Ground[RunbookSpec],
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
    if snapshot.observation is None:
        if acting_there(packet.bound.host_key, snapshot.neighbours) is not None:
            return Plan(requeue_after=_TURN)  # one incident at a time acts on a host; the host sees to it in the end
        try:
            return Plan(effect=fresh_look(base, packet))
        except TemplateError as error:
            return escalated(snapshot, now, EscalationReason.PACKET_SUPERSEDED, str(error))
    if problem := misfit(packet, incident.status.roles, base, snapshot.observation):
        return escalated(snapshot, now, EscalationReason.PACKET_SUPERSEDED, problem)
    if not consumed:
        return Plan(effect=Consume(request, order_ids(packet)))
    status = incident.status
    for user in approvers(request):
        comment = request.spec.reviews[user].comment
        status = noted(status, now, "ApprovalGranted", shown(comment, 500) if comment else "", by=user)
    status = begun(approved(status, incident, request, now), packet, packet.bound.orders[0], now)
    return Plan(status=observed(updated(status, phase=Phase.ACTING), incident), again=True)


def approved(status: IncidentStatus, incident: Incident, request: ApprovalRequest, now: datetime) -> IncidentStatus:
    """The status that says who approved."""
    names = ", ".join(approvers(request))
    return marked(status, incident, now, "Approved", "True", "Approved", f"approved by {names}"[:2048])


def fresh_look(base: Ground[RunbookSpec], packet: DecisionPacket) -> Observe:
    """All that triage looked at; for a way back, only the guards and what it takes back. Raises TemplateError."""
    action = action_of(base.spec, packet)
    if packet.bound.undoes is None or action is None or action.ansible_scale is None:
        return observe(base.runbook, base.spec, base.setting, base.hosts)
    guards = [guard.when for guard in base.spec.guards]
    only = diagnostics_behind(base.spec, [action.ansible_scale.current, *guards])
    also = {packet.bound.proposed_action.host}
    return observe(base.runbook, base.spec, base.setting, base.hosts, only=only, also=also)


def action_of(spec: RunbookSpec, packet: DecisionPacket) -> Action | None:
    """The runbook's action that the packet is for."""
    return next((each for each in spec.actions if each.name == packet.bound.proposed_action.name), None)


def gate_problem(message: str) -> str:
    """What the loss of the approval gate means for a request that has reviews."""
    return f"the approval gate does not hold, so nobody knows who wrote the reviews: {message}"


def gate_lost(snapshot: Snapshot, now: datetime, message: str) -> Plan:
    """Whoever could write while the gate did not hold could write anybody's review: none of them counts any more.

    Waiting until the gate holds again would act on what was written meanwhile.
    """
    text = gate_problem(message)
    incident = snapshot.incident
    status = marked(incident.status, incident, now, "Approved", "False", "ApprovalGateUnsafe", text)
    status = noted(status, now, "ApprovalGateUnsafe", text)
    return escalated(snapshot, now, EscalationReason.PACKET_SUPERSEDED, text, status=status)


def strangeness(
    packet: DecisionPacket, roles: Sequence[RoleCast], base: Ground[RunbookSpec], observation: Observation
) -> HandOver | None:
    """Why the packet's orders are not for what answers there now; None if they are.

    ``roles`` are the hosts as triage cast them; for a way back only the one that is acted on matters.
    """
    bound = packet.bound
    if bound.undoes is not None:
        roles = [each for each in roles if each.role == bound.proposed_action.role]
    if problem := recast(roles, base.hosts):
        return HandOver(EscalationReason.PACKET_SUPERSEDED, problem)
    host = base.hosts.get(bound.proposed_action.role)
    if host is None or host.name != bound.proposed_action.host or host.spec.host_keys[0] != bound.host_key:
        text = f"the host of role {bound.proposed_action.role} is no longer the one that the packet is for"
        return HandOver(EscalationReason.PACKET_SUPERSEDED, text)
    info = observation.hosts.get(host.name)
    if info is None:
        text = f"{host.name} does not answer now: {observation.unreachable.get(host.name, 'unknown reason')}"
        return HandOver(EscalationReason.EVIDENCE_UNAVAILABLE, text)
    if (info.machine, info.boot) != (bound.orders[0].host, bound.orders[0].boot):
        text = f"{host.name} rebooted or is another machine since the packet was made"
        return HandOver(EscalationReason.PACKET_SUPERSEDED, text)
    if problem := clock_problem(host, observation):
        return HandOver(EscalationReason.PACKET_SUPERSEDED, problem)
    return None


def misfit(
    packet: DecisionPacket, roles: Sequence[RoleCast], base: Ground[RunbookSpec], observation: Observation
) -> str | None:
    """Why the approved packet no longer fits the world; None if it does (rule 14).

    ``roles`` are the hosts as triage cast them.
    """
    bound = packet.bound
    action = action_of(base.spec, packet)
    hypothesis = next((each for each in base.spec.hypotheses if each.name == bound.hypothesis), None)
    if action is None or hypothesis is None:
        return "the action or the hypothesis of the packet is no longer there"
    if strange := strangeness(packet, roles, base, observation):
        return strange.message
    values = values_of(observation.evidence)
    scope = scope_of(base.spec, base.setting, values)
    plan = _planned(bound.proposed_action, action)
    if bound.undoes is not None:
        if guard := guard_problem(base.spec, scope):
            return guard
        return count_changed(base.spec, action, scope, plan.count) if plan.count is not None else "it has no count"
    for order in bound.orders:
        if changed := TYPES[action.type].changed(action, order, values):
            return changed
    return still_holds(base.spec, action, hypothesis, scope, plan)


def _planned(proposed: ProposedAction, action: Action) -> Planned:
    """How much of the action the packet is for."""
    current, desired = proposed.current_count, proposed.desired_count
    count = Count(current, desired) if current is not None and desired is not None else None
    methods = tuple(method for method in action.methods or () if method.name in proposed.methods)
    return Planned(count, methods)
