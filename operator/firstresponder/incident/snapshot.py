"""All that a decision may look at: one frozen value, gathered before each step."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from firstresponder.api.actionclass import ActionClass
from firstresponder.api.approvalrequest import ApprovalRequest
from firstresponder.api.escalationpolicy import EscalationPolicySpec
from firstresponder.api.hosts import Host
from firstresponder.api.incident import Evidence, Incident, RevisionReference
from firstresponder.api.ledger import HostInfo, LedgerAnswer, PreviewAnswer
from firstresponder.api.runbook import Match, Triage
from firstresponder.incident.neighbours import Neighbour


@dataclass(frozen=True)
class Gate:
    """Whether the approval gate was just seen to hold, and if not, why."""

    safe: bool
    message: str = ""


@dataclass(frozen=True)
class CatalogueEntry:
    """A runbook as matching sees it. ``revision`` is the stored revision of its present content, if it is valid."""

    name: str
    match: Match
    revision: RevisionReference | None
    problem: str = ""


@dataclass(frozen=True)
class Revision:
    """The pinned revision of a Runbook or TriagePlaybook, read back and checked against its digest."""

    ref: RevisionReference
    spec: Triage | None
    problem: str = ""
    owned: bool = False
    """Whether the incident is among its owners, so that it outlives its Runbook."""


@dataclass(frozen=True)
class Observation:
    """What one round of diagnostics saw. A host that did not answer is in ``unreachable`` and not in ``hosts``."""

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
    measured: Mapping[str, float] = field(default_factory=dict)
    """What was measured, by diagnostic and field. Nothing is judged by it."""


@dataclass(frozen=True)
class Snapshot:
    """An incident and everything around it that a decision may depend on."""

    incident: Incident
    operator: str
    """The user name that the operator itself has at the API server."""
    catalogue: tuple[CatalogueEntry, ...] = ()
    playbooks: tuple[CatalogueEntry, ...] = ()
    playbook: Revision | None = None
    """The pinned revision of the TriagePlaybook that leads to the runbook, if one does."""
    revision: Revision | None = None
    hosts: Mapping[str, Host] = field(default_factory=dict)
    request: ApprovalRequest | None = None
    """The incident's present ApprovalRequest, read live; None when there is none by that name."""
    action_classes: Mapping[str, ActionClass] = field(default_factory=dict)
    policy: EscalationPolicySpec | None = None
    neighbours: tuple[Neighbour, ...] = ()
    """The other incidents of the namespace."""
    # What the effects of this pass brought back; empty at its beginning.
    gate: Gate | None = None
    observation: Observation | None = None
    experiments: Observation | None = None
    """What a look saw by which nothing is decided: the debugger's experiments, or what verification only measures."""
    preview: PreviewAnswer | None = None
    marked_incorrect: str = ""
    """The uid of the incident whose fix was marked as incorrect in this pass."""
    ledger: LedgerAnswer | None = None
    refusal: str = ""
    """Why the host refused the order in this pass, if it did."""
    sealing: bool = False
    """Whether a seal was tried in this pass; ``ledger`` is then its answer."""
    # What the operator remembers between passes and may forget.
    samples: tuple[Sample, ...] = ()
