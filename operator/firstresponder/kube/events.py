"""Kubernetes Events (events.k8s.io/v1) about our objects, each recorded once whatever crashes."""

from __future__ import annotations

import contextlib
import hashlib
import socket
from datetime import UTC, datetime

from firstresponder.api.base import API_VERSION, GROUP, Resource
from firstresponder.kube.client import Client
from firstresponder.kube.errors import AlreadyExists

REPORTER = f"{GROUP}/operator"
_NOTE_LIMIT = 1024  # bytes, set by the API


class Events:
    """Records Events under the operator's name."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def record(
        self,
        about: Resource,
        now: datetime,
        reason: str,
        message: str,
        *,
        warning: bool = False,
        dedup_key: str = "",
    ) -> None:
        """Record an Event, unless one with that reason and dedup_key about that object is recorded already."""
        metadata = about.metadata
        identity = hashlib.sha256(f"{metadata.uid} {reason} {dedup_key}".encode()).hexdigest()[:16]
        body = {
            "apiVersion": "events.k8s.io/v1",
            "kind": "Event",
            "metadata": {"name": f"{metadata.name[:200]}.{identity}", "namespace": metadata.namespace},
            # Without microseconds the API server answers 400.
            "eventTime": now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
            "reportingController": REPORTER,
            "reportingInstance": socket.gethostname()[:128] or "operator",
            "action": reason,
            "reason": reason,
            "type": "Warning" if warning else "Normal",
            "regarding": {
                "apiVersion": API_VERSION,
                "kind": type(about).__name__,
                "name": metadata.name,
                "namespace": metadata.namespace,
                "uid": metadata.uid,
            },
            "note": _clipped(message),
        }
        with contextlib.suppress(AlreadyExists):
            await self._client.create(f"/apis/events.k8s.io/v1/namespaces/{metadata.namespace}/events", body)


def _clipped(message: str) -> str:
    if len(message.encode()) <= _NOTE_LIMIT:
        return message
    return message.encode()[: _NOTE_LIMIT - 3].decode("utf-8", "ignore") + "…"
