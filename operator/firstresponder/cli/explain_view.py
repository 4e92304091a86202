"""An explanation on a terminal: each expression, what it saw, what came out."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Group, RenderableType
from rich.text import Text

from firstresponder.cli.terminal import heading, labelled
from firstresponder.incident.explain import Explanation, Judged
from firstresponder.safety.neutralise import neutralise

_COLOURS = {"true": "bold green", "unknown": "bold yellow"}


def explain_view(explanation: Explanation) -> RenderableType:
    """Variables first, then guards, symptom and hypotheses in the order of judgement, then what follows."""
    return Group(*_all(explanation), heading("What follows"), Text(explanation.conclusion))


def _all(explanation: Explanation) -> Iterator[RenderableType]:
    kind = ""
    for each in explanation.judged:
        if each.kind != kind:
            kind = each.kind
            yield heading(f"{kind}s" if kind != "Hypothesis" else "Hypotheses")
        yield _one(each)


def _one(each: Judged) -> RenderableType:
    title = Text.assemble((each.name, "bold"), ": ", (each.verdict, _COLOURS.get(each.verdict, "")))
    rows = [("says", neutralise(each.expression, 4096)), ("saw", each.saw or "nothing but constants")]
    return Group(title, labelled((f"  {label}", Text(text)) for label, text in rows))
