"""Pending and Triaging: which runbook, which hosts, what is seen there, and what follows from it."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from firstresponder.api.base import elapsed_seconds, seconds
from firstresponder.api.incident import (
    IncidentStatus,
    Phase,
    RoleCast,
    ServiceLevel,
    Verification,
)
from firstresponder.api.reasons import EscalationReason
from firstresponder.api.runbook import FollowUp, RunbookSpec, Triage
from firstresponder.expressions import Scope, TemplateError, render_text
from firstresponder.incident.analyse import analyse
from firstresponder.incident.decide import (
    DEFAULT_MARGIN,
    Conclusion,
    HandOver,
    Led,
    Proposed,
    SelfRecovered,
    decide,
    scope_of,
)
from firstresponder.incident.escalate import escalated
from firstresponder.incident.ground import Ground, NoGround, ground, playbook_ground
from firstresponder.incident.impact import high_impact, impact_event
from firstresponder.incident.look import bounded, observe, values_of
from firstresponder.incident.matching import Matched, match, runbook_named
from firstresponder.incident.plan import Event, Experiment, Pin, Plan
from firstresponder.incident.propose import propose
from firstresponder.incident.record import marked, noted, observed, updated
from firstresponder.incident.recur import wait_on, waited_for
from firstresponder.incident.snapshot import Observation, Revision, Snapshot
from firstresponder.incident.verify import verification_plan
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
        status = noted(updated(status, sli=sli), detected, "Detected", what)
    if spec.abort:
        return escalated(snapshot, now, EscalationReason.ABORTED, "spec.abort was set before triage", status=status)
    events: tuple[Event, ...] = ()
    if heavy := high_impact(spec.impact, snapshot.policy.high_impact) if snapshot.policy is not None else None:
        status = noted(status, now, "HighImpact", heavy)
        events = (impact_event(heavy),)
    matched = match(snapshot)
    if isinstance(matched, NoGround):
        plan = escalated(snapshot, now, matched.reason, matched.message, status=status)
        return replace(plan, events=events + plan.events)
    led = matched.kind == "TriagePlaybook"
    revision = snapshot.playbook if led else snapshot.revision
    if not _pinned(revision, matched):
        return Plan(effect=Pin(matched.kind, matched.revision.name))
    if revision is None or revision.spec is None:
        problem = revision.problem if revision is not None else ""
        return escalated(snapshot, now, EscalationReason.INVALID_RUNBOOK, problem, status=status)
    status = noted(status, now, "TriageStarted", f"{matched.kind} {matched.name}, revision {revision.ref.name}")
    reference = {"playbook_revision_ref" if led else "runbook_revision_ref": revision.ref}
    status = updated(status, phase=Phase.TRIAGING, **reference)
    status = marked(status, incident, now, "Triaged", "False", "Triaging", f"running the diagnostics of {matched.name}")
    status = marked(status, incident, now, "Closed", "False", "Triaging", "")
    return Plan(status=observed(status, incident), events=events, again=True)


def _pinned(revision: Revision | None, matched: Matched) -> bool:
    """Whether that revision is read and has the incident among its owners; one that fails its digest needs none."""
    if revision is None or revision.ref != matched.revision:
        return False
    return revision.owned or revision.spec is None


def triage(snapshot: Snapshot, now: datetime) -> Plan:
    """Phase Triaging: observe, decide, and write down the packet or the reason for a human."""
    status = snapshot.incident.status
    if snapshot.incident.spec.abort:
        return escalated(snapshot, now, EscalationReason.ABORTED, "spec.abort was set during triage")
    if waited_for(snapshot) is not None:
        return wait_on(snapshot)
    if status.playbook_revision_ref is not None and status.runbook_revision_ref is None:
        return _lead(snapshot, now)
    base = ground(snapshot)
    if isinstance(base, NoGround):
        return escalated(snapshot, now, base.reason, base.message)
    if snapshot.observation is None:
        return _observed(snapshot, now, base)
    return _concluded(snapshot, now, base, snapshot.observation)


def _lead(snapshot: Snapshot, now: datetime) -> Plan:
    """Rule 19: the playbook finds the cause, the cause's runbook triages afresh; never deeper than that."""
    base = playbook_ground(snapshot)
    if isinstance(base, NoGround):
        return escalated(snapshot, now, base.reason, base.message)
    if snapshot.observation is None:
        return _observed(snapshot, now, base)
    judged = _judged(snapshot, now, base, snapshot.observation)
    if isinstance(judged, Plan):
        return judged
    status, scope, conclusion = judged
    if isinstance(conclusion, HandOver):
        status = _triaged(snapshot, now, status, conclusion.reason.value, conclusion.message)
        return _handed_over(snapshot, now, status, conclusion)
    if not isinstance(conclusion, Led):
        text = f"TriagePlaybook {base.runbook} does not lead to a runbook"
        return escalated(snapshot, now, EscalationReason.INVALID_RUNBOOK, text, status=status)
    matched = runbook_named(snapshot, conclusion.runbook, f"TriagePlaybook {base.runbook}")
    if isinstance(matched, NoGround):
        return escalated(snapshot, now, matched.reason, matched.message, status=status)
    if not _pinned(snapshot.revision, matched):
        return Plan(effect=Pin(matched.kind, matched.revision.name))
    cause = render_text(conclusion.hypothesis.root_cause.summary, scope)
    text = f"{conclusion.hypothesis.name} ({cause}): on to Runbook {matched.name}, revision {matched.revision.name}"
    status = noted(updated(status, runbook_revision_ref=matched.revision), now, "PlaybookConcluded", text)
    return Plan(status=observed(status, snapshot.incident), again=True)


