"""What follows from other incidents once a fix is known: to wait for the same one, or to say that it did not last."""

from __future__ import annotations

from datetime import datetime, timedelta

from firstresponder.api.base import format_time, seconds
from firstresponder.api.incident import Incident, IncidentStatus, RelatedIncident
from firstresponder.api.reasons import EscalationReason
from firstresponder.api.runbook import Action
from firstresponder.incident.budget import within_budget
from firstresponder.incident.escalate import escalated
from firstresponder.incident.neighbours import Fix, Neighbour, is_asking, recurrence, same_cause
from firstresponder.incident.plan import Event, MarkIncorrect, Plan
from firstresponder.incident.record import marked, noted, observed, updated
from firstresponder.incident.snapshot import Snapshot

_LOOK_AGAIN = timedelta(seconds=15)


def waited_for(snapshot: Snapshot) -> Neighbour | None:
    """The open incident that this one waits for, because it asks for the same fix."""
    linked = {each.uid for each in snapshot.incident.status.related_incidents if each.relation == "SameCause"}
    return next((each for each in snapshot.neighbours if each.uid in linked and is_asking(each)), None)


def wait_on(snapshot: Snapshot) -> Plan:
    """The plan while another incident is waited for. What becomes of it, this one is triaged afresh."""
    incident = snapshot.incident
    if incident.metadata.generation != incident.status.observed_generation:
        return Plan(status=observed(incident.status, incident), requeue_after=_LOOK_AGAIN)
    return Plan(requeue_after=_LOOK_AGAIN)


def known_already(snapshot: Snapshot, now: datetime, status: IncidentStatus, fix: Fix, action: Action) -> Plan | None:
    """The plan where the fix is another incident's too, or was a short while ago; None where it is news.

    ``status`` is what triage found.
    """
    if (other := same_cause(fix, snapshot.neighbours)) is not None:
        return _linked(snapshot, now, fix, other)
    detected = status.sli.detection_time if status.sli is not None else now
    if (earlier := recurrence(fix, detected, seconds(action.cooldown), snapshot.neighbours)) is None:
        return None
    doubtful = earlier.succeeded and earlier.fix_correct is not False
    if doubtful and snapshot.marked_incorrect != earlier.uid:
        text = f"Incident {snapshot.incident.name} came within the cooldown of {action.cooldown}"
        return Plan(effect=MarkIncorrect(earlier.name, earlier.uid, text))
    ended = format_time(earlier.ended) if earlier.ended is not None else "an unknown time"
    text = (
        f"{fix.action} of {fix.target} ended at {ended} for Incident {earlier.name}; this was noticed within the "
        f"cooldown of {action.cooldown}, so the same fix is not proposed again"
    )
    status = _related(status, earlier, "Recurrence")
    return escalated(snapshot, now, EscalationReason.RECURRENCE, text, status=status)


def _linked(snapshot: Snapshot, now: datetime, fix: Fix, other: Neighbour) -> Plan:
    incident = snapshot.incident
    text = f"Incident {other.name} asks for the same fix ({fix.action} of {fix.target}); this one waits for its end"
    status = _related(incident.status, other, "SameCause")
    status = noted(status, now, "SameCause", text)
    status = marked(status, incident, now, "Triaged", "False", "SameCause", text)
    return Plan(
        status=observed(status, incident),
        events=(Event("SameCause", text, occasion=other.uid),),
        requeue_after=_LOOK_AGAIN,
    )


def _related(status: IncidentStatus, other: Neighbour, relation: str) -> IncidentStatus:
    link = RelatedIncident.model_validate({"name": other.name, "uid": other.uid, "relation": relation})
    kept = [each for each in status.related_incidents if each != link]
    return updated(status, related_incidents=[*kept, link][-32:])


def recurred(status: IncidentStatus, again: Incident, message: str, now: datetime) -> IncidentStatus:
    """The status of an earlier incident whose fix did not last; unchanged where that is known already."""
    if status.sli is None or status.sli.fix_correct is False:
        return status
    link = RelatedIncident(name=again.name, uid=again.metadata.uid, relation="Recurrence")
    status = updated(
        status,
        sli=status.sli.model_copy(update={"fix_correct": False}),
        related_incidents=[*status.related_incidents, link][-32:],
    )
    return within_budget(noted(status, now, "FixMarkedIncorrect", message))
