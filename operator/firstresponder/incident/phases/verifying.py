"""Verifying: watch the criteria, then resolve or escalate."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal

from firstresponder.api.base import elapsed_seconds, seconds
from firstresponder.api.incident import (
    Attempt,
    AttemptState,
    ConditionType,
    Incident,
    IncidentStatus,
    Phase,
    ServiceLevel,
    TimelineEvent,
    Verification,
)
from firstresponder.api.ledger import Moment
from firstresponder.api.packet import VerificationPlan
from firstresponder.api.reasons import EscalationReason
from firstresponder.api.runbook import RunbookSpec
from firstresponder.evidence.catalogue import PROBES
from firstresponder.expressions import render_text
from firstresponder.incident.approval.attempts import ended_in_failure, fix_text
from firstresponder.incident.decision.context import ContextError, TriageContext, acting_context
from firstresponder.incident.decision.decide import recommendations_of, scope_of
from firstresponder.incident.decision.observations import (
    describe_unseen,
    evidence_of,
    observe,
    observe_alongside,
    values_of,
)
from firstresponder.incident.decision.roles import assignment_changed
from firstresponder.incident.decision.verification import (
    Progress,
    Verdicts,
    judge,
    next_sample_time,
    not_recovering,
    stopped_at,
    symptom_returned,
    take_sample,
    verification_plan,
    watch_plan,
)
from firstresponder.incident.facts import Observation, Sample
from firstresponder.incident.measurements import measurements_of, with_samples
from firstresponder.incident.phases.escalation import escalate, escalation_event, with_escalation
from firstresponder.incident.phases.rollback import can_be_undone, offer
from firstresponder.incident.plan import (
    Again,
    Event,
    Experiment,
    Perform,
    Plan,
    Wait,
    wait,
)
from firstresponder.incident.snapshot import Snapshot
from firstresponder.incident.status import (
    spec_changed,
    with_condition,
    with_fields,
    with_mark_of_person,
    with_observed_generation,
    with_timeline_entry,
)
from firstresponder.runbooks.symbols import diagnostics_behind

_KEPT_SAMPLES = 2000
_SHOWN_EVERY = timedelta(minutes=1)
_RETURNS = 3
"""How often a symptom may come back while it is watched before a human has to look."""
_BESIDE = timedelta(seconds=5)
"""How long a look lasts at most that only measures: an abort is noticed once it is over."""


def verify(snapshot: Snapshot, now: datetime) -> Plan:
    """Phase Verifying: sample until the criteria held across the window, or time is over; then offer the rollback."""
    incident = snapshot.incident
    status = incident.status
    if status.escalation is not None:
        return offer(snapshot, now)
    context = acting_context(snapshot)
    if incident.spec.abort:
        return _stop(snapshot, now, context, EscalationReason.ABORTED, "spec.abort was set during verification")
    if isinstance(context, ContextError):
        return _stop(snapshot, now, context, context.reason, context.message)
    if incident.metadata.generation != status.observed_generation:
        return Plan(status=with_observed_generation(spec_changed(status, now), incident), next=Again())
    if problem := assignment_changed(status.roles, context.hosts):
        text = f"the fix cannot be verified: {problem}"
        return _stop(snapshot, now, context, EscalationReason.EVIDENCE_UNAVAILABLE, text)
    plan = _plan(status, context)
    ended, _ = _end_of_action(status, now)
    seen = snapshot.facts.observation
    look = _take_sample(snapshot, seen, context, plan) if seen is not None else None
    is_second_look = look is not None and not status.attempts and symptom_returned(plan, snapshot.samples) is not None
    samples = _samples(snapshot, context, plan, look, is_second_look=is_second_look)
    watch = _Watch(snapshot, now, plan, samples, ended)
    if not status.attempts and (returned := symptom_returned(plan, samples)) is not None:
        if not is_second_look and (diagnostics := _read_from_then_on(context.spec)):
            again = observe(context.runbook, context.spec, context.inputs, context.hosts, only=diagnostics)
            return Plan(samples=samples, next=Perform(again))
        return _triage_again(watch, context, returned)
    progress = _progress(watch, context)
    # What was seen may be forgotten (a restart), so nothing is said to be unseen without another look.
    is_due = next_sample_time(plan, samples, ended) <= now
    if progress.verdict is Verdicts.PASSED:
        return _resolve(watch, progress)
    if progress.verdict is Verdicts.UNSEEN and not (is_due and seen is None):
        return _escalate_unseen(watch, context, progress)
    if progress.verdict in {Verdicts.FAILED, Verdicts.TIMED_OUT}:
        return _fail(watch, context, progress)
    return _continue(watch, context, progress)


def _samples(
    snapshot: Snapshot,
    context: TriageContext[RunbookSpec],
    plan: VerificationPlan,
    look: Sample | None,
    *,
    is_second_look: bool,
) -> tuple[Sample, ...]:
    """The samples with what this pass saw."""
    samples, experiments = snapshot.samples, snapshot.facts.experiments
    if look is not None and is_second_look:
        return *samples[:-1], _without_symptom(samples[-1], look, plan)
    if experiments is not None and samples:
        values = {**samples[-1].measured, **measurements_of(context.spec, experiments.evidence)}
        return *samples[:-1], replace(samples[-1], measured=values)
    return (*samples, look)[-_KEPT_SAMPLES:] if look is not None else samples


def _progress(watch: _Watch, context: TriageContext[RunbookSpec]) -> Progress:
    progress = watch.judged()
    if watch.incident.status.attempts or progress.verdict is not Verdicts.UNDECIDED:
        return progress
    if (unwell := not_recovering(watch.plan, watch.samples, watch.ended)) is None:
        return progress
    text = f"the symptom {context.spec.symptom} is not there, and yet {unwell}"
    return replace(progress, verdict=Verdicts.FAILED, message=text)


def _continue(watch: _Watch, context: TriageContext[RunbookSpec], progress: Progress) -> Plan:
    """The next look where it is due, else the wait for it."""
    plan, samples, facts, status = watch.plan, watch.samples, watch.snapshot.facts, watch.incident.status
    _, not_before = _end_of_action(status, watch.now)
    judged = [*(each.require for each in plan.criteria), *(each.when for each in plan.fail_when)]
    needed = diagnostics_behind(context.spec, judged)
    due = next_sample_time(plan, samples, watch.ended)
    if due <= watch.now and facts.observation is not None:
        return Plan(samples=samples, next=Wait(timedelta()))
    if due <= watch.now:
        look = observe(context.runbook, context.spec, context.inputs, context.hosts, not_before=not_before, only=needed)
        return Plan(next=Perform(replace(look, since=_shared_since(watch))))
    rest = wait(min(due, watch.ended + seconds(plan.timeout)), watch.now)
    if facts.observation is not None and facts.experiments is None:
        # For people only, and it can neither delay, restart nor fail the verification: it begins when the sample
        # of this round is taken and evaluated, is given up when the next one is due, and its answers are no verdicts.
        there = values_of(evidence_of(status, context.runbook)).keys()
        more = observe_alongside(
            context.runbook, context.spec, context.inputs, context.hosts, not_before, needed, there
        )
        if more.probes:
            more = replace(more, since=samples[-1].time)
            return Plan(samples=samples, next=Perform(Experiment(more, min(rest, _BESIDE).total_seconds())))
    is_news = _is_news(status, progress, samples, watch.now)
    return Plan(
        status=_with_verification(watch, progress, result=None) if is_news else None, samples=samples, next=Wait(rest)
    )


def _shared_since(watch: _Watch) -> datetime | None:
    """From when on a look of another incident is good for this one too: many that verify on one host look together.

    Nothing from before verification began, which is a moment of the operator's clock only where nothing was acted on,
    and nothing that would make this look the last one again.
    """
    if watch.samples:
        return watch.samples[-1].time + seconds(watch.plan.interval) / 2
    return watch.ended + seconds(watch.plan.initial_delay) if not watch.incident.status.attempts else None


@dataclass(frozen=True)
class _Watch:
    """What verification goes by in one pass."""

    snapshot: Snapshot
    now: datetime
    plan: VerificationPlan
    samples: tuple[Sample, ...]
    ended: datetime
    """When the action ended; without one, when triage did."""

    @property
    def incident(self) -> Incident:
        return self.snapshot.incident

    def judged(self) -> Progress:
        packet = self.incident.status.decision_packet if self.incident.status.attempts else None
        after = fix_text(packet) if packet is not None else ""
        return judge(self.plan, self.samples, self.ended, self.now, after)


def _approved_plan(status: IncidentStatus) -> VerificationPlan | None:
    """A packet that was superseded, after which the symptom was gone, binds nothing any more."""
    packet = status.decision_packet if status.attempts else None
    return packet.bound.verification if packet is not None else None


def _plan(status: IncidentStatus, context: TriageContext[RunbookSpec]) -> VerificationPlan:
    """What was approved; without an attempt, what the runbook says."""
    if (approved := _approved_plan(status)) is not None:
        return approved
    return (
        verification_plan(context.spec, context.inputs) if status.attempts else watch_plan(context.spec, context.inputs)
    )


def _stop(
    snapshot: Snapshot,
    now: datetime,
    context: TriageContext[RunbookSpec] | ContextError,
    reason: EscalationReason,
    message: str,
) -> Plan:
    """An end that is not verification's own; what it came to so far is kept."""
    status, samples = snapshot.incident.status, snapshot.samples
    plan = _approved_plan(status) if isinstance(context, ContextError) else _plan(status, context)
    if plan is None:
        return escalate(snapshot, now, reason, message, status=_with_verification_samples(status, samples))
    ended, _ = _end_of_action(status, now)
    watch = _Watch(snapshot, now, plan, samples, ended)
    progress = watch.judged()
    status = _with_result(watch, replace(progress, verdict=Verdicts.UNDECIDED))
    packet = status.decision_packet if status.attempts else None
    what = f" of {fix_text(packet)}" if packet is not None else ""
    message = f"{message}. Verification{what} ended there; {stopped_at(plan, samples, progress)}"
    return escalate(snapshot, now, reason, message, status=status)