def _observed(snapshot: Snapshot, now: datetime, base: Ground[Triage]) -> Plan:
    try:
        return Plan(effect=observe(base.runbook, base.spec, base.setting, base.hosts))
    except TemplateError as error:
        return escalated(snapshot, now, EscalationReason.INVALID_RUNBOOK, f"a diagnostic's argument: {error}")


def _judged(
    snapshot: Snapshot, now: datetime, base: Ground[Triage], observation: Observation
) -> tuple[IncidentStatus, Scope, Conclusion] | Plan:
    """The decision and the status that records it, beside what a playbook recorded before."""
    incident = snapshot.incident
    policy = snapshot.policy
    margin = policy.ambiguity_margin_points if policy is not None else DEFAULT_MARGIN
    earlier = [each for each in incident.status.evidence if each.runbook != base.runbook]
    evidence = bounded(observation.evidence, beside=earlier)
    scope = scope_of(base.spec, base.setting, values_of(evidence))
    decision = decide(base.spec, scope, margin)
    verdicts = [each.model_copy(update={"runbook": base.runbook}) for each in decision.verdicts]
    status = updated(
        incident.status,
        parameters=base.parameters,
        roles=[
            RoleCast(
                role=role,
                name=host.name,
                address=host.spec.address,
                expected_units=host.spec.expected_units,
                host_keys=host.spec.host_keys,
            )
            for role, host in sorted(base.hosts.items())
        ],
        margin_points=margin,
        evidence=[*earlier, *evidence],
        hypotheses=[*(each for each in incident.status.hypotheses if each.runbook != base.runbook), *verdicts],
        recommendations=list(decision.recommendations),
        # What an earlier triage of this incident found does not outlive it.
        root_cause=None,
        follow_ups=[],
    )
    guarded = any(each.kind == "Guard" and each.verdict == "Holds" for each in verdicts)
    named = {assignment.name for assignment in incident.spec.hosts}
    if not guarded and (dead := {host: why for host, why in observation.unreachable.items() if host in named}):
        text = "; ".join(f"{host}: {why}" for host, why in sorted(dead.items()))
        status = _triaged(snapshot, now, status, "HostUnreachable", text)
        return escalated(snapshot, now, EscalationReason.HOST_UNREACHABLE, text, status=status)
    analysed = analyse(base, status, scope, decision.conclusion, snapshot.experiments)
    if isinstance(analysed, Experiment):
        return Plan(effect=analysed)
    return analysed, scope, decision.conclusion


def _concluded(snapshot: Snapshot, now: datetime, base: Ground[RunbookSpec], observation: Observation) -> Plan:
    judged = _judged(snapshot, now, base, observation)
    if isinstance(judged, Plan):
        return judged
    status, scope, conclusion = judged
    match conclusion:
        case SelfRecovered():
            return _self_recovered(snapshot, now, base, observation, status)
        case HandOver():
            status = _triaged(snapshot, now, status, conclusion.reason.value, conclusion.message)
            return _handed_over(snapshot, now, status, conclusion)
        case Led():
            text = f"{base.runbook} names another runbook, which only a TriagePlaybook may"
            return escalated(snapshot, now, EscalationReason.INVALID_RUNBOOK, text, status=status)
        case Proposed():
            hypothesis = conclusion.hypothesis
            status = updated(status, follow_ups=[_told(each, scope) for each in hypothesis.follow_ups])
            status = _triaged(snapshot, now, status, "CauseFound", f"cause: {hypothesis.name}")
            return propose(snapshot, now, base, observation, status, scope, conclusion)


def _handed_over(snapshot: Snapshot, now: datetime, status: IncidentStatus, over: HandOver) -> Plan:
    return escalated(
        snapshot, now, over.reason, over.message, to=over.to, human_action=over.human_action, status=status
    )


def _triaged(snapshot: Snapshot, now: datetime, status: IncidentStatus, reason: str, message: str) -> IncidentStatus:
    status = noted(status, now, "TriageCompleted", message)
    return marked(status, snapshot.incident, now, "Triaged", "True", reason, message)


def _told(follow_up: FollowUp, scope: Scope) -> FollowUp:
    return follow_up.model_copy(update={"title": render_text(follow_up.title, scope)[:256]})


def _self_recovered(
    snapshot: Snapshot, now: datetime, base: Ground[RunbookSpec], observation: Observation, status: IncidentStatus
) -> Plan:
    """Rule 5: the symptom is gone; triage time stands for the action's end."""
    incident = snapshot.incident
    clocks = [info.time for info in observation.hosts.values()]
    plan = verification_plan(base.spec, base.setting)
    status = updated(
        status,
        phase=Phase.VERIFYING,
        verification=Verification(
            start_time=now,
            not_before=f"{min(clocks):.6f}" if clocks else None,
            window_seconds=int(seconds(plan.window).total_seconds()),
        ),
    )
    status = _triaged(snapshot, now, status, "SymptomGone", f"{base.spec.symptom} is false: nothing is acted on")
    status = marked(status, incident, now, "Verified", "Unknown", "Verifying", "the criteria are being watched")
    return Plan(status=observed(status, incident), again=True)
