"""A storm: many incidents of one cause at the same moment are one question, one approval and one action."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor

from tests.e2e import truth
from tests.e2e.scenes import RUNBOOK, Scene, Scenes, patient
from tests.testbed.cluster import OPERATOR

_AT_ONCE = 8
_MORE_THAN_WORKERS = 280


def storm(scene: Scene, number: int) -> list[str]:
    """Open so many incidents, and wait until each was judged: one asks, and the others wait for it."""
    names = [f"storm-{each}" for each in range(number)]
    open_all(scene, names)
    scene.stage.wait(lambda: all(is_judged(scene, name) for name in names), "all of them to be judged", 180)
    return names


def open_all(scene: Scene, names: Iterable[str]) -> None:
    def opened(name: str) -> None:
        scene.stage.open_incident(name, type="Unhealthy", summary="the same, noticed by many")

    with ThreadPoolExecutor(_AT_ONCE) as pool:
        list(pool.map(opened, names))


def is_judged(scene: Scene, name: str) -> bool:
    status = scene.stage.status(name)
    return bool(status.get("relatedIncidents")) or bool(status.get("approvalRequestRef", {}).get("uid"))


def test_a_storm_is_one_question_one_approval_and_one_action(scenes: Scenes) -> None:
    number = 40
    with scenes.open() as scene:
        scene.operator()
        scene.stage.add_runbook(patient("5s"))
        scene.host.degrade()
        names = storm(scene, number)
        asking = [name for name in names if scene.stage.status(name).get("approvalRequestRef")]
        assert len(asking) == 1
        asked = scene.cluster.requests(namespace=scene.namespace, user=OPERATOR)
        incidents = [each for each in asked if each.resource == "incidents"]
        # Each is read and written a few times on its way, whatever the number of the others.
        assert len(incidents) <= 12 * number + 30
        # The catalogue is listed for all that come within a moment, and never for each.
        assert sum(1 for each in asked if each.verb == "list" and each.resource == "runbooks") <= number / 2
        scene.approve(asking[0])
        scene.stage.wait_for_phase(asking[0], "Resolved")
        for name in names:
            scene.stage.wait_for_phase(name, "Resolved", 300)
        assert len(truth.claims(scene.host)) == 1


def test_linked_incidents_that_wait_ask_the_api_server_nothing(scenes: Scenes) -> None:
    with scenes.open() as scene:
        scene.operator()
        scene.stage.add_runbook(RUNBOOK)
        scene.host.degrade()
        names = storm(scene, 20)
        scene.stage.wait(lambda: is_at_rest(scene, names), "all that follows from being linked")
        before = waiting_cost(scene, names)
        # Another comes to its end meanwhile, and with it more time than any clock of the operator's goes by.
        scene.host.run(["sleep", "20"])
        scene.stage.wait_until_ended(scene.stage.open_incident("one-more", type="Unheard"))
        assert waiting_cost(scene, names) == before


def test_a_storm_on_a_frozen_host_delays_no_incident_of_another(scenes: Scenes) -> None:
    """More of them than the operator works on at once, none of which is a question that was asked already."""
    with scenes.open() as scene:
        scene.operator()
        scene.stage.add_runbook(RUNBOOK)
        other = scene.hosts.start("api-gateway-04")
        scene.stage.add_host(other)
        other.degrade()
        scene.host.freeze()
        try:
            names = [f"frozen-{number}" for number in range(_MORE_THAN_WORKERS)]

            def opened(name: str) -> None:
                alert = {"name": "Unhealthy", "labels": {"instance": name}}
                scene.stage.open_incident(name, type="Unhealthy", alert=alert)

            with ThreadPoolExecutor(_AT_ONCE) as pool:
                list(pool.map(opened, names))
            target = [{"role": "target", "name": other.name}]
            incident = scene.stage.open_incident("other", type="Unhealthy", hosts=target)
            scene.stage.wait_for_phase(incident, "AwaitingApproval")
            # Had it waited for a place like them, all that had one would have come to their time-outs first.
            assert sum(scene.stage.ended(name) for name in names) < len(names) / 2
            scene.stage.remove_incidents(names)  # each would take its time-outs
        finally:
            scene.host.thaw()


def is_at_rest(scene: Scene, names: list[str]) -> bool:
    """Whether none of these was asked for or written for some seconds."""
    before = waiting_cost(scene, names)
    scene.host.run(["sleep", "3"])
    return waiting_cost(scene, names) == before


def waiting_cost(scene: Scene, names: list[str]) -> int:
    """How often the operator asked for, or wrote, any of these."""
    asked = scene.cluster.requests(namespace=scene.namespace, user=OPERATOR)
    return sum(1 for each in asked if each.resource == "incidents" and each.name in names)
