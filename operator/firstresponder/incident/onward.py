"""Acting, between two orders of one packet: whether the next one may begin (rule 15).

Everything is read and observed afresh: what was approved once is not good for ever, and what is no longer needed is
not done.
"""

from __future__ import annotations

from datetime import datetime

from firstresponder.api.incident import IncidentStatus, Phase
from firstresponder.api.packet import DecisionPacket, Order
from firstresponder.api.reasons import EscalationReason
from firstresponder.api.runbook import RunbookSpec
from firstresponder.expressions import TemplateError
from firstresponder.incident.approve import approved, fresh_look, gate_problem, misfit, strangeness, unapproved
from firstresponder.incident.attempts import begun, method_of, so_far
from firstresponder.incident.decide import HandOver, guarded, scope_of, until_verdict
from firstresponder.incident.escalate import escalated
from firstresponder.incident.ground import Ground, NoGround, acted_ground
from firstresponder.incident.look import observe, values_of
from firstresponder.incident.plan import CheckGate, Observe, Plan
from firstresponder.incident.record import marked, noted, observed, updated
from firstresponder.incident.snapshot import Observation, Snapshot
from firstresponder.runbooks.names import diagnostics_behind


def go_on(snapshot: Snapshot, now: datetime, packet: DecisionPacket, order: Order) -> Plan:
    """Start the next order, skip what is left because the target is met, or stop."""
    incident, request, observation = snapshot.incident, snapshot.request, snapshot.observation
    if halt := _no_longer_approved(snapshot, now, packet):
        return _stopped(snapshot, now, packet, order, halt)
    base = acted_ground(snapshot)
    if isinstance(base, NoGround):
        return _stopped(snapshot, now, packet, order, HandOver(base.reason, base.message))
    if observation is None:
        try:
            return Plan(effect=_look_between(base, packet))
        except TemplateError as error:
            return _stopped(snapshot, now, packet, order, HandOver(EscalationReason.INVALID_RUNBOOK, str(error)))
    if snapshot.gate is None:  # after the look, which may take long
        return Plan(effect=CheckGate())
    if not snapshot.gate.safe:
        lost = HandOver(EscalationReason.PACKET_SUPERSEDED, gate_problem(snapshot.gate.message))
        return _stopped(snapshot, now, packet, order, lost)
    met = _judged(snapshot, base, packet, observation)
    if isinstance(met, HandOver):
        return _stopped(snapshot, now, packet, order, met)
    if met is not None:
        return _enough(snapshot, now, packet, order, met)
    assert request is not None  # noqa: S101 - a missing request is not approved
    status = begun(approved(incident.status, incident, request, now), packet, order, now)
    return Plan(status=observed(status, incident), again=True)


def look_before(snapshot: Snapshot, packet: DecisionPacket, order: Order) -> Observe | None:
    """What an order that is sent late has to be judged on anew; None where that cannot be told any more.

    Raises TemplateError.
    """
    base = acted_ground(snapshot)
    if isinstance(base, NoGround):
        return None
    return fresh_look(base, packet) if order == packet.bound.orders[0] else _look_between(base, packet)


def outdated(snapshot: Snapshot, packet: DecisionPacket, order: Order) -> HandOver | None:
    """Why an order that was started and not sent yet no longer fits what was just seen; None if it does, or if nothing
    was looked at in this pass."""
    if snapshot.observation is None:
        return None
    base = acted_ground(snapshot)
    if isinstance(base, NoGround):
        return HandOver(base.reason, base.message)
    roles = snapshot.incident.status.roles
    if order == packet.bound.orders[0]:
        problem = misfit(packet, roles, base, snapshot.observation)
        return HandOver(EscalationReason.PACKET_SUPERSEDED, problem) if problem else None
    met = _judged(snapshot, base, packet, snapshot.observation)
    if isinstance(met, str):
        return HandOver(EscalationReason.PACKET_SUPERSEDED, f"the target is met: {met}")
    return met


