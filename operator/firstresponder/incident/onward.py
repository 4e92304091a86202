"""Acting, between two orders of one packet: whether the next one may begin (rule 15).

Everything is read and observed afresh: what was approved once is not good for ever, and what is no longer needed is
not done.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from firstresponder.api.incident import IncidentStatus, Phase
from firstresponder.api.packet import DecisionPacket, Order
from firstresponder.api.reasons import EscalationReason
from firstresponder.api.runbook import RunbookSpec
from firstresponder.expressions import TemplateError
from firstresponder.incident.approve import approved, strangeness, unapproved
from firstresponder.incident.attempts import begun, method_of
from firstresponder.incident.decide import HandOver, guarded, scope_of, until_verdict
from firstresponder.incident.escalate import escalated
from firstresponder.incident.ground import Ground, NoGround, acted_ground
from firstresponder.incident.look import diagnostics_behind, observe, values_of
from firstresponder.incident.plan import CheckGate, Plan
from firstresponder.incident.record import marked, noted, observed, updated
from firstresponder.incident.snapshot import Snapshot


def go_on(snapshot: Snapshot, now: datetime, packet: DecisionPacket, order: Order) -> Plan:
    """Start the next order, skip what is left because the target is met, or stop."""
    incident, request = snapshot.incident, snapshot.request
    if incident.spec.abort:
        return _stopped(snapshot, now, packet, order, EscalationReason.ABORTED, "spec.abort was set")
    if incident.metadata.deletion_timestamp is not None:
        return _stopped(snapshot, now, packet, order, EscalationReason.ABORTED, "the Incident is being deleted")
    problem = unapproved(snapshot, packet)
    if problem is not None or request is None:
        return _stopped(snapshot, now, packet, order, EscalationReason.PACKET_SUPERSEDED, problem or "no request")
    if now >= packet.bound.expiration_time:
        text = f"the approval ended at {packet.bound.expiration_time:%FT%TZ}"
        human = "Part of the approved action was done before its approval ended: decide how to go on."
        return _stopped(snapshot, now, packet, order, EscalationReason.APPROVAL_EXPIRED, text, human_action=human)
    base = acted_ground(snapshot)
    if isinstance(base, NoGround):
        return _stopped(snapshot, now, packet, order, base.reason, base.message)
    if snapshot.observation is None:
        return _look(snapshot, now, base, packet, order)
    if snapshot.gate is None:  # after the look, which may take long
        return Plan(effect=CheckGate())
    if not snapshot.gate.safe:
        text = f"the approval gate does not hold, so nobody knows who wrote the reviews: {snapshot.gate.message}"
        return _stopped(snapshot, now, packet, order, EscalationReason.PACKET_SUPERSEDED, text)
    if odd := strangeness(packet, incident.status.roles, base, snapshot.observation):
        return _stopped(snapshot, now, packet, order, odd.reason, odd.message)
    scope = scope_of(base.spec, base.setting, values_of(snapshot.observation.evidence))
    halt, _ = guarded(base.spec, scope)
    if isinstance(halt, HandOver):
        more = {"to": halt.to, "human_action": halt.human_action}
        return _stopped(snapshot, now, packet, order, halt.reason, halt.message, **more)
    if packet.bound.until is not None:
        met = until_verdict(base.spec, packet.bound.until, scope)
        if met.verdict == "Unknown":
            text = f"whether the target is met cannot be judged: {met.because}"
            return _stopped(snapshot, now, packet, order, EscalationReason.EVIDENCE_UNAVAILABLE, text)
        if met.verdict == "Holds":
            return _enough(snapshot, now, packet, order, met.because)
    status = begun(approved(incident.status, incident, request, now), packet, order, now)
    return Plan(status=observed(status, incident), again=True)


def _look(snapshot: Snapshot, now: datetime, base: Ground[RunbookSpec], packet: DecisionPacket, order: Order) -> Plan:
    judged = [guard.when for guard in base.spec.guards] + ([packet.bound.until] if packet.bound.until else [])
    only = diagnostics_behind(base.spec, judged)
    acting = {packet.bound.proposed_action.host}
    try:
        return Plan(effect=observe(base.runbook, base.spec, base.setting, base.hosts, only=only, also=acting))
    except TemplateError as error:
        return _stopped(snapshot, now, packet, order, EscalationReason.INVALID_RUNBOOK, str(error))


def _left(packet: DecisionPacket, order: Order) -> str:
    """The orders from this one on, by the names that people know."""
    orders = packet.bound.orders
    left = orders[orders.index(order) :]
    return ", ".join(method_of(packet, each) or f"order {each.attempt}" for each in left)


def _stopped(
    snapshot: Snapshot,
    now: datetime,
    packet: DecisionPacket,
    order: Order,
    reason: EscalationReason,
    message: str,
    **more: Any,
) -> Plan:
    text = f"stopped before {_left(packet, order)}: {message}"
    status = marked(snapshot.incident.status, snapshot.incident, now, "Acted", "False", reason.value, text)
    return escalated(snapshot, now, reason, text, status=status, **more)


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
