"""A symptom of unknown cause: the playbook finds the cause, the cause's runbook fixes it after approval."""

from __future__ import annotations

from typing import Any

import pytest

from tests.e2e import records
from tests.e2e.scenes import RUNBOOK, Scene, Scenes
from tests.testbed.cluster import ALICE

pytestmark = pytest.mark.slow

PLAYBOOK: dict[str, Any] = {
    "kind": "TriagePlaybook",
    "metadata": {"name": "service-down"},
    "spec": {
        "match": {"types": ["ServiceDown"]},
        "roles": [{"name": "target"}],
        "diagnostics": [
            {"name": "answer", "http": {"url": "http://$(hosts.target.address)/health"}},
            {"name": "memory", "memory": {}},
        ],
        "hypotheses": [
            {
                "name": "unhealthy",
                "likelihood": 60,
                "when": "answer.status == 503",
                "rootCause": {"summary": "$(service) answers $(answer.status)"},
                "then": {"runbook": "unhealthy"},
            },
            {
                "name": "memory",
                "likelihood": 30,
                "when": "memory.availableBytes < 1000.0",
                "rootCause": {"summary": "no memory"},
                "then": {"runbook": "nowhere"},
            },
        ],
        "otherwise": {"escalate": {"reason": "UnknownIncidentType", "humanAction": "Look at $(service)."}},
    },
}


def prepared(scene: Scene) -> None:
    """Playbook and runbook accepted by a running operator."""
    scene.operator()
    scene.stage.add_runbook(RUNBOOK)
    scene.stage.apply(PLAYBOOK)
    scene.stage.wait(
        lambda: scene.stage.condition("triageplaybooks", "service-down", "Ready") == "True", "the playbook to be Ready"
    )


@pytest.mark.rule(19)
def test_the_cause_found_by_a_playbook_is_fixed_by_its_runbook(scenes: Scenes) -> None:
    with scenes.open() as scene:
        prepared(scene)
        scene.host.degrade()
        incident = scene.stage.open_incident("down-1", type="ServiceDown", summary="api-gateway is down")
        scene.stage.wait_for_phase(incident, "AwaitingApproval")
        scene.approve(incident)
        scene.assert_resolved_by_one_restart(incident)
        status = scene.stage.status(incident)
        assert status["playbookRevisionRef"]["runbook"] == "service-down"
        assert status["runbookRevisionRef"]["runbook"] == "unhealthy"
        assert {(each["runbook"], each["name"]) for each in status["evidence"]} >= {
            ("service-down", "answer"),
            ("service-down", "memory"),
            ("unhealthy", "health"),
        }
        again = scene.cluster.kubectl("incident", "replay", incident, "-n", scene.namespace, user=ALICE).stdout
        assert again.endswith("The same as recorded.\n")
        case = records.recorded_and_tested(scene.stage, incident, scene.directory / "unhealthy.yaml", name="unhealthy")
        assert case["action"] == "restart"


def test_a_playbook_that_refutes_everything_hands_over_and_touches_nothing(scenes: Scenes) -> None:
    with scenes.open() as scene:
        prepared(scene)
        incident = scene.stage.open_incident("down-1", type="ServiceDown", summary="api-gateway is down")
        status = scene.escalated(incident, "UnknownIncidentType")
        assert {each["name"]: each["verdict"] for each in status["hypotheses"]} == {
            "unhealthy": "Refuted",
            "memory": "Refuted",
        }
        assert status["escalation"]["humanAction"].startswith("Look at api-gateway. To have it triaged again: ")
        file = scene.directory / "service-down.yaml"
        case = records.recorded_and_tested(scene.stage, incident, file, kind="triageplaybooks", name="service-down")
        assert case == {"escalate": "UnknownIncidentType"}
        scene.assert_nothing_ran()
