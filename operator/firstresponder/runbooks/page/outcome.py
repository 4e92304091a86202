"""What follows, in the words of a page."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from firstresponder.api.reasons import EscalationReason
from firstresponder.api.runbook import Escalate, Outcome, Recommendation
from firstresponder.runbooks.page.occasion import Occasion
from firstresponder.safety.markdown import code, prose


def follows(occasion: Occasion, outcome: Outcome) -> str:
    """The outcome as Markdown of one line, with what is recommended beside it."""
    return " ".join([leads(occasion, outcome), *recommended(occasion, outcome.recommendations)])


def leads(occasion: Occasion, outcome: Outcome) -> str:
    """The same without recommendations: two outcomes that lead to one thing are alike (rule 7)."""
    if outcome.escalate is not None:
        return stop(occasion, outcome.escalate)
    if outcome.action is not None:
        return f"Do {code(outcome.action)} (**Act**)."
    return f"Go on with the page of Runbook {code(outcome.runbook or '')}, from its beginning."


def stop(occasion: Occasion, escalate: Escalate) -> str:
    to = told(escalate.to or occasion.spec.escalate_to)
    return f"{halt(escalate.reason)} Tell {to}: {occasion.text(escalate.human_action)}"


def halt(reason: EscalationReason) -> str:
    """The end of what this page can do."""
    return f"**STOP:** {code(reason.value)}."


def told(contacts: Sequence[str]) -> str:
    return ", ".join(prose(each) for each in contacts)


def recommended(occasion: Occasion, recommendations: Iterable[Recommendation]) -> list[str]:
    return [f"Recommend to {told(each.to)}: {occasion.text(each.text)}" for each in recommendations]
