"""The machine: which handler an incident's phase has, and which phases may follow.

``TRANSITIONS`` is the one table of transitions; docs/architecture.md draws it and a test holds the two together.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime

from pydantic import ValidationError

from firstresponder.api.incident import Phase
from firstresponder.api.reasons import EscalationReason
from firstresponder.incident.budget import ESSENTIAL_LIMIT, essential, within_budget
from firstresponder.incident.measurements import with_measurements
from firstresponder.incident.phases.acting import act
from firstresponder.incident.phases.awaiting_approval import await_approval
from firstresponder.incident.phases.closed import closed
from firstresponder.incident.phases.escalation import escalate
from firstresponder.incident.phases.pending import begin
from firstresponder.incident.phases.triaging import triage
from firstresponder.incident.phases.verifying import verify
from firstresponder.incident.plan import Plan
from firstresponder.incident.snapshot import Snapshot
from firstresponder.safety.neutralise import shown

HANDLERS: Mapping[Phase, Callable[[Snapshot, datetime], Plan]] = {
    Phase.PENDING: begin,
    Phase.TRIAGING: triage,
    Phase.AWAITING_APPROVAL: await_approval,
    Phase.ACTING: act,
    Phase.VERIFYING: verify,
    Phase.RESOLVED: closed,
    Phase.ESCALATED: closed,
}

TRANSITIONS: Mapping[Phase, frozenset[Phase]] = {
    Phase.PENDING: frozenset({Phase.TRIAGING, Phase.ESCALATED}),
    Phase.TRIAGING: frozenset({Phase.AWAITING_APPROVAL, Phase.VERIFYING, Phase.ESCALATED}),
    Phase.AWAITING_APPROVAL: frozenset({Phase.TRIAGING, Phase.ACTING, Phase.ESCALATED}),
    Phase.ACTING: frozenset({Phase.VERIFYING, Phase.ESCALATED}),
    Phase.VERIFYING: frozenset({Phase.TRIAGING, Phase.RESOLVED, Phase.AWAITING_APPROVAL, Phase.ESCALATED}),
    Phase.RESOLVED: frozenset(),
    Phase.ESCALATED: frozenset(),
}


_MAY_GIVE_UP = frozenset({Phase.PENDING, Phase.TRIAGING, Phase.AWAITING_APPROVAL, Phase.VERIFYING})
"""Phases in which no attempt is under way, whose true outcome would be lost with the incident."""


class ForbiddenTransition(AssertionError):
    """A handler planned a phase that may not follow: a bug, and nothing of the plan is carried out."""


def reconcile(snapshot: Snapshot, now: datetime) -> Plan:
    """What happens next to this incident. Pure: the same snapshot and moment give the same plan.

    What cannot be put into the form that it must have (a packet with more preconditions than a packet can hold, or
    one that leaves no space for the outcome) is escalated: trying again would give the same. Raises
    ForbiddenTransition rather than let an incident jump.
    """
    phase = snapshot.incident.status.phase
    try:
        plan = HANDLERS[phase](snapshot, now)
        if phase in _MAY_GIVE_UP:
            _require_room(plan)
    except ValueError as error:
        if phase not in _MAY_GIVE_UP:
            raise
        plan = escalate(snapshot, now, EscalationReason.INVALID_RUNBOOK, f"{phase} cannot go on: {_error_text(error)}")
    if plan.status is None:
        return plan
    if plan.status.phase not in TRANSITIONS[phase] | {phase}:
        raise ForbiddenTransition(f"{phase} → {plan.status.phase}")
    return replace(plan, status=within_budget(with_measurements(snapshot, plan.status)))


def _require_room(plan: Plan) -> None:
    """Raise ValueError when the status could not hold the outcome next to what must not be cut of it."""
    if plan.status is None or not TRANSITIONS[plan.status.phase]:
        return
    if (needed := essential(plan.status)) > ESSENTIAL_LIMIT:
        raise ValueError(
            f"evidence, hosts and packet take {needed} bytes, but a status holds {ESSENTIAL_LIMIT}: narrow the "
            "diagnostics, or shorten what the runbook puts into the packet"
        )


def _error_text(error: ValueError) -> str:
    """What is wrong, without the value that it is about."""
    if not isinstance(error, ValidationError):
        return shown(str(error), 1000)
    first = error.errors(include_input=False, include_context=False, include_url=False)[0]
    return shown(f"{error.title}.{'.'.join(str(part) for part in first['loc'])}: {first['msg']}", 1000)
