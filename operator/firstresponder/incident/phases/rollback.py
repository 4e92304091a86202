"""Verifying, after a fix that did not help: the rollback is offered, as a packet with an approval of its own.

The failure was reported to people before, in ``status.escalation``; it stays the incident's reason, however the
rollback ends. Nothing is rolled back without an approval, and nothing is verified afterwards.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from firstresponder.actions.catalogue import scaling_of
from firstresponder.api.incident import Attempt, AttemptState, IncidentStatus, TimelineEvent
from firstresponder.api.packet import DecisionPacket, Preview, ShownPacket
from firstresponder.api.reasons import EscalationReason
from firstresponder.api.runbook import RunbookSpec
from firstresponder.expressions import TemplateError
from firstresponder.incident.approval.binding import digest_of
from firstresponder.incident.approval.packet import (
    Prepared,
    Refused,
    acting_host,
    action_of,
    bound_packet,
    planned_amount,
    prepare,
    requirements,
)
from firstresponder.incident.decision.amount import Planned, count_changed, within_bounds
from firstresponder.incident.decision.context import ContextError, TriageContext, acting_context
from firstresponder.incident.decision.decide import Escalate, guard_now, scope_of
from firstresponder.incident.decision.observations import evidence_of, observe, values_of
from firstresponder.incident.decision.roles import assignment_changed
from firstresponder.incident.phases.escalation import escalate, escalation_event
from firstresponder.incident.phases.proposal import ask_approval, obtain_previews
from firstresponder.incident.plan import Perform, Plan, RunPreview
from firstresponder.incident.snapshot import Snapshot
from firstresponder.incident.status import with_timeline_entry
from firstresponder.runbooks.symbols import diagnostics_behind


def can_be_undone(spec: RunbookSpec, status: IncidentStatus) -> bool:
    """Whether the runbook offers the inverse of what was done last, and it changed anything."""
    packet = status.decision_packet
    action = action_of(spec, packet) if packet is not None else None
    if packet is None or action is None or packet.bound.undoes is not None or _attempt_to_undo(status) is None:
        return False
    proposed = packet.bound.proposed_action
    return action.rollback.offer_inverse and proposed.current_count != proposed.desired_count


def offer(snapshot: Snapshot, now: datetime) -> Plan:
    """Look whether the pool is still as the fix left it, run the inverse dry, and ask; or say why there is none."""
    status = snapshot.incident.status
    failure, attempt, before = status.escalation, _attempt_to_undo(status), status.decision_packet
    context = acting_context(snapshot)

    def none(reason: EscalationReason, message: str, over: Escalate | None = None) -> Plan:
        to, human_action = (over.to, over.human_action) if over is not None else ((), None)
        return escalate(snapshot, now, reason, f"not offered: {message}", to=to, human_action=human_action)

    if snapshot.incident.spec.abort:
        return none(EscalationReason.ABORTED, "spec.abort was set")
    if isinstance(context, ContextError):
        return none(context.reason, context.message)
    action = action_of(context.spec, before) if before is not None else None
    scaling = scaling_of(action) if action is not None else None
    if failure is None or attempt is None or before is None or action is None or scaling is None:
        return none(EscalationReason.INVALID_RUNBOOK, "status names no attempt that could be undone")
    done = planned_amount(before.bound.proposed_action, action).count
    if done is None:
        return none(EscalationReason.INVALID_RUNBOOK, "the packet does not say how many instances there were")
    count = done.back()
    if snapshot.facts.observation is None:
        guards = [guard.when for guard in context.spec.guards]
        only = diagnostics_behind(context.spec, [scaling.current, scaling.maximum, *guards])
        try:
            look = observe(context.runbook, context.spec, context.inputs, context.hosts, only=only, also={attempt.host})
        except TemplateError as error:
            return none(EscalationReason.INVALID_RUNBOOK, str(error))
        # Told with every look: a crash after the status was saved does not lose it.
        return Plan(next=Perform(look), events=(escalation_event(failure),))
    acting = [each for each in status.roles if each.role == action.role]
    if problem := assignment_changed(acting, context.hosts):
        return none(EscalationReason.PACKET_SUPERSEDED, problem)
    host = acting_host(context, snapshot.facts.observation, action)
    if isinstance(host, Refused):
        return none(host.reason, host.message)
    fresh = scope_of(context.spec, context.inputs, values_of(snapshot.facts.observation.evidence))
    if guard := guard_now(context.spec, fresh):
        return none(guard.reason, guard.message, guard)
    if changed := count_changed(context.spec, action, fresh, count):
        return none(EscalationReason.PACKET_SUPERSEDED, changed)
    bounded = within_bounds(context.spec, action, fresh, count.desired)
    if isinstance(bounded, Escalate):
        return none(bounded.reason, bounded.message)
    plan = Planned(count=count)
    ready = prepare(snapshot, now, context, snapshot.facts.observation, action, plan, fresh)
    if isinstance(ready, Refused):
        return none(ready.reason, ready.message)
    preview = obtain_previews(snapshot, ready)
    if isinstance(preview, Refused):
        return none(preview.reason, preview.message)
    if isinstance(preview, RunPreview):
        return Plan(next=Perform(preview))
    packet = _packet(snapshot, context, ready, plan, before.bound.hypothesis, attempt, failure.message, preview)
    text = f"back from {count.current} to {count.desired} instances"
    question = ask_approval(
        snapshot, now, with_timeline_entry(status, now, TimelineEvent.ROLLBACK_OFFERED, text), packet
    )
    return replace(question, events=(escalation_event(failure), *question.events))


def _packet(
    snapshot: Snapshot,
    context: TriageContext[RunbookSpec],
    ready: Prepared,
    plan: Planned,
    hypothesis: str,
    attempt: Attempt,
    failure: str,
    preview: list[Preview],
) -> DecisionPacket:
    seen = scope_of(context.spec, context.inputs, values_of(evidence_of(snapshot.incident.status, context.runbook)))
    bound = bound_packet(
        snapshot,
        context,
        ready,
        seen,
        hypothesis=hypothesis,
        preview=preview,
        preconditions=requirements(context.spec, ready.action, None, plan),
        rollback_plan="This is the rollback. A human takes over, regardless of the outcome.",
        undoes=attempt.id,
    )
    proposed = ready.proposed
    question = (
        f"The fix did not help. Undo {proposed.name}: {proposed.target} back from {proposed.current_count} "
        f"to {proposed.desired_count} instances?"
    )
    shown = ShownPacket(root_cause=f"the fix did not help: {failure}"[:2048], approval_prompt=question)
    return DecisionPacket(bound=bound, shown=shown, digest=digest_of(bound))


def _attempt_to_undo(status: IncidentStatus) -> Attempt | None:
    """The attempt that could be rolled back: the last one, if it succeeded."""
    last = status.attempts[-1] if status.attempts else None
    return last if last is not None and last.state == AttemptState.SUCCEEDED else None
