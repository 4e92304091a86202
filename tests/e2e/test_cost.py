"""What an incident costs the API server, from its audit log."""

from __future__ import annotations

from tests.e2e.scenes import RUNBOOK, Scenes
from tests.testbed.cluster import OPERATOR

COUNTED = {"incidents", "approvalrequests", "controllerrevisions"}


def test_an_incident_costs_at_most_fourteen_writes_and_a_waiting_one_none(scenes: Scenes) -> None:
    with scenes.open() as scene:
        stage = scene.stage

        def cost() -> int:
            writes = stage.cluster.writes(namespace=stage.namespace, user=OPERATOR)
            counted = [each for each in writes if each.resource in COUNTED and not each.dry_run]
            return sum(1 for each in counted if each.name != "another")

        scene.operator()
        stage.add_runbook(RUNBOOK)
        at_rest = cost()
        scene.host.degrade()
        incident = stage.open_incident("unhealthy-1", type="Unhealthy")
        request = stage.request_of(incident)
        waiting = cost()
        stage.cluster.kubectl("annotate", "host/api-gateway-03", "touched=yes", "-n", stage.namespace)
        stage.cluster.kubectl("annotate", "runbook/unhealthy", "touched=yes", "-n", stage.namespace)
        # Another incident comes to its end meanwhile: the operator has heard of the changes and worked since.
        stage.wait_until_ended(stage.open_incident("another", type="Unheard"))
        assert cost() == waiting
        stage.review(request)
        stage.wait_for_phase(incident, "Resolved")
        assert 0 < cost() - at_rest <= 14
