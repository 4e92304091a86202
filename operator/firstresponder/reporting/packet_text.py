"""The decision packet in words: one reading of it for the terminal, for Markdown and for JSON.

What is bound is neutralised but neither redacted nor shortened: whoever approves the digest must see all that it
covers. What is merely shown alongside it quotes hosts, so it is redacted too.
"""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from firstresponder.actions.catalogue import TYPES
from firstresponder.actions.clause import action_clause
from firstresponder.api.base import JSON, format_time
from firstresponder.api.packet import DecisionPacket, Preview, VerificationPlan
from firstresponder.reporting.findings import findings_text
from firstresponder.safety import shown
from firstresponder.safety.neutralise import neutralise

_WHOLE = 1 << 20
"""More than any bound text can be long, every character of it written out."""
_SHOWN = 4096


class PreviewText(NamedTuple):
    """What a dry run reported, safe to show."""

    title: str
    """What the dry run was of, and where."""
    gap: str
    """Why the action may change more than this shows; empty if it may not."""
    text: str
    """Several lines."""


class PacketText(NamedTuple):
    """Each part of a packet as text that is safe to show."""

    type: str
    """The action's type as reports call it, for example ``restart_service``."""
    target: str
    host: str
    action: str
    """What would be done where, as one clause."""
    undoes: bool
    """Whether it rolls back an attempt that did not help."""
    tool: str
    methods: tuple[str, ...]
    notes: tuple[str, ...]
    """What the action does besides, and what it is not bound to."""
    counts: tuple[int, int] | None
    """How many instances there are, and how many there would be."""
    previews: tuple[PreviewText, ...]
    hypothesis: str
    prompt: str
    cause: str
    evidence: tuple[tuple[str, str], ...]
    """Source and signal. Not covered by the digest."""
    findings: tuple[tuple[str, str], ...]
    """What the debugger found out: label and sentence. Not covered by the digest."""
    risk: tuple[tuple[str, str], ...]
    """Kind of risk (``blast radius``) and what is said of it."""
    rollback: str
    preconditions: tuple[tuple[str, str], ...]
    """Name and expression; each is evaluated again just before acting."""
    until: str
    """What skips the orders that are left; empty where there is but one."""
    sampling: str
    """How the criteria are sampled; what is said instead where there are none."""
    criteria: tuple[tuple[str, str], ...]
    fail_when: tuple[tuple[str, str], ...]
    parameters: tuple[tuple[str, str], ...]
    acknowledge: tuple[str, ...]
    action_class: str
    required_approvals: int
    expiration_time: datetime
    orders: tuple[str, ...]
    """The order texts as the host receives them, several lines each."""
    host_key: str
    runbook_digest: str
    digest: str


def packet_text(packet: DecisionPacket) -> PacketText:
    """The packet in words."""
    bound, for_people = packet.bound, packet.shown
    plan, risk, action = bound.verification, bound.risk, bound.proposed_action
    counts = (action.current_count, action.desired_count)
    risks = {
        "blast radius": risk.blast_radius,
        "user impact": risk.user_impact,
        "data risk": risk.data_risk,
        "cost risk": risk.cost_risk,
    }
    return PacketText(
        type=reported_type(action.type),
        target=_whole(action.target),
        host=_whole(action.host),
        action=_whole(action_clause(action, undoes=bound.undoes is not None)),
        undoes=bound.undoes is not None,
        tool=_whole(action.tool or ""),
        methods=tuple(action.methods),
        notes=tuple(_whole(note) for note in action.notes),
        counts=(counts[0], counts[1]) if counts[0] is not None and counts[1] is not None else None,
        previews=tuple(_preview_text(each) for each in bound.preview),
        hypothesis=bound.hypothesis,
        prompt=shown(for_people.approval_prompt, _SHOWN),
        cause=shown(for_people.root_cause or bound.hypothesis, _SHOWN),
        evidence=tuple((shown(each.source, _SHOWN), shown(each.signal, _SHOWN)) for each in for_people.evidence),
        findings=findings_text(for_people.findings),
        risk=tuple((kind, _whole(text)) for kind, text in risks.items() if text),
        rollback=_whole(bound.rollback_plan),
        preconditions=tuple((each.name, _whole(each.require)) for each in bound.preconditions),
        until=_whole(bound.until or ""),
        sampling=_sampling(plan),
        criteria=tuple((each.name, _whole(each.require)) for each in plan.criteria) if plan is not None else (),
        fail_when=tuple((each.name, _whole(each.when)) for each in plan.fail_when) if plan is not None else (),
        parameters=tuple((_whole(name), _whole(value)) for name, value in sorted(bound.parameters.items())),
        acknowledge=tuple(_whole(text) for text in bound.acknowledge),
        action_class=bound.action_class,
        required_approvals=bound.required_approvals,
        expiration_time=bound.expiration_time,
        orders=tuple(neutralise(order.text(packet.digest), _WHOLE, lines=True) for order in bound.orders),
        host_key=bound.host_key,
        runbook_digest=bound.runbook_digest,
        digest=packet.digest,
    )


