"""What may be done, once people agreed: every action with what has to be true, its commands, and the way back."""

from __future__ import annotations

from collections.abc import Iterator

from firstresponder.actions.action import Step, kebab
from firstresponder.actions.catalogue import TYPES
from firstresponder.api.reasons import EscalationReason
from firstresponder.api.runbook import Action, RunbookSpec
from firstresponder.runbooks.page.occasion import Occasion, Unusable
from firstresponder.runbooks.page.outcome import follows, halt
from firstresponder.safety.markdown import code, fenced, items, prose, table

_BLIND = halt(EscalationReason.EVIDENCE_UNAVAILABLE)
_DENIED = halt(EscalationReason.APPROVAL_DENIED)
_EXPIRED = halt(EscalationReason.APPROVAL_EXPIRED)
_CHANGED = halt(EscalationReason.PACKET_SUPERSEDED)
_FAILED = halt(EscalationReason.PRECONDITION_FAILED)
_OBSERVED = halt(EscalationReason.MANUAL_ACTION_REQUIRED)


def actions(occasion: Occasion, spec: RunbookSpec) -> Iterator[str]:
    """The section of all actions."""
    yield "## Act"
    if not spec.actions:
        yield "There is nothing to do by this page: it looks, and tells a human."
        return
    if spec.mode == "Observe":
        yield (
            f"The mode of this Runbook is Observe, so what follows is only proposed: {_OBSERVED} Whoever is told "
            "decides whether to do it."
        )
    yield (
        "Only what the decision led to, only once those agreed who have to, and only once. Right before it, look "
        f"again: unless all guards are still false and the rest of what led here still true, {_CHANGED} If a step says "
        f"STOP, the reason is {code(EscalationReason.ACTION_FAILED.value)}."
    )
    for action in spec.actions:
        yield from _action(occasion, action)


def _action(occasion: Occasion, action: Action) -> Iterator[str]:
    host = occasion.hosts[action.role]
    yield f"### {code(action.name)} on {prose(host.name)}"
    yield items(*_facts(occasion, action))
    if action.preconditions:
        rows = (
            (
                code(each.name),
                code(occasion.expression(each.require)),
                follows(occasion, each.otherwise) if each.otherwise is not None else _FAILED,
            )
            for each in action.preconditions
        )
        yield table(("Has to be true", "Requires", "False or unknown"), rows)
    try:
        steps = TYPES[action.type].by_hand(action, occasion.argument)
    except ValueError as error:
        raise Unusable(f"action {action.name}: {error}") from None
    for number, step in enumerate(steps, 1):
        yield from _step(occasion, number, step)
    yield "At the end, on that host; keep the line that it prints for the verification:"
    yield fenced("date +ended=%s", "sh")


def _facts(occasion: Occasion, action: Action) -> Iterator[tuple[str, str]]:
    approval, risk = action.approval, action.risk
    people = "1 person" if approval.required_approvals == 1 else f"{approval.required_approvals} people"
    kind = code(approval.action_class or kebab(action.type))
    more = "or more if it asks for more"
    yield "Who has to agree", f"{people} who may approve the class {kind}, {more}: “{occasion.text(approval.prompt)}”"
    for text in approval.acknowledge:
        yield "They accept", occasion.text(text)
    yield "If they do not", f"A no: {_DENIED} Too few of them within {approval.expires_after}: {_EXPIRED}"
    kinds = (
        ("Reach", risk.blast_radius),
        ("Users", risk.user_impact),
        ("Data", risk.data_risk),
        ("Cost", risk.cost_risk),
    )
    yield from ((label, occasion.text(text)) for label, text in kinds if text)
    if (scale := action.ansible_scale) is not None:
        desired, most = (code(occasion.expression(each)) for each in (scale.desired, scale.maximum))
        limit = halt(EscalationReason.CAPACITY_LIMIT)
        yield "Instances", f"{desired}, a whole number from {scale.minimum} to {most}; any other: {limit}"
    if action.until is not None:
        until = code(occasion.expression(action.until))
        yield (
            "Enough once",
            f"{until}: look before each step. True before the first: {_FAILED} True later: skip the "
            f"rest. Unknown: {_BLIND}",
        )
    yield "If it gets worse", occasion.text(action.rollback.plan)
    again = halt(EscalationReason.RECURRENCE)
    yield "Done before", f"If the same was done there within the last {action.cooldown}: {again}"


def _step(occasion: Occasion, number: int, step: Step) -> Iterator[str]:
    condition = (
        f" Only if {code(occasion.expression(step.when))} by what led here; unknown: {_BLIND}"
        if step.when is not None
        else ""
    )
    warning = " It **changes** something." if step.changes else ""
    yield f"**Step {number}: {prose(step.title)}.**{condition}{warning}"
    yield fenced(step.commands, "sh")
    if step.then:
        yield step.then
