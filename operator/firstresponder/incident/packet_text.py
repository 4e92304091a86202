"""The decision packet in words: one reading of it for the terminal, for Markdown and for JSON.

What is bound is neutralised but neither redacted nor shortened: whoever approves the digest must see all that it
covers. What is merely shown beside it quotes hosts, so it is redacted too.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from firstresponder.actions.catalogue import TYPES
from firstresponder.api.base import JSON, format_time
from firstresponder.api.packet import DecisionPacket, ProposedAction
from firstresponder.safety.neutralise import neutralise, shown

_WHOLE = 1 << 20
"""More than any bound text can be long, every character of it written out."""
_SHOWN = 4096


@dataclass(frozen=True)
class PacketText:
    """Each part of a packet as text that is safe to show."""

    type: str
    """The action's type as reports call it, for example ``restart_service``."""
    target: str
    host: str
    action: str
    """What would be done where, as one clause."""
    hypothesis: str
    prompt: str
    cause: str
    evidence: tuple[tuple[str, str], ...]
    """Source and signal. Not covered by the digest."""
    risk: tuple[tuple[str, str], ...]
    """Kind of risk (``blast radius``) and what is said of it."""
    rollback: str
    preconditions: tuple[tuple[str, str], ...]
    """Name and expression; each is judged again just before acting."""
    sampling: str
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


def action_clause(action: ProposedAction) -> str:
    """What an action does where: ``restart api-gateway.service on api-gateway-03``."""
    known = TYPES.get(action.type)
    return _whole(f"{known.verb if known is not None else action.type} {action.target} on {action.host}")


def packet_text(packet: DecisionPacket) -> PacketText:
    """The packet in words."""
    bound, told = packet.bound, packet.shown
    plan, risk = bound.verification, bound.risk
    risks = {
        "blast radius": risk.blast_radius,
        "user impact": risk.user_impact,
        "data risk": risk.data_risk,
        "cost risk": risk.cost_risk,
    }
    return PacketText(
        type=reported_type(bound.proposed_action.type),
        target=_whole(bound.proposed_action.target),
        host=_whole(bound.proposed_action.host),
        action=action_clause(bound.proposed_action),
        hypothesis=bound.hypothesis,
        prompt=shown(told.approval_prompt, _SHOWN),
        cause=shown(told.root_cause or bound.hypothesis, _SHOWN),
        evidence=tuple((shown(each.source, _SHOWN), shown(each.signal, _SHOWN)) for each in told.evidence),
        risk=tuple((kind, _whole(text)) for kind, text in risks.items() if text),
        rollback=_whole(bound.rollback_plan),
        preconditions=tuple((each.name, _whole(each.require)) for each in bound.preconditions),
        sampling=f"looked at every {plan.interval} from {plan.initial_delay} after the action on; all must hold for "
        f"{plan.window} without a break, within {plan.timeout}",
        criteria=tuple((each.name, _whole(each.require)) for each in plan.criteria),
        fail_when=tuple((each.name, _whole(each.when)) for each in plan.fail_when),
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


def packet_document(packet: PacketText) -> dict[str, JSON]:
    """The packet as JSON in the words of incident reports (``proposed_action``, ``blast_radius`` …)."""
    return {
        "proposed_action": {
            "type": packet.type,
            "target": packet.target,
            "host": packet.host,
        },
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
        "hypothesis": packet.hypothesis,
        "parameters": dict(packet.parameters),
        "action_class": packet.action_class,
        "required_approvals": packet.required_approvals,
        "expires_at": format_time(packet.expiration_time),
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
