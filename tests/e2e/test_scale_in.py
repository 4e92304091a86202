"""A pool scaled by a playbook from its control node: shown before, done once, undone when it did not help.

The pool is payroll's, whose instances take all connections that their database has: halving it frees some.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from firstresponder.api.packet import BoundPacket
from firstresponder.incident.approval.binding import digest_of
from tests.e2e import truth
from tests.e2e.scenes import EmptyScene, Scenes
from tests.testbed import database, surroundings
from tests.testbed.cluster import ALICE
from tests.testbed.control_node import PROJECT
from tests.testbed.stage import RUNBOOKS, quick, shipped
from tests.testbed.surroundings import APPS, CONTROL, PAYROLL, Cast

pytestmark = pytest.mark.slow

ENOUGH, TOO_MANY = 5, 20
"""Connections that the incident's host wants: all is well when the other half of the pool is gone, or never."""


def runbook() -> dict[str, Any]:
    """db-connection-pool with seconds for its windows, and few of them until the fix counts as failed."""
    changed = quick(shipped(RUNBOOKS / "db-connection-pool.yaml"))
    # A look takes seconds where the machine has much else to do, and one in the last window has to see the trouble.
    changed["spec"]["verify"] |= {"interval": "4s", "window": "12s", "timeout": "30s"}
    return changed


@contextmanager
def exhausted(scenes: Scenes, *, running: int, wanted: int) -> Iterator[tuple[EmptyScene, Cast]]:
    """A scene where payroll runs on so many hosts and the first of them cannot get what it wants."""
    with scenes.empty() as scene:
        cast = surroundings.payroll_pool(scene.hosts, scene.stage, running=running)
        scene.operator()
        scene.stage.add_runbook(runbook())
        surroundings.demand_connections(cast, wanted)
        surroundings.wait_for_pool_errors(cast, scene.stage)
        yield scene, cast


def report(scene: EmptyScene) -> str:
    return scene.stage.open_incident(
        "pool-1",
        type="DBConnectionPoolExhausted",
        service=PAYROLL,
        hosts=[{"role": "target", "name": APPS[0]}],
        summary="payroll gets no database connections",
    )


def proposed(scene: EmptyScene) -> str:
    """An incident that waits for the approval of its scaling."""
    incident = report(scene)
    scene.stage.wait_for_phase(incident, "AwaitingApproval", 120)
    return incident


def undo_proposed(scene: EmptyScene) -> str:
    """An incident whose fix was approved, done, and did not help: it waits for the approval of its inverse."""
    incident = proposed(scene)
    scene.approve(incident)

    def offered() -> bool:
        reference = scene.stage.status(incident).get("approvalRequestRef", {})
        assert not scene.stage.ended(incident), scene.stage.status(incident)["escalation"]
        return reference.get("name") == f"{incident}-2" and "uid" in reference

    scene.stage.wait(offered, "the inverse to be offered", 150)
    return incident


def assert_runs_on(cast: Cast, *names: str) -> None:
    """The service runs on exactly these hosts, and the inventory says the same."""
    assert surroundings.running(cast, PAYROLL) == list(names)
    assert surroundings.recorded(cast, PAYROLL) == list(names)


def test_an_exhausted_pool_is_halved_after_approval_and_the_dba_is_told(scenes: Scenes) -> None:
    with exhausted(scenes, running=4, wanted=ENOUGH) as (scene, cast):
        incident = proposed(scene)
        status = scene.stage.status(incident)
        packet = BoundPacket.model_validate(status["decisionPacket"]["bound"])
        action = packet.proposed_action
        assert (action.name, action.host, action.tool) == ("scale-in", CONTROL, "ansible-playbook")
        assert (action.current_count, action.desired_count) == (4, 2)
        (preview,) = packet.preview
        assert " app-02\n-app-03\n-app-04\n" in preview.text, preview.text
        assert "changed: [app-04]" in preview.text
        assert digest_of(packet) == status["decisionPacket"]["digest"]
        other = preview.model_copy(update={"text": preview.text.replace("-app-04", " app-04")})
        assert digest_of(packet.model_copy(update={"preview": [other]})) != digest_of(packet)

        for words in (("incident", "describe", incident), ("approve", incident, "--yes")):
            told = scene.cluster.kubectl(*words, "-n", scene.namespace, user=ALICE).stdout
            assert "4 → 2 instances" in told
            assert "-app-03" in told, "what the playbook would change is shown"
        status = scene.stage.wait_for_phase(incident, "Resolved", 120)

        assert_runs_on(cast, "app-01", "app-02")
        assert surroundings.actions(cast) == {CONTROL: ["ansible-scale"]}
        (attempt,) = status["attempts"]
        assert truth.claims(cast[CONTROL]) == [attempt["id"]]
        assert attempt["proof"][-1].startswith("result=scaled: ")
        (advice,) = status["recommendations"]
        assert advice["to"] == ["dba"]
        assert "Consider raising max_connections" in advice["text"]
        assert cast["app-01"].health() == 200
        held = "SELECT count(*) FROM pg_stat_activity WHERE usename = 'payroll'"
        assert database.query(cast["db-01"], held) == "10"


