"""Just before acting: whether everything that the packet rests on still holds (rules 14 and 15)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from firstresponder.actions.catalogue import TYPES, scaling_of, until_of
from firstresponder.api.incident import RoleAssignment
from firstresponder.api.packet import DecisionPacket, Order
from firstresponder.api.reasons import EscalationReason
from firstresponder.api.runbook import Action, Hypothesis, RunbookSpec
from firstresponder.expressions import Scope
from firstresponder.incident.approval.derivation import derivation_problem
from firstresponder.incident.approval.packet import action_of, clock_problem, hypothesis_of, planned_amount
from firstresponder.incident.decision.amount import Planned, count_changed, until_verdict
from firstresponder.incident.decision.blind_spots import with_blind_spots
from firstresponder.incident.decision.context import ContextError, TriageContext, acting_context
from firstresponder.incident.decision.decide import (
    Escalate,
    check_preconditions,
    evaluate_guards,
    guard_now,
    scope_of,
    values_behind,
    verdict_on,
)
from firstresponder.incident.decision.observations import evidence_of, observe, values_of
from firstresponder.incident.decision.roles import assignment_changed
from firstresponder.incident.facts import Observation
from firstresponder.incident.plan import Observe
from firstresponder.incident.snapshot import Snapshot
from firstresponder.runbooks.symbols import diagnostics_behind
from firstresponder.safety.neutralise import neutralise


@dataclass(frozen=True)
class TargetMet:
    """The order is not needed any more."""

    because: str


def packet_problem(snapshot: Snapshot, context: TriageContext[RunbookSpec], packet: DecisionPacket) -> str | None:
    """Why the packet in status is not one that this runbook leads to; None if it is."""
    status = snapshot.incident.status
    seen = values_of(evidence_of(status, context.runbook))
    problem = derivation_problem(context.spec, context.inputs, seen, status.attempts, packet)
    return f"the packet does not follow from its runbook: {problem}" if problem is not None else None


def needed_for(context: TriageContext[RunbookSpec], packet: DecisionPacket, order: Order | None) -> Observe:
    """What has to be observed again before this order, or after the last one (None). Raises TemplateError.

    Before the first order that is all that triage observed; later, what the guards and the target rest on; for a
    rollback, the guards and the size of the pool.
    """
    conditions = [guard.when for guard in context.spec.guards]
    action = action_of(context.spec, packet)
    scaling = scaling_of(action) if action is not None else None
    if packet.bound.undoes is not None and scaling is not None:
        conditions.append(scaling.current)
    elif order == packet.bound.orders[0]:
        return observe(context.runbook, context.spec, context.inputs, context.hosts)
    elif packet.bound.until:
        conditions.append(packet.bound.until)
    only, also = diagnostics_behind(context.spec, conditions), {packet.bound.proposed_action.host}
    return observe(context.runbook, context.spec, context.inputs, context.hosts, only=only, also=also)


def stale_reason(
    packet: DecisionPacket,
    order: Order,
    roles: Sequence[RoleAssignment],
    context: TriageContext[RunbookSpec],
    observation: Observation,
) -> Escalate | TargetMet | None:
    """Why the order may not run any more, or need not; None where it may.

    ``roles`` are the hosts as triage assigned them.
    """
    if order == packet.bound.orders[0]:
        return _stale_reason_of_first(packet, roles, context, observation)
    return _stale_reason_of_later(packet, roles, context, observation)


def stale_started_order(snapshot: Snapshot, packet: DecisionPacket, order: Order) -> Escalate | None:
    """Why an order that was started and not sent yet does not follow from its runbook, or no longer fits what was seen
    in this pass, if anything was; None if it does."""
    context = acting_context(snapshot)
    if isinstance(context, ContextError):
        return Escalate(context.reason, context.message)
    if problem := packet_problem(snapshot, context, packet):
        return Escalate(EscalationReason.PACKET_SUPERSEDED, problem)
    if snapshot.facts.observation is None:
        return None
    found = stale_reason(packet, order, snapshot.incident.status.roles, context, snapshot.facts.observation)
    if isinstance(found, TargetMet):
        return Escalate(EscalationReason.PACKET_SUPERSEDED, f"the target is met: {found.because}")
    return found


def host_problem(
    packet: DecisionPacket,
    roles: Sequence[RoleAssignment],
    context: TriageContext[RunbookSpec],
    observation: Observation,
) -> Escalate | None:
    """Why the packet's orders are not for what answers there now; None if they are.

    ``roles`` are the hosts as triage assigned them; for a rollback only the one that is acted on matters.
    """
    bound = packet.bound
    if bound.undoes is not None:
        roles = [each for each in roles if each.role == bound.proposed_action.role]
    if problem := assignment_changed(roles, context.hosts):
        return Escalate(EscalationReason.PACKET_SUPERSEDED, problem)
    host = context.hosts.get(bound.proposed_action.role)
    if host is None or host.name != bound.proposed_action.host or host.spec.host_keys[0] != bound.host_key:
        text = f"the host of role {bound.proposed_action.role} is no longer the one that the packet is for"
        return Escalate(EscalationReason.PACKET_SUPERSEDED, text)
    info = observation.hosts.get(host.name)
    if info is None:
        text = f"{host.name} does not answer now: {observation.unreachable.get(host.name, 'unknown reason')}"
        return Escalate(EscalationReason.EVIDENCE_UNAVAILABLE, text)
    if (info.machine, info.boot) != (bound.orders[0].host, bound.orders[0].boot):
        rebooted = info.machine == bound.orders[0].host
        what = "rebooted" if rebooted else "is another machine (its machine-id changed)"
        text = f"{host.name} {what} since the packet was made"
        return Escalate(EscalationReason.PACKET_SUPERSEDED, text)
    if info.ledger:
        text = f"{host.name} cannot take an order now: {neutralise(info.ledger, 300)}"
        return Escalate(EscalationReason.PRECONDITION_FAILED, text)
    if problem := clock_problem(host, observation):
        return Escalate(EscalationReason.PACKET_SUPERSEDED, problem)
    return None


def _stale_reason_of_first(
    packet: DecisionPacket,
    roles: Sequence[RoleAssignment],
    context: TriageContext[RunbookSpec],
    observation: Observation,
) -> Escalate | None:
    """Why the approved packet no longer fits the world, and where that leads; None if it does (rule 14)."""

    def superseded(problem: str | None) -> Escalate | None:
        return Escalate(EscalationReason.PACKET_SUPERSEDED, problem) if problem is not None else None

    bound = packet.bound
    action, hypothesis = action_of(context.spec, packet), hypothesis_of(context.spec, packet)
    if action is None or hypothesis is None:
        return superseded("the action or the hypothesis of the packet is no longer there")
    if mismatch := host_problem(packet, roles, context, observation):
        return superseded(mismatch.message)
    values = values_of(observation.evidence)
    scope = scope_of(context.spec, context.inputs, values)
    plan = planned_amount(bound.proposed_action, action)
    if bound.undoes is not None:
        if guard := guard_now(context.spec, scope):
            return with_blind_spots(guard, context, observation.evidence)
        if plan.count is None:
            return superseded("it has no count")
        return superseded(count_changed(context.spec, action, scope, plan.count))
    for order in bound.orders:
        if changed := TYPES[action.type].changed(action, order, values):
            return superseded(f"on {bound.proposed_action.host}, {changed}")
    over = no_longer_holds(context.spec, action, hypothesis, scope, plan)
    return with_blind_spots(over, context, observation.evidence) if over is not None else None


def no_longer_holds(
    spec: RunbookSpec, action: Action, hypothesis: Hypothesis, scope: Scope, plan: Planned
) -> Escalate | None:
    """Rule 14, just before acting: every guard false, symptom, winning ``when`` and preconditions true, and the
    count and each admitted method as they were.

    Returns why not, or None when all of it holds. A guard that became true leads where the guard leads.
    """
    if guard := guard_now(spec, scope):
        return guard
    problem = _change(spec, action, hypothesis, scope, plan)
    return Escalate(EscalationReason.PACKET_SUPERSEDED, problem) if problem is not None else None


_MET = {"Holds": "is met", "Unknown": "cannot be evaluated"}


def _change(spec: RunbookSpec, action: Action, hypothesis: Hypothesis, scope: Scope, plan: Planned) -> str | None:
    required = [(spec.symptom, spec.symptom), (hypothesis.name, hypothesis.when)]
    for name, expression in [*required, *((method.name, method.when) for method in plan.methods)]:
        result = verdict_on(spec, scope, name, "Hypothesis", expression)
        if result.verdict == "Refuted":
            return f"{name} is false now: {values_behind(spec, scope, expression) or result.because}"
        if result.verdict == "Unknown":
            return f"{name} is unknown now: {result.because}"
    if (until := until_of(action)) is not None and (met := until_verdict(spec, until, scope)).verdict != "Refuted":
        return f"the target of {action.name} {_MET[met.verdict]} now: {met.because}"
    if plan.count is not None and (changed := count_changed(spec, action, scope, plan.count)):
        return changed
    refused = check_preconditions(spec, action, scope)
    return refused.message if refused is not None else None


def _stale_reason_of_later(
    packet: DecisionPacket,
    roles: Sequence[RoleAssignment],
    context: TriageContext[RunbookSpec],
    observation: Observation,
) -> Escalate | TargetMet | None:
    """Whether the target is met, why nothing more may be done, or None where the next order is needed (rule 15)."""
    if mismatch := host_problem(packet, roles, context, observation):
        return mismatch
    scope = scope_of(context.spec, context.inputs, values_of(observation.evidence))
    guard, _ = evaluate_guards(context.spec, scope)
    if guard is not None:
        assert isinstance(guard, Escalate)  # noqa: S101 - a guard leads to a human or to nothing
        return with_blind_spots(guard, context, observation.evidence)
    if packet.bound.until is None:
        return None
    met = until_verdict(context.spec, packet.bound.until, scope)
    if met.verdict == "Unknown":
        text = f"whether the target is met cannot be evaluated: {met.because}"
        over = Escalate(EscalationReason.EVIDENCE_UNAVAILABLE, text, about=(packet.bound.until,))
        return with_blind_spots(over, context, observation.evidence)
    return TargetMet(met.because) if met.verdict == "Holds" else None
