"""A cause was found: from the action that follows to the packet that people are asked about."""

from __future__ import annotations

from datetime import datetime

from firstresponder.actions.catalogue import TYPES
from firstresponder.api.incident import IncidentStatus, Phase
from firstresponder.api.packet import DecisionPacket, Preview
from firstresponder.api.reasons import EscalationReason
from firstresponder.api.runbook import RunbookSpec
from firstresponder.expressions import Scope
from firstresponder.incident.analyse import explained
from firstresponder.incident.decide import HandOver, Proposed, check_preconditions, judge_preconditions, planned
from firstresponder.incident.escalate import escalated
from firstresponder.incident.ground import Ground
from firstresponder.incident.impact import impact_event
from firstresponder.incident.neighbours import Fix
from firstresponder.incident.packet import Prepared, Refused, acting_host, packet_of, prepared, request_name
from firstresponder.incident.packet_text import action_clause
from firstresponder.incident.plan import Event, Plan, RunPreview
from firstresponder.incident.preview import failed, preview_of
from firstresponder.incident.record import marked, noted, observed, updated
from firstresponder.incident.recur import known_already
from firstresponder.incident.snapshot import Observation, Snapshot


def propose(
    snapshot: Snapshot,
    now: datetime,
    base: Ground[RunbookSpec],
    observation: Observation,
    status: IncidentStatus,
    scope: Scope,
    proposed: Proposed,
) -> Plan:
    """The packet, after a preview where the action has one; or why a human must go on.

    ``status`` is what triage found; it is written together with what follows from it.
    """
    action = proposed.action
    host = acting_host(base, observation, action)
    if isinstance(host, Refused):
        return escalated(snapshot, now, host.reason, host.message, status=status)
    judged = judge_preconditions(base.spec, action, scope)
    verdicts = [each.model_copy(update={"runbook": base.runbook}) for each in judged]
    status = updated(status, hypotheses=[*status.hypotheses, *verdicts])
    plan = check_preconditions(base.spec, action, scope) or planned(base.spec, action, scope)
    if isinstance(plan, HandOver):
        status = updated(status, recommendations=[*status.recommendations, *plan.recommendations][:16])
        return escalated(
            snapshot, now, plan.reason, plan.message, to=plan.to, human_action=plan.human_action, status=status
        )
    ready = prepared(snapshot, now, base, observation, action, plan, scope)
    if isinstance(ready, Refused):
        return escalated(snapshot, now, ready.reason, ready.message, status=status)
    fix = Fix(base.runbook, action.name, ready.proposed.target, host.spec.host_keys[0])
    if (known := known_already(snapshot, now, status, fix, action)) is not None:
        return known
    preview = previewed(snapshot, ready)
    if isinstance(preview, Refused):
        return escalated(snapshot, now, preview.reason, preview.message, status=status)
    if isinstance(preview, RunPreview):
        return Plan(effect=preview)
    packet = explained(packet_of(snapshot, base, proposed, plan, ready, scope, preview), status.root_cause)
    if base.spec.mode == "Observe":
        text = f"mode Observe: would {action_clause(packet.bound.proposed_action)}"
        status = updated(status, decision_packet=packet)
        return escalated(snapshot, now, EscalationReason.MANUAL_ACTION_REQUIRED, text, status=status)
    return asked(snapshot, now, status, packet)


def previewed(snapshot: Snapshot, ready: Prepared) -> list[Preview] | RunPreview | Refused:
    """What the action's preview told, the effect that runs it first, or why there is none."""
    if ready.preview is None:
        return []
    if snapshot.preview is None:
        return RunPreview(ready.host.name, ready.preview)
    if problem := failed(snapshot.preview, ready.boot):
        text = f"the preview of {ready.action.name} on {ready.host.name} failed: {problem}"
        return Refused(EscalationReason.PRECONDITION_FAILED, text)
    return [preview_of(TYPES[ready.action.type], ready.host.name, ready.preview.action, snapshot.preview)]


def asked(snapshot: Snapshot, now: datetime, status: IncidentStatus, packet: DecisionPacket) -> Plan:
    """The plan that puts the packet to people."""
    incident = snapshot.incident
    ref, prompt = request_name(incident, packet), packet.shown.approval_prompt
    status = updated(
        status,
        phase=Phase.AWAITING_APPROVAL,
        decision_packet=packet,
        last_ordinal=packet.bound.orders[-1].attempt,
        approval_request_ref=ref,
    )
    status = marked(status, incident, now, "Approved", "Unknown", "AwaitingApproval", prompt)
    status = noted(status, now, "ApprovalRequested", prompt)
    return Plan(status=observed(status, incident), events=asking(status, packet, ref.name), again=True)


def asking(status: IncidentStatus, packet: DecisionPacket, request: str) -> tuple[Event, ...]:
    """What people are told while they are asked, made of what status holds: a crash after a write loses nothing."""
    text = f"{packet.shown.approval_prompt} (kubectl approve {request})"
    heavy = next((each.details for each in status.timeline if each.event == "HighImpact"), None)
    told = (impact_event(heavy),) if heavy is not None else ()
    return (*told, Event("ApprovalRequested", text, occasion=request))
