"""Several incidents about the same host: the same cause is fixed once, and a fix that did not last is not repeated."""

from __future__ import annotations

import pytest

from tests.e2e import truth
from tests.e2e.scenes import Scenes


@pytest.mark.rule(23)
def test_a_second_incident_of_the_same_cause_waits_and_a_later_one_is_a_recurrence(scenes: Scenes) -> None:
    with scenes.open() as scene:
        scene.operator()
        first = scene.incident()

        second = scene.stage.open_incident("unhealthy-2", type="Unhealthy", summary="the same, noticed elsewhere")
        scene.stage.wait(
            lambda: bool(scene.stage.status(second).get("relatedIncidents")), "the second incident to be linked"
        )
        (link,) = scene.stage.status(second)["relatedIncidents"]
        assert (link["name"], link["relation"]) == (first, "SameCause")

        scene.approve(first)
        scene.stage.wait_for_phase(first, "Resolved")
        status = scene.stage.wait_for_phase(second, "Resolved")
        assert status.get("attempts", []) == []
        assert "decisionPacket" not in status
        scene.assert_restarted_once(first)

        scene.host.degrade()
        third = scene.stage.open_incident("unhealthy-3", type="Unhealthy", summary="again")
        status = scene.escalated(third, "Recurrence")
        assert [each["name"] for each in status["relatedIncidents"]] == [first]
        assert first in status["escalation"]["message"]
        earlier = scene.stage.status(first)
        assert earlier["sli"]["fixCorrect"] is False
        assert [each["relation"] for each in earlier["relatedIncidents"]] == ["Recurrence"]
        assert len(truth.claims(scene.host)) == 1

        (unhealthy,) = scene.statistics()["types"]
        assert unhealthy["resolved"] == {"count": 2, "of": 3, "rate": 2 / 3}
        assert (unhealthy["resolved_by_fix"], unhealthy["resolved_by_itself"]) == (1, 1)
        assert unhealthy["escalated"] == {"count": 1, "of": 3, "rate": 1 / 3}
        assert unhealthy["incorrect_fixes"] == {"count": 1, "of": 1, "rate": 1.0}
