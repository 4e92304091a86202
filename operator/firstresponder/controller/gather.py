"""From the world to a snapshot: everything that a decision may read, in one frozen value.

What a decision to act rests on (the incident, its request, its pinned revision) is read from the API server at
every pass; the rest comes from the cache, after it was refreshed for a new incident.
"""

from __future__ import annotations

import functools
import json
from collections import defaultdict
from collections.abc import Callable

from pydantic import ValidationError

from firstresponder.api.actionclass import ActionClass
from firstresponder.api.approvalrequest import ApprovalRequest
from firstresponder.api.escalationpolicy import EscalationPolicy
from firstresponder.api.hosts import Host
from firstresponder.api.incident import Incident, Phase, RevisionReference
from firstresponder.api.runbook import Match, Triage
from firstresponder.controller.cache import Body, Cache
from firstresponder.controller.keys import Key
from firstresponder.controller.related import RelatedIndex
from firstresponder.controller.relist import Relist
from firstresponder.controller.runbook_catalogue import RunbookCatalogue
from firstresponder.incident.facts import Facts, Sample
from firstresponder.incident.inventory import Inventory, Labels
from firstresponder.incident.snapshot import CatalogueEntry, Revision, Snapshot
from firstresponder.kube.resources import Resources
from firstresponder.kube.revisions import Revisions
from firstresponder.runbooks.models import RunbookSpec, TriagePlaybookSpec
from firstresponder.runbooks.revision import holds

_POLICY = "default"
_REVISIONS = 64
"""So many revisions are remembered as they were read; one has up to a MiB, and mostly some KiB."""


class Gatherer:
    """Gathers snapshots of incidents."""

    def __init__(  # all that a snapshot is made of
        self,
        operator: str,
        cache: Cache,
        catalogue: RunbookCatalogue,
        relist: Relist,
        related: RelatedIndex,
        resources: Resources,
        revisions: Revisions,
    ) -> None:
        self._operator = operator
        self._cache = cache
        self._catalogue = catalogue
        self._relist = relist
        self._related = related
        self._resources = resources
        self._revisions = revisions
        self._labels: defaultdict[str, Labels] = defaultdict(Labels)
        cache.listen(Host.__name__, self._heard_of_host)

    def _heard_of_host(self, namespace: str, name: str, body: Body | None) -> None:
        if body is None:
            self._labels[namespace].remove(name)
        else:
            self._labels[namespace].put(name, body["metadata"].get("labels", {}))

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
            await self._relist.cached_kinds(namespace)
        catalogue: tuple[CatalogueEntry, ...] = ()
        playbooks: tuple[CatalogueEntry, ...] = ()
        if (wanted := _chosen_from(incident)) is not None:
            catalogue = await self._catalogue.entries("Runbook", namespace, wanted)
            playbooks = await self._catalogue.entries("TriagePlaybook", namespace, wanted)
        policy = self._cache.readable(EscalationPolicy, namespace).get(_POLICY)
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
            hosts=Inventory(self._cache.readable(Host, namespace), self._labels[namespace]),
            request=await self._request(incident),
            action_classes=self._cache.readable(ActionClass, namespace),
            policy=policy.spec if policy is not None else None,
            related=self._related.of(namespace),
            facts=facts,
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
        text = json.dumps(stored.data, sort_keys=True)
        spec, problem = _checked(text, stored.name, reference.digest, kind)
        return Revision(reference, spec, problem, owned=stored.is_owned_by(incident.metadata.uid))


def _chosen_from(incident: Incident) -> Callable[[str, Match], bool] | None:
    """Which runbooks an incident may still be handled by, by name and match; None where that is settled."""
    spec, status = incident.spec, incident.status
    if status.runbook_revision_ref is not None or status.phase not in {Phase.PENDING, Phase.TRIAGING}:
        return None
    if status.playbook_revision_ref is not None:  # any cause that it finds may name any runbook
        return lambda _name, _match: True
    if spec.runbook_ref is not None:
        named = spec.runbook_ref.name
        return lambda name, _: name == named
    return lambda _, match: match.is_for(spec.type, spec.alert.name if spec.alert is not None else None)


def _named(entries: tuple[CatalogueEntry, ...], revision: str | None) -> RevisionReference | None:
    """The entry's reference to a revision that was just pinned, before status names it."""
    return next((each.revision for each in entries if each.revision and each.revision.name == revision), None)


@functools.lru_cache(maxsize=_REVISIONS)
def _checked(text: str, name: str, digest: str, kind: type[Triage]) -> tuple[Triage | None, str]:
    """What a revision holds, which is read anew in every pass and hardly ever changes."""
    data = json.loads(text)
    if not holds(data, digest):
        return None, f"ControllerRevision {name} no longer holds what the incident recorded ({digest})"
    try:
        return kind.model_validate(data["spec"]), ""
    except (KeyError, ValidationError) as error:
        return None, f"ControllerRevision {name} cannot be read by this version of the operator: {error}"
