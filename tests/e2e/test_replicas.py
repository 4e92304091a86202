"""Two operators and real hosts: leaders that are frozen, killed and stopped in every phase, and one run on the host.

The Lease keeps two operators from doing the same work. It cannot stop one that was frozen in the middle of a step, so
half of these tests do without it: what they show is held by preconditions and by the host's ledger alone.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.e2e import truth
from tests.e2e.scenes import RUNBOOK, Scene, Scenes, patient
from tests.testbed.operator import Operator

LEASE_LOST = 4
LEADS_FOR = 3.0  # seconds until a leader is killed: enough to have begun something


def unhealthy(scene: Scene) -> str:
    """Have a running operator accept the runbook, and open an incident that it is for."""
    scene.stage.add_runbook(RUNBOOK)
    scene.host.degrade()
    return scene.stage.open_incident("unhealthy-1", type="Unhealthy", summary="/health answers 503")


def everything(scene: Scene) -> dict[str, str]:
    """Whatever an incident leaves in its namespace, each object with its version."""
    groups = {
        "firstresponder.dev/v1alpha1": ["incidents", "approvalrequests"],
        "apps/v1": ["controllerrevisions"],
        "events.k8s.io/v1": ["events"],
    }
    return {
        f"{plural}/{each['metadata']['name']}": each["metadata"]["resourceVersion"]
        for group, plurals in groups.items()
        for plural in plurals
        for each in scene.cluster.api().get(f"/apis/{group}/namespaces/{scene.namespace}/{plural}")["items"]
    }


def at_rest(scene: Scene) -> dict[str, str]:
    """Everything, once nothing of it has changed for some seconds."""
    while True:
        before = everything(scene)
        time.sleep(3)
        if everything(scene) == before:
            return before


# --- Frozen past the Lease, and continued -----------------------------------------------------------------------------


def assert_resolved_by_the_other(scene: Scene, first: Operator, incident: str, go_on: Callable[[], None]) -> None:
    """The first is frozen, the second leads to the end of the incident; the first, continued, changes nothing."""
    second = scene.operator(lease=scene.namespace)
    assert not second.leads
    with first.frozen():
        scene.stage.wait(lambda: second.leads, "the second to lead")
        go_on()
        scene.assert_resolved_by_one_restart(incident)
        before = at_rest(scene)
    assert first.wait() == LEASE_LOST
    assert everything(scene) == before
    scene.assert_restarted_once(incident)


@pytest.mark.parametrize(
    ("phase", "step"),
    [
        ("Triaging", "after:write_status:Triaging"),
        ("AwaitingApproval", "before:create_request"),
        ("AwaitingApproval", "before:consume"),
        ("Acting", "before:send_order"),
        ("Acting", "before:write_status:Verifying"),
        ("Verifying", "before:write_status:Resolved"),
    ],
)
def test_a_leader_frozen_in_a_phase_past_its_lease_and_continued_changes_nothing(
    scenes: Scenes, phase: str, step: str
) -> None:
    with scenes.open() as scene:
        moment = scene.moment(step)
        first = scene.operator(moment, lease=scene.namespace)
        incident = unhealthy(scene)
        approved_later = phase == "Triaging" or step == "before:create_request"
        if not approved_later:
            scene.approve(incident)
        scene.wait_until_reached(moment)
        assert scene.stage.phase(incident) == phase

        def go_on() -> None:
            moment.pass_by()  # what it was about to do is the first that it can do
            if approved_later:
                scene.approve(incident)

        assert_resolved_by_the_other(scene, first, incident, go_on)


def test_a_leader_frozen_while_the_action_runs_and_continued_changes_nothing(scenes: Scenes) -> None:
    with scenes.open() as scene:
        scene.host.hold_starts()
        first = scene.operator(lease=scene.namespace)
        incident = unhealthy(scene)
        scene.approve(incident)
        scene.host.wait_until_held()
        assert scene.stage.phase(incident) == "Acting"
        assert_resolved_by_the_other(scene, first, incident, scene.host.let_start_go_on)


# --- Stopped in the middle --------------------------------------------------------------------------------------------


def test_a_leader_that_is_told_to_stop_while_the_action_runs_leaves_it_to_the_host_and_the_next(
    scenes: Scenes,
) -> None:
    with scenes.open() as scene:
        scene.host.hold_starts()
        first, second = (scene.operator(lease=scene.namespace) for _ in range(2))
        scene.stage.wait(lambda: first.leads, "the first to lead")
        incident = unhealthy(scene)
        scene.approve(incident)
        scene.host.wait_until_held()
        first.stop()
        assert first.wait() == 0
        assert scene.stage.phase(incident) == "Acting"
        scene.stage.wait(lambda: second.leads, "the second to lead")
        assert truth.results(scene.host) == []
        scene.host.let_start_go_on()
        scene.assert_resolved_by_one_restart(incident)


# --- Both believe that they lead --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "step",
    [
        "pin",
        "create_request",
        "write_status:AwaitingApproval",
        "record",
        "consume",
        "write_status:Acting",
        "send_order",
        "write_status:Verifying",
        "write_status:Resolved",
    ],
)
def test_of_two_leaders_the_one_that_comes_late_to_a_step_changes_nothing(scenes: Scenes, step: str) -> None:
    """Each holds a Lease of its own: nothing but preconditions, names and the ledger keeps them apart."""
    with scenes.open() as scene:
        late, done = scene.moment(f"before:{step}"), scene.moment(f"after:{step}")
        first = scene.operator(late, done)
        incident = unhealthy(scene)
        approved_later = step in {"pin", "create_request", "write_status:AwaitingApproval", "record"}
        if not approved_later:
            scene.approve(incident)
        scene.wait_until_reached(late)
        scene.operator()
        if approved_later:
            scene.approve(incident)
        scene.assert_resolved_by_one_restart(incident)
        before = at_rest(scene)
        late.pass_by()
        scene.stage.wait(lambda: done.reached or "409 Conflict" in first.log, "the late step to be over")
        done.pass_by()
        # It looks at the incident again, and at whatever it hears of: also at this one, as its watch comes to it.
        scene.stage.wait_until_ended(scene.stage.open_incident("unheard", type="Unheard"))
        after = at_rest(scene)
        assert {name: after[name] for name in before} == before
        assert {name for name in after.keys() - before.keys() if "unheard" not in name} == set()
        scene.assert_restarted_once(incident)


# --- Standing by ------------------------------------------------------------------------------------------------------


def test_a_standby_asks_no_host_and_writes_nothing(scenes: Scenes) -> None:
    with scenes.open() as scene:
        first = scene.operator(lease=scene.namespace)
        scene.stage.wait(lambda: first.leads, "it to lead")
        standby = scene.operator(lease=scene.namespace, options=["--verbose"])
        incident = unhealthy(scene)
        scene.approve(incident)
        scene.assert_resolved_by_one_restart(incident)
        assert "SSH: " not in standby.log
        assert re.findall(r"API server: patch \S+: 2\d\d in", standby.log) == []
        assert re.findall(r"API server: create (?!selfsubject)\S+: 2\d\d in", standby.log) == []


# --- A storm ----------------------------------------------------------------------------------------------------------


def test_a_storm_ends_well_while_replicas_are_killed_frozen_and_stopped_in_turn(scenes: Scenes) -> None:
    number = 200
    with scenes.open() as scene:
        replicas = [scene.operator(lease=scene.namespace) for _ in range(2)]
        scene.stage.add_runbook(patient("5s"))
        hosts = [scene.host, scene.hosts.start("api-gateway-04")]
        scene.stage.add_host(hosts[1])
        for host in hosts:
            host.degrade()

        def opened(at: int) -> str:
            target = [{"role": "target", "name": hosts[at % 2].name}]
            return scene.stage.open_incident(f"storm-{at}", type="Unhealthy", hosts=target)

        with ThreadPoolExecutor(8) as pool:
            names = list(pool.map(opened, range(number)))

        def over() -> bool:
            return all(scene.stage.ended(name) for name in names)

        ways = ["kill", "freeze", "stop", "kill", "freeze"]
        while not over():
            scene.stage.wait(lambda: any(each.leads for each in replicas) or over(), "a leader", 120)
            scene.stage.approve_all()
            time.sleep(LEADS_FOR)
            leaders = [each for each in replicas if each.leads]
            if leaders and ways:
                harm(scene, leaders[0], ways.pop(0))
        phases = {name: scene.stage.phase(name) for name in names}
        assert set(phases.values()) == {"Resolved"}, phases
        for host in hosts:
            assert len(truth.claims(host)) == 1
            assert truth.starts(host) == 2
        assert {truth.claims(host)[0] for host in hosts} <= scene.stage.approved_attempts()


def harm(scene: Scene, leader: Operator, way: str) -> None:
    """And start it again, as a supervisor does."""
    if way == "freeze":
        with leader.frozen():
            scene.host.run(["sleep", "16"])
        leader.wait()
    elif way == "kill":
        leader.kill()
    else:
        leader.stop()
    leader.start()
