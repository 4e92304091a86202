"""The operator killed by SIGKILL at every moment that matters: started again it ends well, after one restart."""

from __future__ import annotations

import signal

import pytest

from tests.e2e import truth
from tests.e2e.scenes import Scenes


@pytest.mark.parametrize(
    ("moment", "phase"),
    [
        pytest.param("before:consume", "AwaitingApproval", id="before Consumed"),
        pytest.param("after:consume", "AwaitingApproval", id="between Consumed and Started"),
        pytest.param("after:write_status:Acting", "Acting", id="between Started and the order"),
        pytest.param("after:send_order", "Acting", id="after the command ended"),
        pytest.param("before:write_status:Verifying", "Acting", id="before the outcome is written"),
        pytest.param("before:write_status:Resolved", "Verifying", id="during verification"),
    ],
)
def test_an_operator_killed_at_a_moment_and_started_again_resolves_with_one_restart(
    scenes: Scenes, moment: str, phase: str
) -> None:
    with scenes.open() as scene:
        doomed = scene.operator(moment)
        incident = scene.incident()
        scene.approve(incident)
        assert doomed.wait() == -signal.SIGKILL
        assert scene.stage.phase(incident) == phase
        consumed = scene.stage.condition("approvalrequests", scene.stage.request_of(incident), "Closed") == "True"
        assert consumed == (moment != "before:consume")
        scene.operator()
        scene.assert_resolved_by_one_restart(incident)


def test_an_operator_killed_while_the_command_runs_learns_the_result_from_the_ledger(scenes: Scenes) -> None:
    with scenes.open() as scene:
        scene.host.hold_starts()
        doomed = scene.operator()
        incident = scene.incident()
        scene.approve(incident)
        scene.host.wait_until_held()
        doomed.kill()
        assert scene.stage.phase(incident) == "Acting"
        scene.operator()
        assert not truth.results(scene.host), "the command was to outlast the operator's start"
        scene.host.let_start_go_on()
        scene.assert_resolved_by_one_restart(incident)


def test_an_operator_that_was_away_while_the_command_ended_learns_the_result_from_the_ledger(scenes: Scenes) -> None:
    with scenes.open() as scene:
        scene.host.hold_starts()
        doomed = scene.operator()
        incident = scene.incident()
        scene.approve(incident)
        scene.host.wait_until_held()
        doomed.kill()
        scene.host.let_start_go_on()
        scene.stage.wait(lambda: truth.results(scene.host) != [], "the command to end")
        assert scene.stage.phase(incident) == "Acting"
        scene.operator()
        scene.assert_resolved_by_one_restart(incident)
