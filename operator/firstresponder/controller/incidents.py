"""One incident at a time: gather, decide, carry out, until nothing more follows from what is known."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

from firstresponder import logs
from firstresponder.api.incident import Phase
from firstresponder.controller.effects import ClusterEffects, HostEffects
from firstresponder.controller.gather import Gatherer
from firstresponder.controller.keys import Key
from firstresponder.incident.facts import Facts, Sample
from firstresponder.incident.machine import reconcile
from firstresponder.incident.plan import (
    Answer,
    AskLedger,
    CheckGate,
    CloseRequest,
    Consume,
    CreateRequest,
    Effect,
    Experiment,
    MarkIncorrect,
    Observe,
    Perform,
    Pin,
    Plan,
    ReadIncident,
    Rest,
    RunPreview,
    Seal,
    SendOrder,
    Wait,
    learn,
)
from firstresponder.incident.snapshot import Snapshot
from firstresponder.kube.errors import ApiError, Conflict, Unreachable
from firstresponder.safety import shown

_PASSES = 24
"""More than an incident needs from its first triage to its end without waiting. One that needs more is turning in
circles, and pauses."""
_PAUSE = timedelta(seconds=2)
_STUCK_AFTER = 6
"""Failures in a row, some 15 s of trying, after which it is no passing trouble of the API server."""

_log = logging.getLogger(__name__)


class IncidentReconciler:
    """Drives incidents. What it remembers between passes (samples of verification, failures) may be lost."""

    def __init__(
        self,
        gatherer: Gatherer,
        cluster: ClusterEffects,
        hosts: HostEffects,
        progressed: Callable[[Key, float], None],
        now: Callable[[], datetime],
    ) -> None:
        """``progressed`` hears of each pass and effect, with how many seconds that may take beyond the usual."""
        self._gatherer = gatherer
        self._cluster = cluster
        self._hosts = hosts
        self._progressed = progressed
        self._now = now
        self._samples: dict[Key, tuple[Sample, ...]] = {}
        self._failures: dict[Key, int] = {}

    async def reconcile(self, key: Key) -> timedelta | None:
        """Pass after pass until a plan asks for nothing more; returns when to check again.

        Whatever fails is raised, to be tried again; what keeps failing is reported as an Event.
        """
        try:
            after = await self._drive(key)
        except (Conflict, Unreachable):
            raise
        except Exception as error:
            self._failures[key] = self._failures.get(key, 0) + 1
            if self._failures[key] == _STUCK_AFTER:
                await self._record_stuck(key, error)
            raise
        self._failures.pop(key, None)
        return after

    async def _record_stuck(self, key: Key, error: Exception) -> None:
        text = f"cannot go on, and is retried: {type(error).__name__}: {shown(str(error), 700)}"
        try:
            await self._cluster.record_stuck(key.namespace, key.name, text, self._now())
        except (ApiError, Unreachable) as problem:
            _log.warning("the Event that it is stuck was not recorded: %s", problem)

    async def _drive(self, key: Key) -> timedelta | None:
        facts, read = Facts(), None
        for _ in range(_PASSES):
            self._progressed(key, 0.0)
            snapshot = await self._gatherer.gather(key, facts, self._samples.get(key, ()))
            if snapshot is None or _is_going(snapshot):
                self._samples.pop(key, None)
                return None
            logs.bind(phase=snapshot.incident.status.phase)
            read = read or self._now()
            version = snapshot.incident.metadata.resource_version
            if facts.version not in {"", version}:
                facts = Facts()
                continue
            plan = reconcile(replace(snapshot, read_time=read), self._now())
            try:
                if await self._write(key, snapshot, plan):
                    facts = Facts()
                match plan.next:
                    case Perform(effect):
                        self._progressed(key, _seconds_on_a_host(effect))
                        answer = await self._perform(effect, snapshot)
                        facts = replace(learn(facts, effect, answer), version=version)
                    case Wait(span):
                        return span
                    case Rest():
                        return None
            except Conflict as conflict:
                # Somebody else moved: what was decided is dropped, and everything is read again.
                _log.info("%s", conflict)
                facts = Facts()
        _log.warning("still not at rest after %d passes", _PASSES)
        return _PAUSE

    async def _write(self, key: Key, snapshot: Snapshot, plan: Plan) -> bool:
        """Save the status, and only then record its Events. Raises Conflict."""
        incident = snapshot.incident
        wrote = plan.status is not None and plan.status != incident.status
        if plan.status is not None and wrote:
            await self._cluster.write_status(incident, plan.status)
            _log.info("%s → %s", incident.status.phase, plan.status.phase)
            logs.bind(phase=plan.status.phase)
        if plan.samples is not None:
            self._samples[key] = plan.samples
        for event in plan.events:
            try:
                await self._cluster.record(incident, event, self._now())
            except ApiError as error:  # must not stop an incident whose status is saved
                _log.warning("Event %s is not recorded: %s", event.reason, error)
        return wrote

    async def _perform(self, effect: Effect, snapshot: Snapshot) -> Answer:
        """Carry out one effect. Raises Conflict."""
        incident, hosts, now = snapshot.incident, snapshot.hosts, self._now()
        match effect:
            case Pin():
                await self._cluster.pin(incident, effect)
            case CheckGate():
                return await self._cluster.check_gate(incident.namespace)
            case CreateRequest():
                await self._cluster.create_request(incident, effect)
            case Consume():
                await self._cluster.consume(effect, now)
            case CloseRequest():
                await self._cluster.close_request(effect, now)
            case ReadIncident():
                return await self._cluster.read_incident(incident.namespace, effect)
            case MarkIncorrect():
                await self._cluster.mark_incorrect(effect)
            case Observe():
                return await self._hosts.observe(effect, hosts)
            case Experiment():
                return await self._hosts.experiment(effect, hosts)
            case RunPreview():
                return await self._hosts.run_preview(effect, hosts)
            case AskLedger():
                return await self._hosts.ask_ledger(effect, hosts)
            case SendOrder():
                return await self._hosts.send_order(effect, hosts)
            case Seal():
                return await self._hosts.seal(effect, hosts)
        return None


def _seconds_on_a_host(effect: Effect) -> float:
    """How long a host may run what it is asked for, up to a day, with nothing to be heard of it."""
    match effect:
        case SendOrder():
            return effect.timeout
        case RunPreview():
            return effect.request.timeout_seconds
    return 0.0


def _is_going(snapshot: Snapshot) -> bool:
    """An incident that is being deleted begins nothing more; what was started is followed to its end."""
    incident = snapshot.incident
    return incident.metadata.deletion_timestamp is not None and incident.status.phase != Phase.ACTING
