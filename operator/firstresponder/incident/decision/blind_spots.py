"""What could not be evaluated, for people: which diagnostics saw nothing, where and why, not only what is not known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from firstresponder.api.incident import Evidence
from firstresponder.api.runbook import Triage
from firstresponder.incident.decision.context import TriageContext
from firstresponder.incident.decision.decide import Escalate
from firstresponder.incident.decision.observations import describe_unseen
from firstresponder.runbooks.symbols import diagnostics_behind


def with_blind_spots(over: Escalate, context: TriageContext[Triage], evidence: Sequence[Evidence]) -> Escalate:
    """The same with why nothing was seen by the diagnostics that the judgement rests on; as it is, where it did not
    fail for ignorance."""
    if not over.about:
        return over
    needed = diagnostics_behind(context.spec, over.about)
    spots = [
        *describe_unseen([each for each in evidence if each.name in needed]),
        *(
            f"{each.name} ({each.probe}): {context.missing[each.role]}"
            for each in context.spec.diagnostics
            if each.role in context.missing and each.name in needed
        ),
    ]
    return replace(over, message=f"{over.message}. Not seen: {'; '.join(spots)}"[:2048]) if spots else over