@pytest.mark.rule(10)
def test_the_last_instance_is_not_taken_away(scenes: Scenes) -> None:
    with exhausted(scenes, running=1, wanted=TOO_MANY) as (scene, cast):
        status = scene.escalated(report(scene), "CapacityLimit")
        assert status["escalation"]["to"] == ["on-call", "dba"]
        assert "decisionPacket" not in status
        assert_runs_on(cast, "app-01")
        assert {name: truth.requested(host) for name, host in cast.items()} == dict.fromkeys(cast, 0)


@pytest.mark.rule(14)
def test_a_pool_that_somebody_scaled_meanwhile_needs_another_look_and_nothing_runs(scenes: Scenes) -> None:
    with exhausted(scenes, running=3, wanted=TOO_MANY) as (scene, cast):
        incident = proposed(scene)
        surroundings.scale_by_hand(cast, PAYROLL, 2)
        scene.approve(incident)
        status = scene.escalated(incident, "PacketSuperseded")
        assert status["escalation"]["message"] == "there are 2 instances now, not 3"
        closed = lambda: scene.stage.condition("approvalrequests", f"{incident}-1", "Closed") == "True"  # noqa: E731
        scene.stage.wait(closed, "its request to be closed")
        assert surroundings.actions(cast) == {}
        assert_runs_on(cast, "app-01", "app-02")


def test_a_halving_that_does_not_help_is_undone_after_an_approval_of_its_own(scenes: Scenes) -> None:
    with exhausted(scenes, running=3, wanted=TOO_MANY) as (scene, cast):
        incident = undo_proposed(scene)
        assert_runs_on(cast, "app-01")
        packet = scene.stage.status(incident)["decisionPacket"]["bound"]
        assert (packet["proposedAction"]["currentCount"], packet["proposedAction"]["desiredCount"]) == (1, 3)
        assert "+app-03" in packet["preview"][0]["text"]
        scene.approve(incident)
        status = scene.escalated(incident, "FixFailed")
        assert_runs_on(cast, "app-01", "app-02", "app-03")
        assert surroundings.actions(cast) == {CONTROL: ["ansible-scale", "ansible-scale"]}
        assert [each["state"] for each in status["attempts"]] == ["Succeeded", "Succeeded"]
        assert status["escalation"]["to"] == ["dba", "on-call"]
        assert f"rollback: undo scale-in on {CONTROL} succeeded" in status["escalation"]["message"]


def test_an_inverse_that_is_denied_leaves_the_pool_as_the_fix_left_it(scenes: Scenes) -> None:
    with exhausted(scenes, running=2, wanted=TOO_MANY) as (scene, cast):
        incident = undo_proposed(scene)
        scene.stage.review(f"{incident}-2", "Denied", comment="leave it")
        status = scene.escalated(incident, "FixFailed")
        assert "; rollback: ApprovalDenied: " in status["escalation"]["message"]
        assert status["escalation"]["message"].endswith(" was denied by alice@example.com: leave it")
        assert_runs_on(cast, "app-01")
        assert surroundings.actions(cast) == {CONTROL: ["ansible-scale"]}


def test_a_playbook_that_turns_the_check_off_is_not_previewed_and_so_not_proposed(scenes: Scenes) -> None:
    with exhausted(scenes, running=2, wanted=TOO_MANY) as (scene, cast):
        book = f"{PROJECT}/playbooks/{PAYROLL}.yml"
        task = "{name: Look, ansible.builtin.command: touch /tmp/looked, check_mode: false, changed_when: false}"
        play = f"- hosts: payroll_pool\n  gather_facts: false\n  tags: [scale]\n  tasks:\n  - {task}\n"
        cast[CONTROL].write(book, play + cast[CONTROL].read(book))
        status = scene.escalated(report(scene), "PreconditionFailed")
        assert "turns the check off" in status["escalation"]["message"]
        assert "decisionPacket" not in status
        assert "approvalRequestRef" not in status
        assert surroundings.actions(cast) == {}
        assert cast["app-01"].run(["test", "-e", "/tmp/looked"], check=False).returncode == 1
        assert_runs_on(cast, "app-01", "app-02")


@pytest.mark.parametrize("moment", ["before:run_preview", "after:run_preview"])
def test_an_operator_killed_around_the_preview_proposes_once_and_acts_once(scenes: Scenes, moment: str) -> None:
    with exhausted(scenes, running=2, wanted=TOO_MANY) as (scene, cast):
        scene.stop_operators()
        incident = report(scene)
        doomed = scene.operator(moment)
        assert doomed.wait(120) == -signal.SIGKILL
        assert scene.stage.phase(incident) == "Triaging"
        assert "decisionPacket" not in scene.stage.status(incident)
        assert surroundings.actions(cast) == {}
        scene.operator()
        scene.stage.wait_for_phase(incident, "AwaitingApproval", 120)
        assert scene.stage.request_of(incident) == f"{incident}-1"
        scene.approve(incident)
        scene.stage.wait(lambda: surroundings.actions(cast) != {}, "the playbook to run", 60)
        scene.stage.wait(lambda: surroundings.recorded(cast, PAYROLL) == ["app-01"], "the pool to be halved", 60)
        assert surroundings.actions(cast) == {CONTROL: ["ansible-scale"]}
