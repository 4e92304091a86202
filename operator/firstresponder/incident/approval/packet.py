"""The decision packet: what is proposed, bound to exactly one digest."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from firstresponder.actions.action import Count, Given, HostAction, Seen, kebab
from firstresponder.actions.catalogue import TYPES, methods_of, scaling_of, until_of
from firstresponder.api.base import JSON, seconds
from firstresponder.api.hosts import Host
from firstresponder.api.incident import ApprovalRequestReference, Incident
from firstresponder.api.ledger import PreviewRequest
from firstresponder.api.packet import (
    BoundPacket,
    DecisionPacket,
    EvidenceSignal,
    Order,
    Preview,
    ProposedAction,
    Requirement,
    Risk,
    ShownPacket,
)
from firstresponder.api.reasons import EscalationReason
from firstresponder.api.runbook import Action, Hypothesis, RunbookSpec
from firstresponder.expressions import Scope, render_argument, render_text
from firstresponder.incident.approval.binding import digest_of
from firstresponder.incident.decision.amount import Planned
from firstresponder.incident.decision.context import TriageContext
from firstresponder.incident.decision.decide import Proposed
from firstresponder.incident.decision.observations import describe_unseen, values_of
from firstresponder.incident.decision.verification import verification_plan
from firstresponder.incident.facts import Observation
from firstresponder.incident.snapshot import Snapshot
from firstresponder.runbooks.symbols import compiled, free_of_evidence, names_in
from firstresponder.safety.neutralise import neutralise

CLOCK_SKEW = timedelta(seconds=60)
"""Clocks further apart than this make the expiry of an order meaningless."""
_EXPIRY_MARGIN = 120


@dataclass(frozen=True)
class Refused:
    """Why no packet can be made."""

    reason: EscalationReason
    message: str


@dataclass(frozen=True)
class Shaped:
    """An action as the evidence shapes it, regardless of hosts and clocks: what it is and what it asks for."""

    proposed: ProposedAction
    steps: tuple[HostAction, ...]
    dry: HostAction | None


@dataclass(frozen=True)
class Prepared:
    """An action ready to be proposed: all of a packet that the host and the action's class decide."""

    action: Action
    host: Host
    boot: str
    action_class: str
    required_approvals: int
    expiration: datetime
    proposed: ProposedAction
    orders: tuple[Order, ...]
    preview: PreviewRequest | None
    """What needs a dry run before people are asked."""


def request_name(incident: Incident, packet: DecisionPacket) -> ApprovalRequestReference:
    """The name of the packet's ApprovalRequest; its uid is recorded once it exists."""
    return ApprovalRequestReference(name=f"{incident.name[:240]}-{packet.bound.orders[0].attempt}")


def request_spec(incident: Incident, packet: DecisionPacket, requested_by: str) -> JSON:
    """The ``spec`` of the ApprovalRequest for this packet."""
    bound = packet.bound.wire()
    return {
        "incidentRef": {"name": incident.name, "uid": incident.metadata.uid},
        "actionClass": packet.bound.action_class,
        "packet": {"bound": bound, "shown": packet.shown.wire()},
        "packetDigest": packet.digest,
        "requestedBy": requested_by,
        "requiredApprovals": packet.bound.required_approvals,
        "expirationTime": bound["expirationTime"],
    }


def next_ordinal(incident: Incident) -> int:
    """Orders of an incident count from 1 through all its packets; each packet has its own ApprovalRequest."""
    return incident.status.last_ordinal + 1


def action_of(spec: RunbookSpec, packet: DecisionPacket) -> Action | None:
    """The runbook's action that the packet is for."""
    return next((each for each in spec.actions if each.name == packet.bound.proposed_action.name), None)


def hypothesis_of(spec: RunbookSpec, packet: DecisionPacket) -> Hypothesis | None:
    """The runbook's hypothesis that the packet rests on."""
    return next((each for each in spec.hypotheses if each.name == packet.bound.hypothesis), None)


