"""The same evidence gives the same decision, and every expression can be asked why."""

from __future__ import annotations

import pytest

from firstresponder.api.runbook import RunbookSpec
from firstresponder.incident.explain import NotDecided, explain
from tests.unit.incident.world import World, awaiting_approval, high_cpu, leak, recovered

SPEC = RunbookSpec.model_validate(high_cpu()["spec"])


def test_every_expression_is_shown_with_what_it_saw_and_what_came_out() -> None:
    explanation = explain(awaiting_approval().incident, "high-cpu", SPEC)
    found = {(each.kind, each.name): each for each in explanation.judged}
    high = found["Variable", "cpuHigh"]
    assert high.expression == "processes.hostCpuPercent > cpuThreshold"
    assert high.saw == "cpuThreshold = 80, processes.hostCpuPercent = 97.5"
    assert high.verdict == "true"
    assert found["Variable", "group"].verdict == "api_gateway"
    assert found["Guard", "unexpected-process"].verdict == "false"
    assert found["Hypothesis", "memory-leak"].verdict == "true"
    assert explanation.conclusion == "cause memory-leak: propose restart"


def test_the_stored_evidence_decides_the_same_again() -> None:
    miner = leak()
    miner["processes"]["list"].append({"cpuPercent": 150.0, "unit": "", "kernelThread": False})
    blind = leak()
    del blind["processes"]
    for values in (leak(), recovered(), miner, blind):
        world = World(values=values)
        world.settle()
        assert explain(world.incident, "high-cpu", SPEC).differences == ()


def test_a_changed_record_is_noticed() -> None:
    world = awaiting_approval()
    evidence = [
        each.model_copy(update={"values": {"count": 0, "extracted": {}}}) if each.name in {"oom", "errors"} else each
        for each in world.incident.status.evidence
    ]
    status = world.incident.status.model_copy(update={"evidence": evidence})
    explanation = explain(world.incident.model_copy(update={"status": status}), "high-cpu", SPEC)
    assert any(each.startswith("Hypothesis memory-leak: recorded Holds") for each in explanation.differences)
    assert any(each.startswith("action: recorded restart") for each in explanation.differences)


def test_an_incident_without_evidence_says_so() -> None:
    world = World(incident=World().incident)
    with pytest.raises(NotDecided, match="no evidence"):
        explain(world.incident, "high-cpu", SPEC)
