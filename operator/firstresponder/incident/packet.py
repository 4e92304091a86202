"""The decision packet: what is proposed, bound to exactly one digest."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from firstresponder.actions.action import Given, HostAction, Seen, kebab
from firstresponder.actions.catalogue import TYPES
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
from firstresponder.api.runbook import Action, RunbookSpec
from firstresponder.expressions import Scope, render_argument, render_text
from firstresponder.incident.decide import Planned, Proposed
from firstresponder.incident.ground import Ground
from firstresponder.incident.look import values_of
from firstresponder.incident.snapshot import Observation, Snapshot
from firstresponder.incident.verify import verification_plan
from firstresponder.runbooks.names import compiled, free_of_evidence, names_in
from firstresponder.safety.digest import sha256_digest
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
    """An action as the evidence shapes it, whatever becomes of hosts and clocks: what it is and what it asks for."""

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
    """What has to be run dry before people are asked."""


def digest_of(bound: BoundPacket) -> str:
    """What an approval binds: sha256 over the canonical JSON of the bound part."""
    return sha256_digest(bound.wire())


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


def _class_of(snapshot: Snapshot, action: Action) -> tuple[str, int] | Refused:
    """The action class and how many approvals it takes; the class can ask for more than the runbook."""
    name = action.approval.action_class or kebab(action.type)
    found = snapshot.action_classes.get(name)
    if found is None:
        text = f"there is no ActionClass {name} in this namespace, so nobody could be allowed to approve"
        return Refused(EscalationReason.ACTION_CLASS_MISSING, text)
    if action.type not in found.spec.action_types:
        text = f"ActionClass {name} does not list {action.type} in spec.actionTypes"
        return Refused(EscalationReason.ACTION_CLASS_MISSING, text)
    bounds, asked = found.spec.expires_after, action.approval.expires_after
    if not seconds(bounds.minimum) <= seconds(asked) <= seconds(bounds.maximum):
        text = f"approval.expiresAfter of {action.name} is {asked}, outside ActionClass {name}'s bounds"
        return Refused(EscalationReason.INVALID_RUNBOOK, text)
    return name, max(found.spec.required_approvals, action.approval.required_approvals)


def acting_host(base: Ground[RunbookSpec], observation: Observation, action: Action) -> Host | Refused:
    """The host that the action would be carried out on, if there is one and it said who it is (rule 1)."""
    host = base.hosts.get(action.role)
    if host is None:
        text = f"{action.name} needs a host of role {action.role}, and {base.missing[action.role]}"
        return Refused(EscalationReason.HOST_UNREACHABLE, text)
    if host.name not in observation.hosts:
        why = observation.unreachable.get(host.name, "it did not say who it is")
        return Refused(EscalationReason.HOST_UNREACHABLE, f"{action.name} needs {host.name}: {why}")
    return host


def clock_problem(host: Host, observation: Observation) -> str | None:
    """Why an expiry by the host's clock would mean something else here; None if it would not.

    The host told its time when it was asked, which is when the observation began.
    """
    skew = observation.hosts[host.name].time - observation.start_time.timestamp()
    if abs(skew) <= CLOCK_SKEW.total_seconds():
        return None
    return f"the clock of {host.name} is {skew:+.0f} s off; more than 60 s makes expiry unsafe"


def shaped(
    spec: RunbookSpec,
    action: Action,
    host: str,
    plan: Planned,
    scope: Scope,
    seen: Seen,
    project: str | None = None,
) -> Shaped | Refused:
    """The action on the host of that name, made of the evidence alone; or why the evidence does not allow it.

    ``project`` is the digest of what was run dry, once it was.
    """
    kind = TYPES[action.type]
    if unseen := [each.name for each in kind.companions(action) if each.name not in seen]:
        return Refused(EscalationReason.EVIDENCE_UNAVAILABLE, f"{unseen[0]} was not observed on {host}")
    names = free_of_evidence(spec)
    given = Given(lambda template: render_argument(template, scope, names), seen, plan.count, plan.methods, project)
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
    )
    return Shaped(proposed, steps, dry)


def prepared(
    snapshot: Snapshot,
    now: datetime,
    base: Ground[RunbookSpec],
    observation: Observation,
    action: Action,
    plan: Planned,
    scope: Scope,
) -> Prepared | Refused:
    """The action as this host would be asked for it, or why it cannot be."""
    host = acting_host(base, observation, action)
    if isinstance(host, Refused):
        return host
    info = observation.hosts[host.name]
    allowed = _class_of(snapshot, action)
    if isinstance(allowed, Refused):
        return allowed
    action_class, required = allowed
    project = snapshot.preview.project if snapshot.preview is not None else None
    made = shaped(base.spec, action, host.name, plan, scope, values_of(observation.evidence), project)
    if isinstance(made, Refused):
        return made
    dry = made.dry
    undeclared = sorted({step.name for step in made.steps} - set(info.actions))
    undeclared += [f"preview of {dry.name}"] if dry is not None and dry.name not in info.previews else []
    if undeclared:
        text = f"{host.name} does not declare the action {', '.join(undeclared)}: prepare it with host/install"
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


def guards_refuted(spec: RunbookSpec) -> list[Requirement]:
    """The requirements that nothing speaks against acting at all."""
    return [Requirement(name=guard.name, require=f"!({guard.when})") for guard in spec.guards]


def count_unchanged(prepared: Prepared) -> list[Requirement]:
    """The requirement that a pool still has the size that the packet starts from; none where nothing is counted."""
    scale, count = prepared.action.ansible_scale, prepared.proposed.current_count
    if scale is None or count is None:
        return []
    return [Requirement(name="count-unchanged", require=f"({scale.current}) == {count}.0")]


def packet_of(
    snapshot: Snapshot,
    base: Ground[RunbookSpec],
    proposed: Proposed,
    plan: Planned,
    prepared: Prepared,
    scope: Scope,
    preview: list[Preview],
) -> DecisionPacket:
    """The packet for an action that follows from a cause."""
    spec, action, hypothesis = base.spec, proposed.action, proposed.hypothesis
    bound = bound_packet(
        snapshot,
        base,
        prepared,
        scope,
        hypothesis=hypothesis.name,
        preview=preview,
        preconditions=[
            *guards_refuted(spec),
            Requirement(name="symptom", require=spec.symptom),
            Requirement(name=hypothesis.name, require=hypothesis.when),
            *(Requirement(name=method.name, require=method.when) for method in plan.methods),
            *count_unchanged(prepared),
            *(Requirement(name=each.name, require=each.require) for each in action.preconditions),
        ],
        until=action.until,
        rollback_plan=render_text(action.rollback.plan, scope),
        verification=verification_plan(spec, base.setting),
        acknowledge=list(action.approval.acknowledge),
    )
    shown = ShownPacket(
        evidence=_signals(spec, proposed, scope),
        root_cause=render_text(hypothesis.root_cause.summary, scope)[:2048],
        approval_prompt=render_text(action.approval.prompt, scope)[:2048],
    )
    return DecisionPacket(bound=bound, shown=shown, digest=digest_of(bound))


def bound_packet(
    snapshot: Snapshot, base: Ground[RunbookSpec], prepared: Prepared, scope: Scope, **more: Any
) -> BoundPacket:
    """What every packet binds, and what differs from packet to packet in ``more``."""

    def told(template: str | None) -> str | None:
        return render_text(template, scope) if template is not None else None

    risk, revision = prepared.action.risk, snapshot.revision
    assert revision is not None  # noqa: S101 - a ground stands on it
    return BoundPacket(
        proposed_action=prepared.proposed,
        orders=list(prepared.orders),
        parameters=dict(base.parameters),
        risk=Risk(
            blast_radius=told(risk.blast_radius),
            user_impact=told(risk.user_impact),
            data_risk=told(risk.data_risk),
            cost_risk=told(risk.cost_risk),
        ),
        action_class=prepared.action_class,
        required_approvals=prepared.required_approvals,
        expiration_time=prepared.expiration,
        host_key=prepared.host.spec.host_keys[0],
        runbook_digest=revision.ref.digest,
        **more,
    )
