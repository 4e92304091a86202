"""The API server's own record of who wrote what, and of what the operator read."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.testbed.api import Api
from tests.testbed.processes import wait_until

OPERATOR = "system:serviceaccount:first-responder:operator"
_WRITES = frozenset({"create", "update", "patch", "delete", "deletecollection"})
POLICY = f"""\
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
  - level: Metadata
    verbs: [{", ".join(sorted(_WRITES))}]
  - level: Metadata
    users: ["{OPERATOR}"]
  - level: None
"""


@dataclass(frozen=True)
class Request:
    """One request that reached the server, refused ones included."""

    time: str
    """When the request arrived, RFC 3339 with microseconds."""
    user: str
    verb: str
    group: str
    resource: str
    subresource: str
    namespace: str
    name: str
    """Empty for a create whose name the server made up."""
    dry_run: bool
    code: int
    """HTTP status of the answer, 0 when the server died before it could tell."""

    @property
    def is_write(self) -> bool:
        return self.verb in _WRITES

    @property
    def ok(self) -> bool:
        return 200 <= self.code < 300

    @property
    def target(self) -> str:
        """`incidents/status` for a subresource, else `incidents`."""
        return f"{self.resource}/{self.subresource}" if self.subresource else self.resource


def wait_until_written(log: Path, api: Api) -> None:
    """Wait until every request answered before the call is in the log.

    The record of a request may be written just after its answer, so a marker write of our own is waited for.
    """
    marker = f"audit-marker-{secrets.token_hex(6)}"
    api.create("/api/v1/namespaces", {"metadata": {"name": marker}}, dryRun="All")
    wait_until(lambda: marker in log.read_text(), 60, "the audit log's marker")


def requests(log: Path) -> Iterator[Request]:
    """Every finished request in an audit log, in order: all writes, and the reads of the operator."""
    for line in log.read_text().splitlines(keepends=True):
        if not line.endswith("\n"):
            return  # the server is writing it this moment
        event = json.loads(line)
        if event["stage"] in ("ResponseComplete", "Panic") and "objectRef" in event:
            yield _request(event)


def _request(event: dict[str, Any]) -> Request:
    target = event["objectRef"]
    return Request(
        time=event["requestReceivedTimestamp"],
        user=event["user"]["username"],
        verb=event["verb"],
        group=target.get("apiGroup", ""),
        resource=target["resource"],
        subresource=target.get("subresource", ""),
        namespace=target.get("namespace", ""),
        name=target.get("name", ""),
        dry_run="dryRun" in parse_qs(urlsplit(event["requestURI"]).query),
        code=event.get("responseStatus", {}).get("code", 0),
    )
