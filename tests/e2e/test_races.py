"""People and operators that act at the same moment: whoever comes first decides, and there is one restart at most.

Each race is played by holding the operator just before its write and letting the other side act there.
"""

from __future__ import annotations

import copy

import pytest

from tests.e2e import truth
from tests.e2e.scenes import RUNBOOK, Scene, Scenes
from tests.testbed.api import ApiError
from tests.testbed.cluster import DANA
from tests.testbed.operator import Operator

# --- Reviews and aborts -----------------------------------------------------------------------------------------------


def let_dana_review(scene: Scene) -> None:
    binding = ["rolebinding", "dana-too", "--role=approve-restart-unit", f"--user={DANA}"]
    scene.cluster.kubectl("create", *binding, f"--namespace={scene.namespace}")


def test_a_denial_that_comes_just_before_consumed_wins_over_the_approval(scenes: Scenes) -> None:
    with scenes.open() as scene:
        let_dana_review(scene)
        moment = scene.moment("before:consume")
        operator = scene.operator(moment)
        incident = scene.incident()
        scene.approve(incident)
        scene.wait_until_reached(moment)
        request = scene.stage.request_of(incident)
        scene.stage.review(request, "Denied", user=DANA, comment="the backup runs")
        moment.pass_by()
        status = scene.escalated(incident, "ApprovalDenied")
        assert status["escalation"]["message"].endswith(f" was denied by {DANA}: the backup runs")
        assert met_conflict(operator, incident)
        assert "attempts" not in status
        scene.stage.wait(lambda: scene.stage.condition("approvalrequests", request, "Closed") == "True", "its closing")
        closed = scene.stage.get("approvalrequests", request)["status"]
        assert "attemptIds" not in closed
        assert next(each["reason"] for each in closed["conditions"] if each["type"] == "Closed") == "Denied"
        scene.assert_nothing_ran()


def test_a_denial_that_comes_just_after_consumed_is_refused_so_nobody_believes_it_counts(scenes: Scenes) -> None:
    with scenes.open() as scene:
        let_dana_review(scene)
        moment = scene.moment("before:write_status:Acting")
        scene.operator(moment)
        incident = scene.incident()
        scene.approve(incident)
        scene.wait_until_reached(moment)
        with pytest.raises(ApiError, match="closed"):
            scene.stage.review(scene.stage.request_of(incident), "Denied", user=DANA)
        moment.pass_by()
        scene.assert_resolved_by_one_restart(incident)


def met_conflict(operator: Operator, incident: str) -> bool:
    """Whether a write of the operator's was refused because of somebody else's."""
    return any("409 Conflict" in line and f" incident={incident} " in line for line in operator.log.splitlines())


@pytest.mark.parametrize("write", ["consume", "write_status:Acting"])
def test_an_abort_that_comes_just_before_a_write_ends_without_a_run(scenes: Scenes, write: str) -> None:
    with scenes.open() as scene:
        moment = scene.moment(f"before:{write}")
        operator = scene.operator(moment)
        incident = scene.incident()
        scene.approve(incident)
        scene.wait_until_reached(moment)
        scene.stage.patch_incident(incident, abort=True)
        moment.pass_by()
        status = scene.escalated(incident, "Aborted")
        # Consumed is written over the request, which an abort leaves alone; the incident is read again after it.
        assert met_conflict(operator, incident) or write == "consume"
        assert "before the action was started" in status["escalation"]["message"]
        assert "attempts" not in status
        scene.assert_nothing_ran()


def test_an_abort_after_started_seals_an_order_that_was_not_sent(scenes: Scenes) -> None:
    with scenes.open() as scene:
        moment = scene.moment("after:write_status:Acting")
        scene.operator(moment)
        incident = scene.incident()
        scene.approve(incident)
        scene.wait_until_reached(moment)
        scene.stage.patch_incident(incident, abort=True)
        moment.pass_by()
        assert_sealed(scene, incident)


def test_an_order_that_arrives_after_its_seal_never_runs(scenes: Scenes) -> None:
    with scenes.open() as scene:
        sending, sent = scene.moment("before:send_order"), scene.moment("after:send_order")
        scene.operator(sending, sent)
        incident = scene.incident()
        scene.approve(incident)
        scene.wait_until_reached(sending)
        scene.stage.patch_incident(incident, abort=True)
        scene.operator()
        assert_sealed(scene, incident)
        sending.pass_by()
        scene.wait_until_reached(sent)
        sent.pass_by()
        assert_sealed(scene, incident)


def assert_sealed(scene: Scene, incident: str) -> None:
    status = scene.escalated(incident, "Aborted")
    (attempt,) = status["attempts"]
    assert (attempt["state"], attempt["reason"]) == ("Failed", "NeverRan")
    assert status["escalation"]["message"].endswith(" never ran: aborted in time.")
    assert truth.claims(scene.host) == [attempt["id"]]
    scene.assert_nothing_ran()


