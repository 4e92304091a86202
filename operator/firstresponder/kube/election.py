"""Leader election over a Lease: one of several replicas works, and the others stand by. What to do is in ``lease``."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, NoReturn

from firstresponder.kube import lease
from firstresponder.kube.client import Client
from firstresponder.kube.errors import AlreadyExists, ApiError, Conflict, Forbidden, NotFound, Unreachable

_REQUEST = 5.0
"""Seconds. One request that hangs must leave time for another before the Lease is lost."""
_RELEASE = 3.0
"""Seconds that giving it back may take; then it expires by itself."""
_REFUSED = 60.0
"""Seconds of refusals after which the right is held for taken away: an API server that has just started refuses
whatever it is asked until it has read its rules."""

_log = logging.getLogger(__name__)


class Election:
    """One candidate for one Lease."""

    def __init__(self, client: Client, namespace: str, name: str, me: str, lost: Callable[[str], NoReturn]) -> None:
        """``me`` is a name that no other process has. ``lost`` hears why the Lease is not ours any more, and ends the
        process: no task of it goes on."""
        self._client = client
        self._leases = f"/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases"
        self._name = name
        self._me = me
        self._lost = lost
        self._seen: lease.Seen | None = None
        self._reached_for = False
        """Whether it can be ours: the answer to a write that took it may never have come."""
        self._deadline: asyncio.TimerHandle | None = None

    async def win(self) -> None:
        """Wait until the Lease is ours; :meth:`hold` it from then on.

        Raises Forbidden after a minute without the right to it.
        """
        leader, allowed = "", _clock()
        while True:
            pause, begin = lease.RETRY, _clock()
            try:
                async with asyncio.timeout(_REQUEST):
                    step = lease.campaign(self._me, await self._look(), _clock(), datetime.now(UTC))
                    if isinstance(step, lease.Write):
                        self._reached_for = True
                        await self._write(step)
                        self._arm(begin)
                        _log.info("leading as %s", self._me)
                        return
                allowed, pause = begin, step.seconds
                if step.holder != leader:
                    leader = step.holder
                    _log.info("standing by: %s leads", leader)
            except (Conflict, AlreadyExists):
                pass  # another one was faster
            except (ApiError, Unreachable, TimeoutError) as problem:
                if not isinstance(problem, Forbidden):
                    allowed = begin
                elif begin - allowed > _REFUSED:
                    raise
                _log.warning("Lease %s: %s; trying again", self._name, str(problem) or "no answer")
            await asyncio.sleep(_jittered(pause))

    async def hold(self) -> NoReturn:
        """Renew the Lease until cancelled."""
        while True:
            await asyncio.sleep(_jittered(lease.RETRY))
            now = _clock()
            try:
                async with asyncio.timeout(_REQUEST):
                    await self._renew()
            except (ApiError, Unreachable, TimeoutError) as problem:
                _log.warning("Lease %s is not renewed: %s", self._name, str(problem) or "no answer")
            else:
                self._arm(now)

    async def release(self) -> None:
        """Give the Lease back if it is ours. Whoever calls this has ended all work, and waits at most some seconds."""
        if not self._reached_for:
            return
        try:
            async with asyncio.timeout(_RELEASE):
                await self._give_back()
        except (ApiError, Unreachable, TimeoutError) as problem:
            _log.warning("Lease %s is not released, it will expire: %s", self._name, str(problem) or "no answer")
        if self._deadline is not None:
            self._deadline.cancel()

    async def _renew(self) -> None:
        """Raises ApiError and Unreachable: then it was perhaps not renewed."""
        try:
            await self._write_renewal()
        except (Conflict, NotFound):
            # Somebody wrote to it, or we did and the answer was lost.
            await self._look()
            await self._write_renewal()

    async def _write_renewal(self) -> None:
        known = self._seen.lease if self._seen is not None else None
        match lease.renewal(self._me, known, datetime.now(UTC)):
            case lease.Lost(message):
                self._lost(message)
            case lease.Write() as write:
                await self._write(write)

    async def _give_back(self) -> None:
        while True:
            known = await self._look()
            write = lease.release(self._me, known.lease, datetime.now(UTC))
            if write is None:
                return
            try:
                await self._write(write)
            except Conflict:  # the answer to a write of before was lost
                continue
            _log.info("Lease %s is released", self._name)
            return

    async def _look(self) -> lease.Seen:
        try:
            found = lease.read(await self._client.get(f"{self._leases}/{self._name}"))
        except NotFound:
            found = None
        return self._see(found)

    async def _write(self, write: lease.Write) -> None:
        body: dict[str, Any] = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "spec": write.spec}
        if write.version is None:
            written = await self._client.create(self._leases, {**body, "metadata": {"name": self._name}})
        else:
            body["metadata"] = {"resourceVersion": write.version}
            written = await self._client.merge(f"{self._leases}/{self._name}", body)
        self._see(lease.read(written))

    def _see(self, found: lease.Lease | None) -> lease.Seen:
        self._seen = lease.seen(self._seen, found, _clock())
        return self._seen

    def _arm(self, renewed: float) -> None:
        """Hold it for lost some time after a renewal was asked for at ``renewed``.

        A timer and no task: in a process that was frozen it comes before whatever tasks would go on with.
        """
        if self._deadline is not None:
            self._deadline.cancel()
        message = f"the Lease was not renewed for {lease.RENEW_DEADLINE:.0f} s"
        self._deadline = asyncio.get_running_loop().call_at(renewed + lease.RENEW_DEADLINE, self._lost, message)


def _clock() -> float:
    return asyncio.get_running_loop().time()


def _jittered(seconds: float) -> float:
    """At most so many, so that replicas do not keep in step and what was promised holds."""
    return seconds * random.uniform(0.8, 1.0)  # noqa: S311 - only spreads the load
