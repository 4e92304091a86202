"""The operator put together: what is made of what, started and stopped in order."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import logging
import os
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, NoReturn

from firstresponder import logs
from firstresponder.api.approvalrequest import ApprovalRequest
from firstresponder.api.incident import Incident
from firstresponder.archive.sink import Sink
from firstresponder.controller import health, watches
from firstresponder.controller.accounts import Accounts
from firstresponder.controller.archiver import Archiver
from firstresponder.controller.cache import Cache
from firstresponder.controller.diagnostics import Diagnostics
from firstresponder.controller.effects import ClusterEffects, HostEffects
from firstresponder.controller.gatecheck import GateCheck
from firstresponder.controller.gather import Gatherer
from firstresponder.controller.hosts import HostReconciler
from firstresponder.controller.incidents import IncidentReconciler
from firstresponder.controller.judge import Judge
from firstresponder.controller.keys import Key
from firstresponder.controller.observer import LogObserver, Observers
from firstresponder.controller.pins import Pins
from firstresponder.controller.related import RelatedIndex
from firstresponder.controller.relist import CACHED_KINDS_INTERVAL, Relist
from firstresponder.controller.retention import RETENTION, RetentionReconciler
from firstresponder.controller.runbook_catalogue import RunbookCatalogue, RunbookReconciler
from firstresponder.controller.stores import IncidentStore, RequestStore, lane
from firstresponder.hosts.pool import SshPool
from firstresponder.kube import preflight
from firstresponder.kube.client import Client
from firstresponder.kube.connection import Connection
from firstresponder.kube.credentials import Credentials
from firstresponder.kube.election import Election
from firstresponder.kube.errors import ApiError, Conflict, Unreachable
from firstresponder.kube.events import Events
from firstresponder.kube.gate import ApprovalGate
from firstresponder.kube.permissions import OPERATOR_NAMESPACE, OPERATOR_USER
from firstresponder.kube.reflector import reflect
from firstresponder.kube.resources import Resources, path_of
from firstresponder.kube.revisions import Revisions
from firstresponder.metrics.process import ProcessMetrics
from firstresponder.workqueue import workers
from firstresponder.workqueue.observer import Observer
from firstresponder.workqueue.queue import Queue

_WORKERS = 256
"""Keys worked on at once. One that waits for a host holds a place, so there are more than processors, and more than a
few hosts that answer no more can hold."""
_GATE = "ApprovalGate"
_CACHED_KINDS = "CachedKinds"
_AFTER_CONFLICT = timedelta(seconds=0.5)
_KINDS_INTERVAL = timedelta(seconds=20)
_LAST_WRITES = 3.0
"""Seconds that writes which have begun may take when the operator is told to stop."""
LEASE_LOST: Final = 4
"""The exit status of a process that led and may do so no longer."""

_log = logging.getLogger(__name__)

Reconcile = Callable[[Key], Awaitable[timedelta | None]]


class NotReady(Exception):
    """Something is missing in the cluster; each line says what, and the command that fixes it."""

    def __init__(self, missing: Sequence[str]) -> None:
        super().__init__("\n".join(missing))
        self.missing = missing


class KindGone(Exception):
    """A kind that was there at the start is no longer served; says which, and the command that fixes it."""


@dataclass(frozen=True)
class Options:
    """How this operator runs. ``health_port`` 0 is a free port, None is no health endpoint; without an ``archive`` no
    incident is ever deleted. Of all that share a ``lease`` one works at a time; ``identity`` is a name in it that no
    other process has."""

    connection: Connection
    namespaces: tuple[str, ...]
    lease: str
    identity: str
    health_port: int | None = None
    archive: Sink | None = None


async def run(options: Options, take_signals: Callable[[], None]) -> None:
    """Run until cancelled, which ends it in good order. Whatever takes SIGTERM and SIGINT gives them back by
    ``take_signals``.

    Raises NotReady when the cluster is not prepared; ApiError or Unreachable when the API server is lost at the
    start; KindGone, or what made kopf give up, later. Ends the process with LEASE_LOST, and nothing else of it goes on,
    when it led and its Lease is lost. The supervisor then starts the operator again.
    """
    async with contextlib.AsyncExitStack() as stack:
        metrics = ProcessMetrics[Key]()
        observer = Observers(LogObserver(), metrics)
        client = Client(options.connection, observer)
        stack.push_async_callback(client.close)
        if options.archive is not None:
            stack.push_async_callback(options.archive.close)
        if missing := await preflight.missing(client, options.namespaces, archiving=options.archive is not None):
            raise NotReady(missing)
        pool = SshPool(observer)
        stack.push_async_callback(pool.close)
        judge = Judge()
        stack.push_async_callback(judge.close)
        await _Operator(options, client, pool, judge, observer, metrics, take_signals).run()


class _Operator:
    """Everything of one running operator."""

    def __init__(
        self,
        options: Options,
        client: Client,
        pool: SshPool,
        judge: Judge,
        observer: Observer[Key],
        metrics: ProcessMetrics[Key],
        take_signals: Callable[[], None],
    ) -> None:
        self._options = options
        self._take_signals = take_signals
        self._client = client
        self._cache = Cache()
        self._queue = queue = Queue[Key](observer, lane=functools.partial(lane, self._cache))
        self._cache_is_whole = asyncio.Event()
        self._leads = False
        self._metrics = metrics
        self._election = Election(client, OPERATOR_NAMESPACE, options.lease, options.identity, _end_at_once)
        resources, revisions = Resources(client), Revisions(client)
        accounts = Accounts(Credentials(client, OPERATOR_NAMESPACE))
        gate = ApprovalGate(client, OPERATOR_USER)
        catalogue = RunbookCatalogue(self._cache, judge)
        related = RelatedIndex(self._cache, self._changed)
        self._relist = Relist(self._cache, resources, self._changed)
        self._incidents = {each: IncidentStore(self._cache, each, self._changed) for each in options.namespaces}
        self._requests = {each: RequestStore(self._cache, each, self._changed) for each in options.namespaces}
        self._gate_check = GateCheck(gate, options.namespaces, lambda: self._leads)
        metrics.watch(queue, lambda: self._leads, lambda: self._gate_check.problems)
        incidents = IncidentReconciler(
            Gatherer(OPERATOR_USER, self._cache, catalogue, self._relist, related, resources, revisions),
            ClusterEffects(resources, Pins(revisions, catalogue), Events(client), gate, self._cache),
            HostEffects(pool, accounts, Diagnostics(pool, accounts, _now)),
            queue.progressed,
            _now,
        )
        authoring = RunbookReconciler(self._cache, catalogue, resources, revisions)
        self._reconcilers: dict[str, Reconcile] = {
            _GATE: self._gate_check.reconcile,
            _CACHED_KINDS: self._relist.reconcile_cached_kinds,
            "Incident": incidents.reconcile,
            "Runbook": authoring.reconcile,
            "TriagePlaybook": authoring.reconcile,
            "Host": HostReconciler(self._cache, resources, accounts, pool).reconcile,
        }
        if options.archive is not None:
            archiver = Archiver(resources, self._requests, options.archive, _now)
            retention = RetentionReconciler(self._cache, archiver, Events(client), self._changed, _now)
            self._reconcilers[RETENTION] = retention.reconcile

    async def run(self) -> None:
        parts = [self._respond(), _until_a_kind_is_gone(self._client)]
        if self._options.health_port is not None:
            routes = {
                "/healthz": health.liveness(self._queue.stalled_seconds),
                "/readyz": health.readiness(lambda: tuple(self._not_ready())),
                "/metrics": health.text(self._metrics.scraped),
            }
            parts.append(health.serve(self._options.health_port, routes))
        await _until_one_ends([asyncio.create_task(part) for part in parts])

    async def _respond(self) -> None:
        """Work on what the watches and the recurring duties put on the queue."""
        handlers = watches.registry(self._options.connection, self._cache, self._changed)
        # In this order they end: who has stopped working gives the Lease back, and kopf, which takes its time, is last.
        parts = [self._work(), self._lead()]
        for namespace in self._options.namespaces:
            parts.append(reflect(self._client, path_of(Incident, namespace), self._incidents[namespace]))
            parts.append(self._reflect_requests(namespace))
        parts.append(watches.watch(handlers, self._options.namespaces, self._take_signals))
        await _until_one_ends([asyncio.create_task(part) for part in parts])

    async def _reflect_requests(self, namespace: str) -> None:
        await self._incidents[namespace].listed.wait()  # a request of an incident that is over is nothing to look at
        await reflect(self._client, path_of(ApprovalRequest, namespace), self._requests[namespace])

    async def _work(self) -> None:
        """Standing by, keep up what is cached and check the gate; leading, work on everything."""
        for namespace in self._options.namespaces:
            # Before anything is decided the cache is whole.
            await self._relist.cached_kinds(namespace)
            await self._incidents[namespace].listed.wait()
            self._queue.add(Key(_GATE, namespace))
            self._queue.add_after(Key(_CACHED_KINDS, namespace), CACHED_KINDS_INTERVAL)
        self._cache_is_whole.set()
        _log.info("watching %s as %s", ", ".join(self._options.namespaces), OPERATOR_USER)
        try:
            await workers.run(self._queue, self._reconcile, workers=_WORKERS)
        finally:
            await self._client.finish_writes(_LAST_WRITES)

    async def _lead(self) -> None:
        """Hold the Lease, as soon as nobody else does, until all work has ended."""
        await self._cache_is_whole.wait()
        try:
            await self._election.win()
            self._look_at_all()
            await self._election.hold()
        finally:
            await self._election.release()

    def _look_at_all(self) -> None:
        """Begin to work on whatever is not over: what was heard of it until now is only in the cache."""
        self._leads = True
        for namespace in self._options.namespaces:
            self._queue.add(Key(_GATE, namespace))  # now with all that it stores
            self._incidents[namespace].look_at_all()
            self._requests[namespace].look_at_all()
            self._relist.look_at_all(namespace)
            if self._options.archive is not None:
                self._queue.add(Key(RETENTION, namespace))

    def _changed(self, key: Key) -> None:
        """An object is to be looked at, by who leads."""
        if self._leads:
            self._queue.add(key)

    def _not_ready(self) -> Iterator[str]:
        if not self._cache_is_whole.is_set():
            yield "the first lists are not complete"
        for namespace, problems in self._gate_check.problems.items():
            for problem in problems:
                yield f"approval gate in {namespace}: {problem}"

    async def _reconcile(self, key: Key) -> timedelta | None:
        logs.bind(**key.fields)
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
    """Wait until one of the parts ends, end the others in their order, and raise what ended it if that was a failure.

    Cancelling is safe at any point: every effect may be cut off, as by a crash.
    """
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
    for task in done:
        await task


def _end_at_once(reason: str) -> NoReturn:
    """Somebody else may lead already, so nothing is tidied up."""
    _log.error("ended at once, another replica may lead; it is safe to start again: %s", reason)
    os._exit(LEASE_LOST)


def _now() -> datetime:
    return datetime.now(UTC)
