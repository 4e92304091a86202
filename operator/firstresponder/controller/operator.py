"""The operator put together: what is made of what, started and stopped in order."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from firstresponder.controller import health, wiring
from firstresponder.controller.accounts import Accounts
from firstresponder.controller.cache import Cache
from firstresponder.controller.diagnostics import Diagnostics
from firstresponder.controller.effects import ClusterEffects, HostEffects
from firstresponder.controller.gatecheck import GateCheck
from firstresponder.controller.gather import Gatherer
from firstresponder.controller.hosts import HostReconciler
from firstresponder.controller.incidents import IncidentReconciler
from firstresponder.controller.keys import Key
from firstresponder.controller.knowledge import Knowledge, KnowledgeReconciler
from firstresponder.controller.queue import Queue
from firstresponder.controller.relist import INCIDENTS_INTERVAL, KNOWLEDGE_INTERVAL, Relist
from firstresponder.hosts.pool import SshPool
from firstresponder.kube import preflight
from firstresponder.kube.client import Client
from firstresponder.kube.connection import Connection
from firstresponder.kube.credentials import Credentials
from firstresponder.kube.errors import ApiError, Conflict, Unreachable
from firstresponder.kube.events import Events
from firstresponder.kube.gate import ApprovalGate
from firstresponder.kube.permissions import OPERATOR_NAMESPACE, OPERATOR_USER
from firstresponder.kube.resources import Resources
from firstresponder.kube.revisions import Revisions

_WORKERS = 64
"""Keys worked on at once. One that waits for a host holds a place, so there are more than processors."""
_GATE = "ApprovalGate"
_KNOWLEDGE = "Knowledge"
_INCIDENTS = "Incidents"
_AFTER_CONFLICT = timedelta(seconds=0.5)
_KINDS_INTERVAL = timedelta(seconds=20)

_log = logging.getLogger(__name__)

Reconcile = Callable[[Key], Awaitable[timedelta | None]]


class NotReady(Exception):
    """Something is missing in the cluster; each line says what, and the command that fixes it."""

    def __init__(self, missing: Sequence[str]) -> None:
        super().__init__("\n".join(missing))


class KindGone(Exception):
    """A kind that was there at the start is no longer served; says which, and the command that fixes it."""


@dataclass(frozen=True)
class Options:
    """How this operator runs. ``health_port`` 0 is a free port, None is no health endpoint."""

    connection: Connection
    namespaces: tuple[str, ...]
    health_port: int | None = None


async def run(options: Options) -> None:
    """Run until SIGTERM or SIGINT.

    Raises NotReady when the cluster is not prepared; ApiError or Unreachable when the API server is lost at the
    start; KindGone, or what made kopf give up, later. The supervisor then starts the operator anew.
    """
    async with contextlib.AsyncExitStack() as stack:
        client = Client(options.connection)
        stack.push_async_callback(client.close)
        if missing := await preflight.missing(client, options.namespaces):
            raise NotReady(missing)
        pool = SshPool()
        stack.push_async_callback(pool.close)
        await _Operator(options, client, pool).run()


class _Operator:
    """Everything of one running operator."""

    def __init__(self, options: Options, client: Client, pool: SshPool) -> None:
        self._options = options
        self._client = client
        self._queue: Queue[Key] = Queue(self._reconcile, workers=_WORKERS)
        self._cache = Cache()
        resources, revisions = Resources(client), Revisions(client)
        accounts = Accounts(Credentials(client, OPERATOR_NAMESPACE))
        gate = ApprovalGate(client, OPERATOR_USER)
        knowledge = Knowledge(self._cache)
        self._relist = Relist(self._cache, resources, self._queue.add)
        self._gate_check = GateCheck(gate)
        incidents = IncidentReconciler(
            Gatherer(OPERATOR_USER, self._cache, knowledge, self._relist, resources, revisions),
            ClusterEffects(resources, revisions, Events(client), gate, knowledge),
            HostEffects(pool, accounts, Diagnostics(pool, accounts, _now)),
            _now,
        )
        authoring = KnowledgeReconciler(self._cache, knowledge, resources, revisions)
        self._reconcilers: dict[str, Reconcile] = {
            _GATE: self._gate_check.reconcile,
            _KNOWLEDGE: self._relist.reconcile_knowledge,
            _INCIDENTS: self._relist.reconcile_incidents,
            "Incident": incidents.reconcile,
            "Runbook": authoring.reconcile,
            "TriagePlaybook": authoring.reconcile,
            "Host": HostReconciler(self._cache, resources, accounts, pool).reconcile,
        }

    async def run(self) -> None:
        for namespace in self._options.namespaces:
            # Before anything is decided the cache is whole.
            await self._relist.knowledge(namespace)
            await self._relist.incidents(namespace)
            self._queue.add(Key(_GATE, namespace))
            self._queue.add_after(Key(_KNOWLEDGE, namespace), KNOWLEDGE_INTERVAL)
            self._queue.add_after(Key(_INCIDENTS, namespace), INCIDENTS_INTERVAL)
        handlers = wiring.registry(self._options.connection, self._cache, self._queue.add)
        parts = [
            self._queue.run(),
            wiring.watch(handlers, self._options.namespaces),
            _until_a_kind_is_gone(self._client),
        ]
        if self._options.health_port is not None:
            parts.append(
                health.serve(self._options.health_port, lambda: self._queue.last_end, lambda: self._gate_check.problems)
            )
        _log.info("watching %s as %s", ", ".join(self._options.namespaces), OPERATOR_USER)
        await _until_one_ends([asyncio.create_task(part) for part in parts])

    async def _reconcile(self, key: Key) -> timedelta | None:
        try:
            return await self._reconcilers[key.kind](key)
        except Conflict as conflict:
            # The cache was behind what somebody (often we ourselves) had just written.
            _log.debug("%s: %s", key, conflict)
            return _AFTER_CONFLICT


async def _until_a_kind_is_gone(client: Client) -> None:
    """Raises KindGone when a kind is no longer served.

    kopf ends by itself when a kind that it watches is taken away, but one that goes between the preflight and the
    moment when kopf looks which kinds there are leaves it alive and deaf.
    """
    while True:
        await asyncio.sleep(_KINDS_INTERVAL.total_seconds())
        with contextlib.suppress(ApiError, Unreachable):  # an outage is survived, and says nothing about kinds
            if absent := await preflight.absent_kinds(client):
                raise KindGone("; ".join(absent))


async def _until_one_ends(tasks: list[asyncio.Task[None]]) -> None:
    """Wait until one of the parts ends, end the others, and raise what ended it if that was a failure.

    Cancelling is safe at any point: every effect may be cut off, as by a crash.
    """
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    for task in done:
        await task


def _now() -> datetime:
    return datetime.now(UTC)