def _end_of_action(status: IncidentStatus, now: datetime) -> tuple[datetime, Moment | None]:
    """When the action ended, and from which moment on the host journals count."""
    attempt = next((each for each in reversed(status.attempts) if _is_verifiable(each)), None)
    if attempt is not None and attempt.completion_time is not None:
        uptime = float(attempt.end_uptime) if attempt.end_uptime else None
        end = Moment(float(attempt.end_clock), uptime, attempt.boot) if attempt.end_clock else None
        return attempt.completion_time, end
    verification = status.verification
    if verification is not None:
        return verification.start_time, Moment(float(verification.not_before)) if verification.not_before else None
    return now, None


def _is_verifiable(attempt: Attempt) -> bool:
    """Whether it ended in a way that verification follows: with success, or with a failure that met its target."""
    return attempt.state == AttemptState.SUCCEEDED or ended_in_failure(attempt.state, attempt.reason)


def _take_sample(
    snapshot: Snapshot, observation: Observation, context: TriageContext[RunbookSpec], plan: VerificationPlan
) -> Sample:
    baseline = values_of(evidence_of(snapshot.incident.status, context.runbook))
    scope = scope_of(context.spec, context.inputs, values_of(observation.evidence), baseline)
    sample = take_sample(context.spec, plan, scope, observation.start_time)
    return replace(
        sample,
        unseen=describe_unseen(observation.evidence),
        measured=measurements_of(context.spec, observation.evidence),
    )


