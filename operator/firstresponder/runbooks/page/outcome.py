"""Outcomes in the words of a page."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from firstresponder.api.advice import Recommendation
from firstresponder.api.reasons import EscalationReason
from firstresponder.api.runbook import Escalate, Outcome
from firstresponder.runbooks.page.render_context import RenderContext
from firstresponder.safety.markdown import code, prose


def follows(context: RenderContext, outcome: Outcome) -> str:
    """The outcome as Markdown of one line, with its recommendations."""
    return " ".join([leads(context, outcome), *recommendations_of(context, outcome.recommendations)])


def leads(context: RenderContext, outcome: Outcome) -> str:
    """The same without recommendations: two outcomes that lead to one thing are alike (rule 7)."""
    if outcome.escalate is not None:
        return stop(context, outcome.escalate)
    if outcome.action is not None:
        return f"Do {code(outcome.action)} (**Act**)."
    return f"Go on with the page of Runbook {code(outcome.runbook or '')}, from its beginning."


def stop(context: RenderContext, escalate: Escalate) -> str:
    to = names_of(escalate.to or context.spec.escalate_to)
    return f"{halt(escalate.reason)} Escalate to {to}: {context.text(escalate.human_action)}"


def halt(reason: EscalationReason) -> str:
    """The end of what this page can do."""
    return f"**STOP:** {code(reason.value)}."


def names_of(contacts: Sequence[str]) -> str:
    return ", ".join(prose(each) for each in contacts)


def recommendations_of(context: RenderContext, recommendations: Iterable[Recommendation]) -> list[str]:
    return [f"Recommend to {names_of(each.to)}: {context.text(each.text)}" for each in recommendations]
