"""A playbook finds the cause, the cause's runbook triages afresh (rules 6, 7, 19, 21)."""

from __future__ import annotations

from typing import Any

import pytest

from firstresponder.api.incident import Phase
from firstresponder.incident.plan import Observe
from firstresponder.replay.explain import explain
from firstresponder.runbooks.models import TriagePlaybookSpec
from tests.unit.incident.world import World, busy, incident, leak


def hypothesis(name: str, likelihood: int, when: str, runbook: str) -> dict[str, Any]:
    return {
        "name": name,
        "likelihood": likelihood,
        "when": when,
        "rootCause": {"summary": f"{name} of $(service)"},
        "then": {"runbook": runbook},
    }


def playbook(*hypotheses: dict[str, Any]) -> dict[str, Any]:
    return {
        "kind": "TriagePlaybook",
        "metadata": {"name": "service-unavailable"},
        "spec": {
            "match": {"types": ["ServiceUnavailable"]},
            "roles": [{"name": "target"}],
            "parameters": [{"name": "slowAfter", "type": "number", "default": 1}],
            "diagnostics": [
                {"name": "probe", "http": {"url": "http://$(hosts.target.address)/health"}},
                {"name": "memory", "memory": {}},
            ],
            "hypotheses": list(hypotheses),
            "otherwise": {"escalate": {"reason": "UnknownIncidentType", "humanAction": "Look."}},
        },
    }


BUSY = hypothesis("busy", 80, "probe.status == 503", "high-cpu")
STARVED = hypothesis("starved", 70, "memory.availableBytes < 1000.0", "memory-leak")


def unavailable(*hypotheses: dict[str, Any], **spec: Any) -> World:
    values = leak() | {"probe": {"ok": False, "status": 503}}
    return World(incident=incident(type="ServiceUnavailable", **spec), values=values, playbook=playbook(*hypotheses))


@pytest.mark.rule(6, 19)
def test_the_likeliest_cause_leads_to_its_runbook_which_triages_afresh() -> None:
    world = unavailable(BUSY, hypothesis("starved", 30, "memory.availableBytes < 1000.0", "memory-leak"))
    world.settle()
    status = world.incident.status
    assert world.phase() == Phase.AWAITING_APPROVAL
    assert len(world.performed(Observe)) == 2
    assert status.playbook_revision_ref is not None
    assert status.runbook_revision_ref is not None
    assert status.runbook_revision_ref.runbook == "high-cpu"
    seen = {(each.runbook, each.name) for each in status.evidence}
    assert {("service-unavailable", "memory"), ("high-cpu", "memory"), ("service-unavailable", "probe")} <= seen
    assert "PlaybookConcluded" in [entry.event for entry in status.timeline]


@pytest.mark.rule(7)
def test_two_causes_too_close_with_different_runbooks_are_ambiguous() -> None:
    world = unavailable(BUSY, STARVED)
    world.values["memory"] = {"availableBytes": 1}
    world.settle()
    assert world.reason == "AmbiguousRootCause"
    assert world.incident.status.runbook_revision_ref is None


@pytest.mark.rule(9)
def test_all_refuted_follows_otherwise() -> None:
    world = unavailable(STARVED)
    world.settle()
    assert world.reason == "UnknownIncidentType"


@pytest.mark.rule(8)
def test_a_likelier_cause_that_cannot_be_judged_hands_over() -> None:
    world = unavailable(hypothesis("database", 90, "probe.json.database == false", "high-cpu"), BUSY)
    world.settle()
    assert world.reason == "EvidenceUnavailable"


@pytest.mark.rule(19)
def test_a_runbook_that_is_not_there_is_named() -> None:
    world = unavailable(hypothesis("busy", 80, "probe.status == 503", "nowhere"))
    world.settle()
    assert world.reason == "UnknownIncidentType"
    assert world.incident.status.escalation is not None
    assert "TriagePlaybook service-unavailable: there is no Runbook named nowhere" in (
        world.incident.status.escalation.message
    )


@pytest.mark.rule(1, 19)
@pytest.mark.parametrize(
    ("values", "reason"), [(leak(), None), (busy(), "HostUnreachable")], ids=["not needed", "needed by the winner"]
)
def test_a_role_of_its_runbook_that_no_host_plays_hands_over_only_when_the_winner_needs_it(
    values: dict[str, Any], reason: str | None
) -> None:
    world = unavailable(BUSY)
    world.values = values | {"probe": {"ok": False, "status": 503}}
    world.settle()
    assert world.reason == reason
    status = world.incident.status
    assert status.runbook_revision_ref is not None
    assert [each.name for each in status.evidence if each.runbook == "high-cpu" and each.role == "control-node"] == []


@pytest.mark.rule(19)
def test_a_playbooks_runbook_leads_to_no_other_runbook() -> None:
    world = unavailable(BUSY)
    world.runbook["spec"]["hypotheses"][0]["then"] = {"runbook": "disk-full"}
    world.settle()
    assert (world.reason, world.incident.status.decision_packet) == ("InvalidRunbook", None)


@pytest.mark.rule(21)
@pytest.mark.parametrize(
    ("parameters", "phase"),
    [
        ({"slowAfter": 3}, Phase.AWAITING_APPROVAL),
        ({"cpuThreshold": 90}, Phase.AWAITING_APPROVAL),
        ({"nobody": 1}, Phase.ESCALATED),
    ],
    ids=["the playbook's", "the runbook's", "nobody's"],
)
def test_a_parameter_belongs_to_whoever_declares_it_and_is_refused_if_nobody_does(
    parameters: dict[str, Any], phase: Phase
) -> None:
    world = unavailable(BUSY, parameters=parameters)
    world.settle()
    assert world.phase() == phase
    if phase == Phase.ESCALATED:
        assert world.reason == "PreconditionFailed"
        assert "spec.parameters.nobody" in (world.incident.status.escalation.message)  # type: ignore[union-attr]


@pytest.mark.rule(20)
def test_a_playbook_and_a_runbook_for_the_same_type_are_never_picked_from() -> None:
    world = unavailable(BUSY)
    world.runbook["spec"]["match"]["types"].append("ServiceUnavailable")
    world.settle()
    assert world.reason == "AmbiguousRunbook"


def test_a_decision_that_ended_with_the_playbook_can_be_explained() -> None:
    world = unavailable(STARVED)
    world.settle()
    spec = TriagePlaybookSpec.model_validate(playbook(STARVED)["spec"])
    explanation = explain(world.incident, "service-unavailable", spec)
    assert explanation.differences == ()
    assert explanation.conclusion.startswith("escalate: UnknownIncidentType")
