"""What follows from what is told of incidents and requests: which key goes on the queue, and which does not."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from firstresponder.api.approvalrequest import SELFTEST_NAME
from firstresponder.controller.cache import Cache
from firstresponder.controller.keys import Key
from firstresponder.controller.related import RelatedIndex
from firstresponder.controller.stores import IncidentStore, RequestStore


def incident(name: str, status: dict[str, Any], *, generation: int = 1, version: int = 1) -> dict[str, Any]:
    metadata = {
        "name": name,
        "namespace": "shop",
        "uid": f"uid-of-{name}",
        "generation": generation,
        "resourceVersion": str(version),
        "creationTimestamp": "2026-03-14T03:00:00Z",
    }
    return {"metadata": metadata, "spec": {"type": "HighCPU", "service": "api-gateway"}, "status": status}


def ended(ago: timedelta = timedelta(days=1), phase: str = "Escalated") -> dict[str, Any]:
    moment = (datetime.now(UTC) - ago).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {
        "phase": phase,
        "observedGeneration": 1,
        "conditions": [{"type": "Closed", "status": "True"}],
        "escalation": {"time": moment},
    }


class Stores:
    """The stores of one namespace, and what they put on the queue."""

    def __init__(self) -> None:
        self.queued: list[str] = []
        self.cache = Cache()
        RelatedIndex(self.cache, self._queue)
        self.incidents = IncidentStore(self.cache, "shop", self._queue)
        self.requests = RequestStore(self.cache, "shop", self._queue)

    def _queue(self, key: Key) -> None:
        self.queued.append(key.name)

    def incident(self, body: dict[str, Any], how: str = "MODIFIED") -> list[str]:
        self.queued.clear()
        self.incidents.change(how, body)
        return list(self.queued)

    def look_at_all(self) -> list[str]:
        """What who has stood by looks at when it leads."""
        self.queued.clear()
        self.incidents.look_at_all()
        self.requests.look_at_all()
        return list(self.queued)

    def request(self, *, closed: bool, how: str = "ADDED") -> list[str]:
        self.queued.clear()
        conditions = [{"type": "Closed", "status": "True"}] if closed else []
        body = {
            "metadata": {"name": "a-1", "namespace": "shop"},
            "spec": {"incidentRef": {"name": "a", "uid": "uid-of-a"}},
            "status": {"conditions": conditions},
        }
        self.requests.change(how, body)
        return list(self.queued)


@pytest.mark.parametrize(
    ("status", "generation", "looked_at"),
    [
        ({}, 1, True),
        ({"phase": "Triaging", "observedGeneration": 1}, 1, True),
        (ended(), 1, False),
        (ended(phase="Resolved"), 1, False),
        (ended(), 2, True),
        (ended(timedelta(minutes=5)), 1, True),
    ],
    ids=["new", "open", "escalated long ago", "resolved", "changed since", "escalated lately"],
)
def test_an_incident_from_which_nothing_can_follow_is_not_looked_at(
    status: dict[str, Any], generation: int, *, looked_at: bool
) -> None:
    assert Stores().incident(incident("a", status, generation=generation)) == (["a"] if looked_at else [])


@pytest.mark.parametrize(
    ("status", "closed", "looked_at"),
    [(ended(), True, False), (ended(), False, True), ({"phase": "Acting"}, True, True), (None, True, True)],
    ids=["both over", "a request left open", "an open incident", "an incident not heard of yet"],
)
def test_a_closed_request_of_an_ended_incident_is_nothing_to_look_at(
    status: dict[str, Any] | None, *, closed: bool, looked_at: bool
) -> None:
    stores = Stores()
    if status is not None:
        stores.incident(incident("a", status))
    assert stores.request(closed=closed) == (["a"] if looked_at else [])


@pytest.mark.parametrize(
    ("status", "looked_at"),
    [
        ({}, True),
        ({"phase": "Acting", "observedGeneration": 1}, True),
        (ended(timedelta(minutes=5)), True),
        (ended(), False),
    ],
    ids=["new", "open", "escalated lately", "over"],
)
def test_who_begins_to_lead_looks_at_every_incident_that_is_not_over(
    status: dict[str, Any], *, looked_at: bool
) -> None:
    stores = Stores()
    stores.incident(incident("a", status))
    stores.incident(incident("gone", {}))
    stores.incident(incident("gone", {}), "DELETED")
    assert stores.look_at_all() == (["a"] if looked_at else [])


def test_who_begins_to_lead_closes_the_requests_that_ended_incidents_left_open() -> None:
    stores = Stores()
    stores.incident(incident("a", ended()))
    stores.request(closed=False)
    assert stores.look_at_all() == ["a"]
    stores.request(closed=True)
    assert stores.look_at_all() == []


def test_a_request_that_was_left_open_and_is_gone_is_nothing_to_close() -> None:
    stores = Stores()
    stores.incident(incident("a", ended()))
    stores.request(closed=False)
    stores.request(closed=False, how="DELETED")
    assert stores.look_at_all() == []


LINKED = {"phase": "Triaging", "relatedIncidents": [{"name": "a", "uid": "uid-of-a", "relation": "SameCause"}]}


def test_whoever_waits_is_woken_by_the_end_of_the_one_it_waits_for_and_by_nothing_else() -> None:
    stores = Stores()
    stores.incident(incident("a", {"phase": "AwaitingApproval"}))
    for name in ("b", "c"):
        stores.incident(incident(name, LINKED))
    stores.incident(incident("d", {"phase": "Triaging"}))
    for version, phase in enumerate(("AwaitingApproval", "Acting", "Verifying"), 2):
        assert stores.incident(incident("a", {"phase": phase}, version=version)) == ["a"]
    assert stores.incident(incident("a", ended(phase="Resolved"), version=9)) == ["b", "c"]


def test_whoever_waits_is_woken_when_the_other_is_deleted_or_waits_itself() -> None:
    for how, then in (("DELETED", {"phase": "Acting"}), ("MODIFIED", LINKED | {"phase": "Triaging"})):
        stores = Stores()
        stores.incident(incident("a", {"phase": "Triaging"}))
        stores.incident(incident("b", LINKED))
        other = {**then, "relatedIncidents": [{"name": "x", "uid": "uid-of-x", "relation": "SameCause"}]}
        assert sorted(stores.incident(incident("a", other, version=2), how)) == ["a", "b"]


async def listed(*bodies: dict[str, Any]) -> AsyncIterator[dict[str, Any]]:
    for body in bodies:
        yield body


async def test_a_list_that_shows_the_other_gone_wakes_who_waits() -> None:
    stores = Stores()
    stores.incident(incident("a", {"phase": "Acting"}))
    stores.incident(incident("b", LINKED))
    stores.queued.clear()
    await stores.incidents.replace(listed(incident("b", LINKED)))
    assert sorted(set(stores.queued)) == ["a", "b"]


async def test_of_a_list_only_what_is_not_over_is_looked_at() -> None:
    stores = Stores()
    over = [incident(f"over-{number}", ended()) for number in range(20)]
    assert not stores.incidents.listed.is_set()
    await stores.incidents.replace(listed(*over, incident("open", {"phase": "Verifying"})))
    assert stores.queued == ["open"]
    assert stores.incidents.listed.is_set()


async def test_a_list_of_requests_brings_those_of_open_incidents() -> None:
    stores = Stores()
    stores.incident(incident("a", {"phase": "AwaitingApproval"}))
    stores.incident(incident("b", ended()))
    stores.queued.clear()
    requests = [
        {
            "metadata": {"name": name, "namespace": "shop"},
            "spec": {"incidentRef": {"name": name[0], "uid": f"uid-of-{name[0]}"}},
            "status": {"conditions": [{"type": "Closed", "status": "True"}]},
        }
        for name in ("a-1", "b-1", SELFTEST_NAME)
    ]
    assert not stores.requests.listed.is_set()
    await stores.requests.replace(listed(*requests))
    assert stores.queued == ["a"]
    assert stores.requests.listed.is_set()


def request(name: str, incident: str) -> dict[str, Any]:
    ref = {"name": incident, "uid": f"uid-of-{incident}"}
    return {"metadata": {"name": name, "namespace": "shop"}, "spec": {"incidentRef": ref}, "status": {}}


async def test_the_requests_of_an_incident_are_known_by_its_uid() -> None:
    stores = Stores()
    await stores.requests.replace(listed(request("a-1", "a"), request("b-1", "b")))
    stores.requests.change("ADDED", request("a-2", "a"))
    stores.requests.change("MODIFIED", request("a-1", "a"))
    assert stores.requests.names_of("uid-of-a") == ["a-1", "a-2"]
    stores.requests.change("DELETED", request("a-1", "a"))
    assert stores.requests.names_of("uid-of-a") == ["a-2"]
    await stores.requests.replace(listed(request("b-1", "b")))
    assert (stores.requests.names_of("uid-of-a"), stores.requests.names_of("uid-of-b")) == ([], ["b-1"])