def _no_longer_approved(snapshot: Snapshot, now: datetime, packet: DecisionPacket) -> HandOver | None:
    """Why people no longer want it, as far as that can be read; None if they do."""
    if snapshot.incident.spec.abort:
        return HandOver(EscalationReason.ABORTED, "spec.abort was set")
    if snapshot.incident.metadata.deletion_timestamp is not None:
        return HandOver(EscalationReason.ABORTED, "the Incident is being deleted")
    if problem := unapproved(snapshot, packet):
        return HandOver(EscalationReason.PACKET_SUPERSEDED, problem)
    if now >= packet.bound.expiration_time:
        text = f"the approval ended at {packet.bound.expiration_time:%FT%TZ}"
        human = "Part of the approved action was done before its approval ended: decide how to go on."
        return HandOver(EscalationReason.APPROVAL_EXPIRED, text, human_action=human)
    return None


def _look_between(base: Ground[RunbookSpec], packet: DecisionPacket) -> Observe:
    """What the guards and the target rest on, and who the host is. Raises TemplateError."""
    judged = [guard.when for guard in base.spec.guards] + ([packet.bound.until] if packet.bound.until else [])
    only, acting = diagnostics_behind(base.spec, judged), {packet.bound.proposed_action.host}
    return observe(base.runbook, base.spec, base.setting, base.hosts, only=only, also=acting)


def _judged(
    snapshot: Snapshot, base: Ground[RunbookSpec], packet: DecisionPacket, observation: Observation
) -> str | HandOver | None:
    """Why the target is met, why nothing more may be done, or None where the next order is called for."""
    if strange := strangeness(packet, snapshot.incident.status.roles, base, observation):
        return strange
    scope = scope_of(base.spec, base.setting, values_of(observation.evidence))
    guard, _ = guarded(base.spec, scope)
    if guard is not None:
        assert isinstance(guard, HandOver)  # noqa: S101 - a guard leads to a human or to nothing
        return guard
    if packet.bound.until is None:
        return None
    met = until_verdict(base.spec, packet.bound.until, scope)
    if met.verdict == "Unknown":
        text = f"whether the target is met cannot be judged: {met.because}"
        return HandOver(EscalationReason.EVIDENCE_UNAVAILABLE, text)
    return met.because if met.verdict == "Holds" else None


def _left(packet: DecisionPacket, order: Order) -> str:
    """The orders from this one on, by the names that people know."""
    orders = packet.bound.orders
    left = orders[orders.index(order) :]
    return ", ".join(method_of(packet, each) or f"order {each.attempt}" for each in left)


def _stopped(snapshot: Snapshot, now: datetime, packet: DecisionPacket, order: Order, halt: HandOver) -> Plan:
    text = f"stopped before {_left(packet, order)}: {halt.message}"
    status = snapshot.incident.status
    status = marked(status, snapshot.incident, now, "Acted", "False", halt.reason.value, so_far(status, text))
    return escalated(snapshot, now, halt.reason, text, to=halt.to, human_action=halt.human_action, status=status)


def _enough(snapshot: Snapshot, now: datetime, packet: DecisionPacket, order: Order, because: str) -> Plan:
    """The target is met: what is left is not needed."""
    text = f"the target is met ({because}), so not needed: {_left(packet, order)}"
    status = noted(snapshot.incident.status, now, "ActionSkipped", text)
    return Plan(status=observed(verifying(status, snapshot, now, text), snapshot.incident), again=True)


def verifying(status: IncidentStatus, snapshot: Snapshot, now: datetime, message: str) -> IncidentStatus:
    """The status that goes on from acting to verification."""
    incident = snapshot.incident
    status = marked(status, incident, now, "Acted", "True", "Succeeded", message or "the action succeeded")
    status = marked(status, incident, now, "Verified", "Unknown", "Verifying", "the criteria are being watched")
    return updated(status, phase=Phase.VERIFYING)
