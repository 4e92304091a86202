"""After a failed or unknown action people learn in what state its target is, and by which command to find out more."""

from __future__ import annotations

from typing import Any

from firstresponder.api.ledger import LedgerState
from firstresponder.incident.plan import Experiment
from tests.unit.incident.world import OTHER_BOOT, World, approved

DOWN = {"loadState": "loaded", "activeState": "failed", "subState": "failed", "result": "exit-code"}
SYSTEMDS = ["api-gateway.service: Main process exited, code=exited", "Failed to start api-gateway.service - The API."]


def ended(**answer: Any) -> World:
    """The approved restart comes to that end."""
    world = approved()
    world.answer_to_order = world.finished(**answer)
    world.values |= {
        "restart/journal": {"count": 4, "lines": ["cannot bind to port 8080", "Starting over", *SYSTEMDS]},
    }
    while not world.incident.status.attempts:
        world.step()
    world.values["restart/unit"] = DOWN
    world.settle()
    return world


def message(world: World) -> str:
    assert world.incident.status.escalation is not None
    return world.incident.status.escalation.message


def human_action(world: World) -> str:
    assert world.incident.status.escalation is not None
    return world.incident.status.escalation.human_action


def test_a_failed_restart_says_that_the_service_is_down_and_its_last_words() -> None:
    world = ended(exit_status=70, output=("result=stopped, and did not start (ActiveState failed)",))
    assert world.reason == "ActionFailed"
    state = (
        "api-gateway.service is failed now (result exit-code); "
        "its last lines in the journal: “cannot bind to port 8080”; “Starting over”"
    )
    assert message(world) == (
        "the action restart of api-gateway.service on api-gateway-03 failed: exit status 70: stopped, and did not "
        f"start (ActiveState failed). {state}"
    )
    (attempt,) = world.incident.status.attempts
    assert attempt.after == state
    assert "On api-gateway-03, `sudo systemctl status api-gateway.service`" in human_action(world)
    assert f"echo status {attempt.id} | sudo /usr/local/libexec/firstresponder-act" in human_action(world)


def test_an_unknown_end_comes_with_the_state_and_the_command_that_asks_for_the_order() -> None:
    world = ended(exit_status=75, output=("result=gave up waiting, job 7 goes on",))
    assert world.reason == "Indeterminate"
    assert "api-gateway.service is failed now" in message(world)
    (attempt,) = world.incident.status.attempts
    assert f"`echo status {attempt.id} | sudo /usr/local/libexec/firstresponder-act`, run on api-gateway-03" in (
        human_action(world)
    )


def test_a_host_that_rebooted_in_mid_action_is_said_to_have_rebooted() -> None:
    world = ended(state=LedgerState.CLAIMED, boot=OTHER_BOOT)
    assert world.reason == "Indeterminate"
    assert "it rebooted meanwhile" in message(world)


def test_a_target_that_cannot_be_looked_at_is_not_called_well() -> None:
    world = approved()
    world.answer_to_order = world.finished(70)
    while not world.incident.status.attempts:
        world.step()
    world.unreachable["api-gateway-03"] = "Connection refused"
    world.settle()
    assert "api-gateway.service on api-gateway-03 could not be observed: Connection refused" in message(world)


def test_what_is_known_to_be_untouched_is_not_looked_at() -> None:
    for exit_status, looks in ((65, 0), (0, 0), (70, 1)):
        world = ended(exit_status=exit_status, output=("result=x",))
        assert len([each for each in world.performed(Experiment) if _of_restart(each)]) == looks


def _of_restart(effect: object) -> bool:
    assert isinstance(effect, Experiment)
    return any(probe.name == "restart/journal" for probe in effect.observe.probes)
