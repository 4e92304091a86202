"""What effects bring back: facts that hold for one version of an incident, and samples that are remembered."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from firstresponder.api.incident import Evidence, Incident
from firstresponder.api.ledger import HostInfo, LedgerAnswer, PreviewAnswer


@dataclass(frozen=True)
class Gate:
    """Whether the approval gate was just seen to hold, and if not, why."""

    safe: bool
    message: str = ""


@dataclass(frozen=True)
class Observation:
    """What one round of diagnostics saw, nothing of it before ``start_time``.

    A host that did not answer is in ``unreachable`` and not in ``hosts``.
    """

    start_time: datetime
    evidence: tuple[Evidence, ...]
    hosts: Mapping[str, HostInfo] = field(default_factory=dict)
    unreachable: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Sample:
    """One look at the verification criteria: name → true, false or unknown (None), with the reason."""

    time: datetime
    verdicts: Mapping[str, bool | None]
    because: Mapping[str, str]
    failed: str | None = None
    """The name of the ``failWhen`` condition that was true."""
    unseen: tuple[str, ...] = ()
    """The diagnostics that saw nothing, each with its probe, its host and the reason."""
    measured: Mapping[str, float] = field(default_factory=dict)
    """What was measured, by diagnostic and field. Nothing is decided by it."""


@dataclass(frozen=True)
class Facts:
    """What the effects of one pass brought back; empty at its beginning.

    They are of one version of the incident and good for no other: what was seen, previewed or answered before somebody
    changed it must not be taken for an answer to what it asks now.
    """

    version: str = ""
    """The resourceVersion of the incident that asked; empty when nothing was asked yet."""
    pinned: str | None = None
    """The revision that was just pinned, before status names it."""
    gate: Gate | None = None
    observation: Observation | None = None
    experiments: Observation | None = None
    """What a look saw by which nothing is decided: the debugger's experiments, or what verification only measures."""
    preview: PreviewAnswer | None = None
    earlier: Incident | None = None
    """The incident whose fix did not last, as it is stored."""
    marked_incorrect: str = ""
    """The uid of the incident whose fix was marked as incorrect, or of one that is gone."""
    ledger: LedgerAnswer | None = None
    refusal: str = ""
    """Why the host refused the order, if it did."""
    sealing: bool = False
    """Whether a seal was tried; ``ledger`` is then its answer."""
