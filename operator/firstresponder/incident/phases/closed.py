"""Resolved and Escalated: nothing more happens, but what was left open is tidied up."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from firstresponder.api.approvalrequest import ApprovalRequest
from firstresponder.api.base import condition, is_true
from firstresponder.api.incident import ConditionType, Phase
from firstresponder.api.reasons import EscalationReason
from firstresponder.incident.phases.escalation import escalation_event
from firstresponder.incident.plan import CloseRequest, Perform, Plan
from firstresponder.incident.snapshot import Snapshot
from firstresponder.incident.status import with_mark_of_person, with_observed_generation

_CLOSE_REASON = {"ApprovalDenied": "Denied", "ApprovalExpired": "Expired"}
"""By the reason of the condition Approved, why a request is closed that led to nothing."""
REPORTED_FOR = timedelta(hours=1)
"""How long an escalation's Event is recorded again, which changes nothing where it is there; it lives no longer."""


def closed(snapshot: Snapshot, now: datetime) -> Plan:
    """Resolved and Escalated: nothing more happens, but the escalation is reported, an open request is closed and a
    human's mark is counted."""
    plan, escalation = _tidied(snapshot, now), snapshot.incident.status.escalation
    if escalation is None or now - escalation.time > REPORTED_FOR:
        return plan
    return replace(plan, events=(*plan.events, escalation_event(escalation)))


def _tidied(snapshot: Snapshot, now: datetime) -> Plan:
    incident, request = snapshot.incident, snapshot.request
    status = incident.status
    if status.phase == Phase.ESCALATED and request is not None and is_open(request):
        reason = status.escalation.reason if status.escalation is not None else EscalationReason.PACKET_SUPERSEDED
        message = f"{reason}: {status.escalation.message if status.escalation is not None else ''}"
        approved = condition(status.conditions, ConditionType.APPROVED)
        how = _CLOSE_REASON.get(approved.reason, "Superseded") if approved is not None else "Superseded"
        return Plan(next=Perform(CloseRequest(request, how, message)))
    status = with_mark_of_person(status, incident, now)
    if status != incident.status or incident.metadata.generation != status.observed_generation:
        return Plan(status=with_observed_generation(status, incident))
    return Plan()


def is_open(request: ApprovalRequest) -> bool:
    """Whether the request can still be reviewed or consumed."""
    return not is_true(request.status.conditions, "Closed")
