"""Gathering: what is read again at each pass, and what is not believed."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, cast

import pytest

from firstresponder.api.incident import Incident
from firstresponder.api.ledger import PreviewAnswer
from firstresponder.controller.cache import Cache
from firstresponder.controller.gather import Gatherer
from firstresponder.controller.keys import Key
from firstresponder.controller.related import RelatedIndex
from firstresponder.controller.relist import Relist
from firstresponder.controller.runbook_catalogue import RunbookCatalogue
from firstresponder.incident.facts import Facts, Gate
from firstresponder.incident.snapshot import Snapshot
from firstresponder.kube.resources import Resources
from firstresponder.kube.revisions import ControllerRevision, Revisions
from firstresponder.runbooks.models import RunbookSpec
from tests.revisions import revision_of
from tests.testbed.stage import shipped
from tests.unit.controller.judging import judge_here

KEY = Key("Incident", "shop", "high-cpu-1")
SPEC = shipped()["spec"]
REVISION = revision_of("high-cpu", SPEC)
NOW = datetime(2026, 3, 14, 3, 7, tzinfo=UTC)


def stored(kind: str, name: str, spec: dict[str, Any], version: int = 1) -> dict[str, Any]:
    metadata = {
        "name": name,
        "namespace": "shop",
        "uid": f"uid-{name}",
        "generation": 1,
        "resourceVersion": str(version),
    }
    return {"apiVersion": "firstresponder.dev/v1alpha1", "kind": kind, "metadata": metadata, "spec": spec}


class Server:
    """What the API server holds; the cache learns of it only by a re-list."""

    def __init__(self, status: dict[str, Any] | None = None) -> None:
        self.status = status or {}
        self.runbooks = [stored("Runbook", "high-cpu", SPEC)]
        self.revisions = {REVISION.name: dict(REVISION.data)}
        self.owners: tuple[dict[str, Any], ...] = ({"kind": "Runbook", "name": "high-cpu", "uid": "uid-high-cpu"},)
        self.cache = Cache()
        self.relists = 0
        self.read: list[str] = []

    async def get(self, *arguments: Any) -> Any:
        if isinstance(arguments[0], str):
            namespace, name = arguments
            self.read.append(f"ControllerRevision {namespace}/{name}")
            data = self.revisions.get(name)
            return None if data is None else ControllerRevision(name, "1", data, self.owners)
        kind, _, name = arguments
        self.read.append(f"{kind.__name__} {name}")
        if kind is not Incident:
            return None
        body = stored("Incident", name, {"type": "HighCPU", "service": "api-gateway"})
        return Incident.model_validate(body | {"status": self.status})

    async def cached_kinds(self, namespace: str) -> None:
        self.relists += 1
        with self.cache.listing() as since:
            self.cache.replace("Runbook", namespace, self.runbooks, since)

    def gatherer(self) -> Gatherer:
        return Gatherer(
            "operator",
            self.cache,
            RunbookCatalogue(self.cache, judge_here),
            cast(Relist, self),
            RelatedIndex(self.cache, lambda _: None),
            cast(Resources, self),
            cast(Revisions, self),
        )

    async def gather(self, facts: Facts | None = None) -> Snapshot:
        found = await self.gatherer().gather(KEY, facts or Facts(), ())
        assert found is not None
        return found


async def test_hosts_are_found_by_the_labels_that_a_watch_told_last() -> None:
    server = Server()
    gatherer = server.gatherer()
    spec = {
        "address": "10.0.0.1",
        "hostKeys": ["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5"],
        "accounts": {"observe": {"user": "fr-observe", "credentialsRef": {"name": "s"}}},
    }
    host = stored("Host", "web-1", spec)
    for version, labels in enumerate(({"role": "web"}, {"role": "db"}, {}), 2):
        metadata = host["metadata"] | {"labels": labels, "resourceVersion": str(version)}
        server.cache.put("Host", "shop", host | {"metadata": metadata})
        snapshot = await gatherer.gather(KEY, Facts(), ())
        assert snapshot is not None
        found = {role: len(snapshot.hosts.labelled({"role": role})) for role in ("web", "db")}
        assert found == {"web": int(version == 2), "db": int(version == 3)}


def pinned() -> dict[str, Any]:
    reference = {"runbook": "high-cpu", "name": REVISION.name, "digest": REVISION.digest}
    return {"phase": "Triaging", "runbookRevisionRef": reference}


async def test_a_new_incident_is_matched_against_what_is_there_now_and_not_what_a_watch_told_last() -> None:
    server = Server()
    snapshot = await server.gather()
    assert [entry.name for entry in snapshot.catalogue] == ["high-cpu"]
    server.runbooks = []
    assert (await server.gather()).catalogue == ()


async def test_later_passes_and_later_phases_do_not_list_again() -> None:
    server = Server()
    await server.gather(Facts(pinned=REVISION.name))
    server.status = pinned()
    await server.gather()
    assert server.relists == 0


async def test_the_incident_is_read_before_its_request() -> None:
    """A denial that comes between the two reads is then seen, and an abort is refused by the precondition."""
    server = Server({"phase": "AwaitingApproval", "approvalRequestRef": {"name": "high-cpu-1-1"}})
    await server.gather()
    assert server.read == ["Incident high-cpu-1", "ApprovalRequest high-cpu-1-1"]


async def test_the_pinned_revision_is_used_whatever_the_runbook_says_now() -> None:
    server = Server(pinned())
    server.runbooks = []
    snapshot = await server.gather()
    assert snapshot.revision is not None
    assert isinstance(snapshot.revision.spec, RunbookSpec)
    assert snapshot.revision.spec.symptom == SPEC["symptom"]
    assert not snapshot.revision.owned


async def test_a_revision_just_pinned_is_known_before_the_status_names_it() -> None:
    server = Server()
    await server.gather()
    server.owners = ({"kind": "Incident", "name": "high-cpu-1", "uid": "uid-high-cpu-1"},)
    snapshot = await server.gather(Facts(pinned=REVISION.name))
    assert snapshot.revision is not None
    assert (snapshot.revision.ref.digest, snapshot.revision.owned) == (REVISION.digest, True)
    assert snapshot.revision.ref == snapshot.catalogue[0].revision


@pytest.mark.parametrize("data", [{"spec": {**SPEC, "symptom": "other"}}, {}, {"spec": SPEC, "more": 1}])
async def test_a_revision_that_does_not_hold_its_digest_is_not_read(data: dict[str, Any]) -> None:
    server = Server(pinned())
    server.revisions[REVISION.name] = data
    snapshot = await server.gather()
    assert snapshot.revision is not None
    assert snapshot.revision.spec is None
    assert REVISION.digest in snapshot.revision.problem


async def test_a_revision_that_is_gone_is_said_to_be_gone() -> None:
    server = Server(pinned())
    server.revisions = {}
    snapshot = await server.gather()
    assert snapshot.revision is not None
    assert (snapshot.revision.spec, snapshot.revision.problem) == (None, f"ControllerRevision {REVISION.name} is gone")


async def test_a_revision_that_vanishes_while_it_is_pinned_is_pinned_again() -> None:
    server = Server()
    await server.gather()
    server.revisions = {}
    assert (await server.gather(Facts(pinned=REVISION.name))).revision is None


async def test_an_object_that_cannot_be_read_does_not_hide_the_others() -> None:
    server = Server(pinned())
    good = {"description": "d", "risk": "Low", "actionTypes": ["restartUnit"]}
    server.cache.put("ActionClass", "shop", stored("ActionClass", "good", good))
    server.cache.put("ActionClass", "shop", stored("ActionClass", "bad", {"risk": "Unheard"}))
    assert set((await server.gather()).action_classes) == {"good"}


async def test_what_effects_brought_back_is_in_the_snapshot() -> None:
    dry = PreviewAnswer(result="success")
    snapshot = await Server(pinned()).gather(Facts(gate=Gate(safe=True), preview=dry, refusal="busy", sealing=True))
    assert snapshot.facts.preview == dry
    assert (snapshot.facts.gate, snapshot.facts.refusal, snapshot.facts.sealing) == (Gate(safe=True), "busy", True)


async def test_an_invalid_runbook_is_in_the_catalogue_without_a_revision() -> None:
    server = Server()
    server.runbooks = [stored("Runbook", "high-cpu", {**SPEC, "symptom": "noSuchVariable"})]
    (entry,) = (await server.gather()).catalogue
    assert entry.revision is None
    assert entry.problem.startswith("spec.symptom")
    assert entry.match.types == SPEC["match"]["types"]
