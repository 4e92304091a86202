"""One incident at a time: gather, decide, carry out, until nothing more follows from what is known."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

from firstresponder.api.incident import Phase
from firstresponder.controller.effects import ClusterEffects, HostEffects
from firstresponder.controller.gather import Facts, Gatherer
from firstresponder.controller.keys import Key
from firstresponder.incident.machine import reconcile
from firstresponder.incident.plan import (
    AskLedger,
    CheckGate,
    CloseRequest,
    Consume,
    CreateRequest,
    Effect,
    Experiment,
    MarkIncorrect,
    Observe,
    Pin,
    Plan,
    RunPreview,
    Seal,
    SendOrder,
)
from firstresponder.incident.snapshot import Sample, Snapshot
from firstresponder.kube.errors import ApiError, Conflict, Unreachable
from firstresponder.safety import shown

_PASSES = 24
"""More than an incident needs from its first triage to its end without waiting. One that needs more is turning in
circles, and pauses."""
_PAUSE = timedelta(seconds=2)
_TOLD_AFTER = 6
"""Failures in a row, some 15 s of trying, after which it is no passing trouble of the API server."""

_log = logging.getLogger(__name__)


class IncidentReconciler:
    """Drives incidents. What it remembers between passes (samples of verification, failures) may be lost."""

    def __init__(
        self, gatherer: Gatherer, cluster: ClusterEffects, hosts: HostEffects, now: Callable[[], datetime]
    ) -> None:
        self._gatherer = gatherer
        self._cluster = cluster
        self._hosts = hosts
        self._now = now
        self._samples: dict[Key, tuple[Sample, ...]] = {}
        self._failures: dict[Key, int] = {}

    async def reconcile(self, key: Key) -> timedelta | None:
        """Pass after pass until a plan asks for nothing more; returns when to look again.

        Whatever fails is raised, to be tried again; what fails again and again is told as an Event.
        """
        try:
            after = await self._drive(key)
        except (Conflict, Unreachable):
            raise
        except Exception as error:
            self._failures[key] = self._failures.get(key, 0) + 1
            if self._failures[key] == _TOLD_AFTER:
                await self._tell_stuck(key, error)
            raise
        self._failures.pop(key, None)
        return after

    async def _tell_stuck(self, key: Key, error: Exception) -> None:
        text = f"cannot go on, and is tried again and again: {type(error).__name__}: {shown(str(error), 700)}"
        try:
            await self._cluster.tell_stuck(key.namespace, key.name, text, self._now())
        except (ApiError, Unreachable) as problem:
            _log.warning("%s: that it is stuck is not told: %s", key, problem)

    async def _drive(self, key: Key) -> timedelta | None:
        facts = Facts()
        for _ in range(_PASSES):
            snapshot = await self._gatherer.gather(key, facts, self._samples.get(key, ()))
            if snapshot is None or _is_going(snapshot):
                self._samples.pop(key, None)
                return None
            version = snapshot.incident.metadata.resource_version
            if facts.version not in {"", version}:
                facts = Facts()
                continue
            plan = reconcile(snapshot, self._now())
            try:
                wrote = await self._write(key, snapshot, plan)
                facts = Facts() if wrote else facts
                if plan.effect is not None:
                    facts = replace(await self._perform(plan.effect, snapshot, facts), version=version)
                elif not plan.again:
                    return plan.requeue_after
            except Conflict as conflict:
                # Somebody else moved: what was decided is dropped, and everything is read anew.
                _log.info("%s: %s", key, conflict)
                facts = Facts()
        _log.warning("%s: still not at rest after %d passes", key, _PASSES)
        return _PAUSE

    async def _write(self, key: Key, snapshot: Snapshot, plan: Plan) -> bool:
        """Save the status, and only then tell about it. Raises Conflict."""
        incident = snapshot.incident
        wrote = plan.status is not None and plan.status != incident.status
        if plan.status is not None and wrote:
            await self._cluster.write_status(incident, plan.status)
            _log.info("%s: %s → %s", key, incident.status.phase, plan.status.phase)
        if plan.samples is not None:
            self._samples[key] = plan.samples
        for event in plan.events:
            try:
                await self._cluster.record(incident, event, self._now())
            except ApiError as error:  # must not stop an incident whose status is saved
                _log.warning("%s: Event %s is not recorded: %s", key, event.reason, error)
        return wrote

    async def _perform(self, effect: Effect, snapshot: Snapshot, facts: Facts) -> Facts:
        """Carry out one effect; returns what is known more by it. Raises Conflict."""
        incident, hosts, now = snapshot.incident, snapshot.hosts, self._now()
        match effect:
            case Pin():
                await self._cluster.pin(incident, effect)
                return replace(facts, pinned=effect.revision)
            case CheckGate():
                return replace(facts, gate=await self._cluster.check_gate(incident.namespace))
            case CreateRequest():
                await self._cluster.create_request(incident, effect)
                return facts
            case Consume():
                await self._cluster.consume(effect, now)
                return facts
            case CloseRequest():
                await self._cluster.close_request(effect, now)
                return facts
            case Observe():
                # An observation may take long; what was seen of the gate before it is old.
                return replace(facts, observation=await self._hosts.observe(effect, hosts), gate=None)
            case Experiment():
                return replace(facts, experiments=await self._hosts.experiment(effect, hosts))
            case RunPreview():
                return replace(facts, preview=await self._hosts.run_preview(effect, hosts))
            case MarkIncorrect():
                await self._cluster.mark_incorrect(incident, effect, now)
                return replace(facts, marked_incorrect=effect.uid)
            case AskLedger():
                return replace(facts, ledger=await self._hosts.ask_ledger(effect, hosts))
            case SendOrder():
                answer = await self._hosts.send_order(effect, hosts)
                return replace(facts, ledger=answer, refusal=answer.refused or "")
            case Seal():
                return replace(facts, ledger=await self._hosts.seal(effect, hosts), sealing=True)


def _is_going(snapshot: Snapshot) -> bool:
    """An incident that is being deleted begins nothing more; what was started is followed to its end."""
    incident = snapshot.incident
    return incident.metadata.deletion_timestamp is not None and incident.status.phase != Phase.ACTING
