"""An API server that restarts and connections to it that break: the incident goes on. And runbooks that are wrong."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.e2e import truth
from tests.e2e.scenes import RUNBOOK, Scene, Scenes
from tests.testbed.cluster import Cluster
from tests.testbed.operator import Operator
from tests.testbed.proxy import Proxy
from tests.testbed.stage import Stage


def test_an_incident_goes_on_when_the_api_server_restarts_while_it_waits_and_while_it_acts(scene: Scene) -> None:
    scene.host.hold_starts()
    operator = scene.operator()
    incident = scene.incident()
    scene.cluster.restart_api_server()
    assert scene.stage.phase(incident) == "AwaitingApproval"
    scene.approve(incident)
    scene.host.wait_until_held()
    assert truth.results(scene.host) == []
    scene.cluster.stop_api_server()
    scene.host.let_start_go_on()
    scene.stage.wait(lambda: truth.results(scene.host) != [], "the command to end")
    scene.cluster.start_api_server()
    scene.assert_resolved_by_one_restart(incident)
    assert operator.running


def test_a_review_that_is_made_while_the_watches_are_cut_is_heard_later(scenes: Scenes) -> None:
    with scenes.open() as scene, Proxy(("127.0.0.1", scene.cluster.port)) as proxy:
        operator = scene.operator(port=proxy.port)
        incident = scene.incident()
        proxy.refuse()
        scene.approve(incident)
        assert truth.begun(scene.host) == []
        assert scene.stage.phase(incident) == "AwaitingApproval"
        proxy.restore()
        scene.assert_resolved_by_one_restart(incident)
        assert operator.running


def test_an_operator_cut_off_from_the_api_server_while_it_acts_records_the_outcome_later(scenes: Scenes) -> None:
    with scenes.open() as scene, Proxy(("127.0.0.1", scene.cluster.port)) as proxy:
        scene.host.hold_starts()
        operator = scene.operator(port=proxy.port)
        incident = scene.incident()
        scene.approve(incident)
        scene.host.wait_until_held()
        proxy.refuse()
        scene.host.let_start_go_on()
        scene.stage.wait(lambda: truth.results(scene.host) != [], "the command to end")
        assert scene.stage.phase(incident) == "Acting"
        proxy.restore()
        scene.assert_resolved_by_one_restart(incident)
        assert operator.running


# --- Runbooks that the schema takes and that cannot be used -----------------------------------------------------------

Change = Callable[[dict[str, Any]], object]
WRONG: dict[str, tuple[Change, str]] = {
    "malformed": (lambda s: s["hypotheses"][0].update(when="health.status =="), "spec.hypotheses[0].when: "),
    "misspelt": (
        lambda s: s["variables"][0].update(expression="helth.status == 503"),
        "spec.variables[0].expression: helth is not known",
    ),
    "dangling": (
        lambda s: s["hypotheses"][0]["then"].update(action="reboot"),
        "spec.hypotheses[0].then.action: reboot is not among",
    ),
    "tainted": (
        lambda s: s["actions"][0]["restartUnit"].update(unit="$(health.json.unit)"),
        "spec.actions[0].restartUnit.unit: $(health) comes from evidence",
    ),
}


def test_a_runbook_that_cannot_be_used_says_which_field_until_it_is_corrected_and_so_do_its_incidents(
    cluster: Cluster, namespace: str, tmp_path: Path
) -> None:
    stage = Stage(cluster, namespace)
    with Operator(cluster, namespace, tmp_path):
        for name, (change, field) in WRONG.items():
            runbook = copy.deepcopy(RUNBOOK) | {"metadata": {"name": name}}
            change(runbook["spec"])
            runbook["spec"]["match"] = {"types": [name]}
            stage.apply(runbook)
            stage.wait(lambda: stage.condition("runbooks", name, "Stalled") == "True", f"{name} to be refused")  # noqa: B023
            conditions = {each["type"]: each for each in stage.get("runbooks", name)["status"]["conditions"]}
            assert conditions["Ready"]["status"] == "False"
            for condition in conditions.values():
                assert condition["reason"] == "InvalidRunbook"
                assert condition["message"].startswith(field)
                assert condition["observedGeneration"] == 1

            status = stage.wait_until_ended(stage.open_incident(f"of-{name}", type=name))
            assert status["escalation"]["reason"] == "InvalidRunbook"
            assert f"Runbook {name}: {field}" in status["escalation"]["message"]
            assert "attempts" not in status

            stage.add_runbook(copy.deepcopy(RUNBOOK) | {"metadata": {"name": name}})
            assert stage.condition("runbooks", name, "Stalled") == "False"
