"""Verifying, after a fix that did not help: the way back is offered, as a packet with an approval of its own.

The failure was told to people before, in ``status.escalation``; it stays the incident's reason whatever becomes of the
way back. Nothing is taken back without an approval, and nothing is verified afterwards.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from firstresponder.actions.action import Count
from firstresponder.api.incident import Attempt, AttemptState, IncidentStatus
from firstresponder.api.packet import DecisionPacket, Preview, ShownPacket
from firstresponder.api.reasons import EscalationReason
from firstresponder.api.runbook import RunbookSpec
from firstresponder.expressions import TemplateError
from firstresponder.incident.approve import action_of
from firstresponder.incident.decide import HandOver, Planned, count_changed, guard_problem, scope_of, within_bounds
from firstresponder.incident.escalate import escalated, told
from firstresponder.incident.ground import Ground, NoGround, acted_ground
from firstresponder.incident.look import evidence_of, observe, values_of
from firstresponder.incident.packet import (
    Prepared,
    Refused,
    acting_host,
    bound_packet,
    count_unchanged,
    digest_of,
    guards_refuted,
    prepared,
)
from firstresponder.incident.plan import Plan, RunPreview
from firstresponder.incident.propose import asked, previewed
from firstresponder.incident.record import noted
from firstresponder.incident.roles import recast
from firstresponder.incident.snapshot import Snapshot
from firstresponder.runbooks.names import diagnostics_behind


def can_be_undone(spec: RunbookSpec, status: IncidentStatus) -> bool:
    """Whether the runbook offers the inverse of what was done last, and it changed anything."""
    packet = status.decision_packet
    action = action_of(spec, packet) if packet is not None else None
    if packet is None or action is None or packet.bound.undoes is not None or _undone(status) is None:
        return False
    proposed = packet.bound.proposed_action
    return action.rollback.offer_inverse and proposed.current_count != proposed.desired_count


def offer(snapshot: Snapshot, now: datetime) -> Plan:
    """Look whether the pool is still as the fix left it, run the inverse dry, and ask; or say why there is none."""
    status = snapshot.incident.status
    failure, attempt, before = status.escalation, _undone(status), status.decision_packet
    base = acted_ground(snapshot)

    def none(reason: EscalationReason, message: str) -> Plan:
        return escalated(snapshot, now, reason, f"not offered: {message}")

    if snapshot.incident.spec.abort:
        return none(EscalationReason.ABORTED, "spec.abort was set")
    if isinstance(base, NoGround):
        return none(base.reason, base.message)
    action = action_of(base.spec, before) if before is not None else None
    if failure is None or attempt is None or before is None or action is None or action.ansible_scale is None:
        return none(EscalationReason.INVALID_RUNBOOK, "status names no attempt that could be undone")
    count = _inverse(before)
    if snapshot.observation is None:
        scale = action.ansible_scale
        guards = [guard.when for guard in base.spec.guards]
        only = diagnostics_behind(base.spec, [scale.current, scale.maximum, *guards])
        try:
            look = observe(base.runbook, base.spec, base.setting, base.hosts, only=only, also={attempt.host})
        except TemplateError as error:
            return none(EscalationReason.INVALID_RUNBOOK, str(error))
        # Told with every look: a crash after the status was saved does not lose it.
        return Plan(effect=look, events=(told(failure),))
    acting = [each for each in status.roles if each.role == action.role]
    if problem := recast(acting, base.hosts):
        return none(EscalationReason.PACKET_SUPERSEDED, problem)
    host = acting_host(base, snapshot.observation, action)
    if isinstance(host, Refused):
        return none(host.reason, host.message)
    fresh = scope_of(base.spec, base.setting, values_of(snapshot.observation.evidence))
    if guard := guard_problem(base.spec, fresh):
        return none(EscalationReason.PACKET_SUPERSEDED, guard)
    if changed := count_changed(base.spec, action, fresh, count):
        return none(EscalationReason.PACKET_SUPERSEDED, changed)
    bounded = within_bounds(base.spec, action, fresh, count.desired)
    if isinstance(bounded, HandOver):
        return none(bounded.reason, bounded.message)
    ready = prepared(snapshot, now, base, snapshot.observation, action, Planned(count=count), fresh)
    if isinstance(ready, Refused):
        return none(ready.reason, ready.message)
    preview = previewed(snapshot, ready)
    if isinstance(preview, Refused):
        return none(preview.reason, preview.message)
    if isinstance(preview, RunPreview):
        return Plan(effect=preview)
    packet = _packet(snapshot, base, ready, before.bound.hypothesis, attempt, failure.message, preview)
    text = f"back from {count.current} to {count.desired} instances"
    plan = asked(snapshot, now, noted(status, now, "RollbackOffered", text), packet)
    return replace(plan, events=(told(failure), *plan.events))


def _packet(
    snapshot: Snapshot,
    base: Ground[RunbookSpec],
    ready: Prepared,
    hypothesis: str,
    attempt: Attempt,
    failure: str,
    preview: list[Preview],
) -> DecisionPacket:
    seen = scope_of(base.spec, base.setting, values_of(evidence_of(snapshot.incident.status, base.runbook)))
    bound = bound_packet(
        snapshot,
        base,
        ready,
        seen,
        hypothesis=hypothesis,
        preview=preview,
        preconditions=[*guards_refuted(base.spec), *count_unchanged(ready)],
        rollback_plan="This is the way back. A human takes over, whatever becomes of it.",
        undoes=attempt.id,
    )
    proposed = ready.proposed
    question = (
        f"The fix did not help. Undo {proposed.name}: {proposed.target} back from {proposed.current_count} "
        f"to {proposed.desired_count} instances?"
    )
    shown = ShownPacket(root_cause=f"the fix did not help: {failure}"[:2048], approval_prompt=question)
    return DecisionPacket(bound=bound, shown=shown, digest=digest_of(bound))


def _inverse(packet: DecisionPacket) -> Count:
    proposed = packet.bound.proposed_action
    return Count(current=proposed.desired_count or 0, desired=proposed.current_count or 0)


def _undone(status: IncidentStatus) -> Attempt | None:
    """The attempt that could be taken back: the last one, if it succeeded."""
    last = status.attempts[-1] if status.attempts else None
    return last if last is not None and last.state == AttemptState.SUCCEEDED else None