def class_name(action: Action) -> str:
    """The ActionClass whose approvers may approve the action."""
    return action.approval.action_class or kebab(action.type)


def _class_of(snapshot: Snapshot, action: Action) -> tuple[str, int] | Refused:
    """The action class and how many approvals it takes; the class can ask for more than the runbook."""
    name = class_name(action)
    found = snapshot.action_classes.get(name)
    if found is None:
        text = f"there is no ActionClass {name} in this namespace, so nobody can approve"
        return Refused(EscalationReason.ACTION_CLASS_MISSING, text)
    if action.type not in found.spec.action_types:
        text = f"ActionClass {name} does not list {action.type} in spec.actionTypes"
        return Refused(EscalationReason.ACTION_CLASS_MISSING, text)
    bounds, asked = found.spec.expires_after, action.approval.expires_after
    if not seconds(bounds.minimum) <= seconds(asked) <= seconds(bounds.maximum):
        text = f"approval.expiresAfter of {action.name} is {asked}, outside ActionClass {name}'s bounds"
        return Refused(EscalationReason.INVALID_RUNBOOK, text)
    return name, max(found.spec.required_approvals, action.approval.required_approvals)


def acting_host(context: TriageContext[RunbookSpec], observation: Observation, action: Action) -> Host | Refused:
    """The host that the action would be carried out on, if there is one and it said who it is (rule 1)."""
    host = context.hosts.get(action.role)
    if host is None:
        text = f"{action.name} needs a host of role {action.role}, and {context.missing[action.role]}"
        return Refused(EscalationReason.HOST_UNREACHABLE, text)
    if host.name not in observation.hosts:
        why = observation.unreachable.get(host.name, "it did not say who it is")
        return Refused(
            EscalationReason.HOST_UNREACHABLE,
            f"{action.name} needs {host.name}, and nothing could be observed there: {why}",
        )
    return host


def clock_problem(host: Host, observation: Observation) -> str | None:
    """Why an expiry by the host's clock would mean something else here; None if it would not.

    The host reported its time when it was asked, which is when the observation began.
    """
    skew = observation.hosts[host.name].time - observation.start_time.timestamp()
    if abs(skew) <= CLOCK_SKEW.total_seconds():
        return None
    return (
        f"the clock of {host.name} is {skew_text(skew)}; more than 60 s makes expiry unsafe: "
        "see which of the two is wrong (`timedatectl` on each)"
    )


def skew_text(seconds: float) -> str:
    """How a host's clock differs from the operator's; positive: it is ahead."""
    return f"{abs(seconds):.0f} s {'ahead of' if seconds > 0 else 'behind'} the operator's"


def shape_action(
    spec: RunbookSpec,
    action: Action,
    host: str,
    plan: Planned,
    scope: Scope,
    seen: Seen,
    project: str | None = None,
) -> Shaped | Refused:
    """The action on the host of that name, made of the evidence alone; or why the evidence does not allow it.

    ``project`` is the digest of what the dry run was of, once it was.
    """
    kind = TYPES[action.type]
    if missing := [each.name for each in kind.companions(action) if each.name not in seen]:
        return Refused(EscalationReason.EVIDENCE_UNAVAILABLE, f"{missing[0]} was not observed on {host}")
    names = free_of_evidence(spec)
    given = Given(
        lambda template: render_argument(template, scope, names),
        seen,
        plan.count,
        tuple(method.name for method in plan.methods),
        project,
    )
    try:
        unfit, steps, dry = kind.unfit(action, given), kind.steps(action, given), kind.preview(action, given)
        target = kind.target(action, given)
    except ValueError as error:
        return Refused(EscalationReason.INVALID_RUNBOOK, f"an argument of {action.name}: {error}")
    if unfit:
        return Refused(EscalationReason.PRECONDITION_FAILED, f"{host}: {unfit}")
    proposed = ProposedAction(
        name=action.name,
        type=action.type,
        target=neutralise(target, 256),
        host=host,
        role=action.role,
        methods=[step.method for step in steps if step.method is not None],
        tool=kind.tool,
        current_count=plan.count.current if plan.count is not None else None,
        desired_count=plan.count.desired if plan.count is not None else None,
        notes=list(kind.notes(action, given)),
    )
    return Shaped(proposed, steps, dry)


