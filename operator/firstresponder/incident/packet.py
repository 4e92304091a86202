"""The decision packet: what is proposed, bound to exactly one digest."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from firstresponder.actions.action import Given, kebab
from firstresponder.actions.catalogue import TYPES
from firstresponder.api.base import JSON, seconds
from firstresponder.api.hosts import Host
from firstresponder.api.incident import ApprovalRequestReference, Incident
from firstresponder.api.packet import (
    BoundPacket,
    DecisionPacket,
    EvidenceSignal,
    Order,
    ProposedAction,
    Requirement,
    Risk,
    ShownPacket,
    VerificationPlan,
)
from firstresponder.api.reasons import EscalationReason
from firstresponder.api.runbook import Action, RunbookSpec
from firstresponder.expressions import Scope, TemplateError, render_argument, render_text
from firstresponder.incident.decide import Proposed
from firstresponder.incident.look import values_of
from firstresponder.incident.snapshot import Snapshot
from firstresponder.runbooks.names import compiled, free_of_evidence, names_in
from firstresponder.safety.digest import sha256_digest

CLOCK_SKEW = timedelta(seconds=60)
"""Clocks further apart than this make the expiry of an order meaningless."""
_EXPIRY_MARGIN = 120


@dataclass(frozen=True)
class Refused:
    """Why no packet can be made."""

    reason: EscalationReason
    message: str


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


def _orders(
    snapshot: Snapshot,
    now: datetime,
    action: Action,
    host: Host,
    given: Given,
    expiration: datetime,
) -> list[Order] | Refused:
    """What the host would receive, with ordinals in a row after those of earlier packets."""
    observation = snapshot.observation
    info = observation.hosts.get(host.name) if observation is not None else None
    if info is None:
        return Refused(EscalationReason.EVIDENCE_UNAVAILABLE, f"{host.name} did not say who it is")
    kind = TYPES[action.type]
    for companion in kind.companions(action):
        if companion.name not in given.seen:
            return Refused(EscalationReason.EVIDENCE_UNAVAILABLE, f"{companion.name} was not observed on {host.name}")
    if unfit := kind.unfit(action, given):
        return Refused(EscalationReason.PRECONDITION_FAILED, f"{host.name}: {unfit}")
    steps = kind.steps(action, given)
    if undeclared := sorted({step.name for step in steps} - set(info.actions)):
        text = f"{host.name} does not declare the action {', '.join(undeclared)}: prepare it with host/install"
        return Refused(EscalationReason.PRECONDITION_FAILED, text)
    if abs(info.time - now.timestamp()) > CLOCK_SKEW.total_seconds():
        text = (
            f"the clock of {host.name} is {info.time - now.timestamp():+.0f} s off; more than 60 s makes expiry unsafe"
        )
        return Refused(EscalationReason.PRECONDITION_FAILED, text)
    remaining = int((expiration - now).total_seconds()) + _EXPIRY_MARGIN
    return [
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
        for ordinal, step in enumerate(steps, next_ordinal(snapshot.incident))
    ]


def next_ordinal(incident: Incident) -> int:
    """Packets of an incident count from 1; each has its own ApprovalRequest."""
    before = incident.status.decision_packet
    return before.bound.orders[-1].attempt + 1 if before is not None else 1


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


def build_packet(
    snapshot: Snapshot,
    now: datetime,
    spec: RunbookSpec,
    hosts: Mapping[str, Host],
    parameters: Mapping[str, str],
    proposed: Proposed,
    scope: Scope,
    verification: VerificationPlan,
) -> DecisionPacket | Refused:
    """The packet for a proposed action, or why there can be none."""
    action, revision, observation = proposed.action, snapshot.revision, snapshot.observation
    if action.type not in TYPES:
        text = f"{action.name} is of type {action.type}, which this version cannot perform"
        return Refused(EscalationReason.ACTION_NOT_SUPPORTED, text)
    host = hosts.get(action.role)
    if host is None or observation is None or revision is None:
        return Refused(EscalationReason.EVIDENCE_UNAVAILABLE, f"the role {action.role} has no host")
    if spec.mode == "Observe":
        text = f"mode Observe: would {action.name} on {host.name}"
        return Refused(EscalationReason.MANUAL_ACTION_REQUIRED, text)
    allowed = _class_of(snapshot, action)
    if isinstance(allowed, Refused):
        return allowed
    action_class, required = allowed
    # Whole seconds, as the API writes times: the digest must not depend on what is cut off.
    expiration = (now + seconds(action.approval.expires_after)).replace(microsecond=0)
    allowed_names = free_of_evidence(spec)
    given = Given(lambda template: render_argument(template, scope, allowed_names), values_of(observation.evidence))
    try:
        orders = _orders(snapshot, now, action, host, given, expiration)
        target = TYPES[action.type].target(action, given)
    except TemplateError as error:
        return Refused(EscalationReason.INVALID_RUNBOOK, f"an argument of {action.name}: {error}")
    if isinstance(orders, Refused):
        return orders

    def told(template: str | None) -> str | None:
        return render_text(template, scope) if template is not None else None

    risk = action.risk
    bound = BoundPacket(
        proposed_action=ProposedAction(
            name=action.name, type=action.type, target=target, host=host.name, role=action.role
        ),
        hypothesis=proposed.hypothesis.name,
        orders=orders,
        parameters=dict(parameters),
        preconditions=[
            *(Requirement(name=guard.name, require=f"!({guard.when})") for guard in spec.guards),
            Requirement(name="symptom", require=spec.symptom),
            Requirement(name=proposed.hypothesis.name, require=proposed.hypothesis.when),
            *(Requirement(name=each.name, require=each.require) for each in action.preconditions),
        ],
        risk=Risk(
            blast_radius=told(risk.blast_radius),
            user_impact=told(risk.user_impact),
            data_risk=told(risk.data_risk),
            cost_risk=told(risk.cost_risk),
        ),
        rollback_plan=told(action.rollback.plan) or "",
        verification=verification,
        acknowledge=list(action.approval.acknowledge),
        action_class=action_class,
        required_approvals=required,
        expiration_time=expiration,
        host_key=host.spec.host_keys[0],
        runbook_digest=revision.ref.digest,
    )
    shown = ShownPacket(
        evidence=_signals(spec, proposed, scope),
        root_cause=render_text(proposed.hypothesis.root_cause.summary, scope)[:2048],
        approval_prompt=render_text(action.approval.prompt, scope)[:2048],
    )
    return DecisionPacket(bound=bound, shown=shown, digest=digest_of(bound))
