"""Pending: choose a runbook, pin its revision, start triage."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from firstresponder.api.base import elapsed_seconds
from firstresponder.api.incident import ConditionType, Phase, ServiceLevel, TimelineEvent
from firstresponder.api.reasons import EscalationReason
from firstresponder.incident.decision.context import ContextError
from firstresponder.incident.decision.impact import high_impact, impact_event
from firstresponder.incident.decision.matching import is_pinned, match
from firstresponder.incident.phases.escalation import escalate
from firstresponder.incident.plan import (
    Again,
    Event,
    Perform,
    Pin,
    Plan,
)
from firstresponder.incident.snapshot import Snapshot
from firstresponder.incident.status import with_condition, with_fields, with_observed_generation, with_timeline_entry
from firstresponder.safety.neutralise import shown


def begin(snapshot: Snapshot, now: datetime) -> Plan:
    """Phase Pending: choose a runbook, pin its revision, start triage."""
    incident = snapshot.incident
    spec = incident.spec
    detected = spec.detection_time or (spec.alert.start_time if spec.alert else None)
    detected = detected or incident.metadata.creation_timestamp or now
    status = incident.status
    if status.sli is None:
        sli = ServiceLevel(detection_time=detected, start_time=now, mttd_seconds=elapsed_seconds(detected, now))
        what = shown(spec.summary, 2048) if spec.summary else f"{spec.type} on {spec.service}"
        status = with_timeline_entry(with_fields(status, sli=sli), detected, TimelineEvent.DETECTED, what)
    if spec.abort:
        return escalate(snapshot, now, EscalationReason.ABORTED, "spec.abort was set before triage", status=status)
    events: tuple[Event, ...] = ()
    if heavy := high_impact(spec.impact, snapshot.policy.high_impact) if snapshot.policy is not None else None:
        status = with_timeline_entry(status, now, TimelineEvent.HIGH_IMPACT, heavy)
        events = (impact_event(heavy),)
    matched = match(snapshot)
    if isinstance(matched, ContextError):
        plan = escalate(snapshot, now, matched.reason, matched.message, status=status)
        return replace(plan, events=events + plan.events)
    led = matched.kind == "TriagePlaybook"
    revision = snapshot.playbook if led else snapshot.revision
    if not is_pinned(revision, matched):
        return Plan(next=Perform(Pin(matched.kind, matched.revision.name)))
    if revision is None or revision.spec is None:
        problem = revision.problem if revision is not None else ""
        return escalate(snapshot, now, EscalationReason.INVALID_RUNBOOK, problem, status=status)
    status = with_timeline_entry(
        status, now, TimelineEvent.TRIAGE_STARTED, f"{matched.kind} {matched.name}, revision {revision.ref.name}"
    )
    reference = {"playbook_revision_ref" if led else "runbook_revision_ref": revision.ref}
    status = with_fields(status, phase=Phase.TRIAGING, **reference)
    status = with_condition(
        status, incident, now, ConditionType.TRIAGED, "False", "Triaging", f"running the diagnostics of {matched.name}"
    )
    status = with_condition(status, incident, now, ConditionType.CLOSED, "False", "Triaging", "")
    return Plan(status=with_observed_generation(status, incident), events=events, next=Again())
