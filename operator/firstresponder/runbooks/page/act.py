"""What may be done, once people agreed: every action with what has to be true, its commands, and the rollback."""

from __future__ import annotations

from collections.abc import Iterator

from firstresponder.actions.action import Step, kebab
from firstresponder.actions.catalogue import TYPES, scaling_of, until_of
from firstresponder.api.reasons import EscalationReason
from firstresponder.api.runbook import Action, RunbookSpec
from firstresponder.runbooks.page.outcome import follows, halt
from firstresponder.runbooks.page.render_context import RenderContext, Unusable
from firstresponder.safety.markdown import code, fenced, items, prose, table

_BLIND = halt(EscalationReason.EVIDENCE_UNAVAILABLE)
_DENIED = halt(EscalationReason.APPROVAL_DENIED)
_EXPIRED = halt(EscalationReason.APPROVAL_EXPIRED)
_CHANGED = halt(EscalationReason.PACKET_SUPERSEDED)
_FAILED = halt(EscalationReason.PRECONDITION_FAILED)
_OBSERVED = halt(EscalationReason.MANUAL_ACTION_REQUIRED)


def actions(context: RenderContext, spec: RunbookSpec) -> Iterator[str]:
    """The section of all actions."""
    yield "## Act"
    if not spec.actions:
        yield "This runbook has no actions: it observes, and escalates to a human."
        return
    if spec.mode == "Observe":
        yield (
            f"The mode of this Runbook is Observe, so what follows is only proposed: {_OBSERVED} The person you "
            "escalate to decides whether to do it."
        )
    yield (
        "Do only the action that was decided, only after it is approved, and only once. Right before it, check again: "
        "every guard must still be false, and the symptom, the cause and the preconditions still true. If not: "
        f"{_CHANGED} If a step says STOP, the reason is {code(EscalationReason.ACTION_FAILED.value)}."
    )
    for action in spec.actions:
        yield from _action(context, action)


def _action(context: RenderContext, action: Action) -> Iterator[str]:
    host = context.hosts[action.role]
    yield f"### {code(action.name)} on {prose(host.name)}"
    yield items(*_facts(context, action))
    if action.preconditions:
        rows = (
            (
                code(each.name),
                code(context.expression(each.require)),
                follows(context, each.otherwise) if each.otherwise is not None else _FAILED,
            )
            for each in action.preconditions
        )
        yield table(("Precondition", "Requires", "False or unknown"), rows)
    try:
        steps = TYPES[action.type].manual_steps(action, context.argument)
    except ValueError as error:
        raise Unusable(f"action {action.name}: {error}") from None
    for number, step in enumerate(steps, 1):
        yield from _step(context, number, step)
    yield "When it is done, run this on that host, and keep the line that it prints for the verification:"
    yield fenced("date +ended=%s", "sh")


def _facts(context: RenderContext, action: Action) -> Iterator[tuple[str, str]]:
    approval, risk = action.approval, action.risk
    people = "1 person" if approval.required_approvals == 1 else f"{approval.required_approvals} people"
    kind = code(approval.action_class or kebab(action.type))
    more = "or more if the class requires more"
    yield "Approval", f"{people} who may approve the class {kind}, {more}: “{context.text(approval.prompt)}”"
    for text in approval.acknowledge:
        yield "They accept", context.text(text)
    yield "Without it", f"Denied: {_DENIED} Not approved within {approval.expires_after}: {_EXPIRED}"
    kinds = (
        ("Blast radius", risk.blast_radius),
        ("Users", risk.user_impact),
        ("Data", risk.data_risk),
        ("Cost", risk.cost_risk),
    )
    yield from ((label, context.text(text)) for label, text in kinds if text)
    if (scaling := scaling_of(action)) is not None:
        desired, most = (code(context.expression(each)) for each in (scaling.desired, scaling.maximum))
        limit = halt(EscalationReason.CAPACITY_LIMIT)
        yield "Instances", f"{desired}, a whole number from {scaling.minimum} to {most}; any other: {limit}"
    if (target := until_of(action)) is not None:
        until = code(context.expression(target))
        yield (
            "Enough once",
            f"{until}: check it before each step. True before the first: {_FAILED} True later: skip the "
            f"rest. Unknown: {_BLIND}",
        )
    yield "Rollback", context.text(action.rollback.plan)
    again = halt(EscalationReason.RECURRENCE)
    yield "Cooldown", f"If the same was done there within the last {action.cooldown}: {again}"


def _step(context: RenderContext, number: int, step: Step) -> Iterator[str]:
    condition = (
        f" Only if {code(context.expression(step.when))} by the values under **Look**; unknown: {_BLIND}"
        if step.when is not None
        else ""
    )
    warning = " It **changes** something." if step.changes else ""
    yield f"**Step {number}: {prose(step.title)}.**{condition}{warning}"
    yield fenced(step.commands, "sh")
    if step.then:
        yield step.then