def prepare(
    snapshot: Snapshot,
    now: datetime,
    context: TriageContext[RunbookSpec],
    observation: Observation,
    action: Action,
    plan: Planned,
    scope: Scope,
) -> Prepared | Refused:
    """The action as this host would be asked for it, or why it cannot be."""
    host = acting_host(context, observation, action)
    if isinstance(host, Refused):
        return host
    info = observation.hosts[host.name]
    allowed = _class_of(snapshot, action)
    if isinstance(allowed, Refused):
        return allowed
    action_class, required = allowed
    project = snapshot.facts.preview.project if snapshot.facts.preview is not None else None
    made = shape_action(context.spec, action, host.name, plan, scope, values_of(observation.evidence), project)
    if isinstance(made, Refused) and made.reason == EscalationReason.EVIDENCE_UNAVAILABLE:
        companions = {each.name for each in TYPES[action.type].companions(action)}
        spots = describe_unseen([each for each in observation.evidence if each.name in companions])
        return replace(made, message=f"{made.message}: {'; '.join(spots)}"[:2000] if spots else made.message)
    if isinstance(made, Refused):
        return made
    dry = made.dry
    undeclared = sorted({step.name for step in made.steps} - set(info.actions))
    undeclared += [f"preview of {dry.name}"] if dry is not None and dry.name not in info.previews else []
    if undeclared:
        text = f"{host.name} does not declare the action {', '.join(undeclared)}: prepare it with host/install"
        return Refused(EscalationReason.PRECONDITION_FAILED, text)
    if info.ledger:
        text = f"{host.name} cannot take an order: {neutralise(info.ledger, 300)}"
        return Refused(EscalationReason.PRECONDITION_FAILED, text)
    if problem := clock_problem(host, observation):
        return Refused(EscalationReason.PRECONDITION_FAILED, problem)
    # Whole seconds, as the API writes times: the digest must not depend on what is cut off.
    expiration = (now + seconds(action.approval.expires_after)).replace(microsecond=0)
    remaining = int((expiration - observation.start_time).total_seconds()) + _EXPIRY_MARGIN
    orders = tuple(
        Order(
            host=info.machine,
            boot=info.boot,
            action=step.name,
            arguments=list(step.arguments),
            timeout_seconds=math.ceil(step.timeout),
            not_after=int(info.time) + remaining,
            not_after_uptime=info.uptime + remaining,
            incident=snapshot.incident.metadata.uid,
            attempt=ordinal,
        )
        for ordinal, step in enumerate(made.steps, next_ordinal(snapshot.incident))
    )
    return Prepared(
        action=action,
        host=host,
        boot=info.boot,
        action_class=action_class,
        required_approvals=required,
        expiration=expiration,
        proposed=made.proposed,
        orders=orders,
        preview=PreviewRequest(dry.name, dry.arguments, math.ceil(dry.timeout)) if dry is not None else None,
    )


def _signals(spec: RunbookSpec, proposed: Proposed, scope: Scope) -> list[EvidenceSignal]:
    """The variables that the winning ``when`` rests on and that are true, with the diagnostics they come from."""
    names = names_in(spec)
    variables = {variable.name: variable for variable in spec.variables}
    diagnostics = {diagnostic.name: diagnostic for diagnostic in spec.diagnostics}
    wanted = [spec.symptom, *sorted(compiled(proposed.hypothesis.when, names).names)]
    signals, seen = [], set[str]()
    while wanted:
        name = wanted.pop(0)
        if name in seen or name not in variables:
            continue
        seen.add(name)
        below = compiled(variables[name].expression, names).names
        wanted += sorted(below)
        template = variables[name].signal
        if template is None or scope.lookup(name) is not True:
            continue
        sources = sorted(f"{each} ({diagnostics[each].probe})" for each in below if each in diagnostics)
        source = ", ".join(sources) or name
        signals.append(EvidenceSignal(source=source[:256], signal=render_text(template, scope)[:2048]))
    return signals[:32]


