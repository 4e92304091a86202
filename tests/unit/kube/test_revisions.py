"""Revisions and their owners."""

from __future__ import annotations

from typing import Any, cast

from firstresponder.api.incident import Incident
from firstresponder.kube.client import Client
from firstresponder.kube.revisions import OWNERS, ControllerRevision, Revisions

RUNBOOK = {"kind": "Runbook", "name": "high-cpu", "uid": "runbook", "controller": True}


class Patched:
    """Takes a patch and remembers its owners."""

    def __init__(self) -> None:
        self.owners: list[dict[str, Any]] = []

    async def merge(self, _: str, patch: dict[str, Any]) -> None:
        self.owners = patch["metadata"]["ownerReferences"]


def incident(uid: str) -> Incident:
    metadata = {"name": uid, "namespace": "prod", "uid": uid}
    return Incident.model_validate({"metadata": metadata, "spec": {"type": "HighCPU", "service": "api"}})


async def owners_after(owners: list[dict[str, Any]], *new: str) -> list[str]:
    patched = Patched()
    revision = ControllerRevision("high-cpu-1", "7", {}, tuple(owners))
    await Revisions(cast(Client, patched)).add_owners(revision, [incident(each) for each in new])
    return [each["uid"] for each in patched.owners]


async def test_an_incident_becomes_an_owner_beside_those_that_there_are() -> None:
    assert await owners_after([RUNBOOK, {"uid": "a"}], "b", "c") == ["runbook", "a", "b", "c"]


async def test_owners_are_the_runbook_and_the_newest_incidents_so_that_the_object_can_be_stored() -> None:
    known = [{"uid": f"old-{number}"} for number in range(OWNERS)]
    owners = await owners_after([RUNBOOK, *known], "new-1", "new-2")
    assert owners == ["runbook", *(each["uid"] for each in known[2:]), "new-1", "new-2"]
