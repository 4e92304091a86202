"""The port: what an analyst is given, and all that it can give back.

An analyst can name experiments that the runbook declares, and find words. The decision is made before it is asked,
its words are cut to size and neutralised by whoever asks, and there is nothing else that it could return.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from firstresponder.api.incident import Evidence, HypothesisResult
from firstresponder.api.rootcause import RootCause
from firstresponder.api.runbook import Hypothesis, Triage
from firstresponder.expressions import Scope


@dataclass(frozen=True)
class Case:
    """One decided triage."""

    service: str
    spec: Triage
    """The content of the pinned revision."""
    hosts: Mapping[str, str]
    """Role → the Host's name."""
    evidence: Sequence[Evidence]
    """What triage saw."""
    verdicts: Sequence[HypothesisResult]
    """What was judged, and why it came out so."""
    cause: Hypothesis | None
    """The hypothesis that won; None when no cause was found."""
    rests_on: frozenset[str]
    """The diagnostics behind the cause, or behind the symptom when no cause was found."""
    scope: Scope
    """What the runbook's templates read."""
    experiments: Sequence[Evidence] | None = None
    """What the experiments saw; None when none has been run."""


class Analyst(Protocol):
    """Somebody who looks for the cause. Both methods are pure: the same case gives the same answer."""

    def experiments(self, case: Case) -> Sequence[str]:
        """The names of the runbook's experiments that would show more. They are run before ``findings`` is asked."""

    def findings(self, case: Case) -> RootCause:
        """What is known about the cause, for people; of any length, and cut to size by whoever asks."""