def requirements(spec: RunbookSpec, action: Action, hypothesis: Hypothesis | None, plan: Planned) -> list[Requirement]:
    """What is checked again just before acting (rule 14): nothing speaks against acting at all, a pool still has the
    size that the packet starts from, and, unless the packet takes an attempt back (``hypothesis`` None), the cause
    and all that the action needs are still there."""
    guards = [Requirement(name=guard.name, require=f"!({guard.when})") for guard in spec.guards]
    scaling = scaling_of(action)
    size = [scaling.unchanged(plan.count)] if scaling is not None and plan.count is not None else []
    if hypothesis is None:
        return [*guards, *size]
    return [
        *guards,
        Requirement(name="symptom", require=spec.symptom),
        Requirement(name=hypothesis.name, require=hypothesis.when),
        *(Requirement(name=method.name, require=method.when) for method in plan.methods),
        *size,
        *(Requirement(name=each.name, require=each.require) for each in action.preconditions),
    ]


def packet_of(
    snapshot: Snapshot,
    context: TriageContext[RunbookSpec],
    proposed: Proposed,
    plan: Planned,
    prepared: Prepared,
    scope: Scope,
    preview: list[Preview],
) -> DecisionPacket:
    """The packet for an action that follows from a cause."""
    spec, action, hypothesis = context.spec, proposed.action, proposed.hypothesis
    bound = bound_packet(
        snapshot,
        context,
        prepared,
        scope,
        hypothesis=hypothesis.name,
        preview=preview,
        preconditions=requirements(spec, action, hypothesis, plan),
        until=until_of(action),
        rollback_plan=render_text(action.rollback.plan, scope),
        verification=verification_plan(spec, context.inputs),
        acknowledge=list(action.approval.acknowledge),
    )
    shown = ShownPacket(
        evidence=_signals(spec, proposed, scope),
        root_cause=render_text(hypothesis.root_cause.summary, scope)[:2048],
        approval_prompt=render_text(action.approval.prompt, scope)[:2048],
    )
    return DecisionPacket(bound=bound, shown=shown, digest=digest_of(bound))


def bound_packet(
    snapshot: Snapshot, context: TriageContext[RunbookSpec], prepared: Prepared, scope: Scope, **more: Any
) -> BoundPacket:
    """What every packet binds, and what differs from packet to packet in ``more``."""

    def filled(template: str | None) -> str | None:
        return render_text(template, scope) if template is not None else None

    risk, revision = prepared.action.risk, snapshot.revision
    assert revision is not None  # noqa: S101 - a context stands on it
    return BoundPacket(
        proposed_action=prepared.proposed,
        orders=list(prepared.orders),
        parameters=dict(context.parameters),
        risk=Risk(
            blast_radius=filled(risk.blast_radius),
            user_impact=filled(risk.user_impact),
            data_risk=filled(risk.data_risk),
            cost_risk=filled(risk.cost_risk),
        ),
        action_class=prepared.action_class,
        required_approvals=prepared.required_approvals,
        expiration_time=prepared.expiration,
        host_key=prepared.host.spec.host_keys[0],
        runbook_digest=revision.ref.digest,
        **more,
    )


def planned_amount(proposed: ProposedAction, action: Action) -> Planned:
    """How much of the action the packet is for."""
    current, desired = proposed.current_count, proposed.desired_count
    count = Count(current, desired) if current is not None and desired is not None else None
    ways = methods_of(action)
    methods = ways.methods if ways is not None else ()
    return Planned(count, tuple(method for method in methods if method.name in proposed.methods))
