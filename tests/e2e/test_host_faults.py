"""Hosts that reboot, forget, fill up or fall silent around an action: never a second run, and the outcome is true."""

from __future__ import annotations

import copy
import signal
import time

import pytest

from tests.e2e import truth
from tests.e2e.scenes import RUNBOOK, Scene, Scenes


def wipe(scene: Scene, *directories: str) -> None:
    scene.host.run(["find", *directories, "-mindepth", "1", "-delete"])


MEMORY, DISK = "/run/firstresponder", "/var/lib/firstresponder/claims"


# --- Reboots ----------------------------------------------------------------------------------------------------------


def test_an_order_for_a_host_that_rebooted_after_started_never_runs_and_is_indeterminate(scenes: Scenes) -> None:
    with scenes.open() as scene:
        moment = scene.moment("before:send_order")
        scene.operator(moment)
        incident = scene.incident()
        scene.approve(incident)
        scene.wait_until_reached(moment)
        scene.host.reboot()
        moment.pass_by()
        status = scene.escalated(incident, "Indeterminate")
        (attempt,) = status["attempts"]
        assert (attempt["state"], attempt["reason"]) == ("Indeterminate", "HostRebooted")
        assert "the host rebooted" in status["escalation"]["message"]
        assert truth.begun(scene.host) == []
        assert truth.starts(scene.host) == 1


@pytest.mark.parametrize("hard", [False, True], ids=["in good order", "by a power cut"])
def test_a_host_that_reboots_in_mid_action_leaves_an_indeterminate_attempt_that_is_not_repeated(
    scenes: Scenes, hard: bool
) -> None:
    with scenes.open() as scene:
        scene.host.hold_starts()
        scene.operator()
        incident = scene.incident()
        scene.approve(incident)
        scene.host.wait_until_held()
        scene.host.reboot(hard=hard)
        status = scene.escalated(incident, "Indeterminate")
        (attempt,) = status["attempts"]
        assert attempt["state"] == "Indeterminate"
        if hard or attempt["reason"] == "Interrupted":
            assert "interrupted" in attempt["message"] or "recorded no end" in attempt["message"]
        else:  # going down, systemd took the restart's place away before it stopped the action
            assert attempt["reason"] == "NotFinished"
            assert "took the place of the restart" in attempt["message"] or "systemd does not" in attempt["message"]
        assert truth.begun(scene.host) == [attempt["id"]]
        assert truth.starts(scene.host) == 1, "only the boot starts it"


# --- A ledger that is gone --------------------------------------------------------------------------------------------


def test_a_ledger_wiped_before_the_order_costs_nothing(scenes: Scenes) -> None:
    with scenes.open() as scene:
        moment = scene.moment("before:send_order")
        scene.operator(moment)
        incident = scene.incident()
        scene.approve(incident)
        scene.wait_until_reached(moment)
        wipe(scene, MEMORY, DISK)
        moment.pass_by()
        scene.assert_resolved_by_one_restart(incident)


def ran_unseen(scene: Scene) -> str:
    """An incident whose order has run to its end while no operator was there to see it."""
    scene.host.hold_starts()
    doomed = scene.operator()
    incident = scene.incident()
    scene.approve(incident)
    scene.host.wait_until_held()
    doomed.kill()
    scene.host.let_start_go_on()
    scene.stage.wait(lambda: truth.results(scene.host) != [], "the command to end")
    assert scene.stage.phase(incident) == "Acting"
    return incident


def test_a_ledger_wiped_after_the_run_is_remembered_by_the_boot(scenes: Scenes) -> None:
    with scenes.open() as scene:
        incident = ran_unseen(scene)
        wipe(scene, DISK)
        scene.operator()
        scene.stage.wait_for_phase(incident, "Resolved")
        (attempt,) = scene.stage.status(incident)["attempts"]
        assert attempt["state"] == "Succeeded"
        assert truth.begun(scene.host) == [attempt["id"]]
        assert truth.starts(scene.host) == 2


def test_a_ledger_wiped_after_the_run_by_rolling_the_disk_back_is_indeterminate(scenes: Scenes) -> None:
    with scenes.open() as scene:
        incident = ran_unseen(scene)
        wipe(scene, DISK)
        scene.host.reboot(hard=True)
        scene.operator()
        status = scene.escalated(incident, "Indeterminate")
        (attempt,) = status["attempts"]
        assert (attempt["state"], attempt["reason"]) == ("Indeterminate", "HostRebooted")
        assert truth.begun(scene.host) == []
        assert truth.starts(scene.host) == 1, "only the boot starts it"


def test_a_host_that_forgot_everything_still_restarts_only_the_instance_that_was_approved(scenes: Scenes) -> None:
    with scenes.open() as scene:
        incident = ran_unseen(scene)
        now = truth.invocation(scene.host)
        wipe(scene, MEMORY, DISK)
        scene.operator()
        status = scene.escalated(incident, "ActionFailed")
        assert "unit is no longer the instance that was approved" in status["escalation"]["message"]
        assert truth.invocation(scene.host) == now
        assert truth.starts(scene.host) == 2


# --- A disk that is full ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("files_too", [True, False], ids=["no file can be made", "nothing can be written"])
def test_a_full_disk_does_not_keep_an_approved_action_from_running(scenes: Scenes, files_too: bool) -> None:
    with scenes.open() as scene:
        moment = scene.moment("before:send_order")
        scene.operator(moment)
        incident = scene.incident()
        scene.approve(incident)
        scene.wait_until_reached(moment)
        scene.host.fill_disk(files_too=files_too)
        moment.pass_by()
        scene.assert_resolved_by_one_restart(incident)
        scene.host.free_disk()