def test_an_abort_while_the_command_runs_comes_too_late_and_its_result_is_told(scenes: Scenes) -> None:
    with scenes.open() as scene:
        scene.host.hold_starts()
        scene.operator()
        incident = scene.incident()
        scene.approve(incident)
        scene.host.wait_until_held()
        scene.stage.patch_incident(incident, abort=True)
        assert truth.results(scene.host) == []
        scene.host.let_start_go_on()
        status = scene.escalated(incident, "Aborted")
        assert "restart on api-gateway-03: Succeeded" in status["escalation"]["attemptedFix"]
        scene.assert_restarted_once(incident)


# --- Two operators ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("write", ["consume", "write_status:Acting", "send_order"])
def test_two_operators_at_the_same_step_restart_once(scenes: Scenes, write: str) -> None:
    with scenes.open() as scene:
        moments = [scene.moment(f"before:{write}") for _ in range(2)]
        for moment in moments:
            scene.operator(moment)
        incident = scene.incident()
        scene.approve(incident)
        scene.wait_until_reached(*moments)
        for moment in moments:
            moment.pass_by()
        scene.assert_resolved_by_one_restart(incident)


@pytest.mark.parametrize("step", ["send_order", "write_status:Verifying"])
def test_an_operator_that_wakes_up_after_another_has_finished_changes_nothing(scenes: Scenes, step: str) -> None:
    with scenes.open() as scene:
        late, done = scene.moment(f"before:{step}"), scene.moment(f"after:{step}")
        sleeper = scene.operator(late, done)
        incident = scene.incident()
        scene.approve(incident)
        scene.wait_until_reached(late)
        scene.operator()
        scene.assert_resolved_by_one_restart(incident)
        status = scene.stage.status(incident)
        late.pass_by()
        scene.stage.wait(lambda: done.reached or met_conflict(sleeper, incident), "the late step to be over")
        done.pass_by()
        scene.assert_resolved_by_one_restart(incident)
        assert scene.stage.status(incident) == status


def test_two_operators_left_alone_restart_once_an_incident(scenes: Scenes) -> None:
    with scenes.open() as scene:
        scene.operator()
        scene.operator()
        repeatable = copy.deepcopy(RUNBOOK)
        repeatable["spec"]["actions"][0]["cooldown"] = "0s"  # the same again is no recurrence here
        scene.stage.add_runbook(repeatable)
        for repetition in range(1, 4):
            scene.host.degrade()
            incident = scene.stage.open_incident(f"unhealthy-{repetition}", type="Unhealthy")
            scene.approve(incident)
            scene.stage.wait_for_phase(incident, "Resolved")
            assert truth.starts(scene.host) == 1 + repetition
            assert len(truth.claims(scene.host)) == repetition


# --- A runbook that changes under the incident ------------------------------------------------------------------------


def test_a_runbook_edited_after_triage_is_not_used(scenes: Scenes) -> None:
    with scenes.open() as scene:
        scene.operator()
        incident = scene.incident()
        ssh = scene.host.run(["systemctl", "show", "-P", "InvocationID", "ssh.service"]).stdout
        edited = copy.deepcopy(RUNBOOK)
        edited["spec"]["actions"][0]["restartUnit"]["unit"] = "ssh.service"
        edited["spec"]["verify"]["criteria"] = [{"name": "impossible", "require": "health.status == 599"}]
        scene.stage.apply(edited)

        def accepted() -> bool:
            status = scene.stage.get("runbooks", "unhealthy")["status"]
            return bool(status["observedGeneration"] == 2)

        scene.stage.wait(accepted, "the edited runbook to be accepted")
        assert scene.stage.condition("runbooks", "unhealthy", "Ready") == "True"
        scene.approve(incident)
        scene.assert_resolved_by_one_restart(incident)
        assert scene.host.run(["systemctl", "show", "-P", "InvocationID", "ssh.service"]).stdout == ssh
        status = scene.stage.status(incident)
        assert [each["name"] for each in status["verification"]["criteria"]] == ["healthy"]
        used, now = status["runbookRevisionRef"]["name"], scene.stage.get("runbooks", "unhealthy")["status"]["revision"]
        assert used != now


def test_a_runbook_deleted_after_triage_leaves_its_revision_to_the_incident(scenes: Scenes) -> None:
    with scenes.open() as scene:
        scene.operator()
        incident = scene.incident()
        scene.cluster.api().delete(scene.stage.path("runbooks", "unhealthy"))
        revision = scene.stage.status(incident)["runbookRevisionRef"]["name"]
        path = f"/apis/apps/v1/namespaces/{scene.namespace}/controllerrevisions/{revision}"

        def only_the_incidents() -> bool:
            owners = scene.cluster.api().get(path)["metadata"]["ownerReferences"]
            return [owner["kind"] for owner in owners] == ["Incident"]

        if scene.cluster.controller_manager is not None:
            scene.stage.wait(only_the_incidents, "the garbage collector to forget the runbook")
        scene.approve(incident)
        scene.assert_resolved_by_one_restart(incident)
        assert scene.cluster.api().get(path)["metadata"]["name"] == revision
