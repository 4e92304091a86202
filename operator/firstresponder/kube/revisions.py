"""Runbook revisions as ControllerRevisions (apps/v1): immutable content that lives as long as an owner does.

Owned by the Runbook and by every Incident that uses it, so a deleted Runbook leaves the revision to its running
incidents, and the garbage collector takes it when the last owner is gone.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from firstresponder.api.base import Resource
from firstresponder.kube.client import Client
from firstresponder.kube.errors import AlreadyExists, NotFound
from firstresponder.kube.resources import owner_reference

OWNERS = 4000
"""Incidents that own one revision at most. Each takes some 200 bytes of the 1.5 MiB that etcd stores of an object; the
newest are the last to go, so they hold it for the older ones."""


@dataclass(frozen=True)
class ControllerRevision:
    """One stored revision: untrusted until its digest was checked."""

    name: str
    resource_version: str
    data: Mapping[str, Any]
    owners: tuple[Mapping[str, Any], ...]

    def is_owned_by(self, uid: str) -> bool:
        return any(owner.get("uid") == uid for owner in self.owners)


class Revisions:
    """The stored revisions of a cluster."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def get(self, namespace: str, name: str) -> ControllerRevision | None:
        try:
            return _read(await self._client.get(f"{_path(namespace)}/{name}"))
        except NotFound:
            return None

    async def ensure(self, name: str, data: Mapping[str, Any], runbook: Resource) -> ControllerRevision | None:
        """The revision of that name, stored on behalf of ``runbook`` if there is none; None if it vanished at once.

        What is there already is not replaced and may hold something else, so check its digest before use.
        """
        stored = await self.get(runbook.namespace, name)
        if stored is None:
            await self._create(name, data, runbook)
            stored = await self.get(runbook.namespace, name)
        return stored

    async def _create(self, name: str, data: Mapping[str, Any], runbook: Resource) -> None:
        # No labels or annotations are copied: the digest does not cover them.
        body = {
            "apiVersion": "apps/v1",
            "kind": "ControllerRevision",
            "metadata": {
                "name": name,
                "namespace": runbook.namespace,
                "ownerReferences": [{**owner_reference(runbook), "controller": True}],
            },
            "data": data,
            "revision": runbook.metadata.generation,
        }
        with contextlib.suppress(AlreadyExists):
            await self._client.create(_path(runbook.namespace), body)

    async def add_owners(self, revision: ControllerRevision, owners: Sequence[Resource]) -> None:
        """Make each of ``owners`` (of one namespace) keep the revision alive, unless it does already.

        Raises Conflict when the revision changed since it was read, NotFound when it is gone.
        """
        new = [owner for owner in owners if not revision.is_owned_by(owner.metadata.uid)]
        if not new:
            return
        controller = [owner for owner in revision.owners if owner.get("controller")]
        incidents = [owner for owner in revision.owners if not owner.get("controller")]
        newest = [*incidents, *map(owner_reference, new)][-OWNERS:]
        patch = {
            "metadata": {"resourceVersion": revision.resource_version, "ownerReferences": [*controller, *newest]},
        }
        await self._client.merge(f"{_path(new[0].namespace)}/{revision.name}", patch)


def _read(body: Mapping[str, Any]) -> ControllerRevision:
    metadata = body["metadata"]
    data = body.get("data")
    return ControllerRevision(
        metadata["name"],
        metadata["resourceVersion"],
        data if isinstance(data, Mapping) else {},
        tuple(metadata.get("ownerReferences", ())),
    )


def _path(namespace: str) -> str:
    return f"/apis/apps/v1/namespaces/{namespace}/controllerrevisions"
