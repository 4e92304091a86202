"""High CPU by legitimate load: clients that ask one instance for more than it can have ready, and a pool that has room.

All hosts share this machine's processors, so that one scene plays at a time, and alone.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.e2e import records, truth
from tests.e2e.scenes import EmptyScene, Scenes
from tests.testbed import surroundings
from tests.testbed.cluster import ALICE
from tests.testbed.stage import quick, shipped
from tests.testbed.surroundings import CONTROL, GATEWAY, GATEWAY_HOST, GATEWAYS, Cast

pytestmark = [pytest.mark.quiet, pytest.mark.slow]
_one_at_a_time = threading.Lock()


@contextmanager
def loaded(
    scenes: Scenes, *, maximum: int = 4, asked: tuple[str, ...] = GATEWAYS, patience: str = "60s"
) -> Iterator[tuple[EmptyScene, Cast]]:
    """A scene where one host of the pool runs the service, and clients ask for prices at these hosts."""
    with _one_at_a_time, scenes.empty() as scene:
        cast = surroundings.gateway_pool(scene.hosts, scene.stage, running=1, maximum=maximum)
        scene.operator()
        runbook = quick(shipped())
        # One look in the last window has to see the trouble, also where looks take their time.
        runbook["spec"]["verify"] |= {"window": "6s", "timeout": patience}
        scene.stage.add_runbook(runbook)
        surroundings.send_clients(cast, asked)
        yield scene, cast


def told(status: dict[str, Any]) -> str:
    return " ".join(each["signal"] for each in status["decisionPacket"]["shown"]["evidence"])


def test_a_loaded_pool_gets_two_more_instances_after_approval_and_the_load_falls(scenes: Scenes) -> None:
    with loaded(scenes) as (scene, cast):
        incident = scene.stage.open_incident()
        status = scene.stage.wait_for_phase(incident, "AwaitingApproval", 120)
        assert "% of the busy CPU and is an expected unit" in told(status)
        assert "no errors in the journal" in told(status)
        packet = status["decisionPacket"]["bound"]
        action = packet["proposedAction"]
        assert (action["name"], action["host"], action["tool"]) == ("scale-out", CONTROL, "ansible-playbook")
        assert (action["currentCount"], action["desiredCount"]) == (1, 3)
        (preview,) = packet["preview"]
        assert "\n+api-gateway-04\n+api-gateway-05\n" in preview["text"]
        assert preview["incomplete"], "where the service is not installed, a check cannot start it"
        assert surroundings.running(cast, GATEWAY) == [GATEWAY_HOST]

        seen = scene.cluster.kubectl("incident", "describe", incident, "-n", scene.namespace, user=ALICE).stdout
        assert ("1 → 3 instances" in seen, "+api-gateway-05" in seen, "INCOMPLETE" in seen) == (True, True, True)
        scene.stage.request_of(incident)
        seen = scene.cluster.kubectl("approve", incident, "--yes", "-n", scene.namespace, user=ALICE).stdout
        assert ("1 → 3 instances" in seen, "+api-gateway-05" in seen, "INCOMPLETE" in seen) == (True, True, True)
        status = scene.stage.wait_for_phase(incident, "Resolved", 150)

        assert surroundings.running(cast, GATEWAY) == list(GATEWAYS[:3])
        assert surroundings.recorded(cast, GATEWAY) == list(GATEWAYS[:3])
        assert surroundings.actions(cast) == {CONTROL: ["ansible-scale"]}
        (attempt,) = status["attempts"]
        assert truth.claims(cast[CONTROL]) == [attempt["id"]]
        assert truth.starts(cast[GATEWAY_HOST]) == 1, "it goes on as it was"
        assert {"processes: host CPU", "memory: available"} <= records.plotted(scene.stage, incident)


@pytest.mark.rule(11)
def test_a_pool_without_room_for_two_more_is_left_to_a_human(scenes: Scenes) -> None:
    with loaded(scenes, maximum=2) as (scene, cast):
        status = scene.escalated(scene.stage.open_incident(), "CapacityLimit")
        assert "decisionPacket" not in status
        assert surroundings.running(cast, GATEWAY) == surroundings.recorded(cast, GATEWAY) == [GATEWAY_HOST]
        assert [truth.requested(cast[name]) for name in (GATEWAY_HOST, CONTROL)] == [0, 0]


def test_instances_that_get_no_load_do_not_help_and_are_taken_away_again_after_approval(scenes: Scenes) -> None:
    with loaded(scenes, asked=(GATEWAY_HOST,), patience="20s") as (scene, cast):
        incident = scene.stage.open_incident()
        scene.stage.wait_for_phase(incident, "AwaitingApproval", 120)
        scene.approve(incident)
        scene.stage.wait(lambda: scene.stage.phase(incident) == "Verifying", "the playbook to end", 120)
        assert surroundings.running(cast, GATEWAY) == list(GATEWAYS[:3])
        scene.stage.wait(
            lambda: scene.stage.status(incident).get("approvalRequestRef", {}).get("name") == f"{incident}-2",
            "the inverse to be offered",
            120,
        )
        scene.approve(incident)
        status = scene.escalated(incident, "FixFailed")
        assert surroundings.running(cast, GATEWAY) == surroundings.recorded(cast, GATEWAY) == [GATEWAY_HOST]
        assert surroundings.actions(cast) == {CONTROL: ["ansible-scale", "ansible-scale"]}
        assert f"rollback: undo scale-out on {CONTROL} succeeded" in status["escalation"]["message"]
