"""Reading whole lists: at the start, and again and again, because watches miss things.

kopf notifies nobody when it lists again, and a deletion during a gap between two of its watches is never reported
(seen with 1.45.2), so the cache is replaced by lists of our own.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta

from firstresponder.api.actionclass import ActionClass
from firstresponder.api.base import Resource
from firstresponder.api.escalationpolicy import EscalationPolicy
from firstresponder.api.hosts import Host
from firstresponder.api.runbook import Runbook, TriagePlaybook
from firstresponder.controller.cache import Cache
from firstresponder.controller.keys import Key
from firstresponder.kube.resources import Resources

CACHED_KINDS_INTERVAL = timedelta(seconds=60)
"""How long a deletion that no watch reported may be believed; a new incident never believes it."""
_SHARED = 0.25
"""Seconds."""
CACHED_KINDS: tuple[type[Resource], ...] = (Runbook, TriagePlaybook, Host, ActionClass, EscalationPolicy)
"""The kinds that decisions rest on besides the incident and its request; these are cached."""
RECONCILED = ("Runbook", "TriagePlaybook", "Host")
"""The cached kinds whose status the operator writes."""


class Relist:
    """Replaces the cache by what the API server has, and puts what changed on the queue."""

    def __init__(self, cache: Cache, resources: Resources, changed: Callable[[Key], None]) -> None:
        self._cache = cache
        self._resources = resources
        self._changed = changed
        self._begun: dict[str, float] = {}
        self._next: dict[str, asyncio.Task[None]] = {}
        """The list of each namespace that was asked for and has not begun."""

    async def reconcile_cached_kinds(self, key: Key) -> timedelta:
        """The recurring duty for what decisions rest on."""
        await self.cached_kinds(key.namespace)
        return CACHED_KINDS_INTERVAL

    def look_at_all(self, namespace: str) -> None:
        """Look at whatever has a status that the operator writes; for who has heard of it and did not work on it."""
        for kind in RECONCILED:
            for body in self._cache.all(kind, namespace):
                self._changed(Key(kind, namespace, body["metadata"]["name"]))

    async def cached_kinds(self, namespace: str) -> None:
        """Every cached kind of a namespace, listed after this was called. All that ask before a list begins share it,
        and lists begin at least ``_SHARED`` seconds apart, so that a storm of incidents asks as one."""
        task = self._next.get(namespace)
        if task is None:
            task = self._next[namespace] = asyncio.create_task(self._list_cached_kinds(namespace))
        await asyncio.shield(task)

    async def _list_cached_kinds(self, namespace: str) -> None:
        clock = asyncio.get_running_loop().time
        await asyncio.sleep(self._begun.get(namespace, -_SHARED) + _SHARED - clock())
        self._begun[namespace] = clock()
        del self._next[namespace]
        await asyncio.gather(*(self._replace(kind, namespace) for kind in CACHED_KINDS))

    async def _replace(self, kind: type[Resource], namespace: str) -> None:
        with self._cache.listing() as since:
            bodies = await self._resources.list(kind, namespace)
            changed = self._cache.replace(kind.__name__, namespace, bodies, since)
        for name in changed:
            if kind.__name__ in RECONCILED:
                self._changed(Key(kind.__name__, namespace, name))
