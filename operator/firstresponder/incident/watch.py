"""Verifying and the ends: watch the criteria, resolve or hand over, then tidy up what was left open."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from firstresponder.api.approvalrequest import ApprovalRequest
from firstresponder.api.base import condition, elapsed_seconds, is_true, seconds
from firstresponder.api.incident import AttemptState, Incident, IncidentStatus, Phase, ServiceLevel, Verification
from firstresponder.api.packet import VerificationPlan
from firstresponder.api.reasons import EscalationReason
from firstresponder.api.runbook import RunbookSpec
from firstresponder.expressions import render_text
from firstresponder.incident.decide import recommended, scope_of
from firstresponder.incident.escalate import escalated, handed_over, told
from firstresponder.incident.ground import Ground, NoGround, acted_ground
from firstresponder.incident.look import evidence_of, observe, observe_beside, values_of
from firstresponder.incident.measure import measured, remembered
from firstresponder.incident.plan import CloseRequest, Event, Experiment, Plan, wait
from firstresponder.incident.record import marked, noted, observed, spec_changed, updated
from firstresponder.incident.roles import recast
from firstresponder.incident.rollback import can_be_undone, offer
from firstresponder.incident.snapshot import Observation, Sample, Snapshot
from firstresponder.incident.verify import Progress, Verdicts, judge, next_look, take_sample, verification_plan
from firstresponder.runbooks.names import diagnostics_behind

_CLOSE_REASON = {"ApprovalDenied": "Denied", "ApprovalExpired": "Expired"}
"""By the reason of the condition Approved, why a request is closed that led to nothing."""
_NOTHING_DONE = frozenset({"NeverRan", "Refused"})
"""Reasons of attempts that changed nothing, so that nothing of them can have been wrong."""
_KEPT_SAMPLES = 2000
_BESIDE = timedelta(seconds=5)
"""How long a look lasts at most that only measures: an abort is noticed once it is over."""
_TOLD_FOR = timedelta(hours=1)
"""How long an escalation's Event is recorded again, which changes nothing where it is there; it lives no longer."""


def verify(snapshot: Snapshot, now: datetime) -> Plan:
    """Phase Verifying: sample until the criteria held across the window, or time is over; then offer the way back."""
    incident = snapshot.incident
    status = incident.status
    if status.escalation is not None:
        return offer(snapshot, now)
    if incident.spec.abort:
        text = "spec.abort was set during verification"
        return escalated(snapshot, now, EscalationReason.ABORTED, text, status=_watched(status, snapshot.samples))
    base = acted_ground(snapshot)
    if isinstance(base, NoGround):
        return escalated(snapshot, now, base.reason, base.message, status=_watched(status, snapshot.samples))
    if incident.metadata.generation != status.observed_generation:
        return Plan(status=observed(spec_changed(status, now), incident), again=True)
    if problem := recast(status.roles, base.hosts):
        text = f"the fix cannot be verified: {problem}"
        watched = _watched(status, snapshot.samples)
        return escalated(snapshot, now, EscalationReason.EVIDENCE_UNAVAILABLE, text, status=watched)
    # A packet that was superseded, after which the symptom was gone, binds nothing any more.
    packet = status.decision_packet if status.attempts else None
    approved = packet.bound.verification if packet is not None else None
    plan = approved or verification_plan(base.spec, base.setting)
    ended, not_before = _end_of_action(status, now)
    samples, beside = snapshot.samples, snapshot.experiments
    if beside is not None and samples:
        values = {**samples[-1].measured, **measured(base.spec, beside.evidence)}
        samples = (*samples[:-1], replace(samples[-1], measured=values))
    elif snapshot.observation is not None:
        samples = (*samples, _sampled(snapshot, snapshot.observation, base, plan))[-_KEPT_SAMPLES:]
    progress = judge(plan, samples, ended, now)
    if progress.verdict is Verdicts.PASSED:
        return _resolved(snapshot, now, plan, samples, progress)
    if progress.verdict in {Verdicts.FAILED, Verdicts.TIMED_OUT}:
        return _failed(snapshot, now, base, plan, samples, progress)
    judged = [*(each.require for each in plan.criteria), *(each.when for each in plan.fail_when)]
    needed = diagnostics_behind(base.spec, judged)
    due = next_look(plan, samples, ended)
    if now < due:
        rest = wait(min(due, ended + seconds(plan.timeout)), now)
        if snapshot.observation is not None and beside is None:
            # For people only, and it can neither delay, restart nor fail the verification: it begins when the sample
            # of this round is taken and judged, is given up when the next one is due, and its answers are no verdicts.
            seen = values_of(evidence_of(status, base.runbook)).keys()
            more = observe_beside(base.runbook, base.spec, base.setting, base.hosts, not_before, needed, seen)
            if more.probes:
                return Plan(samples=samples, effect=Experiment(more, min(rest, _BESIDE).total_seconds()))
        return Plan(samples=samples, requeue_after=rest)
    if snapshot.observation is not None:
        return Plan(samples=samples, requeue_after=timedelta())
    return Plan(effect=observe(base.runbook, base.spec, base.setting, base.hosts, not_before=not_before, only=needed))


