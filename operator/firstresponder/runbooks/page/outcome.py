"""What follows, in the words of a page."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from firstresponder.api.reasons import EscalationReason
from firstresponder.api.runbook import Escalate, Outcome, Recommendation
from firstresponder.runbooks.page.occasion import Occasion
from firstresponder.safety.markdown import code, prose


def follows(occasion: Occasion, outcome: Outcome) -> str:
    """The outcome as Markdown of one line."""
    if outcome.escalate is not None:
        first = stop(occasion, outcome.escalate)
    elif outcome.action is not None:
        first = f"Do {code(outcome.action)} (**Act**)."
    else:
        first = f"Go on with the page of Runbook {code(outcome.runbook or '')}, from its beginning."
    return " ".join([first, *recommended(occasion, outcome.recommendations)])


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
