"""What is kept of every incident, and what its neighbours read there."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from firstresponder.api.incident import Phase
from firstresponder.controller.related import kept, summary
from firstresponder.incident.related import Fix, OtherIncident
from tests.unit.incident.world import HIGH_CPU, World, awaiting_approval, recovered


def body(world: World) -> dict[str, Any]:
    """The incident as the API server has it."""
    incident = world.incident
    metadata = {"name": incident.name, "uid": incident.metadata.uid, "resourceVersion": "7", "labels": {"team": "edge"}}
    return {"metadata": metadata, "spec": incident.spec.wire(), "status": incident.status.wire()}


def seen(world: World) -> OtherIncident:
    return summary(body(world))


def test_an_incident_that_nobody_has_looked_at_has_no_fix() -> None:
    found = seen(World())
    assert (found.phase, found.fix, found.ended) == (Phase.PENDING, None, None)


def test_a_packet_tells_the_fix_and_an_attempt_when_it_ended() -> None:
    assert HIGH_CPU.name == "high-cpu.yaml"
    world = awaiting_approval()
    found = seen(world)
    key = world.hosts["api-gateway-03"].spec.host_keys[0]
    assert found.fix == Fix("high-cpu", "restart", "api-gateway.service", key)
    assert (found.phase, found.ended) == (Phase.AWAITING_APPROVAL, None)
    world.review("alice@example.com")
    world.settle()
    world.values = recovered()
    ended = world.now
    world.pass_time(minutes=6)
    found = seen(world)
    assert (found.phase, found.ended, found.succeeded, found.fix_correct) == (Phase.RESOLVED, ended, True, True)


@pytest.mark.parametrize(
    ("attempts", "ended"),
    [
        ([{"state": "Failed", "reason": "NeverRan", "startTime": "2026-03-14T03:00:00Z"}], None),
        ([{"state": "Failed", "reason": "Refused", "startTime": "2026-03-14T03:00:00Z"}], None),
        ([{"state": "Indeterminate", "reason": "HostSilent", "startTime": "2026-03-14T03:00:00Z"}], 0),
        (
            [
                {"state": "Succeeded", "startTime": "2026-03-14T03:00:00Z", "completionTime": "2026-03-14T03:05:00Z"},
                {"state": "Failed", "reason": "NeverRan", "startTime": "2026-03-14T03:09:00Z"},
            ],
            5,
        ),
    ],
    ids=["never ran", "refused", "nobody knows its end", "the next one never ran"],
)
def test_only_what_may_have_run_counts(attempts: list[dict[str, Any]], ended: int | None) -> None:
    incident = body(World())
    incident["status"]["attempts"] = attempts
    wanted = datetime(2026, 3, 14, 3, ended, tzinfo=UTC) if ended is not None else None
    assert summary(incident).ended == wanted


def test_nothing_big_is_kept() -> None:
    world = awaiting_approval()
    assert len(str(kept(body(world)))) < 2000 < len(str(body(world)))
