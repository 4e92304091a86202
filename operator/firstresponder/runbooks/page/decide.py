"""How the cause is found: what is true, what stops at once, whether it is there at all, and which cause counts."""

from __future__ import annotations

from collections.abc import Iterator

from firstresponder.api.escalationpolicy import EscalationPolicySpec
from firstresponder.api.reasons import EscalationReason
from firstresponder.api.runbook import Hypothesis, RunbookSpec, Triage
from firstresponder.runbooks.names import free_of_evidence
from firstresponder.runbooks.page.occasion import Occasion
from firstresponder.runbooks.page.outcome import follows, halt, leads, recommended
from firstresponder.safety.markdown import code, table

_MARGIN: int = EscalationPolicySpec.model_fields["ambiguity_margin_points"].default
_BLIND = halt(EscalationReason.EVIDENCE_UNAVAILABLE)


def decision(occasion: Occasion) -> Iterator[str]:
    """From what was seen to what follows, in the order in which it has to be judged."""
    spec = occasion.spec
    yield "## Decide"
    yield from _variables(occasion)
    yield from _guards(occasion)
    if isinstance(spec, RunbookSpec):
        yield "### Is it there?"
        yield (
            f"If {code(spec.symptom)} is false, it is gone by itself: change nothing, and go on with **Verify** as if "
            f"an action had just ended. If it is unknown: {_BLIND}"
        )
    yield from _hypotheses(occasion)


def _variables(occasion: Occasion) -> Iterator[str]:
    given = free_of_evidence(occasion.spec)
    rows = [
        (
            code(each.name),
            code(occasion.expression(each.expression)),
            occasion.text(each.signal) if each.signal else "–",
        )
        for each in occasion.spec.variables
        if each.name not in given
    ]
    if rows:
        yield "Judge each of these by what you saw: true, false or unknown."
        yield table(("Name", "Is", "When true, it means"), rows)


def _guards(occasion: Occasion) -> Iterator[str]:
    if not occasion.spec.guards:
        return
    yield "### What stops at once"
    yield (
        "If one of these is true, do what stands behind it and nothing else; of several, the first gives the reason, "
        f"and all who are named are told. Else, if one is unknown: {_BLIND}"
    )
    # By name: the order in the file never matters.
    rows = (
        (code(each.name), code(occasion.expression(each.when)), follows(occasion, each.then))
        for each in sorted(occasion.spec.guards, key=lambda each: each.name)
    )
    yield table(("Guard", "True if", "Then"), rows)


def _beside(occasion: Occasion, hypothesis: Hypothesis) -> list[str]:
    return [f"({each})" for each in recommended(occasion, hypothesis.then.recommendations)]


def _hypotheses(occasion: Occasion) -> Iterator[str]:
    spec: Triage = occasion.spec
    yield "### Which cause?"
    rows = (
        (
            code(each.name),
            str(each.likelihood),
            code(occasion.expression(each.when)),
            " ".join([occasion.text(each.root_cause.summary), *_beside(occasion, each)]),
            leads(occasion, each.then),
        )
        for each in sorted(spec.hypotheses, key=lambda each: (-each.likelihood, each.name))
    )
    yield table(("Cause", "Likelihood", "Holds if", "What it is", "Then"), rows)
    yield "\n".join(
        [
            "Judge all of them, then:",
            "",
            f"1. None holds, and one is unknown: {_BLIND}",
            f"2. None holds, and all are false: {follows(occasion, spec.otherwise)}",
            "3. Of those that hold, the likeliest counts (the first in this table). If another one holds, is less than "
            f"{_MARGIN} points below it and has another “Then”: {halt(EscalationReason.AMBIGUOUS_ROOT_CAUSE)} (Another "
            "margin may stand in the EscalationPolicy, as `ambiguityMarginPoints`.)",
            f"4. If one is unknown that is likelier than it, or less than {_MARGIN} points below it: {_BLIND}",
            "5. Do what stands behind it.",
        ]
    )
