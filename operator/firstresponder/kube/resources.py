"""The kinds of this API as typed values, written only with a precondition."""

from __future__ import annotations

from typing import Any, TypeVar

from firstresponder.api.base import API_VERSION, GROUP, VERSION, ObjectMeta, Resource, StatusModel
from firstresponder.kube.client import Body, Client
from firstresponder.kube.errors import NotFound
from firstresponder.kube.merge import merge_patch

R = TypeVar("R", bound=Resource)


def path_of(kind: type[Resource], namespace: str, name: str | None = None, subresource: str | None = None) -> str:
    """The URL path of a collection, an object or its subresource."""
    parts = ["/apis", GROUP, VERSION, "namespaces", namespace, kind.plural, name, subresource]
    return "/".join(part for part in parts if part is not None)


def owner_reference(owner: Resource) -> dict[str, Any]:
    """An entry of ``metadata.ownerReferences``."""
    metadata = owner.metadata
    return {"apiVersion": API_VERSION, "kind": type(owner).__name__, "name": metadata.name, "uid": metadata.uid}


class Resources:
    """Objects of our own kinds."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def get(self, kind: type[R], namespace: str, name: str) -> R | None:
        """The object as it is stored now, or None. Raises ValidationError (pydantic) if it cannot be read."""
        try:
            return kind.model_validate(await self._client.get(path_of(kind, namespace, name)))
        except NotFound:
            return None

    async def metadata(self, kind: type[Resource], namespace: str, name: str) -> ObjectMeta | None:
        """Who the object is, also of one that cannot be read as its type; None when there is none."""
        body = await self.stored(kind, namespace, name)
        return ObjectMeta.model_validate(body["metadata"]) if body is not None else None

    async def stored(self, kind: type[Resource], namespace: str, name: str) -> dict[str, Any] | None:
        """The object as it is stored now, with whatever no type of ours knows; None when there is none."""
        try:
            body: dict[str, Any] = await self._client.get(path_of(kind, namespace, name))
        except NotFound:
            return None
        return body

    async def list(self, kind: type[Resource], namespace: str) -> list[dict[str, Any]]:
        """All objects of a kind, as stored: one that cannot be read as its type must not hide the others."""
        return [item async for item in self._client.items(path_of(kind, namespace))]

    async def create(self, kind: type[R], namespace: str, name: str, spec: Body, owner: Resource | None = None) -> R:
        """Create an object, which goes when its owner (of the same namespace) goes. Raises AlreadyExists."""
        metadata: dict[str, Any] = {"name": name, "namespace": namespace}
        if owner is not None:
            metadata["ownerReferences"] = [owner_reference(owner)]
        body = {"apiVersion": API_VERSION, "kind": kind.__name__, "metadata": metadata, "spec": spec}
        return kind.model_validate(await self._client.create(path_of(kind, namespace), body))

    async def write_status(
        self, kind: type[Resource], metadata: ObjectMeta, before: StatusModel, after: StatusModel
    ) -> dict[str, Any]:
        """Make the status ``after``, if the object is still the one that ``metadata`` and ``before`` were read from.

        Returns the object as it is then. Raises Conflict when anybody changed it since, NotFound when it is gone.
        """
        patch = {
            "metadata": {"resourceVersion": metadata.resource_version},
            "status": merge_patch(before.wire(), after.wire()),
        }
        written: dict[str, Any] = await self._client.merge(
            path_of(kind, metadata.namespace, metadata.name, "status"), patch
        )
        return written

    async def delete(self, kind: type[Resource], stored: Body) -> None:
        """Delete an object, and with it what it owns, if it is still exactly the one that was read.

        Raises Conflict when anybody changed it since, NotFound when it is gone.
        """
        metadata = stored["metadata"]
        options = {
            "apiVersion": "v1",
            "kind": "DeleteOptions",
            "preconditions": {"uid": metadata["uid"], "resourceVersion": metadata["resourceVersion"]},
            "propagationPolicy": "Background",
        }
        await self._client.delete(path_of(kind, metadata["namespace"], metadata["name"]), options)