def _end_of_action(status: IncidentStatus, now: datetime) -> tuple[datetime, float | None]:
    """When the action ended, and from which moment of the host's clock journals count."""
    attempt = next((each for each in reversed(status.attempts) if each.state == AttemptState.SUCCEEDED), None)
    if attempt is not None and attempt.completion_time is not None:
        return attempt.completion_time, float(attempt.end_clock) if attempt.end_clock else None
    verification = status.verification
    if verification is not None:
        return verification.start_time, float(verification.not_before) if verification.not_before else None
    return now, None


def _sampled(snapshot: Snapshot, observation: Observation, base: Ground[RunbookSpec], plan: VerificationPlan) -> Sample:
    baseline = values_of(evidence_of(snapshot.incident.status, base.runbook))
    scope = scope_of(base.spec, base.setting, values_of(observation.evidence), baseline)
    sample = take_sample(base.spec, plan, scope, observation.start_time)
    return replace(sample, measured=measured(base.spec, observation.evidence))


def _verified(
    status: IncidentStatus, plan: VerificationPlan, samples: Sequence[Sample], progress: Progress, ended: datetime
) -> IncidentStatus:
    before = status.verification
    verification = Verification(
        start_time=ended,
        not_before=before.not_before if before is not None else None,
        window_seconds=int(seconds(plan.window).total_seconds()),
        samples=len(samples),
        criteria=list(progress.criteria),
        result="Passed" if progress.verdict is Verdicts.PASSED else "Failed",
    )
    return updated(_watched(status, samples), verification=verification)


def _watched(status: IncidentStatus, samples: Sequence[Sample]) -> IncidentStatus:
    """The status with what was measured during verification: it was kept in memory until the end."""
    ref = status.runbook_revision_ref
    rounds = ((each.time, dict(each.measured)) for each in samples)
    return remembered(status, ref.runbook, "Verification", rounds) if ref is not None else status


def _resolved(
    snapshot: Snapshot, now: datetime, plan: VerificationPlan, samples: Sequence[Sample], progress: Progress
) -> Plan:
    incident = snapshot.incident
    ended, _ = _end_of_action(incident.status, now)
    status = _verified(incident.status, plan, samples, progress, ended)
    status = noted(status, now, "VerificationPassed", progress.message)
    acted = bool(status.attempts)
    message = progress.message if acted else f"recovered by itself: {progress.message}"
    sli = status.sli or ServiceLevel(detection_time=now, start_time=now)
    took = elapsed_seconds(sli.start_time or now, now)
    sli = sli.model_copy(update={"resolution_time": now, "mttr_seconds": took, "fix_correct": True if acted else None})
    status = noted(updated(status, phase=Phase.RESOLVED, sli=sli), now, "Resolved", message)
    status = _marked_by_person(status, incident, now)
    for kind in ("Verified", "Resolved"):
        status = marked(status, incident, now, kind, "True", "CriteriaHeld", message)
    status = marked(status, incident, now, "Closed", "True", "Resolved", "Resolved")
    return Plan(status=observed(status, incident), events=(Event("Resolved", message),), samples=(), again=True)


