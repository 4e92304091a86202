"""Triaging: what is seen on the hosts, and what follows from it."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from firstresponder.api.advice import FollowUp
from firstresponder.api.base import seconds
from firstresponder.api.incident import (
    ConditionType,
    IncidentStatus,
    Phase,
    RoleAssignment,
    TimelineEvent,
    Verification,
)
from firstresponder.api.reasons import EscalationReason
from firstresponder.api.runbook import RunbookSpec, Triage
from firstresponder.expressions import Scope, TemplateError, render_text
from firstresponder.incident.decision.blind_spots import with_blind_spots
from firstresponder.incident.decision.context import ContextError, TriageContext, playbook_context, triage_context
from firstresponder.incident.decision.decide import (
    DEFAULT_MARGIN,
    Conclusion,
    Delegate,
    Escalate,
    Proposed,
    SelfRecovered,
    decide,
    scope_of,
)
from firstresponder.incident.decision.matching import is_pinned, runbook_named
from firstresponder.incident.decision.observations import bound_evidence, evidence_of, observe, values_of
from firstresponder.incident.decision.root_cause import analyse
from firstresponder.incident.decision.verification import watch_plan
from firstresponder.incident.facts import Observation
from firstresponder.incident.phases.escalation import escalate
from firstresponder.incident.phases.proposal import propose
from firstresponder.incident.phases.recurrence import awaited_incident, defer_to_same_question, wait_plan
from firstresponder.incident.plan import (
    Again,
    Experiment,
    Perform,
    Pin,
    Plan,
)
from firstresponder.incident.snapshot import Snapshot
from firstresponder.incident.status import with_condition, with_fields, with_observed_generation, with_timeline_entry


def triage(snapshot: Snapshot, now: datetime) -> Plan:
    """Phase Triaging: observe, decide, and write down the packet or the reason for a human."""
    status = snapshot.incident.status
    if snapshot.incident.spec.abort:
        return escalate(snapshot, now, EscalationReason.ABORTED, "spec.abort was set during triage")
    if awaited_incident(snapshot) is not None:
        return wait_plan(snapshot)
    if status.playbook_revision_ref is not None and status.runbook_revision_ref is None:
        return _lead(snapshot, now)
    context = triage_context(snapshot)
    if isinstance(context, ContextError):
        return escalate(snapshot, now, context.reason, context.message)
    if snapshot.facts.observation is None:
        return defer_to_same_question(snapshot, now) or _observe(snapshot, now, context)
    return _conclude(snapshot, now, context, snapshot.facts.observation)


def _lead(snapshot: Snapshot, now: datetime) -> Plan:
    """Rule 19: the playbook finds the cause, the cause's runbook triages again; never deeper than that."""
    context = playbook_context(snapshot)
    if isinstance(context, ContextError):
        return escalate(snapshot, now, context.reason, context.message)
    if snapshot.facts.observation is None:
        return defer_to_same_question(snapshot, now) or _observe(snapshot, now, context)
    judged = _evaluate(snapshot, now, context, snapshot.facts.observation)
    if isinstance(judged, Plan):
        return judged
    status, scope, conclusion = judged
    if isinstance(conclusion, Escalate):
        conclusion = with_blind_spots(conclusion, context, evidence_of(status, context.runbook))
        status = _with_triaged(snapshot, now, status, conclusion.reason.value, conclusion.message)
        return _escalate(snapshot, now, status, conclusion)
    if not isinstance(conclusion, Delegate):
        text = f"TriagePlaybook {context.runbook} does not lead to a runbook"
        return escalate(snapshot, now, EscalationReason.INVALID_RUNBOOK, text, status=status)
    matched = runbook_named(snapshot, conclusion.runbook, f"TriagePlaybook {context.runbook}")
    if isinstance(matched, ContextError):
        return escalate(snapshot, now, matched.reason, matched.message, status=status)
    if not is_pinned(snapshot.revision, matched):
        return Plan(next=Perform(Pin(matched.kind, matched.revision.name)))
    cause = render_text(conclusion.hypothesis.root_cause.summary, scope)
    text = f"{conclusion.hypothesis.name} ({cause}): on to Runbook {matched.name}, revision {matched.revision.name}"
    status = with_timeline_entry(
        with_fields(status, runbook_revision_ref=matched.revision), now, TimelineEvent.PLAYBOOK_CONCLUDED, text
    )
    return Plan(status=with_observed_generation(status, snapshot.incident), next=Again())


def _observe(snapshot: Snapshot, now: datetime, context: TriageContext[Triage]) -> Plan:
    try:
        look = observe(context.runbook, context.spec, context.inputs, context.hosts)
        return Plan(next=Perform(replace(look, since=snapshot.read_time)))
    except TemplateError as error:
        return escalate(snapshot, now, EscalationReason.INVALID_RUNBOOK, f"a diagnostic's argument: {error}")


