"""Hosts: whether they can be reached and are prepared, found out at each change and every few minutes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Literal

from firstresponder.api.base import ObjectMeta, with_condition
from firstresponder.api.hosts import Host, HostStatus
from firstresponder.api.ledger import HostInfo
from firstresponder.controller.accounts import Accounts
from firstresponder.controller.cache import Cache
from firstresponder.controller.keys import Key
from firstresponder.hosts import observe
from firstresponder.hosts.errors import HostError, NotPrepared, RequestRefused
from firstresponder.hosts.pool import SshPool
from firstresponder.kube.credentials import CredentialsUnusable
from firstresponder.kube.resources import Resources
from firstresponder.safety import shown

INTERVAL = timedelta(minutes=5)
_MESSAGE = 1000
"""Characters of a host's complaint that are shown."""

Verdict = tuple[Literal["True", "False", "Unknown"], str, str]
"""A condition's status, reason and message."""


class HostReconciler:
    """Asks each host who it is."""

    def __init__(self, cache: Cache, resources: Resources, accounts: Accounts, pool: SshPool) -> None:
        self._cache = cache
        self._resources = resources
        self._accounts = accounts
        self._pool = pool
        self._asked: dict[Key, tuple[str, int, datetime]] = {}

    async def reconcile(self, key: Key) -> timedelta | None:
        body = self._cache.get(key.kind, key.namespace, key.name)
        if body is None or body["metadata"].get("deletionTimestamp"):
            self._asked.pop(key, None)
            return None
        host = Host.model_validate(body)
        metadata = host.metadata
        now = datetime.now(UTC)
        # Our own status comes back as a change; only a new spec is a reason to ask before it is time.
        uid, generation, due = self._asked.get(key, ("", 0, now))
        if (uid, generation) == (metadata.uid, metadata.generation) and now < due:
            return due - now
        status = await self._look(host, now)
        await self._resources.write_status(Host, ObjectMeta.model_validate(body["metadata"]), host.status, status)
        self._asked[key] = (metadata.uid, metadata.generation, now + INTERVAL)
        return INTERVAL

    async def _look(self, host: Host, now: datetime) -> HostStatus:
        info: HostInfo | None = None
        unknown: Verdict = ("Unknown", "NotReachable", "the host did not answer")
        reachable: Verdict
        prepared: Verdict
        try:
            info = await observe.info(self._pool, await self._accounts.observing(host))
        except (NotPrepared, RequestRefused) as problem:
            reachable = ("True", "Answered", "the host accepts the observing account")
            prepared = ("False", problem.reason, shown(problem.message, _MESSAGE))
        except HostError as problem:
            # An SSH server may say why it hangs up, in words of its own, before it has shown any key.
            reachable, prepared = ("False", problem.reason, shown(problem.message, _MESSAGE)), unknown
        except CredentialsUnusable as problem:
            reachable, prepared = ("False", problem.reason, str(problem)), unknown
        else:
            reachable = ("True", "Answered", "the host accepts the observing account")
            declared = ", ".join(info.actions) or "none"
            dry = f"; previews: {', '.join(info.previews)}" if info.previews else ""
            prepared = ("True", "Prepared", f"declared actions: {declared}{dry}")
        conditions = host.status.conditions
        for kind, (status, reason, message) in (("Reachable", reachable), ("Prepared", prepared)):
            conditions = with_condition(
                conditions, kind, status, reason, message, generation=host.metadata.generation, now=now
            )
        return HostStatus(
            observed_generation=host.metadata.generation,
            conditions=conditions,
            machine_id=info.machine if info is not None else host.status.machine_id,
            os=(info.os or None) if info is not None else host.status.os,
            last_probe_time=now,
        )
