"""All that a decision may read: one frozen value, gathered before each step."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from firstresponder.api.actionclass import ActionClass
from firstresponder.api.approvalrequest import ApprovalRequest
from firstresponder.api.escalationpolicy import EscalationPolicySpec
from firstresponder.api.incident import Incident, RevisionReference
from firstresponder.api.runbook import Match, Triage
from firstresponder.incident.facts import Facts, Sample
from firstresponder.incident.inventory import Inventory
from firstresponder.incident.related import RelatedIncidents


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
class Snapshot:
    """An incident and everything around it that a decision may depend on."""

    incident: Incident
    operator: str
    """The user name that the operator itself has at the API server."""
    read_time: datetime | None = None
    """When the incident was read for the first time in this row of passes."""
    catalogue: tuple[CatalogueEntry, ...] = ()
    playbooks: tuple[CatalogueEntry, ...] = ()
    playbook: Revision | None = None
    """The pinned revision of the TriagePlaybook that leads to the runbook, if one does."""
    revision: Revision | None = None
    hosts: Inventory = field(default_factory=lambda: Inventory.of({}))
    request: ApprovalRequest | None = None
    """The incident's present ApprovalRequest, read live; None when there is none by that name."""
    action_classes: Mapping[str, ActionClass] = field(default_factory=dict)
    policy: EscalationPolicySpec | None = None
    related: RelatedIncidents = field(default_factory=RelatedIncidents)
    """The incidents of the namespace, this one among them. They go on changing, so a snapshot is decided on as soon as
    it is gathered."""
    facts: Facts = field(default_factory=Facts)
    """What the effects of this pass brought back."""
    samples: tuple[Sample, ...] = ()
    """What the operator remembers of earlier passes, and may forget."""
