"""A pool that Ansible really scales: run dry before an approval, recorded in the inventory, taken back if asked."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tests.e2e import truth
from tests.e2e.scenes import EmptyScene, Scenes
from tests.testbed.control_node import INVENTORY, start_control_node
from tests.testbed.hosts import Host

RUNBOOK: dict[str, Any] = {
    "kind": "Runbook",
    "metadata": {"name": "too-few"},
    "spec": {
        "match": {"types": ["TooFew"]},
        "roles": [
            {"name": "target"},
            {"name": "control-node", "selector": {"matchLabels": {"firstresponder.dev/role": "control-node"}}},
        ],
        "parameters": [{"name": "status", "type": "integer", "default": 200}],
        "diagnostics": [
            {
                "name": "replicas",
                "role": "control-node",
                "inventory": {
                    "path": "inventories/production",
                    "group": "$(group)",
                    "maximumVariable": "$(group)_max_instances",
                },
            },
            {"name": "health", "http": {"url": "http://$(hosts.target.address)/health"}},
        ],
        "variables": [
            {"name": "group", "expression": "service.replace('-', '_')"},
            {"name": "tooFew", "expression": "replicas.count < 2"},
        ],
        "symptom": "tooFew",
        "hypotheses": [
            {
                "name": "small-pool",
                "likelihood": 60,
                "when": "tooFew",
                "rootCause": {"summary": "the pool of $(service) is too small"},
                "then": {"action": "scale-out"},
            }
        ],
        "otherwise": {"escalate": {"reason": "UnknownRootCause", "humanAction": "Look."}},
        "actions": [
            {
                "name": "scale-out",
                "role": "control-node",
                "ansibleScale": {
                    "playbook": "playbooks/$(service).yml",
                    "inventory": "inventories/production",
                    "tags": ["scale"],
                    "variable": "$(group)_instances",
                    "current": "replicas.count",
                    "desired": "replicas.count + 1.0",
                    "minimum": 1,
                    "maximum": "replicas.max",
                },
                "risk": {"blastRadius": "$(service) pool"},
                "rollback": {"plan": "Scale back.", "offerInverse": True},
                "approval": {"prompt": "One more instance of $(service)?"},
            }
        ],
        "verify": {
            "initialDelay": "1s",
            "interval": "2s",
            "window": "2s",
            "timeout": "15s",
            "criteria": [{"name": "answers", "require": "health.status == status && replicas.count == 2"}],
            "onFailure": {"escalate": {"reason": "FixFailed", "humanAction": "Find out why."}},
        },
    },
}


@contextmanager
def small_pool(scenes: Scenes) -> Iterator[tuple[EmptyScene, Host, Host, Host]]:
    """A scene with a pool of two hosts, of which the first runs the service, and their control node."""
    with scenes.empty() as scene:
        running = scene.hosts.start("api-gateway-01")
        spare = scene.hosts.start("api-gateway-02", service=None, prepared=False)
        control = start_control_node(scene.hosts, {"api-gateway": [running, spare]})
        scene.stage.add_host(running)
        scene.stage.add_host(control, labels={"firstresponder.dev/role": "control-node"})
        scene.operator()
        scene.stage.add_runbook(RUNBOOK)
        yield scene, running, spare, control


def report(scene: EmptyScene, **parameters: Any) -> str:
    hosts = [{"role": "target", "name": "api-gateway-01"}]
    return scene.stage.open_incident("pool-1", type="TooFew", hosts=hosts, parameters=parameters)


def recorded(control: Host) -> list[str]:
    return [line for line in control.read(f"{INVENTORY}/api_gateway").splitlines() if line.startswith("api-gateway-")]


def test_a_pool_is_scaled_by_exactly_what_was_run_dry_and_approved(scenes: Scenes) -> None:
    with small_pool(scenes) as (scene, _, spare, control):
        incident = report(scene)
        packet = scene.stage.wait_for_phase(incident, "AwaitingApproval")["decisionPacket"]["bound"]
        assert (packet["proposedAction"]["currentCount"], packet["proposedAction"]["desiredCount"]) == (1, 2)
        (preview,) = packet["preview"]
        assert "PLAY RECAP" in preview["text"]
        assert "api-gateway-02" in preview["text"]
        assert (truth.actions(control), recorded(control), spare.health()) == ([], ["api-gateway-01"], 0)

        scene.approve(incident)
        status = scene.stage.wait_for_phase(incident, "Resolved")
        assert truth.actions(control) == ["ansible-scale"]
        assert recorded(control) == ["api-gateway-01", "api-gateway-02"]
        assert spare.health() == 200
        assert "scaled" in status["attempts"][0]["message"]


def test_a_scale_that_did_not_help_is_taken_back_after_an_approval_of_its_own(scenes: Scenes) -> None:
    with small_pool(scenes) as (scene, _, spare, control):
        incident = report(scene, status=201)
        scene.stage.wait_for_phase(incident, "AwaitingApproval")
        scene.approve(incident)
        scene.stage.wait_for_phase(incident, "Verifying")
        status = scene.stage.wait_for_phase(incident, "AwaitingApproval")
        assert status["escalation"]["reason"] == "FixFailed"
        bound = status["decisionPacket"]["bound"]
        assert bound["undoes"] == status["attempts"][0]["id"]
        assert recorded(control) == ["api-gateway-01", "api-gateway-02"]

        scene.approve(incident)
        status = scene.stage.wait_for_phase(incident, "Escalated")
        assert status["escalation"]["reason"] == "FixFailed"
        assert "rollback: undo scale-out" in status["escalation"]["message"]
        assert truth.actions(control) == ["ansible-scale", "ansible-scale"]
        assert recorded(control) == ["api-gateway-01"]
        assert spare.health() != 200
