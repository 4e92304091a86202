"""From a plan to the world: one small method an effect, each safe to repeat and safe to be cut off by a crash.

``ClusterEffects`` writes to the API server, only with preconditions; ``HostEffects`` talks to hosts. What may be
done when was decided before; nothing here decides.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any, Literal

from firstresponder.api.approvalrequest import ApprovalRequest
from firstresponder.api.base import conditions_with
from firstresponder.api.hosts import Host
from firstresponder.api.incident import Incident, IncidentSpec, IncidentStatus
from firstresponder.api.ledger import LedgerAnswer, PreviewAnswer
from firstresponder.controller.accounts import Accounts
from firstresponder.controller.cache import Cache
from firstresponder.controller.diagnostics import Diagnostics
from firstresponder.controller.pins import Pins
from firstresponder.controller.related import kept
from firstresponder.hosts import ledger
from firstresponder.hosts.pool import SshPool
from firstresponder.hosts.target import SshTarget
from firstresponder.incident.facts import Gate, Observation
from firstresponder.incident.plan import (
    AskLedger,
    CloseRequest,
    Consume,
    CreateRequest,
    Event,
    Experiment,
    MarkIncorrect,
    Observe,
    Pin,
    ReadIncident,
    RunPreview,
    Seal,
    SendOrder,
)
from firstresponder.kube.credentials import CredentialsUnusable
from firstresponder.kube.errors import AlreadyExists
from firstresponder.kube.events import Events
from firstresponder.kube.gate import ApprovalGate
from firstresponder.kube.resources import Resources


class ClusterEffects:
    """What changes in the cluster. Every method may raise ApiError (Conflict above all) and Unreachable."""

    def __init__(
        self,
        resources: Resources,
        pins: Pins,
        events: Events,
        gate: ApprovalGate,
        cache: Cache,
    ) -> None:
        self._cache = cache
        self._resources = resources
        self._pins = pins
        self._events = events
        self._gate = gate

    async def write_status(self, incident: Incident, status: IncidentStatus) -> None:
        """Only over the incident that the decision was made on.

        What is written is in the cache before anything else happens: of two incidents with the same fix, the one that
        is written later must know of the other.
        """
        written = await self._resources.write_status(Incident, incident.metadata, incident.status, status)
        self._cache.put(Incident.__name__, incident.namespace, kept(written))

    async def record(self, incident: Incident, event: Event, now: datetime) -> None:
        await self._events.record(
            incident, now, event.reason, event.message, warning=event.warning, dedup_key=event.dedup_key
        )

    async def record_stuck(self, namespace: str, name: str, message: str, now: datetime) -> None:
        """An Event about an incident that cannot go on, perhaps because it cannot even be read."""
        metadata = await self._resources.metadata(Incident, namespace, name)
        if metadata is not None:
            # Only who it is goes into an Event; the spec that is stored may be what cannot be read.
            about = Incident(metadata=metadata, spec=IncidentSpec(type="Unknown", service="unknown"))
            await self._events.record(about, now, "Stuck", message, warning=True)

    async def pin(self, incident: Incident, effect: Pin) -> None:
        await self._pins.pin(incident, effect)

    async def create_request(self, incident: Incident, effect: CreateRequest) -> None:
        """Whether one that exists already is ours is decided at the next look."""
        with contextlib.suppress(AlreadyExists):
            await self._resources.create(ApprovalRequest, incident.namespace, effect.name, effect.spec, owner=incident)

    async def consume(self, effect: Consume, now: datetime) -> None:
        """Only over the request that was judged: a review that races in makes this a Conflict."""
        request = _with(effect.request, "Approved", "True", "Approved", "approved as required", now)
        request = _with(request, "Closed", "True", "Consumed", "used up by these attempts", now)
        await self._write_request(effect.request, request, attempt_ids=list(effect.attempt_ids))

    async def close_request(self, effect: CloseRequest, now: datetime) -> None:
        message = effect.message[:2048]
        request = _with(effect.request, "Approved", "False", effect.reason, message, now)
        request = _with(request, "Closed", "True", effect.reason, message, now)
        await self._write_request(effect.request, request)

    async def read_incident(self, namespace: str, effect: ReadIncident) -> Incident | None:
        return await self._resources.get(Incident, namespace, effect.name)

    async def mark_incorrect(self, effect: MarkIncorrect) -> None:
        earlier = effect.earlier
        await self._resources.write_status(Incident, earlier.metadata, earlier.status, effect.status)

    async def check_gate(self, namespace: str) -> Gate:
        problems = await self._gate.problems(namespace)
        return Gate(not problems, "; ".join(problems))

    async def _write_request(self, before: ApprovalRequest, after: ApprovalRequest, **fields: Any) -> None:
        fields["observed_generation"] = before.metadata.generation
        status = after.status.model_copy(update=fields)
        await self._resources.write_status(ApprovalRequest, before.metadata, before.status, status)


class HostEffects:
    """What is asked of hosts. A host that does not answer is an answer too; only the API server makes these fail.

    The acting account's key is read for these four requests alone: a preview that the host declares (before anybody
    approved anything), an order, its ledger, its seal.
    """

    def __init__(self, pool: SshPool, accounts: Accounts, diagnostics: Diagnostics) -> None:
        self._pool = pool
        self._accounts = accounts
        self._diagnostics = diagnostics

    async def observe(self, effect: Observe, hosts: Mapping[str, Host]) -> Observation:
        return await self._diagnostics.observe(effect, hosts)

    async def experiment(self, effect: Experiment, hosts: Mapping[str, Host]) -> Observation:
        return await self._diagnostics.observe(effect.observe, hosts, within=effect.seconds)

    async def run_preview(self, effect: RunPreview, hosts: Mapping[str, Host]) -> PreviewAnswer:
        target = await self._acting(effect.host, hosts)
        if isinstance(target, str):
            return PreviewAnswer(error=target)
        return await ledger.run_preview(self._pool, target, effect.request)

    async def send_order(self, effect: SendOrder, hosts: Mapping[str, Host]) -> LedgerAnswer:
        target = await self._acting(effect.host, hosts)
        if isinstance(target, str):
            return LedgerAnswer(error=target)
        return await ledger.send_order(self._pool, target, effect.order, effect.timeout)

    async def ask_ledger(self, effect: AskLedger, hosts: Mapping[str, Host]) -> LedgerAnswer:
        target = await self._acting(effect.host, hosts)
        answer = (
            LedgerAnswer(error=target)
            if isinstance(target, str)
            else await ledger.status(self._pool, target, effect.attempt_id)
        )
        return answer if answer.state is not None else await self._observed(effect, hosts, answer)

    async def _observed(self, effect: AskLedger, hosts: Mapping[str, Host], unanswered: LedgerAnswer) -> LedgerAnswer:
        """The answer to the observing account where the acting account got none, with why that got none."""
        host = hosts.get(effect.host)
        if host is None:
            return unanswered
        try:
            target = await self._accounts.observing(host)
        except CredentialsUnusable:
            return unanswered
        answer = await ledger.status_as_observer(self._pool, target, effect.attempt_id)
        return replace(answer, error=unanswered.error) if answer.by_observer else unanswered

    async def seal(self, effect: Seal, hosts: Mapping[str, Host]) -> LedgerAnswer:
        target = await self._acting(effect.host, hosts)
        if isinstance(target, str):
            return LedgerAnswer(error=target)
        return await ledger.seal(self._pool, target, effect.attempt_id)

    async def _acting(self, name: str, hosts: Mapping[str, Host]) -> SshTarget | str:
        """The acting account, or why it cannot be used."""
        host = hosts.get(name)
        if host is None:
            return f"there is no Host named {name} any more"
        try:
            return await self._accounts.acting(host)
        except CredentialsUnusable as problem:
            return f"{name}: {problem}"


def _with(
    request: ApprovalRequest, kind: str, value: Literal["True", "False"], reason: str, message: str, now: datetime
) -> ApprovalRequest:
    conditions = conditions_with(
        request.status.conditions, kind, value, reason, message, generation=request.metadata.generation, now=now
    )
    return request.model_copy(update={"status": request.status.model_copy(update={"conditions": conditions})})
