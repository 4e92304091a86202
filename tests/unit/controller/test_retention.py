"""When an incident is archived, and that it is deleted only then; the API server and the archive are played."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from firstresponder.api.base import API_VERSION, Resource, format_time
from firstresponder.api.incident import KEEP
from firstresponder.archive.sink import ArchiveError
from firstresponder.controller.archiver import Archiver
from firstresponder.controller.cache import Cache
from firstresponder.controller.keys import Key
from firstresponder.controller.related import kept
from firstresponder.controller.retention import RETENTION, RetentionReconciler
from firstresponder.controller.stores import RequestStore
from firstresponder.kube.errors import Conflict, Forbidden, NotFound, Unreachable

NOW = datetime(2026, 6, 1, tzinfo=UTC)
DAY = timedelta(days=1)
NAMESPACE = "shop"
KEY = Key(RETENTION, NAMESPACE)

Body = dict[str, Any]


def ended(name: str, days: float, **metadata: Any) -> Body:
    """An incident that ended so many days ago."""
    return {
        "apiVersion": API_VERSION,
        "kind": "Incident",
        "metadata": {
            "name": name,
            "namespace": NAMESPACE,
            "uid": f"uid-of-{name}",
            "generation": 1,
            "resourceVersion": "1",
            "creationTimestamp": "2026-03-14T03:00:00Z",
            "managedFields": [{"manager": "kubectl"}],
            **metadata,
        },
        "spec": {"type": "HighCPU", "service": "api-gateway"},
        "status": {
            "phase": "Resolved",
            "observedGeneration": 1,
            "conditions": [
                {"type": "Closed", "status": "True", "lastTransitionTime": format_time(NOW - days * DAY)},
            ],
        },
    }


def request_of(incident: Body, name: str) -> Body:
    metadata = incident["metadata"]
    return {
        "metadata": {"name": name, "namespace": NAMESPACE, "uid": f"uid-of-{name}", "resourceVersion": "1"},
        "spec": {"incidentRef": {"name": metadata["name"], "uid": metadata["uid"]}, "reviews": {"alice": {}}},
        "status": {"conditions": [{"type": "Closed", "status": "True"}]},
    }


@dataclass
class Stored:
    """The API server: what it holds, and what was asked of it."""

    objects: dict[str, Body] = field(default_factory=dict)
    asked: Counter[str] = field(default_factory=Counter)
    refusal: Exception | None = None
    """Why nothing is deleted."""

    async def stored(self, kind: type[Resource], _namespace: str, name: str) -> Body | None:
        self.asked[f"get {kind.plural}"] += 1
        return self.objects.get(name)

    async def delete(self, kind: type[Resource], body: Body) -> None:
        self.asked[f"delete {kind.plural}"] += 1
        if self.refusal is not None:
            raise self.refusal
        metadata = body["metadata"]
        there = self.objects.get(metadata["name"])
        if there is None:
            raise NotFound(404, "NotFound", "gone")
        if any(there["metadata"][each] != metadata[each] for each in ("uid", "resourceVersion")):
            raise Conflict(409, "Conflict", "changed")
        del self.objects[metadata["name"]]


@dataclass
class Written:
    """The archive."""

    lines: list[dict[str, Any]] = field(default_factory=list)
    identities: list[str] = field(default_factory=list)
    problem: Exception | None = None
    """Why it takes nothing."""
    meanwhile: Callable[[], object] = lambda: None
    """What happens between writing and deleting."""

    async def write(self, line: str, identity: str) -> None:
        self.identities.append(identity)
        if self.problem is not None:
            raise self.problem
        self.lines.append(json.loads(line))
        self.meanwhile()


@dataclass
class Said:
    """Events, as reason and message."""

    events: list[tuple[str, str]] = field(default_factory=list)

    async def record(self, about: Resource, _now: datetime, reason: str, message: str, **_: Any) -> None:
        assert about.name == "default"
        self.events.append((reason, message))


class World:
    """An operator for one namespace, with a clock that stands still."""

    def __init__(self) -> None:
        self.now = NOW
        self.api, self.archive, self.said = Stored(), Written(), Said()
        self.woken: list[Key] = []
        self.cache = Cache()
        self.requests = RequestStore(self.cache, NAMESPACE, self.woken.append)
        self.requests.listed.set()
        parts: tuple[Any, Any, Any] = (self.api, self.archive, self.said)
        archiver = Archiver(parts[0], {NAMESPACE: self.requests}, parts[1], lambda: self.now)
        self.reconciler = RetentionReconciler(self.cache, archiver, parts[2], self.woken.append, lambda: self.now)
        self.set_policy(after="30d", keepLast=0)

    def set_policy(self, **retention: Any) -> None:
        spec = {"contacts": [{"name": "on-call"}], "retention": retention}
        metadata = {"name": "default", "namespace": NAMESPACE, "uid": "uid-of-the-policy", "resourceVersion": "1"}
        self.cache.put("EscalationPolicy", NAMESPACE, {"metadata": metadata, "spec": spec})

    def put(self, *incidents: Body) -> None:
        """They are stored, and the watch has said so."""
        for body in incidents:
            self.api.objects[body["metadata"]["name"]] = body
            self.cache.put("Incident", NAMESPACE, kept(body))

    def change(self, name: str, **metadata: Any) -> Body:
        """Another version is stored, of which the watch has said nothing yet."""
        body = self.api.objects[name]
        version = str(int(body["metadata"]["resourceVersion"]) + 1)
        self.api.objects[name] = {**body, "metadata": {**body["metadata"], "resourceVersion": version, **metadata}}
        return self.api.objects[name]

    async def reconcile(self) -> timedelta | None:
        """Until it rests; returns for how long."""
        while (after := await self.reconciler.reconcile(KEY)) == timedelta():
            pass
        return after

    @property
    def archived(self) -> list[str]:
        return [each["incident"]["metadata"]["name"] for each in self.archive.lines]


@pytest.fixture
def world() -> World:
    return World()


async def test_what_is_due_goes_oldest_first_and_then_it_sleeps_until_the_next_is(world: World) -> None:
    world.put(ended("young", 29.5), ended("old", 40), ended("older", 50))
    assert await world.reconcile() == DAY / 2
    assert world.archived == ["older", "old"]
    assert list(world.api.objects) == ["young"]
    world.now += DAY / 2
    assert await world.reconcile() is None
    assert world.archived == ["older", "old", "young"]


async def test_a_line_holds_the_incident_and_its_requests_as_they_are_stored(world: World) -> None:
    incident = ended("a", 40, annotations={"note": "from the pager"})
    requests = [request_of(incident, "a-1"), request_of(incident, "a-2")]
    world.put(incident)
    for each in (*requests, request_of(ended("b", 1), "b-1")):
        world.api.objects[each["metadata"]["name"]] = each
        world.requests.change("ADDED", each)
    await world.reconcile()
    del incident["metadata"]["managedFields"]
    assert world.archive.lines == [
        {"archived": format_time(NOW), "incident": incident, "approvalRequests": requests},
    ]


async def test_nothing_is_archived_before_the_requests_are_known(world: World) -> None:
    world.put(ended("a", 40))
    world.requests.listed.clear()
    assert await world.reconcile()
    assert world.archived == []


async def test_another_that_goes_first_wakes_it_and_so_does_another_policy(world: World) -> None:
    world.put(ended("young", 10))
    assert await world.reconcile() == 20 * DAY
    world.woken.clear()
    world.put(ended("younger", 5))
    assert world.woken == []
    world.put(ended("older", 15))
    assert world.woken == [KEY]
    world.woken.clear()
    world.set_policy(after="7d", keepLast=1)
    assert world.woken == [KEY]
    await world.reconcile()
    assert world.archived == ["older", "young"]


async def test_without_a_policy_it_is_thirty_days_and_the_last_twenty(world: World) -> None:
    world.cache.remove("EscalationPolicy", NAMESPACE, "default")
    world.put(*(ended(f"incident-{number:02}", 60 - number) for number in range(21)), ended("last", 29))
    await world.reconcile()
    assert world.archived == ["incident-00", "incident-01"]


async def test_a_policy_that_cannot_be_read_is_no_reason_to_delete(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    world.set_policy(after="a fortnight")
    world.put(ended("a", 400))
    assert await world.reconcile() is None
    assert world.archived == []
    assert "no incident is archived: spec.retention of default" in caplog.text


async def test_an_incident_outlives_the_longest_cooldown_by_a_day(world: World) -> None:
    metadata = {"name": "high-cpu", "namespace": NAMESPACE, "resourceVersion": "1"}
    actions = [{"name": "restart", "cooldown": "45d"}, {"name": "scale", "cooldown": "30m"}]
    world.cache.put("Runbook", NAMESPACE, {"metadata": metadata, "spec": {"actions": actions}})
    world.put(ended("a", 45.5))
    assert await world.reconcile() == DAY / 2
    world.cache.remove("Runbook", NAMESPACE, "high-cpu")
    assert await world.reconcile() is None
    assert world.archived == ["a"]


@pytest.mark.parametrize(
    ("annotations", "stays"),
    [({KEEP: "true"}, True), ({KEEP: "alice looks at it"}, True), ({KEEP: ""}, True), ({KEEP: "false"}, False)],
)
async def test_an_incident_that_a_person_keeps_stays(world: World, annotations: dict[str, str], *, stays: bool) -> None:
    world.put(ended("a", 400, annotations=annotations))
    await world.reconcile()
    assert (world.archived == []) is stays


async def test_one_that_an_open_incident_has_to_do_with_stays_until_that_has_ended(world: World) -> None:
    links = [{"name": "a", "uid": "uid-of-a", "relation": "Recurrence"}]
    other = ended("b", 0, resourceVersion="2")
    other["status"] |= {"phase": "AwaitingApproval", "relatedIncidents": links, "conditions": []}
    world.put(ended("a", 400), other)
    assert await world.reconcile() is None
    other = ended("b", 0, resourceVersion="3")
    other["status"]["relatedIncidents"] = links
    world.put(other)
    assert world.woken[-1] == KEY
    await world.reconcile()
    assert world.archived == ["a"]


async def test_one_that_was_kept_in_the_last_moment_is_neither_archived_nor_deleted(world: World) -> None:
    world.put(ended("a", 40), ended("b", 39))
    world.change("a", annotations={KEEP: "true"})
    await world.reconcile()
    await world.reconcile()
    assert (world.archived, list(world.api.objects)) == (["b"], ["a"])


async def test_one_that_changed_after_it_was_archived_stays_and_is_archived_again(world: World) -> None:
    world.put(ended("a", 40))
    changed: list[Body] = []
    world.archive.meanwhile = lambda: changed.append(world.change("a", annotations={"note": "x"}))
    assert await world.reconcile()
    assert (world.archived, list(world.api.objects)) == (["a"], ["a"])
    world.archive.meanwhile = lambda: None
    world.put(*changed)
    await world.reconcile()
    assert (world.archived, world.api.objects) == (["a", "a"], {})
    assert world.archive.lines[-1]["incident"]["metadata"]["annotations"] == {"note": "x"}
    assert len(set(world.archive.identities)) == 2


async def test_one_that_is_being_deleted_already_is_left_alone(world: World) -> None:
    world.put(ended("a", 400, deletionTimestamp="2026-06-01T00:00:00Z", finalizers=["example.com/mine"]))
    assert await world.reconcile() is None
    assert world.archived == []


async def test_while_the_archive_is_down_nothing_is_deleted_and_it_is_said_once(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    world.put(ended("a", 40), ended("b", 39))
    world.archive.problem = ArchiveError("/archive: make room")
    pauses = []
    for _ in range(9):
        pauses.append(await world.reconcile())
        assert await world.reconcile() == pauses[-1], "a hint does not defeat the back-off"
        world.now += pauses[-1] or timedelta()
    assert pauses == [timedelta(minutes=each) for each in (1, 2, 4, 8, 16, 32, 60, 60, 60)]
    assert (world.archived, sorted(world.api.objects)) == ([], ["a", "b"])
    assert world.api.asked["delete incidents"] == 0
    [(reason, text)] = world.said.events
    assert (reason, "/archive: make room" in text) == ("ArchiveFailed", True)
    assert caplog.text.count("ended incidents stay") == 1
    assert len(set(world.archive.identities)) == 1, "the same line is tried again"
    world.archive.problem = None
    await world.reconcile()
    assert (world.archived, world.api.objects) == (["a", "b"], {})
    assert [reason for reason, _ in world.said.events] == ["ArchiveFailed", "ArchiveRecovered"]


async def test_without_the_right_to_delete_it_is_said_and_the_line_is_not_written_again(world: World) -> None:
    world.put(ended("a", 40))
    world.api.refusal = Forbidden(403, "Forbidden", "cannot delete resource incidents")
    for _ in range(3):
        world.now += await world.reconcile() or timedelta()
    assert world.archived == ["a"]
    [(reason, text)] = world.said.events
    assert reason == "ArchiveFailed"
    assert "a is archived and was not deleted" in text
    assert "--namespace shop --filename deploy/archive/" in text
    world.api.refusal = None
    await world.reconcile()
    assert (world.archived, world.api.objects) == (["a"], {})
    assert world.said.events[-1][0] == "ArchiveRecovered"


async def test_an_api_server_that_is_away_does_not_have_the_line_written_again(world: World) -> None:
    world.put(ended("a", 40))
    world.api.refusal = Unreachable("DELETE: no answer")
    for _ in range(3):
        with pytest.raises(Unreachable):
            await world.reconcile()
    world.api.refusal = None
    await world.reconcile()
    assert (world.archived, world.api.objects) == (["a"], {})


async def test_another_one_of_the_same_name_is_not_taken_for_the_one_that_was_deleted(world: World) -> None:
    world.put(ended("a", 40))
    world.archive.meanwhile = lambda: world.cache.put(
        "Incident", NAMESPACE, kept(ended("a", 0, uid="uid-of-another", resourceVersion="9"))
    )
    await world.reconcile()
    known = world.cache.get("Incident", NAMESPACE, "a")
    assert known is not None
    assert known["summary"].uid == "uid-of-another"


@pytest.mark.parametrize("number", [10, 1000])
async def test_what_the_api_server_is_asked_grows_with_what_is_archived_and_not_with_what_is_there(
    world: World, number: int
) -> None:
    old = [ended(f"old-{each}", 40 + each) for each in range(5)]
    for each in old:
        request = request_of(each, f"{each['metadata']['name']}-1")
        world.api.objects[request["metadata"]["name"]] = request
        world.requests.change("ADDED", request)
    world.put(*(ended(f"young-{each}", each / number) for each in range(number)), *old)
    await world.reconcile()
    assert len(world.archived) == 5
    assert world.api.asked == {"get incidents": 5, "get approvalrequests": 5, "delete incidents": 5}