def _failed(
    snapshot: Snapshot,
    now: datetime,
    base: Ground[RunbookSpec],
    plan: VerificationPlan,
    samples: Sequence[Sample],
    progress: Progress,
) -> Plan:
    incident = snapshot.incident
    ended, _ = _end_of_action(incident.status, now)
    status = _verified(incident.status, plan, samples, progress, ended)
    status = noted(status, now, "VerificationFailed", progress.message)
    status = marked(status, incident, now, "Verified", "False", "CriteriaNotMet", progress.message)
    acted, failure = bool(status.attempts), base.spec.verify.on_failure
    reason = EscalationReason.FIX_FAILED if acted else EscalationReason.NOT_RECOVERED
    to: Sequence[str] = ()
    human_action: str | None = None
    escalate = failure.escalate if acted else base.spec.verify.not_recovered
    if escalate is not None:
        reason, to = escalate.reason, escalate.to
        scope = scope_of(base.spec, base.setting, values_of(evidence_of(status, base.runbook)))
        human_action = render_text(escalate.human_action, scope)
        beside = recommended(failure, scope)
        status = updated(status, recommendations=[*status.recommendations, *beside][:16])
    if not acted:
        return escalated(snapshot, now, reason, progress.message, to=to, human_action=human_action, status=status)
    if status.sli is not None:
        status = updated(status, sli=status.sli.model_copy(update={"fix_correct": False}))
    if not can_be_undone(base.spec, status):
        return escalated(snapshot, now, reason, progress.message, to=to, human_action=human_action, status=status)
    # People are told now; what becomes of the rollback comes later.
    status = handed_over(snapshot, now, status, reason, progress.message, to=to, human_action=human_action)
    events = (told(status.escalation),) if status.escalation is not None else ()
    return Plan(status=observed(status, incident), events=events, samples=(), again=True)


def closed(snapshot: Snapshot, now: datetime) -> Plan:
    """Resolved and Escalated: nothing more happens, but the escalation is told, an open request is closed and a
    human's mark is counted."""
    plan, escalation = _tidied(snapshot, now), snapshot.incident.status.escalation
    if escalation is None or now - escalation.time > _TOLD_FOR:
        return plan
    return replace(plan, events=(*plan.events, told(escalation)))


def _tidied(snapshot: Snapshot, now: datetime) -> Plan:
    incident, request = snapshot.incident, snapshot.request
    status = incident.status
    if status.phase == Phase.ESCALATED and request is not None and is_open(request):
        reason = status.escalation.reason if status.escalation is not None else EscalationReason.PACKET_SUPERSEDED
        message = f"{reason}: {status.escalation.message if status.escalation is not None else ''}"
        approved = condition(status.conditions, "Approved")
        how = _CLOSE_REASON.get(approved.reason, "Superseded") if approved is not None else "Superseded"
        return Plan(effect=CloseRequest(request, how, message))
    status = _marked_by_person(status, incident, now)
    if status != incident.status or incident.metadata.generation != status.observed_generation:
        return Plan(status=observed(status, incident))
    return Plan()


def _marked_by_person(status: IncidentStatus, incident: Incident, now: datetime) -> IncidentStatus:
    """The status with a person's mark that the fix was wrong: counted once, and only where anything was done."""
    sli, done = status.sli, any(each.reason not in _NOTHING_DONE for each in status.attempts)
    if not incident.spec.fix_incorrect or sli is None or sli.fix_correct is False or not done:
        return status
    status = updated(status, sli=sli.model_copy(update={"fix_correct": False}))
    return noted(status, now, "FixMarkedIncorrect", "a person set spec.fixIncorrect")


def is_open(request: ApprovalRequest) -> bool:
    """Whether the request can still be reviewed or consumed."""
    return not is_true(request.status.conditions, "Closed")
