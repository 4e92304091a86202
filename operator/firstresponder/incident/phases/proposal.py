"""A cause was found: from the action that follows to the packet that people are asked about."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from firstresponder.actions.catalogue import TYPES
from firstresponder.actions.clause import action_clause
from firstresponder.api.incident import ConditionType, IncidentStatus, Phase, TimelineEvent
from firstresponder.api.packet import DecisionPacket, Preview
from firstresponder.api.reasons import EscalationReason
from firstresponder.api.runbook import RunbookSpec
from firstresponder.expressions import Scope
from firstresponder.incident.approval.packet import (
    Prepared,
    Refused,
    acting_host,
    packet_of,
    prepare,
    request_name,
)
from firstresponder.incident.approval.preview import preview_of, preview_problem
from firstresponder.incident.decision.amount import plan_amount
from firstresponder.incident.decision.blind_spots import with_blind_spots
from firstresponder.incident.decision.context import TriageContext
from firstresponder.incident.decision.decide import (
    Escalate,
    Proposed,
    check_preconditions,
    judge_preconditions,
)
from firstresponder.incident.decision.impact import impact_event
from firstresponder.incident.decision.observations import evidence_of
from firstresponder.incident.decision.root_cause import with_findings
from firstresponder.incident.facts import Observation
from firstresponder.incident.phases.escalation import escalate
from firstresponder.incident.phases.recurrence import check_recurrence
from firstresponder.incident.plan import (
    Again,
    Event,
    Perform,
    Plan,
    RunPreview,
)
from firstresponder.incident.related import Fix
from firstresponder.incident.snapshot import Snapshot
from firstresponder.incident.status import with_condition, with_fields, with_observed_generation, with_timeline_entry


def propose(
    snapshot: Snapshot,
    now: datetime,
    context: TriageContext[RunbookSpec],
    observation: Observation,
    status: IncidentStatus,
    scope: Scope,
    proposed: Proposed,
) -> Plan:
    """The packet, after a preview where the action has one; or why a human must go on.

    ``status`` is what triage found; it is written together with what follows from it.
    """
    # As it is stored: whoever derives the packet again has nothing else.
    observation = replace(observation, evidence=tuple(evidence_of(status, context.runbook)))
    action = proposed.action
    would = f"; the cause is {proposed.hypothesis.name}, for which the runbook has the action {action.name}"
    host = acting_host(context, observation, action)
    if isinstance(host, Refused):
        return escalate(snapshot, now, host.reason, f"{host.message}{would}", status=status)
    judged = judge_preconditions(context.spec, action, scope)
    verdicts = [each.model_copy(update={"runbook": context.runbook}) for each in judged]
    status = with_fields(status, hypotheses=[*status.hypotheses, *verdicts])
    plan = check_preconditions(context.spec, action, scope) or plan_amount(context.spec, action, scope)
    if isinstance(plan, Escalate):
        plan = with_blind_spots(plan, context, observation.evidence)
        status = with_fields(status, recommendations=[*status.recommendations, *plan.recommendations][:16])
        text = f"{plan.message}{would}"
        return escalate(snapshot, now, plan.reason, text, to=plan.to, human_action=plan.human_action, status=status)
    ready = prepare(snapshot, now, context, observation, action, plan, scope)
    if isinstance(ready, Refused):
        return escalate(snapshot, now, ready.reason, f"{ready.message}{would}", status=status)
    fix = Fix(context.runbook, action.name, ready.proposed.target, host.spec.host_keys[0])
    known = check_recurrence(snapshot, now, status, fix, action)
    if isinstance(known, Plan):
        return known
    status = known
    preview = obtain_previews(snapshot, ready)
    if isinstance(preview, Refused):
        return escalate(snapshot, now, preview.reason, f"{preview.message}{would}", status=status)
    if isinstance(preview, RunPreview):
        return Plan(next=Perform(preview))
    packet = with_findings(packet_of(snapshot, context, proposed, plan, ready, scope, preview), status.root_cause)
    if context.spec.mode == "Observe":
        text = (
            f"in mode Observe nothing is carried out; otherwise it would {action_clause(packet.bound.proposed_action)}"
        )
        status = with_fields(status, decision_packet=packet)
        return escalate(snapshot, now, EscalationReason.MANUAL_ACTION_REQUIRED, text, status=status)
    return ask_approval(snapshot, now, status, packet)


def obtain_previews(snapshot: Snapshot, ready: Prepared) -> list[Preview] | RunPreview | Refused:
    """What the action's preview reported, the effect that runs it first, or why there is none."""
    if ready.preview is None:
        return []
    if snapshot.facts.preview is None:
        return RunPreview(ready.host.name, ready.preview)
    if problem := preview_problem(snapshot.facts.preview, ready.boot):
        text = f"the preview of {ready.action.name} on {ready.host.name} failed: {problem}"
        return Refused(EscalationReason.PRECONDITION_FAILED, text)
    return [preview_of(TYPES[ready.action.type], ready.host.name, ready.preview.action, snapshot.facts.preview)]


def ask_approval(snapshot: Snapshot, now: datetime, status: IncidentStatus, packet: DecisionPacket) -> Plan:
    """The plan that puts the packet to people."""
    incident = snapshot.incident
    ref, prompt = request_name(incident, packet), packet.shown.approval_prompt
    status = with_fields(
        status,
        phase=Phase.AWAITING_APPROVAL,
        decision_packet=packet,
        last_ordinal=packet.bound.orders[-1].attempt,
        approval_request_ref=ref,
    )
    status = with_condition(status, incident, now, ConditionType.APPROVED, "Unknown", "AwaitingApproval", prompt)
    status = with_timeline_entry(status, now, TimelineEvent.APPROVAL_REQUESTED, prompt)
    return Plan(
        status=with_observed_generation(status, incident),
        events=approval_events(status, packet, ref.name),
        next=Again(),
    )


def approval_events(status: IncidentStatus, packet: DecisionPacket, request: str) -> tuple[Event, ...]:
    """What people read while they are asked, made of what status holds: a crash after a write loses nothing."""
    text = f"{packet.shown.approval_prompt} (kubectl approve {request})"
    heavy = next((each.details for each in status.timeline if each.event == TimelineEvent.HIGH_IMPACT), None)
    told = (impact_event(heavy),) if heavy is not None else ()
    return (*told, Event("ApprovalRequested", text, dedup_key=request))