@pytest.mark.parametrize("files_too", [True, False], ids=["no file can be made", "nothing can be written"])
def test_a_host_with_a_full_disk_and_no_room_kept_refuses_the_order_and_it_never_runs(
    scenes: Scenes, files_too: bool
) -> None:
    with scenes.open() as scene:
        moment = scene.moment("before:send_order")
        scene.operator(moment)
        incident = scene.incident()
        scene.approve(incident)
        scene.wait_until_reached(moment)
        scene.host.run(["rm", "-r", "/var/lib/firstresponder/claims/.room"])
        scene.host.fill_disk(files_too=files_too)
        moment.pass_by()
        status = scene.escalated(incident, "ActionFailed")
        scene.host.free_disk()
        (attempt,) = status["attempts"]
        assert (attempt["state"], attempt["reason"]) == ("Failed", "NeverRan")
        assert "never ran: ledger error: cannot write" in status["escalation"]["message"]
        scene.assert_nothing_ran()


def test_a_disk_that_fills_up_during_the_action_does_not_hide_its_result(scenes: Scenes) -> None:
    with scenes.open() as scene:
        scene.host.hold_starts()
        scene.operator()
        incident = scene.incident()
        scene.approve(incident)
        scene.host.wait_until_held()
        scene.host.fill_disk()
        scene.host.let_start_go_on()
        scene.assert_resolved_by_one_restart(incident)


# --- Time, silence, other people --------------------------------------------------------------------------------------


@pytest.mark.parametrize("late", ["the order", "the operator"])
def test_an_expired_order_never_runs(scenes: Scenes, late: str) -> None:
    with scenes.open() as scene:
        moment = scene.moment("before:send_order")
        impatient = scene.operator(
            moment if late == "the order" else moment.point, interrupted="tests.testbed.impatient"
        )
        runbook = copy.deepcopy(RUNBOOK)
        runbook["spec"]["actions"][0]["approval"]["expiresAfter"] = "25s"
        incident = scene.incident(runbook)
        scene.approve(incident)
        if late == "the order":
            scene.wait_until_reached(moment)
        else:
            assert impatient.wait() == -signal.SIGKILL
        (attempt,) = scene.stage.status(incident)["attempts"]
        scene.stage.wait(lambda: time.time() > attempt["notAfter"] + 1, "the order to expire")
        if late == "the order":
            moment.pass_by()
        else:
            scene.operator()
        status = scene.escalated(incident, "ActionFailed")
        (attempt,) = status["attempts"]
        assert (attempt["state"], attempt["reason"]) == ("Failed", "NeverRan")
        why = "expired (" if late == "the order" else "it expired before it could begin"
        assert f"never ran: {why}" in status["escalation"]["message"]
        scene.assert_nothing_ran()


def test_a_connection_cut_during_the_restart_still_brings_the_result(scenes: Scenes) -> None:
    with scenes.open() as scene:
        scene.host.hold_starts()
        scene.operator()
        incident = scene.incident()
        scene.approve(incident)
        scene.host.wait_until_held()
        scene.host.run(["loginctl", "kill-user", "--signal=KILL", scene.host.act_user])
        assert truth.results(scene.host) == []
        scene.host.let_start_go_on()
        scene.assert_resolved_by_one_restart(incident)
        assert truth.acting_logins(scene.host) > 1


def test_packets_lost_during_the_restart_only_delay_the_result(scenes: Scenes) -> None:
    with scenes.open() as scene:
        scene.host.hold_starts()
        scene.operator()
        incident = scene.incident()
        scene.approve(incident)
        scene.host.wait_until_held()
        scene.host.cut()
        scene.host.let_start_go_on()
        scene.stage.wait(lambda: truth.results(scene.host) != [], "the command to end")
        assert scene.stage.phase(incident) == "Acting"
        scene.host.restore()
        scene.assert_resolved_by_one_restart(incident)


def restart_as_administrator(scene: Scene) -> str:
    """Somebody restarts the unit by hand, and the new instance leaks too; its InvocationID."""
    scene.host.run(["systemctl", "restart", "api-gateway.service"])
    scene.host.wait_until_healthy()
    scene.host.degrade()
    return truth.invocation(scene.host)


@pytest.mark.rule(14)
def test_a_unit_restarted_by_somebody_else_after_the_approval_supersedes_it(scenes: Scenes) -> None:
    with scenes.open() as scene:
        operator = scene.operator()
        incident = scene.incident()
        operator.kill()
        scene.approve(incident)
        theirs = restart_as_administrator(scene)
        scene.operator()
        status = scene.escalated(incident, "PacketSuperseded")
        assert "no longer the running instance that was approved" in status["escalation"]["message"]
        assert "attempts" not in status
        assert truth.begun(scene.host) == []
        assert truth.invocation(scene.host) == theirs


def test_a_unit_restarted_by_somebody_else_after_the_last_look_is_left_alone_by_the_host(scenes: Scenes) -> None:
    with scenes.open() as scene:
        moment = scene.moment("before:send_order")
        scene.operator(moment)
        incident = scene.incident()
        scene.approve(incident)
        scene.wait_until_reached(moment)
        theirs = restart_as_administrator(scene)
        moment.pass_by()
        status = scene.escalated(incident, "ActionFailed")
        (attempt,) = status["attempts"]
        assert (attempt["state"], attempt["reason"]) == ("Failed", "Refused")
        assert "nothing was done" in status["escalation"]["message"]
        assert "unit is no longer the instance that was approved" in status["escalation"]["message"]
        assert truth.invocation(scene.host) == theirs
        assert truth.starts(scene.host) == 2
