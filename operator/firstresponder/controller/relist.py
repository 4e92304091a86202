"""Reading whole lists: at the start, and again and again, because watches miss things.

kopf tells nobody when it lists anew, and a deletion during a gap between two of its watches is never reported
(seen with 1.45.2), so the cache is replaced by lists of our own.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from firstresponder.api.actionclass import ActionClass
from firstresponder.api.base import Resource
from firstresponder.api.escalationpolicy import EscalationPolicy
from firstresponder.api.hosts import Host
from firstresponder.api.incident import Incident
from firstresponder.api.runbook import Runbook, TriagePlaybook
from firstresponder.controller.cache import Cache
from firstresponder.controller.keys import Key
from firstresponder.controller.neighbours import gist
from firstresponder.kube.resources import Resources

KNOWLEDGE_INTERVAL = timedelta(seconds=60)
"""How long a deletion that no watch told of may be believed; a new incident never believes it."""
INCIDENTS_INTERVAL = timedelta(minutes=10)
"""Incidents are big and their watches reliable but for deletions, so this is only a net below the net."""
KNOWLEDGE: tuple[type[Resource], ...] = (Runbook, TriagePlaybook, Host, ActionClass, EscalationPolicy)
"""The kinds that decisions rest on besides the incident and its request; these are cached."""
RECONCILED = ("Runbook", "TriagePlaybook", "Host")
"""The cached kinds whose status the operator writes."""


class Relist:
    """Replaces the cache by what the API server has, and puts what changed on the queue."""

    def __init__(self, cache: Cache, resources: Resources, changed: Callable[[Key], None]) -> None:
        self._cache = cache
        self._resources = resources
        self._changed = changed

    async def reconcile_knowledge(self, key: Key) -> timedelta:
        """The recurring duty for what decisions rest on."""
        await self.knowledge(key.namespace)
        return KNOWLEDGE_INTERVAL

    async def reconcile_incidents(self, key: Key) -> timedelta:
        """The recurring duty for incidents that are not settled: they, or their requests, may have changed unheard."""
        for incident in await self.incidents(key.namespace):
            if not is_settled(incident):
                self._changed(Key(Incident.__name__, key.namespace, incident["metadata"]["name"]))
        return INCIDENTS_INTERVAL

    async def incidents(self, namespace: str) -> list[dict[str, Any]]:
        """Every incident of a namespace; the gist of each is kept for its neighbours."""
        since = self._cache.mark()
        found = await self._resources.list(Incident, namespace)
        self._cache.replace(Incident.__name__, namespace, map(gist, found), since)
        return found

    async def knowledge(self, namespace: str) -> None:
        """Every cached kind of a namespace."""
        await asyncio.gather(*(self._replace(kind, namespace) for kind in KNOWLEDGE))

    async def _replace(self, kind: type[Resource], namespace: str) -> None:
        since = self._cache.mark()
        bodies = await self._resources.list(kind, namespace)
        for name in self._cache.replace(kind.__name__, namespace, bodies, since):
            if kind.__name__ in RECONCILED:
                self._changed(Key(kind.__name__, namespace, name))


def is_settled(incident: dict[str, Any]) -> bool:
    """Whether nothing can follow for an incident until somebody changes it."""
    status = incident.get("status") or {}
    closed = any(each["type"] == "Closed" and each["status"] == "True" for each in status.get("conditions") or ())
    return closed and status.get("observedGeneration") == incident["metadata"]["generation"]
