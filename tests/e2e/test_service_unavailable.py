"""A service that is unavailable, and nobody knows why: the playbook finds the cause, the cause's runbook goes on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.e2e import truth
from tests.e2e.scenes import EmptyScene, Scenes
from tests.testbed import database, faults
from tests.testbed.cluster import DANA
from tests.testbed.hosts import Host

pytestmark = pytest.mark.slow

SERVICE, UNIT = "payroll", "payroll.service"


@contextmanager
def unavailable(scenes: Scenes) -> Iterator[tuple[EmptyScene, Host, Host, Host]]:
    """A scene; the service's host, its database's, its dependency's; everything well."""
    with scenes.empty() as scene:
        server = database.start(scene.hosts)
        target = scene.hosts.start("app-01", service=SERVICE)
        other = scene.hosts.start("dependency-01", service=faults.DEPENDENCY)
        faults.depend(target, other)
        scene.stage.add_host(server, labels={"firstresponder.dev/role": "database", "service": SERVICE})
        scene.stage.add_host(target)
        causes = ("memory-leak", "restore-db-connectivity", "network-diagnostics", "disk-full")
        scene.catalogue(*causes, "service-unavailable")
        yield scene, target, server, other


def report(scene: EmptyScene, **parameters: Any) -> str:
    return scene.stage.open_incident(
        "down-1",
        type="ServiceUnavailable",
        service=SERVICE,
        hosts=[{"role": "target", "name": "app-01"}],
        summary="payroll is unavailable",
        parameters=parameters,
    )


def assert_led_to(status: dict[str, Any], runbook: str) -> None:
    assert status["playbookRevisionRef"]["runbook"] == "service-unavailable"
    assert status["runbookRevisionRef"]["runbook"] == runbook
    assert {each["runbook"] for each in status["evidence"]} == {"service-unavailable", runbook}


def test_a_stopped_database_is_found_and_started(scenes: Scenes) -> None:
    with unavailable(scenes) as (scene, target, server, other):
        database.crash(server)
        other.order("fail")  # beside it, and less likely to be the cause
        incident = report(scene, dbUnit=database.UNIT)
        scene.stage.wait_for_phase(incident, "AwaitingApproval")
        scene.approve(incident, user=DANA)
        status = scene.stage.wait_for_phase(incident, "Resolved")
        assert_led_to(status, "restore-db-connectivity")
        assert (truth.actions(server), truth.actions(target), truth.actions(other)) == (["restart-unit"], [], [])


def test_a_failing_dependency_is_found_and_left_to_a_human(scenes: Scenes) -> None:
    with unavailable(scenes) as (scene, target, server, other):
        other.order("fail")
        status = scene.escalated(report(scene), "ManualActionRequired")
        assert_led_to(status, "network-diagnostics")
        assert "dependency-unhealthy" in {each["name"] for each in status["hypotheses"] if each["verdict"] == "Holds"}
        assert truth.actions(server) == truth.actions(target) == truth.actions(other) == []


def test_eaten_memory_is_found_and_freed(scenes: Scenes) -> None:
    with faults.alone_with_memory(), unavailable(scenes) as (scene, target, server, other):
        size, limit = faults.shortage(target)
        target.order("hoard", str(size))
        incident = report(scene, minAvailableMemory=str(limit), dominantPercent=5)
        scene.stage.wait_for_phase(incident, "AwaitingApproval")
        scene.approve(incident)
        status = scene.stage.wait_for_phase(incident, "Resolved")
        assert_led_to(status, "memory-leak")
        assert (truth.actions(server), truth.actions(target), truth.actions(other)) == ([], ["restart-unit"], [])


def test_a_full_disk_is_found_and_freed(scenes: Scenes) -> None:
    with unavailable(scenes) as (scene, target, server, other):
        faults.mount_small(target, "/var/log", 64 * faults.MIB)
        faults.keep_journal(target, old=40 * faults.MIB)
        faults.fill_up_to(target, "/var/log/payroll.log", 95)
        incident = report(scene, mountPoint="/var/log")
        scene.stage.wait_for_phase(incident, "AwaitingApproval")
        scene.approve(incident)
        status = scene.stage.wait_for_phase(incident, "Resolved")
        assert_led_to(status, "disk-full")
        assert (truth.actions(server), truth.actions(target), truth.actions(other)) == ([], ["journal-vacuum"], [])


@pytest.mark.rule(8)
def test_a_database_host_that_is_silent_is_no_reason_for_anything(scenes: Scenes) -> None:
    with unavailable(scenes) as (scene, target, server, other):
        other.order("fail")
        server.freeze()
        status = scene.escalated(report(scene), "EvidenceUnavailable")
        server.thaw()
        assert "runbookRevisionRef" not in status
        assert truth.actions(server) == truth.actions(target) == truth.actions(other) == []


def test_when_everything_is_well_a_human_is_told_so(scenes: Scenes) -> None:
    with unavailable(scenes) as (scene, target, server, other):
        status = scene.escalated(report(scene), "UnknownIncidentType")
        assert {each["verdict"] for each in status["hypotheses"]} == {"Refuted"}
        assert truth.actions(server) == truth.actions(target) == truth.actions(other) == []
