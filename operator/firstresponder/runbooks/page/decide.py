"""How the cause is found: what is true, what stops at once, whether it is there at all, and which cause counts."""

from __future__ import annotations

from collections.abc import Iterator

from firstresponder.api.escalationpolicy import EscalationPolicySpec
from firstresponder.api.reasons import EscalationReason
from firstresponder.api.runbook import Hypothesis, RunbookSpec, Triage
from firstresponder.runbooks.page.outcome import follows, halt, leads, recommendations_of
from firstresponder.runbooks.page.render_context import RenderContext
from firstresponder.runbooks.symbols import free_of_evidence
from firstresponder.safety.markdown import code, table

_MARGIN: int = EscalationPolicySpec.model_fields["ambiguity_margin_points"].default
_BLIND = halt(EscalationReason.EVIDENCE_UNAVAILABLE)


def decision(context: RenderContext) -> Iterator[str]:
    """From what was seen to the outcome, in the order in which it is evaluated."""
    spec = context.spec
    yield "## Decide"
    yield from _variables(context)
    yield from _guards(context)
    if isinstance(spec, RunbookSpec):
        yield "### Is it there?"
        yield (
            f"If {code(spec.symptom)} is false, the symptom is not there: change nothing, and go on with **Verify** as "
            f"if an action had just ended. If it is unknown: {_BLIND}"
        )
    yield from _hypotheses(context)


def _variables(context: RenderContext) -> Iterator[str]:
    given = free_of_evidence(context.spec)
    rows = [
        (
            code(each.name),
            code(context.expression(each.expression)),
            context.text(each.signal) if each.signal else "–",
        )
        for each in context.spec.variables
        if each.name not in given
    ]
    if rows:
        yield "Evaluate each of these from what you saw: true, false or unknown."
        yield table(("Name", "Is", "When true, it means"), rows)


def _guards(context: RenderContext) -> Iterator[str]:
    if not context.spec.guards:
        return
    yield "### What stops at once"
    yield (
        "If one of these is true, do only what its last column says. If several are true, escalate with the reason of "
        f"the first, to everybody they name. If none is true but one is unknown: {_BLIND}"
    )
    # By name: the order in the file never matters.
    rows = (
        (code(each.name), code(context.expression(each.when)), follows(context, each.then))
        for each in sorted(context.spec.guards, key=lambda each: each.name)
    )
    yield table(("Guard", "True if", "Then"), rows)


def _recommendations(context: RenderContext, hypothesis: Hypothesis) -> list[str]:
    return [f"({each})" for each in recommendations_of(context, hypothesis.then.recommendations)]


def _hypotheses(context: RenderContext) -> Iterator[str]:
    spec: Triage = context.spec
    yield "### Which cause?"
    rows = (
        (
            code(each.name),
            str(each.likelihood),
            code(context.expression(each.when)),
            " ".join([context.text(each.root_cause.summary), *_recommendations(context, each)]),
            leads(context, each.then),
        )
        for each in sorted(spec.hypotheses, key=lambda each: (-each.likelihood, each.name))
    )
    yield table(("Cause", "Likelihood", "Holds if", "What it is", "Then"), rows)
    yield "\n".join(
        [
            "Evaluate all of them, then take the first of these that applies:",
            "",
            f"1. None holds, and at least one is unknown: {_BLIND}",
            f"2. All are false: {follows(context, spec.otherwise)}",
            "3. The likeliest that holds, the first in this table, is the cause. If another one holds, is less than "
            f"{_MARGIN} points below it and has another “Then”: {halt(EscalationReason.AMBIGUOUS_ROOT_CAUSE)} (The "
            "EscalationPolicy may set another margin, `ambiguityMarginPoints`.)",
            f"4. One is unknown that is likelier than the cause, or less than {_MARGIN} points below it: {_BLIND}",
            "5. Do what the column “Then” says of the cause.",
        ]
    )