def _read_from_then_on(spec: RunbookSpec) -> frozenset[str]:
    """The diagnostics that the symptom rests on, if one of them looks back. A watch has it read from its beginning
    on, and a symptom of too few messages is there at first: it is believed once they are read as in triage."""
    behind = diagnostics_behind(spec, [spec.symptom])
    looking_back = {each.name for each in spec.diagnostics if PROBES[each.probe].looks_back}
    return behind if behind & looking_back else frozenset()


def _without_symptom(sample: Sample, again: Sample, plan: VerificationPlan) -> Sample:
    """The sample without the symptom, if the second look saw that it is not there; else as it was."""
    absent = plan.criteria[-1].name
    if again.verdicts[absent] is not True:
        return sample
    because = {**sample.because, absent: again.because[absent]}
    return replace(sample, verdicts={**sample.verdicts, absent: True}, because=because)


_RESULTS: Mapping[Verdicts, Literal["Passed", "Failed", "Unavailable", "Stopped"]] = {
    Verdicts.PASSED: "Passed",
    Verdicts.FAILED: "Failed",
    Verdicts.TIMED_OUT: "Failed",
    Verdicts.UNSEEN: "Unavailable",
    Verdicts.UNDECIDED: "Stopped",
}


def _is_news(status: IncidentStatus, progress: Progress, samples: Sequence[Sample], now: datetime) -> bool:
    """Whether people should see how far it is: the first look, and what is met differently since, once a minute at
    most. Samples are in memory, and each write of a status costs."""
    written = status.verification
    if not samples or written is None or written.observed_time is None:
        return bool(samples)
    met = {each.name for each in progress.criteria if each.holds}
    return now - written.observed_time >= _SHOWN_EVERY and met != {each.name for each in written.criteria if each.holds}


