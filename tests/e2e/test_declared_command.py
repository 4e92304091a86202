"""A command line, for what no other type of action does: the host's owner declared it, or it does not run."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from tests.e2e import truth
from tests.e2e.scenes import RUNBOOK, Scene, Scenes

pytestmark = pytest.mark.slow

PROGRAM = "/usr/local/sbin/heal"
DECLARED = [PROGRAM, "--service", "api-gateway"]
HEAL = '#!/bin/sh\necho "$*" >>/var/log/healed && systemctl restart "$2.service" && echo "result=healed $2"\n'


def by_command(*argv: str) -> dict[str, Any]:
    """The runbook of the fault tests, with a command instead of a restart."""
    runbook = copy.deepcopy(RUNBOOK)
    (action,) = runbook["spec"]["actions"]
    del action["restartUnit"]
    action |= {"command": {"argv": list(argv)}}
    action["approval"]["class"] = "run-command"
    return runbook


def declare(scene: Scene) -> None:
    """What the host's owner does."""
    scene.host.write(PROGRAM, HEAL, mode=0o755)
    scene.host.run(["/root/host/install", "--command", " ".join(DECLARED)])


def healed(scene: Scene) -> list[str]:
    """The arguments of each run of the program."""
    return scene.host.run(["sh", "-c", "cat /var/log/healed 2>/dev/null || true"]).stdout.splitlines()


def test_a_declared_command_runs_exactly_once_word_for_word_after_its_approval(scenes: Scenes) -> None:
    with scenes.open() as scene:
        declare(scene)
        scene.operator()
        incident = scene.incident(by_command(PROGRAM, "--service", "$(service)"))
        packet = scene.stage.status(incident)["decisionPacket"]["bound"]
        assert packet["orders"][0]["arguments"] == DECLARED
        assert packet["actionClass"] == "run-command"
        assert healed(scene) == []
        scene.approve(incident)
        status = scene.stage.wait_for_phase(incident, "Resolved")
        assert healed(scene) == ["--service api-gateway"]
        assert truth.actions(scene.host) == ["command"]
        (attempt,) = status["attempts"]
        assert truth.claims(scene.host) == [attempt["id"]]
        assert truth.starts(scene.host) == 2


@pytest.mark.parametrize(
    "argv",
    [[PROGRAM, "--service", "ssh"], [*DECLARED, "--all"], [PROGRAM], ["/bin/systemctl", "stop", "api-gateway.service"]],
    ids=["another argument", "one more", "one less", "another program"],
)
def test_a_command_that_is_not_declared_word_for_word_never_runs_though_it_was_approved(
    scenes: Scenes, argv: list[str]
) -> None:
    with scenes.open() as scene:
        declare(scene)
        scene.operator()
        incident = scene.incident(by_command(*argv))
        scene.approve(incident)
        status = scene.escalated(incident, "ActionFailed")
        assert "not declared" in status["escalation"]["message"], status["escalation"]
        assert healed(scene) == []
        assert truth.starts(scene.host) == 1
        assert truth.invocation(scene.host) == scene.first_invocation


def test_a_host_that_declares_no_command_is_not_even_proposed_one(scenes: Scenes) -> None:
    with scenes.open() as scene:
        scene.operator()
        scene.stage.add_runbook(by_command(*DECLARED))
        scene.host.degrade()
        incident = scene.stage.open_incident("unhealthy-1", type="Unhealthy", summary="/health answers 503")
        status = scene.escalated(incident, "PreconditionFailed")
        assert "decisionPacket" not in status
        scene.assert_nothing_ran()