def _sampling(plan: VerificationPlan | None) -> str:
    if plan is None:
        return "nothing is verified afterwards: a human takes over, regardless of the outcome"
    return (
        f"every {plan.interval}, starting {plan.initial_delay} after the action; all must hold for {plan.window}, "
        f"within {plan.timeout}"
    )


def _preview_text(preview: Preview) -> PreviewText:
    return PreviewText(
        title=_whole(f"dry run of {preview.action} on {preview.host}"),
        gap=_whole(preview.why or "it is not known why") if preview.incomplete else "",
        text=neutralise(preview.text, _WHOLE, lines=True),
    )


def packet_document(packet: PacketText) -> dict[str, JSON]:
    """The packet as JSON in the words of incident reports (``proposed_action``, ``blast_radius`` …)."""
    action: dict[str, JSON] = {"type": packet.type, "target": packet.target, "host": packet.host}
    if packet.tool:
        action["tool"] = packet.tool
    if packet.methods:
        action["methods"] = [method.replace("-", "_") for method in packet.methods]
    if packet.counts is not None:
        current, desired = packet.counts
        action |= {"current_count": current, "desired_count": desired, "desired_delta": f"{desired - current:+d}"}
    return {
        "proposed_action": action,
        "notes": list(packet.notes),
        "undoes_earlier_action": packet.undoes,
        "evidence": [{"source": source, "signal": signal} for source, signal in packet.evidence],
        "preconditions": [f"{name}: {expression}" for name, expression in packet.preconditions],
        "risk": {kind.replace(" ", "_"): text for kind, text in packet.risk},
        "rollback_plan": packet.rollback,
        "verification": [f"{name}: {expression}" for name, expression in packet.criteria],
        "verification_sampling": packet.sampling,
        "fail_when": [f"{name}: {expression}" for name, expression in packet.fail_when],
        "requires_approval": True,
        "approval_prompt": packet.prompt,
        "acknowledge": list(packet.acknowledge),
        "root_cause": packet.cause,
        "findings": [{"about": label, "text": text} for label, text in packet.findings],
        "hypothesis": packet.hypothesis,
        "parameters": dict(packet.parameters),
        "action_class": packet.action_class,
        "required_approvals": packet.required_approvals,
        "expires_at": format_time(packet.expiration_time),
        "until": packet.until or None,
        "preview": [
            {"title": each.title, "incomplete": each.gap or None, "text": each.text} for each in packet.previews
        ],
        "orders": list(packet.orders),
        "host_key": packet.host_key,
        "runbook_digest": packet.runbook_digest,
        "packet_digest": packet.digest,
    }


def reported_type(action_type: str) -> str:
    """An action's type in the words of incident reports."""
    known = TYPES.get(action_type)
    return known.reported if known is not None else snake(action_type)


def snake(camel: str) -> str:
    """``FixFailed`` → ``fix_failed``."""
    parts = "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in neutralise(camel, 256))
    return parts.lstrip("_").replace("-", "_")


def _whole(text: str) -> str:
    return neutralise(text, _WHOLE)