def _with_result(watch: _Watch, progress: Progress) -> IncidentStatus:
    """The status with what verification came to, as it ends in whatever way."""
    status = _with_verification(watch, progress, result=_RESULTS[progress.verdict])
    return _with_verification_samples(status, watch.samples)


def _with_verification(
    watch: _Watch, progress: Progress, *, result: Literal["Passed", "Failed", "Unavailable", "Stopped"] | None
) -> IncidentStatus:
    plan, samples, before = watch.plan, watch.samples, watch.incident.status.verification
    verification = Verification(
        start_time=watch.ended,
        not_before=before.not_before if before is not None else None,
        window_seconds=int(seconds(plan.window).total_seconds()),
        samples=len(samples),
        criteria=list(progress.criteria),
        observed_time=samples[-1].time if samples else None,
        deadline=watch.ended + seconds(plan.timeout),
        result=result,
    )
    return with_fields(watch.incident.status, verification=verification)


def _with_verification_samples(status: IncidentStatus, samples: Sequence[Sample]) -> IncidentStatus:
    """The status with what was measured during verification: it was kept in memory until the end."""
    ref = status.runbook_revision_ref
    rounds = ((each.time, dict(each.measured)) for each in samples)
    return with_samples(status, ref.runbook, "Verification", rounds) if ref is not None else status


def _resolve(watch: _Watch, progress: Progress) -> Plan:
    incident, now = watch.incident, watch.now
    status = _with_result(watch, progress)
    status = with_timeline_entry(status, now, TimelineEvent.VERIFICATION_PASSED, progress.message)
    acted = bool(status.attempts)
    message = progress.message if acted else f"the symptom is not there, and {progress.message}"
    sli = status.sli or ServiceLevel(detection_time=now, start_time=now)
    took = elapsed_seconds(sli.start_time or now, now)
    sli = sli.model_copy(update={"resolution_time": now, "mttr_seconds": took, "fix_correct": True if acted else None})
    status = with_timeline_entry(
        with_fields(status, phase=Phase.RESOLVED, sli=sli), now, TimelineEvent.RESOLVED, message
    )
    status = with_mark_of_person(status, incident, now)
    for kind in (ConditionType.VERIFIED, ConditionType.RESOLVED):
        status = with_condition(status, incident, now, kind, "True", "CriteriaHeld", message)
    status = with_condition(status, incident, now, ConditionType.CLOSED, "True", "Resolved", "Resolved")
    return Plan(
        status=with_observed_generation(status, incident),
        events=(Event("Resolved", message),),
        samples=(),
        next=Again(),
    )


