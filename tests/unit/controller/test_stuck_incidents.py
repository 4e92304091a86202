"""An incident that fails again and again, whatever the reason, does not stay a secret of the log."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, cast

import pytest

from firstresponder.controller.cache import Cache
from firstresponder.controller.effects import ClusterEffects, HostEffects
from firstresponder.controller.gather import Gatherer
from firstresponder.controller.incidents import IncidentReconciler
from firstresponder.controller.keys import Key
from firstresponder.controller.pins import Pins
from firstresponder.kube.client import Client
from firstresponder.kube.errors import ApiError, Unreachable
from firstresponder.kube.events import Events
from firstresponder.kube.gate import ApprovalGate
from firstresponder.kube.resources import Resources

NOW = datetime(2026, 3, 14, 3, 7, tzinfo=UTC)
KEY = Key("Incident", "shop", "high-cpu-1")
# The API server takes the year 0; no datetime has it, so the incident cannot be read.
BODY = {
    "metadata": {"name": "high-cpu-1", "namespace": "shop", "uid": "u-1", "resourceVersion": "7"},
    "spec": {"type": "HighCPU", "service": "api-gateway", "detectionTime": "0000-01-01T00:00:00Z"},
}


class ApiServer:
    """Has one incident and takes Events."""

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []

    async def get(self, path: str) -> Any:
        assert path.endswith("/incidents/high-cpu-1")
        return BODY

    async def create(self, path: str, body: dict[str, Any]) -> None:
        assert path.endswith("/events")
        self.events.append(body)


class Failing:
    """A gatherer that can gather nothing."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    async def gather(self, *_: Any) -> None:
        raise self._error


def reconciler(server: ApiServer, error: Exception) -> IncidentReconciler:
    client = cast(Client, server)
    cluster = ClusterEffects(
        Resources(client),
        cast(Pins, None),
        Events(client),
        cast(ApprovalGate, None),
        Cache(),
    )
    return IncidentReconciler(
        cast(Gatherer, Failing(error)), cluster, cast(HostEffects, None), lambda *_: None, lambda: NOW
    )


async def fail(subject: IncidentReconciler, times: int, error: type[Exception]) -> None:
    for _ in range(times):
        with pytest.raises(error):
            await subject.reconcile(KEY)


async def test_an_incident_that_fails_again_and_again_is_told_once_even_when_it_cannot_be_read() -> None:
    server = ApiServer()
    subject = reconciler(server, ApiError(422, "Invalid", "status.x: password=hunter2 \x1b[31m"))
    await fail(subject, 5, ApiError)
    assert server.events == []
    await fail(subject, 20, ApiError)
    (event,) = server.events
    assert (event["type"], event["regarding"]["kind"], event["regarding"]["uid"]) == ("Warning", "Incident", "u-1")
    assert "422 Invalid" in event["note"]
    assert "hunter2" not in event["note"]
    assert "\x1b" not in event["note"]


async def test_an_api_server_that_does_not_answer_is_no_fault_of_the_incident() -> None:
    server = ApiServer()
    await fail(reconciler(server, Unreachable("no answer")), 20, Unreachable)
    assert server.events == []
