"""Pinning: however many incidents ask at once, a revision is written a few times, and each becomes an owner."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, cast

import pytest

from firstresponder.api.base import Resource
from firstresponder.api.incident import Incident
from firstresponder.controller.pins import Pins
from firstresponder.controller.runbook_catalogue import RunbookCatalogue
from firstresponder.incident.plan import Pin
from firstresponder.kube.errors import Conflict
from firstresponder.kube.revisions import ControllerRevision, Revisions
from tests.revisions import revision_of
from tests.testbed.stage import shipped

REVISION = revision_of("high-cpu", shipped()["spec"])
EFFECT = Pin("Runbook", REVISION.name)


def incident(name: str) -> Incident:
    metadata = {"name": name, "namespace": "shop", "uid": f"uid-of-{name}"}
    return Incident.model_validate({"metadata": metadata, "spec": {"type": "HighCPU", "service": "api-gateway"}})


class Server:
    """The API server's one revision; a write takes a moment, and fails as often as it is told to."""

    def __init__(self, failures: int = 0) -> None:
        self.owners: list[str] = []
        self.writes = 0
        self.failures = failures

    def source_of(self, *_: Any) -> Any:
        return None, REVISION

    async def ensure(self, *_: Any) -> ControllerRevision:
        await asyncio.sleep(0)
        return ControllerRevision(REVISION.name, "1", REVISION.data, ())

    async def add_owners(self, _: ControllerRevision, owners: Sequence[Resource]) -> None:
        await asyncio.sleep(0.01)
        self.writes += 1
        if self.writes <= self.failures:
            raise Conflict(409, "Conflict", "somebody else wrote it")
        self.owners += [owner.name for owner in owners]


def pins(server: Server) -> Pins:
    return Pins(cast(Revisions, server), cast(RunbookCatalogue, server))


async def test_two_hundred_incidents_at_once_are_pinned_by_two_writes() -> None:
    server = Server()
    pinning = pins(server)
    names = [f"incident-{number}" for number in range(200)]
    await asyncio.gather(*(pinning.pin(incident(name), EFFECT) for name in names))
    assert sorted(server.owners) == sorted(names)
    assert server.writes <= 2


async def test_a_write_that_fails_is_told_to_who_made_it_and_the_others_ask_again() -> None:
    server = Server(failures=1)
    pinning = pins(server)
    told = await asyncio.gather(*(pinning.pin(incident(name), EFFECT) for name in "abc"), return_exceptions=True)
    assert [type(each) for each in told if each is not None] == [Conflict]
    await asyncio.gather(*(pinning.pin(incident(name), EFFECT) for name in "abc" if name not in server.owners))
    assert sorted(server.owners) == ["a", "b", "c"]


async def test_whoever_gives_up_waiting_holds_up_nobody() -> None:
    server = Server()
    pinning = pins(server)
    first, second = (asyncio.create_task(pinning.pin(incident(name), EFFECT)) for name in "ab")
    await asyncio.sleep(0)
    second.cancel()
    with pytest.raises(asyncio.CancelledError):
        await second
    await first
    await pinning.pin(incident("c"), EFFECT)
    assert {"a", "c"} <= set(server.owners)