def _fail(watch: _Watch, context: TriageContext[RunbookSpec], progress: Progress) -> Plan:
    snapshot, incident, now = watch.snapshot, watch.incident, watch.now
    status = _with_result(watch, progress)
    status = with_timeline_entry(status, now, TimelineEvent.VERIFICATION_FAILED, progress.message)
    status = with_condition(status, incident, now, ConditionType.VERIFIED, "False", "CriteriaNotMet", progress.message)
    acted, failure = bool(status.attempts), context.spec.verify.on_failure
    reason = EscalationReason.FIX_FAILED if acted else EscalationReason.NOT_RECOVERED
    to: Sequence[str] = ()
    human_action: str | None = None
    outcome = failure.escalate if acted else context.spec.verify.not_recovered
    if outcome is not None:
        reason, to = outcome.reason, outcome.to
        scope = scope_of(context.spec, context.inputs, values_of(evidence_of(status, context.runbook)))
        human_action = render_text(outcome.human_action, scope)
        alongside = recommendations_of(failure, scope)
        status = with_fields(status, recommendations=[*status.recommendations, *alongside][:16])
    if not acted:
        return escalate(snapshot, now, reason, progress.message, to=to, human_action=human_action, status=status)
    if status.sli is not None:
        status = with_fields(status, sli=status.sli.model_copy(update={"fix_correct": False}))
    if not can_be_undone(context.spec, status):
        return escalate(snapshot, now, reason, progress.message, to=to, human_action=human_action, status=status)
    # People are notified now; the outcome of the rollback comes later.
    status = with_escalation(snapshot, now, status, reason, progress.message, to=to, human_action=human_action)
    events = (escalation_event(status.escalation),) if status.escalation is not None else ()
    return Plan(status=with_observed_generation(status, incident), events=events, samples=(), next=Again())


def _triage_again(watch: _Watch, context: TriageContext[RunbookSpec], seen: str) -> Plan:
    """Rule 5: the symptom is there after all, so it is triaged again; one that comes and goes is for a human."""
    incident, now = watch.incident, watch.now
    text = f"{context.spec.symptom} became true while it was watched: {seen}"
    returned = incident.status.symptom_returned + 1
    if returned > _RETURNS:
        status = _with_result(watch, replace(watch.judged(), verdict=Verdicts.FAILED))
        status = with_timeline_entry(
            with_fields(status, symptom_returned=returned), now, TimelineEvent.SYMPTOM_RETURNED, text
        )
        status = with_condition(status, incident, now, ConditionType.VERIFIED, "False", "CriteriaNotMet", text)
        symptom = context.spec.symptom
        text = (
            f"{symptom} comes and goes: it returned {returned} times while it was watched, most recently at {now:%T}Z"
        )
        return escalate(watch.snapshot, now, EscalationReason.NOT_RECOVERED, text, status=status)
    status = _with_verification_samples(incident.status, watch.samples)
    status = with_fields(status, symptom_returned=returned, phase=Phase.TRIAGING, verification=None)
    status = with_timeline_entry(status, now, TimelineEvent.SYMPTOM_RETURNED, text)
    status = with_condition(status, incident, now, ConditionType.VERIFIED, "False", "SymptomReturned", text)
    status = with_condition(
        status, incident, now, ConditionType.TRIAGED, "False", "Triaging", "triaging again, for the symptom is back"
    )
    return Plan(
        status=with_observed_generation(status, incident),
        events=(Event("SymptomReturned", text),),
        samples=(),
        next=Again(),
    )


def _escalate_unseen(watch: _Watch, context: TriageContext[RunbookSpec], progress: Progress) -> Plan:
    """Rule 16: what stood in the way was only ignorance. That is no wrong fix, and no reason to take anything back."""
    now, message = watch.now, progress.message
    status = with_timeline_entry(_with_result(watch, progress), now, TimelineEvent.VERIFICATION_UNAVAILABLE, message)
    status = with_condition(status, watch.incident, now, ConditionType.VERIFIED, "Unknown", "CriteriaNotSeen", message)
    outcome = context.spec.verify.on_failure.escalate
    to = outcome.to if outcome is not None else ()
    return escalate(watch.snapshot, now, EscalationReason.VERIFICATION_UNAVAILABLE, message, to=to, status=status)
