"""Handing over to a human: everything that was seen, tried and is now needed, in one block."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from firstresponder.api.incident import (
    ConditionType,
    Escalation,
    IncidentStatus,
    Phase,
    ServiceLevel,
    TimelineEvent,
)
from firstresponder.api.reasons import EscalationReason
from firstresponder.incident.phases.human_action import what_to_do
from firstresponder.incident.phases.summary import attempted_fix, diagnostic_results, verification_result
from firstresponder.incident.plan import Again, Event, Plan
from firstresponder.incident.snapshot import Snapshot
from firstresponder.incident.status import with_condition, with_fields, with_observed_generation, with_timeline_entry


def with_escalation(
    snapshot: Snapshot,
    now: datetime,
    status: IncidentStatus,
    reason: EscalationReason,
    message: str,
    *,
    to: Sequence[str] = (),
    human_action: str | None = None,
) -> IncidentStatus:
    """The status with all that a human needs; the incident itself may still have something to offer."""
    spec = snapshot.revision.spec if snapshot.revision is not None else None
    sli = status.sli or ServiceLevel(detection_time=now)
    return with_fields(
        status,
        sli=sli.model_copy(update={"escalated": True}),
        escalation=Escalation(
            reason=reason,
            message=message[:2048],
            to=list(to) or (list(spec.escalate_to) if spec is not None else ["on-call"]),
            time=now,
            diagnostic_results=diagnostic_results(status),
            attempted_fix=_cut(attempted_fix(status)),
            verification_result=_cut(verification_result(status)),
            human_action=what_to_do(snapshot, status, reason, human_action)[:2048],
        ),
    )


def escalate(
    snapshot: Snapshot,
    now: datetime,
    reason: EscalationReason,
    message: str,
    *,
    to: Sequence[str] = (),
    human_action: str | None = None,
    status: IncidentStatus | None = None,
) -> Plan:
    """The plan that ends the incident in the hands of a human. Nothing state-changing follows it.

    Where a fix had failed before and its rollback was on offer, the failure stays the reason, and this is what became
    of the rollback. The Event comes with every look at the escalated incident, see :func:`escalation_event`.
    """
    incident = snapshot.incident
    status = status or incident.status
    if reason in {EscalationReason.APPROVAL_DENIED, EscalationReason.APPROVAL_EXPIRED}:
        status = with_condition(status, incident, now, ConditionType.APPROVED, "False", reason.value, message)
    events: tuple[Event, ...] = ()
    if (failure := incident.status.escalation) is not None:
        outcome = f"{reason}: {message}" if reason != failure.reason else message
        status = with_timeline_entry(status, now, TimelineEvent.ROLLBACK_ENDED, outcome)
        events = (Event("RollbackEnded", outcome, warning=True),)
        reason, message = failure.reason, f"{failure.message}; rollback: {outcome}"
        # Whoever is needed for what came between is needed too, for example security.
        to = list(dict.fromkeys([*failure.to, *to]))
        human_action = " ".join(filter(None, (failure.human_action, human_action)))
    status = with_timeline_entry(status, now, TimelineEvent.ESCALATED, f"{reason}: {message}")
    status = with_escalation(snapshot, now, status, reason, message, to=to, human_action=human_action)
    status = with_fields(status, phase=Phase.ESCALATED)
    if status.decision_packet is not None and not status.attempts:
        status = with_condition(
            status, incident, now, ConditionType.ACTED, "False", reason.value, "nothing was changed on any host"
        )
    status = with_condition(status, incident, now, ConditionType.ESCALATED, "True", reason.value, message)
    status = with_condition(status, incident, now, ConditionType.RESOLVED, "False", reason.value, message)
    closed = "Aborted" if reason == EscalationReason.ABORTED else "Escalated"
    status = with_condition(status, incident, now, ConditionType.CLOSED, "True", closed, reason.value)
    return Plan(status=with_observed_generation(status, incident), events=events, next=Again())


_EVENT_BYTES, _LEAST_BYTES = 1024, 200
"""What the API lets an Event say, and what is left at least to what happened."""


def _cut(text: str | None) -> str | None:
    return text[:2048] if text is not None else None


def escalation_event(escalation: Escalation) -> Event:
    """The Event of an escalation, made of what status holds: a crash after the status was saved does not lose it."""
    rest = f" → {', '.join(escalation.to)}: {escalation.human_action}"
    room = max(_EVENT_BYTES - len(rest.encode()), _LEAST_BYTES)
    return Event(escalation.reason.value, f"{_within(escalation.message, room)}{rest}", warning=True)


def _within(text: str, room: int) -> str:
    """The text in so many bytes: what to do follows it, and is not cut off."""
    if len(text.encode()) <= room:
        return text
    return f"{text.encode()[: room - 3].decode(errors='ignore')}…"
