"""A thousand incidents that ended, two hundred that wait, and a storm while the API server restarts."""

from __future__ import annotations

import pytest
from benchmarks.restart import fill

from tests.e2e import truth
from tests.e2e.scenes import Scene, patient
from tests.e2e.test_storm import open_all, storm
from tests.testbed.cluster import OPERATOR

_ENDED = 1000
_LINKED = 200
_MORE = 50


@pytest.mark.slow
@pytest.mark.timeout(900)  # a machine that has much else to do takes its time for them
def test_all_end_none_twice_and_those_that_ended_before_cost_nothing(scene: Scene) -> None:
    fill(scene.stage, _ENDED)
    filled = about_those_that_ended(scene)
    scene.operator()
    scene.stage.add_runbook(patient("5s"))
    scene.host.degrade()
    names = storm(scene, _LINKED)
    (asking,) = [name for name in names if scene.stage.status(name).get("approvalRequestRef")]
    more = [f"more-{number}" for number in range(_MORE)]
    open_all(scene, more[::2])
    scene.cluster.restart_api_server()
    open_all(scene, more[1::2])
    scene.approve(asking)
    for name in [*names, *more]:
        scene.stage.wait_for_phase(name, "Resolved", 600)
    assert len(truth.claims(scene.host)) == 1
    assert truth.starts(scene.host) == 2
    assert about_those_that_ended(scene) == filled
    # They are no records that anybody would read.
    scene.stage.remove_incidents(f"ended-{each}" for each in range(_ENDED))


def about_those_that_ended(scene: Scene) -> int:
    """How often anybody asked for one of them with the operator's rights, as those do who store them."""
    asked = scene.cluster.requests(namespace=scene.namespace, user=OPERATOR)
    return sum(1 for each in asked if each.resource == "incidents" and each.name.startswith("ended-"))
