"""An explanation on a terminal: each expression, what it saw, what came out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby

from rich.console import Group, RenderableType
from rich.text import Text

from firstresponder.cli.views.terminal import heading, labelled
from firstresponder.replay.explain import Explanation, Judged
from firstresponder.safety.neutralise import neutralise

_HEADINGS = {
    "Variable": "Variables",
    "Guard": "Guards",
    "Symptom": "Symptom",
    "Hypothesis": "Hypotheses",
    "Precondition": "Preconditions of the action",
    "Count": "Number of instances",
    "Target": "Target of the methods",
    "Method": "Methods",
    "Criterion": "Criteria at the last sample of the verification",
}
_COLOURS = {"true": "bold green", "unknown": "bold yellow", "not": "bold yellow"}


def explain_view(explanation: Explanation) -> RenderableType:
    """Variables first, then all that was evaluated on the way to the outcome, then how it was verified."""
    return Group(
        *_all(explanation.judged), heading("What follows"), Text(explanation.conclusion), *_all(explanation.verified)
    )


def _all(judged: Iterable[Judged]) -> Iterator[RenderableType]:
    for kind, group in groupby(judged, lambda each: each.kind):
        yield heading(_HEADINGS[kind])
        for each in group:
            yield _one(each)


def _one(each: Judged) -> RenderableType:
    title = Text.assemble((each.name, "bold"), ": ", (each.verdict, _COLOURS.get(each.verdict.split()[0], "")))
    rows = [("says", neutralise(each.expression, 4096)), ("saw", each.saw or "nothing but constants")]
    return Group(title, labelled((f"  {label}", Text(text)) for label, text in rows))
