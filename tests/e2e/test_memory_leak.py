"""Memory that is really eaten: by the service, by another unit of the host, by a stranger.

A host of the testbed shows this machine's memory, so what is short is relative here: a sixth of what is available
is eaten, and the incident's parameter says that half of that is missed. One scene at a time, for the same reason.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.e2e import records, truth
from tests.e2e.scenes import EmptyScene, Scenes
from tests.testbed import faults
from tests.testbed.hosts import Host

pytestmark = pytest.mark.slow

SERVICE, UNIT = "report-service", "report-service.service"


@contextmanager
def eaten(scenes: Scenes) -> Iterator[tuple[EmptyScene, Host, int, dict[str, Any]]]:
    """A scene, its host, how much to eat there, and the parameters under which memory is short then."""
    with faults.alone_with_memory(), scenes.empty() as scene:
        host = scene.hosts.start("app-02", service=SERVICE)
        scene.stage.add_host(host, expected=("cache.service",))
        scene.catalogue("memory-leak")
        size, limit = faults.shortage(host)
        short = {"minAvailableMemory": str(limit), "dominantPercent": 5, "unexpectedPercent": 5}
        yield scene, host, size, short


def report(scene: EmptyScene, parameters: dict[str, Any]) -> str:
    return scene.stage.open_incident(
        "memory-1",
        type="MemoryLeak",
        service=SERVICE,
        hosts=[{"role": "target", "name": "app-02"}],
        summary="little memory left on app-02",
        parameters=parameters,
    )


def test_a_service_that_eats_the_memory_is_restarted_after_approval(scenes: Scenes) -> None:
    with eaten(scenes) as (scene, host, size, short):
        before = truth.invocation(host, UNIT)
        host.order("hoard", str(size))
        incident = report(scene, short)
        packet = scene.stage.wait_for_phase(incident, "AwaitingApproval")["decisionPacket"]
        proposed = {
            "name": "restart",
            "type": "restartUnit",
            "target": UNIT,
            "host": "app-02",
            "role": "target",
        }
        assert proposed.items() <= packet["bound"]["proposedAction"].items()
        signals = " ".join(each["signal"] for each in packet["shown"]["evidence"])
        assert "of memory" in signals
        assert re.search(rf"{UNIT} holds [0-9.]+ % of memory", signals), signals
        assert truth.actions(host) == []

        scene.approve(incident)
        status = scene.stage.wait_for_phase(incident, "Resolved")
        assert truth.actions(host) == ["restart-unit"]
        assert [attempt["state"] for attempt in status["attempts"]] == ["Succeeded"]
        assert truth.invocation(host, UNIT) != before
        assert faults.memory(host)[1] > int(short["minAvailableMemory"])
        assert "memory: available" in records.plotted(scene.stage, incident)
        assert [each["type"] for each in status["followUps"]] == ["Ticket", "Monitoring"]


def test_memory_that_another_unit_holds_is_left_to_a_human(scenes: Scenes) -> None:
    with eaten(scenes) as (scene, host, size, short):
        faults.hoard(host, size, unit="cache.service")
        status = scene.escalated(report(scene, short), "ManualActionRequired")
        assert status["rootCause"]["failurePoint"]["component"] == "cache.service"
        assert "Decide about cache.service" in status["escalation"]["humanAction"]
        assert "decisionPacket" not in status
        assert truth.actions(host) == []
        assert truth.starts(host, UNIT) == 1


def test_a_stranger_that_eats_the_memory_is_a_security_incident(scenes: Scenes) -> None:
    with eaten(scenes) as (scene, host, size, short):
        faults.hoard_as_stranger(host, size)
        status = scene.escalated(report(scene, short), "SecurityIncident")
        assert status["escalation"]["to"] == ["security"]
        assert truth.actions(host) == []
        assert host.run(["pgrep", "--count", "--uid", "intern", "python3"]).stdout.strip() == "1", "it still runs"
