"""Writing things down: the timeline and the conditions of an incident's status."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from firstresponder.api.base import conditions_with
from firstresponder.api.incident import (
    CHANGED_NOTHING,
    ConditionType,
    Incident,
    IncidentStatus,
    TimelineEntry,
    TimelineEvent,
)

_FIRST, _LAST = 20, 180


def with_timeline_entry(
    status: IncidentStatus, now: datetime, event: TimelineEvent, details: str = "", *, by: str | None = None
) -> IncidentStatus:
    """The status with one more timeline entry; the first 20 and the last 180 are kept, the dropped counted."""
    entries = [*status.timeline, TimelineEntry(time=now, event=event, details=details[:2048], by=by)]
    dropped = max(len(entries) - _FIRST - _LAST, 0)
    if dropped:
        entries = entries[:_FIRST] + entries[_FIRST + dropped :]
    return status.model_copy(update={"timeline": entries, "timeline_dropped": status.timeline_dropped + dropped})


def spec_changed(status: IncidentStatus, now: datetime) -> IncidentStatus:
    """The status that says that a patch of the spec came too late to count (rule 21)."""
    text = "parameters are not read again after acting; they stay as approved"
    return with_timeline_entry(status, now, TimelineEvent.SPEC_CHANGED, text)


def with_condition(
    status: IncidentStatus,
    incident: Incident,
    now: datetime,
    kind: ConditionType,
    value: Literal["True", "False", "Unknown"],
    reason: str,
    message: str,
) -> IncidentStatus:
    """The status with one condition set for the incident's present generation."""
    conditions = conditions_with(
        status.conditions, kind, value, reason, message, generation=incident.metadata.generation, now=now
    )
    return status.model_copy(update={"conditions": conditions})


def with_fields(status: IncidentStatus, **fields: Any) -> IncidentStatus:
    """The status with these fields replaced."""
    return status.model_copy(update=fields)


def with_observed_generation(status: IncidentStatus, incident: Incident) -> IncidentStatus:
    """The status with every condition and itself at the incident's generation, so that ``kubectl wait`` returns."""
    generation = incident.metadata.generation
    conditions = [each.model_copy(update={"observed_generation": generation}) for each in status.conditions]
    return status.model_copy(update={"conditions": conditions, "observed_generation": generation})


def with_mark_of_person(status: IncidentStatus, incident: Incident, now: datetime) -> IncidentStatus:
    """The status with a person's mark that the fix was wrong: counted once, and only where anything was done."""
    sli, done = status.sli, any(each.reason not in CHANGED_NOTHING for each in status.attempts)
    if not incident.spec.fix_incorrect or sli is None or sli.fix_correct is False or not done:
        return status
    status = with_fields(status, sli=sli.model_copy(update={"fix_correct": False}))
    return with_timeline_entry(status, now, TimelineEvent.FIX_MARKED_INCORRECT, "a person set spec.fixIncorrect")
