"""A dependency that fails, and where on the way to it the fault really is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from tests.e2e import truth
from tests.e2e.scenes import EmptyScene, Scenes
from tests.testbed import faults
from tests.testbed.faults import DEPENDENCY
from tests.testbed.hosts import Host

pytestmark = pytest.mark.slow

TARGET = "api-gateway-03"


@contextmanager
def dependent(scenes: Scenes) -> Iterator[tuple[EmptyScene, Host, Host]]:
    """A scene, a host, and the host of its dependency, which is its gateway too; everything well."""
    with scenes.empty() as scene:
        target = scene.hosts.start(TARGET)
        other = scene.hosts.start("dependency-01", service=DEPENDENCY)
        faults.depend(target, other)
        scene.stage.add_host(target)
        scene.catalogue("network-diagnostics")
        yield scene, target, other


def report(scene: EmptyScene) -> str:
    return scene.stage.open_incident(
        "network-1", type="NetworkConnectivity", summary=f"{DEPENDENCY} cannot be reached from {TARGET}"
    )


def without_default_route(target: Host, other: Host) -> None:
    target.run(["ip", "route", "delete", "default"])


def with_a_dead_gateway(target: Host, other: Host) -> None:
    other.cut()


def without_the_name(target: Host, other: Host) -> None:
    target.run(["sed", "--in-place", f"/{DEPENDENCY}/d", "/etc/hosts"])


def with_the_service_stopped(target: Host, other: Host) -> None:
    other.run(["systemctl", "stop", f"{DEPENDENCY}.service"])


def with_the_address_cut_off(target: Host, other: Host) -> None:
    faults.drop(other, "input", f"ip daddr {faults.ELSEWHERE}")


def with_a_firewall(target: Host, other: Host) -> None:
    faults.drop(other, "input", "tcp dport 80")


def with_half_of_the_packets_lost(target: Host, other: Host) -> None:
    other.order("fail")  # some requests get through in spite of it
    faults.lose(target, 50, faults.ELSEWHERE)


def with_the_service_failing(target: Host, other: Host) -> None:
    other.order("fail")


def with_large_packets_lost(target: Host, other: Host) -> None:
    """The service answers with more than a small packet holds, and nothing larger gets through."""
    other.run(["systemctl", "stop", f"{DEPENDENCY}.service"])
    other.write("/srv/health", "x" * 6035)
    web = ["python3", "-m", "http.server", "--directory=/srv", "80"]
    other.run(["systemd-run", "--quiet", "--unit=web", *web])
    faults.drop(target, "input", f"ip saddr {faults.ELSEWHERE} ip length > 1000")


@pytest.mark.parametrize(
    ("break_it", "cause", "advice"),
    [
        (without_default_route, "link-down", f"Restore link or default route of {TARGET}."),
        (with_a_dead_gateway, "link-down", f"Restore link or default route of {TARGET}."),
        (without_the_name, "dns", f"Restore name resolution of {DEPENDENCY} on {TARGET}."),
        (with_the_service_stopped, "refused", f"Ask the owners of {DEPENDENCY}: its host answers"),
        (with_the_address_cut_off, "unreachable", f"Check the host of {DEPENDENCY} and the route to it from {TARGET}."),
        (with_a_firewall, "filtered", f"Check firewalls between {TARGET} and {DEPENDENCY}:80."),
        (with_half_of_the_packets_lost, "packet-loss", f"Find the lossy link between {TARGET} and {DEPENDENCY}."),
        (with_large_packets_lost, "large-packets-lost", "Find where packets of more than 1,000 bytes are lost"),
        (with_the_service_failing, "dependency-unhealthy", f"Ask the owners of {DEPENDENCY}: it is reached"),
    ],
    ids=lambda value: value.__name__.replace("_", " ") if callable(value) else "",
)
def test_the_fault_is_found_and_left_to_a_human(
    scenes: Scenes, break_it: Callable[[Host, Host], None], cause: str, advice: str
) -> None:
    with dependent(scenes) as (scene, target, other):
        break_it(target, other)
        status = scene.escalated(report(scene), "ManualActionRequired")
        assert status["escalation"]["message"] == f"the cause is {cause}, which the runbook leaves to people"
        assert status["escalation"]["humanAction"].startswith(advice)
        assert status["escalation"]["to"] == ["on-call"]
        assert "decisionPacket" not in status
        assert truth.requested(target) == 0
        assert truth.starts(target) == 1


def test_a_dependency_that_is_well_again_ends_the_incident(scenes: Scenes) -> None:
    with dependent(scenes) as (scene, target, _):
        status = scene.stage.wait_for_phase(report(scene), "Resolved")
        assert "attempts" not in status
        assert truth.requested(target) == 0
