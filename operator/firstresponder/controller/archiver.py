"""An ended incident on its way out of the cluster: read, written to the archive, deleted.

Each step is begun when the one before is sure, and may be cut off by a crash: then the incident is there, and is
archived again.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from firstresponder.api.approvalrequest import ApprovalRequest
from firstresponder.api.archive import archive_line
from firstresponder.api.incident import Incident
from firstresponder.archive.sink import ArchiveError, Sink
from firstresponder.controller.cache import Body
from firstresponder.controller.stores import RequestStore
from firstresponder.kube.errors import Forbidden
from firstresponder.kube.resources import Resources


@dataclass(frozen=True)
class Record:
    """An incident and the requests that go with it, as they are stored."""

    incident: Body
    requests: tuple[Body, ...]

    @property
    def versions(self) -> tuple[str, ...]:
        """The same for records that say the same."""
        bodies = (self.incident, *self.requests)
        return tuple(part for each in bodies for part in (each["metadata"]["uid"], each["metadata"]["resourceVersion"]))


@dataclass
class _Line:
    versions: tuple[str, ...]
    text: str
    is_safe: bool = False

    @property
    def identity(self) -> str:
        """Not of the incident alone: an endpoint that knows it already would not take it as it is after a change."""
        return f"{self.versions[0]}-{hashlib.sha256(self.text.encode()).hexdigest()[:16]}"


class Archiver:
    """Every method may raise ApiError and Unreachable."""

    def __init__(
        self, resources: Resources, requests: Mapping[str, RequestStore], sink: Sink, now: Callable[[], datetime]
    ) -> None:
        self._resources = resources
        self._requests = requests
        self._sink = sink
        self._now = now
        self._lines: dict[str, _Line] = {}
        """The line of each namespace that is under way: tried again, it is the same, and what is safe is not written
        again where deleting failed."""

    def is_ready(self, namespace: str) -> bool:
        """Whether all requests of the namespace are known."""
        return self._requests[namespace].listed.is_set()

    async def read(self, namespace: str, name: str) -> Record | None:
        """The incident with every request that was made for it; None where it is gone."""
        incident = await self._resources.stored(Incident, namespace, name)
        if incident is None:
            return None
        names = self._requests[namespace].names_of(incident["metadata"]["uid"])
        found = await asyncio.gather(*(self._resources.stored(ApprovalRequest, namespace, each) for each in names))
        return Record(incident, tuple(each for each in found if each is not None))

    async def write(self, record: Record) -> None:
        """The archive has it. Raises ArchiveError."""
        namespace = record.incident["metadata"]["namespace"]
        line = self._lines.get(namespace)
        if line is None or line.versions != record.versions:
            text = archive_line(self._now(), record.incident, record.requests)
            line = self._lines[namespace] = _Line(record.versions, text)
        if not line.is_safe:
            await self._sink.write(line.text, line.identity)
            line.is_safe = True

    async def delete(self, record: Record) -> None:
        """Exactly what was written; its requests are collected with it. Raises Conflict, NotFound, ArchiveError."""
        metadata = record.incident["metadata"]
        try:
            await self._resources.delete(Incident, record.incident)
        except Forbidden as error:
            text = (
                f"{metadata['name']} is archived and was not deleted: {error.message}: kubectl apply --server-side "
                f"--namespace {metadata['namespace']} --filename deploy/archive/"
            )
            raise ArchiveError(text) from error
        del self._lines[metadata["namespace"]]
