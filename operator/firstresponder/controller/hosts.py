"""Hosts: whether they can be reached and are prepared, found out at each change and every few minutes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Literal

from firstresponder.api.base import ObjectMeta, conditions_with
from firstresponder.api.hosts import Host, HostStatus
from firstresponder.api.ledger import HostInfo
from firstresponder.controller.accounts import Accounts
from firstresponder.controller.cache import Cache
from firstresponder.controller.keys import Key
from firstresponder.hosts import ledger, observe
from firstresponder.hosts.errors import (
    CommandTimedOut,
    HostError,
    HostKeyMismatch,
    HostUnreachable,
    NotPrepared,
    RequestRefused,
)
from firstresponder.hosts.pool import SESSIONS, SshPool
from firstresponder.incident.approval.packet import CLOCK_SKEW, skew_text
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
        sessions = offset = None
        elsewhere = False
        try:
            observing = await self._accounts.observing(host)
            info = await observe.info(self._pool, observing)
        except (NotPrepared, RequestRefused) as problem:
            reachable = ("True", "Answered", "the host accepts the observing account")
            prepared = ("False", problem.reason, shown(problem.message, _MESSAGE))
        except HostError as problem:
            # An SSH server may say why it hangs up, in words of its own, before it has shown any key.
            reachable, prepared = ("False", problem.reason, shown(problem.message, _MESSAGE)), unknown
            elsewhere = isinstance(problem, HostUnreachable | HostKeyMismatch | CommandTimedOut)
        except CredentialsUnusable as problem:
            reachable, prepared = ("False", problem.reason, str(problem)), unknown
        else:
            reachable = ("True", "Answered", "the host accepts the observing account")
            declared = ", ".join(info.actions) or "none"
            dry = f"; previews: {', '.join(info.previews)}" if info.previews else ""
            offset = round(info.time - datetime.now(UTC).timestamp())
            sessions = self._pool.sessions(observing)
            few = f"; sshd opens {sessions} sessions at once, so diagnostics wait" if sessions < SESSIONS else ""
            prepared = ("True", "Prepared", f"declared actions: {declared}{dry}{few}")
            if info.ledger:
                text = f"it can be observed, and can take no order: {shown(info.ledger, _MESSAGE)}"
                prepared = ("False", "LedgerUnusable", text)
        can_act = unknown if elsewhere else await self._can_act(host, offset or 0)
        conditions = host.status.conditions
        verdicts = {"Reachable": reachable, "Prepared": prepared, "CanAct": can_act}
        for kind, (status, reason, message) in verdicts.items():
            conditions = conditions_with(
                conditions, kind, status, reason, message, generation=host.metadata.generation, now=now
            )
        return HostStatus(
            observed_generation=host.metadata.generation,
            conditions=conditions,
            machine_id=info.machine if info is not None else host.status.machine_id,
            os=(info.os or None) if info is not None else host.status.os,
            clock_offset_seconds=offset,
            sessions=sessions,
            last_probe_time=now,
        )

    async def _can_act(self, host: Host, offset: int) -> Verdict:
        """Whether an order would be taken: asked of the account itself, by a request that changes nothing."""
        if host.spec.accounts.act is None:
            return "False", "NoActingAccount", "spec.accounts.act is not set: this host is only observed"
        try:
            await ledger.prove(self._pool, await self._accounts.acting(host))
        except CommandTimedOut as problem:  # with few sessions an order that runs may be what it waited for
            return "Unknown", problem.reason, shown(problem.message, _MESSAGE)
        except HostError as problem:
            return "False", problem.reason, shown(problem.message, _MESSAGE)
        except CredentialsUnusable as problem:
            return "False", problem.reason, str(problem)
        if abs(offset) > CLOCK_SKEW.total_seconds():
            text = f"the host's clock is {skew_text(offset)}, so no expiry holds: correct it"
            return "False", "ClockSkew", text
        return "True", "Answered", "the host accepts the acting account, and its ledger answers"
