"""Incidents and their requests as the API server reports them: a cache entry and a key on the queue.

There can be ten thousand of each, so what is kept of one is little, and one from which nothing can follow costs no
more than that entry.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime

from firstresponder.api.approvalrequest import SELFTEST_NAME
from firstresponder.api.base import is_true_in
from firstresponder.api.incident import Incident
from firstresponder.controller.cache import Body, Cache
from firstresponder.controller.keys import Key
from firstresponder.controller.related import kept
from firstresponder.incident.phases.closed import REPORTED_FOR
from firstresponder.workqueue.rotation import Lane

Changed = Callable[[Key], None]


def lane(cache: Cache, key: Key) -> Lane:
    """Namespaces take turns, and in each its hosts; whatever is not about an incident has a lane of its own."""
    known = cache.get(key.kind, key.namespace, key.name) if key.kind == Incident.__name__ else None
    return Lane(key.namespace, known["lane"] if known is not None else f"{key.kind}/{key.name}")


class IncidentStore:
    """The incidents of a namespace. Each is read again when it is worked on; what is kept is for related incidents."""

    def __init__(self, cache: Cache, namespace: str, changed: Changed) -> None:
        self._cache = cache
        self._namespace = namespace
        self._changed = changed
        self.listed = asyncio.Event()
        """Set once all incidents were listed."""

    async def replace(self, items: AsyncIterator[Body]) -> None:
        """A list: whatever of it is not over is looked at, for a gap may have hidden more than changed incidents."""
        with self._cache.listing() as since:
            incidents = [kept(item) async for item in items]
            changed = self._cache.replace(Incident.__name__, self._namespace, incidents, since)
        for incident in incidents:
            self._look_at(incident)
        for gone in changed - {incident["metadata"]["name"] for incident in incidents}:
            self._changed(self._key(gone))
        self.listed.set()

    def change(self, kind: str, body: Body) -> None:
        name = body["metadata"]["name"]
        if kind == "DELETED":
            self._cache.remove(Incident.__name__, self._namespace, name)
            self._changed(self._key(name))
            return
        incident = kept(body)
        self._cache.put(Incident.__name__, self._namespace, incident)
        self._look_at(incident)

    def look_at_all(self) -> None:
        """Look at whatever is not over, as after a list; for who has heard of it and did not work on it."""
        for incident in self._cache.all(Incident.__name__, self._namespace):
            self._look_at(incident)

    def _look_at(self, incident: Body) -> None:
        """One that ended is looked at for an hour, in which what follows its end is made sure of; then only a change
        can bring it back."""
        lately = datetime.now(UTC) - REPORTED_FOR
        if not incident["settled"] or (incident["escalated"] is not None and incident["escalated"] > lately):
            self._changed(self._key(incident["metadata"]["name"]))

    def _key(self, name: str) -> Key:
        return Key(Incident.__name__, self._namespace, name)


class RequestStore:
    """The ApprovalRequests of a namespace. Of each only the name is kept: one that decides is read when it does."""

    def __init__(self, cache: Cache, namespace: str, changed: Changed) -> None:
        self._cache = cache
        self._namespace = namespace
        self._changed = changed
        self._names: defaultdict[str, set[str]] = defaultdict(set)
        self._left_open: dict[str, str] = {}
        """The requests that are open although their incident is over, each with the incident's name."""
        self.listed = asyncio.Event()
        """Set once all requests were listed."""

    def names_of(self, uid: str) -> list[str]:
        """The requests that were made for the incident of that uid."""
        return sorted(self._names.get(uid, ()))

    async def replace(self, items: AsyncIterator[Body]) -> None:
        names: defaultdict[str, set[str]] = defaultdict(set)
        self._left_open.clear()
        async for item in items:
            names[item["spec"]["incidentRef"]["uid"]].add(item["metadata"]["name"])
            self._look_at(item)
        self._names = names
        self.listed.set()

    def change(self, kind: str, body: Body) -> None:
        uid, name = body["spec"]["incidentRef"]["uid"], body["metadata"]["name"]
        self._look_at(body)
        if kind != "DELETED":
            self._names[uid].add(name)
            return
        self._left_open.pop(name, None)
        if uid in self._names:
            self._names[uid].discard(name)
            if not self._names[uid]:
                del self._names[uid]

    def look_at_all(self) -> None:
        """Look at the incidents that are over and have an open request; the others are the IncidentStore's."""
        for incident in self._left_open.values():
            self._changed(self._key(incident))

    def _look_at(self, body: Body) -> None:
        """One that is gone matters as much."""
        name, incident = body["metadata"]["name"], body["spec"]["incidentRef"]["name"]
        if name == SELFTEST_NAME:
            return
        known = self._cache.get(Incident.__name__, self._namespace, incident)
        self._left_open.pop(name, None)
        if known is not None and known["settled"]:
            if is_true_in(body, "Closed"):
                return
            self._left_open[name] = incident
        self._changed(self._key(incident))

    def _key(self, incident: str) -> Key:
        return Key(Incident.__name__, self._namespace, incident)