def _evaluate(
    snapshot: Snapshot, now: datetime, context: TriageContext[Triage], observation: Observation
) -> tuple[IncidentStatus, Scope, Conclusion] | Plan:
    """The decision and the status that records it, next to what a playbook recorded before."""
    incident = snapshot.incident
    policy = snapshot.policy
    margin = policy.ambiguity_margin_points if policy is not None else DEFAULT_MARGIN
    earlier = [each for each in incident.status.evidence if each.runbook != context.runbook]
    evidence = bound_evidence(observation.evidence, alongside=earlier)
    scope = scope_of(context.spec, context.inputs, values_of(evidence))
    decision = decide(context.spec, scope, margin)
    verdicts = [each.model_copy(update={"runbook": context.runbook}) for each in decision.verdicts]
    status = with_fields(
        incident.status,
        parameters=context.parameters,
        roles=[
            RoleAssignment(
                role=role,
                name=host.name,
                address=host.spec.address,
                expected_units=host.spec.expected_units,
                host_keys=host.spec.host_keys,
            )
            for role, host in sorted(context.hosts.items())
        ],
        margin_points=margin,
        evidence=[*earlier, *evidence],
        hypotheses=[*(each for each in incident.status.hypotheses if each.runbook != context.runbook), *verdicts],
        recommendations=list(decision.recommendations),
        # What an earlier triage of this incident found does not outlive it.
        root_cause=None,
        follow_ups=[],
    )
    guarded = any(each.kind == "Guard" and each.verdict == "Holds" for each in verdicts)
    named = {assignment.name for assignment in incident.spec.hosts}
    if not guarded and (dead := {host: why for host, why in observation.unreachable.items() if host in named}):
        text = "; ".join(f"nothing could be observed on {host}: {why}" for host, why in sorted(dead.items()))
        status = _with_triaged(snapshot, now, status, "HostUnreachable", text)
        return escalate(snapshot, now, EscalationReason.HOST_UNREACHABLE, text, status=status)
    analysed = analyse(context, status, scope, decision.conclusion, snapshot.facts.experiments)
    if isinstance(analysed, Experiment):
        return Plan(next=Perform(analysed))
    return analysed, scope, decision.conclusion


def _conclude(snapshot: Snapshot, now: datetime, context: TriageContext[RunbookSpec], observation: Observation) -> Plan:
    judged = _evaluate(snapshot, now, context, observation)
    if isinstance(judged, Plan):
        return judged
    status, scope, conclusion = judged
    match conclusion:
        case SelfRecovered():
            return _watch_recovery(snapshot, now, context, observation, status)
        case Escalate():
            conclusion = with_blind_spots(conclusion, context, evidence_of(status, context.runbook))
            status = _with_triaged(snapshot, now, status, conclusion.reason.value, conclusion.message)
            return _escalate(snapshot, now, status, conclusion)
        case Delegate():
            text = f"{context.runbook} names another runbook, which only a TriagePlaybook may"
            return escalate(snapshot, now, EscalationReason.INVALID_RUNBOOK, text, status=status)
        case Proposed():
            hypothesis = conclusion.hypothesis
            status = with_fields(status, follow_ups=[_filled_follow_up(each, scope) for each in hypothesis.follow_ups])
            status = _with_triaged(snapshot, now, status, "CauseFound", f"cause: {hypothesis.name}")
            return propose(snapshot, now, context, observation, status, scope, conclusion)


def _escalate(snapshot: Snapshot, now: datetime, status: IncidentStatus, over: Escalate) -> Plan:
    return escalate(snapshot, now, over.reason, over.message, to=over.to, human_action=over.human_action, status=status)


def _with_triaged(
    snapshot: Snapshot, now: datetime, status: IncidentStatus, reason: str, message: str
) -> IncidentStatus:
    status = with_timeline_entry(status, now, TimelineEvent.TRIAGE_COMPLETED, message)
    return with_condition(status, snapshot.incident, now, ConditionType.TRIAGED, "True", reason, message)


def _filled_follow_up(follow_up: FollowUp, scope: Scope) -> FollowUp:
    return follow_up.model_copy(update={"title": render_text(follow_up.title, scope)[:256]})


def _watch_recovery(
    snapshot: Snapshot,
    now: datetime,
    context: TriageContext[RunbookSpec],
    observation: Observation,
    status: IncidentStatus,
) -> Plan:
    """Rule 5: the symptom is not there now; triage time stands for the action's end."""
    incident = snapshot.incident
    clocks = [info.time for info in observation.hosts.values()]
    plan = watch_plan(context.spec, context.inputs)
    status = with_fields(
        status,
        phase=Phase.VERIFYING,
        verification=Verification(
            start_time=now,
            not_before=f"{min(clocks):.6f}" if clocks else None,
            window_seconds=int(seconds(plan.window).total_seconds()),
        ),
    )
    status = _with_triaged(
        snapshot, now, status, "SymptomGone", f"{context.spec.symptom} is false: nothing is acted on"
    )
    status = with_condition(
        status, incident, now, ConditionType.VERIFIED, "Unknown", "Verifying", "the criteria are being watched"
    )
    return Plan(status=with_observed_generation(status, incident), next=Again())
