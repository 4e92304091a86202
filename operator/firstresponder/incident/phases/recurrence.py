"""What follows from other incidents once a fix is known: to wait for the same one, or to say that it did not last."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from firstresponder.api.base import format_time, is_true, seconds
from firstresponder.api.incident import ConditionType, Incident, IncidentStatus, Phase, RelatedIncident, TimelineEvent
from firstresponder.api.reasons import EscalationReason
from firstresponder.api.runbook import Action
from firstresponder.incident.budget import within_budget
from firstresponder.incident.phases.escalation import escalate
from firstresponder.incident.plan import Again, CloseRequest, Event, MarkIncorrect, Perform, Plan, ReadIncident
from firstresponder.incident.related import (
    Fix,
    OtherIncident,
    goes_first,
    is_worth_waiting_for,
    recurrence,
    same_cause,
    same_question,
)
from firstresponder.incident.snapshot import Snapshot
from firstresponder.incident.status import with_condition, with_fields, with_observed_generation, with_timeline_entry
from firstresponder.safety.neutralise import shown


def awaited_incident(snapshot: Snapshot) -> OtherIncident | None:
    """The open incident that this one waits for, because it has the same cause."""
    others = (snapshot.related.get(each.uid) for each in _same_causes(snapshot))
    return next((each for each in others if each is not None and is_worth_waiting_for(each)), None)


def wait_plan(snapshot: Snapshot) -> Plan:
    """The plan while another incident is waited for: whoever hears that it ended wakes this one, which is triaged
    again, whatever became of it."""
    incident = snapshot.incident
    if incident.metadata.generation != incident.status.observed_generation:
        return Plan(status=with_observed_generation(incident.status, incident))
    return Plan()


def defer_to_same_question(snapshot: Snapshot, now: datetime) -> Plan | None:
    """The plan where an older incident asks its hosts the same: a storm is one question. None where this one is to be
    triaged, also once the one that it waited for has ended."""
    own = snapshot.related.get(snapshot.incident.metadata.uid)
    if own is None or _same_causes(snapshot) or (other := same_question(own, snapshot.related)) is None:
        return None
    text = f"Incident {other.name} is like this one and was first; this one waits for its end"
    return _link(snapshot, now, other, text)


def check_recurrence(
    snapshot: Snapshot, now: datetime, status: IncidentStatus, fix: Fix, action: Action
) -> Plan | IncidentStatus:
    """The plan where the fix is another incident's too, or was a short while ago; the status to go on with where it is
    news, or where somebody said why it is to be proposed anyway.

    ``status`` is what triage found.
    """
    own = snapshot.incident.metadata.uid
    if (other := same_cause(fix, own, snapshot.related)) is not None:
        return _link(snapshot, now, other, _asks_for(other, fix))
    detected = status.sli.detection_time if status.sli is not None else now
    if (earlier := recurrence(fix, own, detected, seconds(action.cooldown), snapshot.related)) is None:
        return status
    if (effect := _mark_incorrect(snapshot, now, earlier, action)) is not None:
        return Plan(next=Perform(effect))
    ended = format_time(earlier.ended) if earlier.ended is not None else "an unknown time"
    text = (
        f"{fix.action} of {fix.target} ended at {ended} for Incident {earlier.name}{_how(earlier)}; this was noticed "
        f"within the cooldown of {action.cooldown}, so the same fix is not proposed again"
    )
    status = _with_related_incident(status, earlier, "Recurrence")
    if (why := snapshot.incident.spec.override_recurrence) is not None:
        text = f"{fix.action} of {fix.target} was tried for Incident {earlier.name} and did not last: {shown(why, 512)}"
        return with_timeline_entry(status, now, TimelineEvent.RECURRENCE_OVERRIDDEN, text)
    return escalate(snapshot, now, EscalationReason.RECURRENCE, text, status=status)


def _how(earlier: OtherIncident) -> str:
    if not earlier.succeeded:
        return ", and failed"
    return ", and did not help" if earlier.fix_correct is False else ", and its effect did not last"


def defer_to_same_fix(snapshot: Snapshot, now: datetime, fix: Fix) -> Plan | None:
    """The plan where another incident has the same fix and its turn comes first; None where it is ours.

    Two incidents that were triaged in the same moment could not know of each other, so they are compared again before
    people are asked and before anything is carried out. Whoever yields closes what it asked, and waits in triage.
    """
    incident, request = snapshot.incident, snapshot.request
    metadata, ref = incident.metadata, incident.status.approval_request_ref
    own = OtherIncident(
        incident.name,
        metadata.uid,
        incident.status.phase,
        fix,
        created=metadata.creation_timestamp,
        asked=ref is not None and ref.uid is not None,
    )
    other = goes_first(fix, own, snapshot.related)
    if other is None:
        return None
    if (
        request is not None
        and request.spec.incident_ref.uid == metadata.uid
        and not is_true(request.status.conditions, "Closed")
    ):
        text = f"Incident {other.name} asks for the same fix: this request is not needed"
        return Plan(next=Perform(CloseRequest(request, "Superseded", text)))
    plan = _link(snapshot, now, other, _asks_for(other, fix))
    assert plan.status is not None  # noqa: S101 - a link is written down
    status = with_fields(plan.status, phase=Phase.TRIAGING, approval_request_ref=None, decision_packet=None)
    status = with_condition(
        status, incident, now, ConditionType.APPROVED, "False", "Superseded", f"Incident {other.name} has the same fix"
    )
    return replace(plan, status=status)


def _same_causes(snapshot: Snapshot) -> list[RelatedIncident]:
    return [each for each in snapshot.incident.status.related_incidents if each.relation == "SameCause"]


def _asks_for(other: OtherIncident, fix: Fix) -> str:
    return f"Incident {other.name} asks for the same fix ({fix.action} of {fix.target}); this one waits for its end"


def _link(snapshot: Snapshot, now: datetime, other: OtherIncident, text: str) -> Plan:
    """The plan that links this incident to another. It decides again at once, for the other may have ended by then."""
    incident = snapshot.incident
    status = _with_related_incident(incident.status, other, "SameCause")
    status = with_timeline_entry(status, now, TimelineEvent.SAME_CAUSE, text)
    status = with_condition(status, incident, now, ConditionType.TRIAGED, "False", "SameCause", text)
    return Plan(
        status=with_observed_generation(status, incident),
        events=(Event("SameCause", text, dedup_key=other.uid),),
        next=Again(),
    )


def _with_related_incident(status: IncidentStatus, other: OtherIncident, relation: str) -> IncidentStatus:
    link = RelatedIncident.model_validate({"name": other.name, "uid": other.uid, "relation": relation})
    kept = [each for each in status.related_incidents if each != link]
    return with_fields(status, related_incidents=[*kept, link][-32:])


def _mark_incorrect(
    snapshot: Snapshot, now: datetime, earlier: OtherIncident, action: Action
) -> ReadIncident | MarkIncorrect | None:
    """What is still to do before the earlier incident says that its fix did not last."""
    facts = snapshot.facts
    if not earlier.succeeded or earlier.fix_correct is False or facts.marked_incorrect == earlier.uid:
        return None
    if facts.earlier is None:
        return ReadIncident(earlier.name, earlier.uid)
    before = facts.earlier.status
    text = f"Incident {snapshot.incident.name} came within the cooldown of {action.cooldown}"
    status = with_recurrence(before, snapshot.incident, text, now)
    return MarkIncorrect(facts.earlier, status) if status != before else None


def with_recurrence(status: IncidentStatus, again: Incident, message: str, now: datetime) -> IncidentStatus:
    """The status of an earlier incident whose fix did not last; unchanged where that is known already."""
    if status.sli is None or status.sli.fix_correct is False:
        return status
    link = RelatedIncident(name=again.name, uid=again.metadata.uid, relation="Recurrence")
    status = with_fields(
        status,
        sli=status.sli.model_copy(update={"fix_correct": False}),
        related_incidents=[*status.related_incidents, link][-32:],
    )
    return within_budget(with_timeline_entry(status, now, TimelineEvent.FIX_MARKED_INCORRECT, message))
