"""Incidents as owners of the revisions that they use, so that each outlives its Runbook or TriagePlaybook.

All incidents of a storm pin one revision at once. One write takes all that wait for it: one by one, each would find the
revision changed by the one before.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict

from firstresponder.api.incident import Incident
from firstresponder.controller.runbook_catalogue import RunbookCatalogue
from firstresponder.incident.plan import Pin
from firstresponder.kube.revisions import Revisions
from firstresponder.runbooks.revision import holds

_Revision = tuple[str, str]
"""Namespace and name."""


class Pins:
    """Stores revisions and makes incidents their owners."""

    def __init__(self, revisions: Revisions, catalogue: RunbookCatalogue) -> None:
        self._revisions = revisions
        self._catalogue = catalogue
        self._turns: defaultdict[_Revision, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._waiting: defaultdict[_Revision, dict[str, Incident]] = defaultdict(dict)

    async def pin(self, incident: Incident, effect: Pin) -> None:
        """Store the revision if it is not stored yet, and make the incident one of its owners.

        A revision that holds something else is left alone. Whether it is pinned is seen at the next pass, also where
        the write that took this incident along failed. Raises ApiError (Conflict above all) and Unreachable.
        """
        revision, uid = (incident.namespace, effect.revision), incident.metadata.uid
        self._waiting[revision][uid] = incident
        async with self._turns[revision]:
            if uid not in self._waiting.get(revision, {}):
                return  # another one's write took it along
            incidents = self._waiting.pop(revision)
            await self._store(effect, incident.namespace, list(incidents.values()))

    async def _store(self, effect: Pin, namespace: str, incidents: list[Incident]) -> None:
        source = self._catalogue.source_of(effect.kind, effect.revision, namespace)
        if source is None:
            return
        runbook, revision = source
        stored = await self._revisions.ensure(revision.name, revision.data, runbook)
        if stored is not None and holds(stored.data, revision.digest):
            await self._revisions.add_owners(stored, incidents)
