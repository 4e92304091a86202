"""From the world to a snapshot: everything that a decision may look at, in one frozen value.

What a decision to act rests on (the incident, its request, its pinned revision) is read from the API server at
every pass; the rest comes from the cache, after it was refreshed for a new incident.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeVar

from pydantic import ValidationError

from firstresponder.api.actionclass import ActionClass
from firstresponder.api.approvalrequest import ApprovalRequest
from firstresponder.api.base import Resource
from firstresponder.api.escalationpolicy import EscalationPolicy
from firstresponder.api.hosts import Host
from firstresponder.api.incident import Incident, Phase, RevisionReference
from firstresponder.api.ledger import LedgerAnswer, PreviewAnswer
from firstresponder.api.runbook import RunbookSpec, Triage, TriagePlaybookSpec
from firstresponder.controller.cache import Cache
from firstresponder.controller.keys import Key
from firstresponder.controller.knowledge import Knowledge
from firstresponder.controller.neighbours import neighbour
from firstresponder.controller.relist import Relist
from firstresponder.incident.snapshot import CatalogueEntry, Gate, Observation, Revision, Sample, Snapshot
from firstresponder.kube.resources import Resources
from firstresponder.kube.revisions import ControllerRevision, Revisions
from firstresponder.runbooks.revision import holds

_POLICY = "default"
_log = logging.getLogger(__name__)

R = TypeVar("R", bound=Resource)


@dataclass(frozen=True)
class Facts:
    """What the effects of one pass brought back. They are of one version of the incident and good for no other: what
    was seen, previewed or answered before somebody changed it must not be taken for an answer to what it asks now."""

    version: str = ""
    """The resourceVersion of the incident that asked; empty when nothing was asked yet."""
    pinned: str | None = None
    """The revision that was just pinned, before status names it."""
    gate: Gate | None = None
    observation: Observation | None = None
    experiments: Observation | None = None
    preview: PreviewAnswer | None = None
    marked_incorrect: str = ""
    ledger: LedgerAnswer | None = None
    refusal: str = ""
    sealing: bool = False


class Gatherer:
    """Gathers snapshots of incidents."""

    def __init__(  # all that a snapshot is made of
        self,
        operator: str,
        cache: Cache,
        knowledge: Knowledge,
        relist: Relist,
        resources: Resources,
        revisions: Revisions,
    ) -> None:
        self._operator = operator
        self._cache = cache
        self._knowledge = knowledge
        self._relist = relist
        self._resources = resources
        self._revisions = revisions

    async def gather(self, key: Key, facts: Facts, samples: tuple[Sample, ...]) -> Snapshot | None:
        """The incident and everything around it; None when there is no such incident any more."""
        namespace = key.namespace
        incident = await self._resources.get(Incident, namespace, key.name)
        if incident is None:
            return None
        status = incident.status
        if status.phase == Phase.PENDING and facts == Facts():
            # The choice of a runbook is made once. Watches of different kinds are not in step, so the cache may
            # not have heard yet of a Runbook or Host that was applied together with the incident.
            await self._relist.knowledge(namespace)
        catalogue = self._knowledge.catalogue("Runbook", namespace)
        playbooks = self._knowledge.catalogue("TriagePlaybook", namespace)
        policies = {policy.name: policy for policy in self._parsed(EscalationPolicy, namespace)}
        return Snapshot(
            incident=incident,
            operator=self._operator,
            catalogue=catalogue,
            playbooks=playbooks,
            playbook=await self._revision(
                incident, status.playbook_revision_ref or _named(playbooks, facts.pinned), TriagePlaybookSpec
            ),
            revision=await self._revision(
                incident, status.runbook_revision_ref or _named(catalogue, facts.pinned), RunbookSpec
            ),
            hosts={host.name: host for host in self._parsed(Host, namespace)},
            request=await self._request(incident),
            action_classes={each.name: each for each in self._parsed(ActionClass, namespace)},
            policy=policies[_POLICY].spec if _POLICY in policies else None,
            neighbours=tuple(
                neighbour(each)
                for each in self._cache.all(Incident.__name__, namespace)
                if each["metadata"]["name"] != key.name
            ),
            gate=facts.gate,
            observation=facts.observation,
            experiments=facts.experiments,
            preview=facts.preview,
            marked_incorrect=facts.marked_incorrect,
            ledger=facts.ledger,
            refusal=facts.refusal,
            sealing=facts.sealing,
            samples=samples,
        )

    async def _request(self, incident: Incident) -> ApprovalRequest | None:
        reference = incident.status.approval_request_ref
        if reference is None:
            return None
        return await self._resources.get(ApprovalRequest, incident.namespace, reference.name)

    async def _revision(
        self, incident: Incident, reference: RevisionReference | None, kind: type[Triage]
    ) -> Revision | None:
        """The revision as it is stored now, used only if its data still has the digest that was recorded."""
        if reference is None:
            return None
        stored = await self._revisions.get(incident.namespace, reference.name)
        if stored is None and incident.status.runbook_revision_ref is None:
            return None  # it vanished while it was being pinned
        if stored is None:
            return Revision(reference, None, f"ControllerRevision {reference.name} is gone")
        spec, problem = _checked(stored, reference, kind)
        return Revision(reference, spec, problem, owned=stored.is_owned_by(incident.metadata.uid))

    def _parsed(self, kind: type[R], namespace: str) -> Iterator[R]:
        """The objects of a kind that can be read; one that cannot is left out and must not stop incidents."""
        for body in self._cache.all(kind.__name__, namespace):
            try:
                yield kind.model_validate(body)
            except ValidationError as error:
                _log.error("%s %s/%s cannot be read: %s", kind.__name__, namespace, body["metadata"]["name"], error)


def _named(entries: tuple[CatalogueEntry, ...], revision: str | None) -> RevisionReference | None:
    """The entry's reference to a revision that was just pinned, before status names it."""
    return next((each.revision for each in entries if each.revision and each.revision.name == revision), None)


def _checked(stored: ControllerRevision, reference: RevisionReference, kind: type[Triage]) -> tuple[Triage | None, str]:
    if not holds(stored.data, reference.digest):
        text = f"ControllerRevision {stored.name} no longer holds what the incident recorded ({reference.digest})"
        return None, text
    try:
        return kind.model_validate(stored.data["spec"]), ""
    except (KeyError, ValidationError) as error:
        return None, f"ControllerRevision {stored.name} cannot be read by this version of the operator: {error}"
