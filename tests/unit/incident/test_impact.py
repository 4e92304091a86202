"""High impact is told at once, once, and changes nothing else (rule 22)."""

from __future__ import annotations

from typing import Any

import pytest

from firstresponder.api.escalationpolicy import EscalationPolicySpec, HighImpact
from firstresponder.api.incident import Impact, Phase
from firstresponder.incident.decision.impact import high_impact
from tests.unit.incident.world import World, incident

THRESHOLDS = {"customers": 1000, "revenueLossPerHour": {"amount": 10000, "currency": "EUR"}}
POLICY = EscalationPolicySpec.model_validate({"contacts": [{"name": "on-call"}], "highImpact": THRESHOLDS})


@pytest.mark.parametrize(
    ("impact", "word"),
    [
        (None, None),
        ({}, None),
        ({"customers": 999}, None),
        ({"customers": 1000}, "1000 customers"),
        ({"revenueLossPerHour": {"amount": 9999, "currency": "EUR"}}, None),
        ({"revenueLossPerHour": {"amount": 10000, "currency": "EUR"}}, "10000 EUR"),
        ({"revenueLossPerHour": {"amount": 1, "currency": "USD"}}, "threshold is in EUR"),
    ],
)
def test_a_threshold_is_reached_at_its_value(impact: dict[str, Any] | None, word: str | None) -> None:
    given = Impact.model_validate(impact) if impact is not None else None
    found = high_impact(given, HighImpact.model_validate(THRESHOLDS))
    assert (found is None) if word is None else (word in (found or ""))


@pytest.mark.rule(22)
def test_high_impact_is_one_event_and_one_entry_while_triage_goes_on_to_the_packet() -> None:
    world = World(incident=incident(impact={"customers": 5000}), policy=POLICY)
    world.settle()
    assert world.phase() == Phase.AWAITING_APPROVAL
    assert [event.reason for event in world.events] == ["HighImpact", "ApprovalRequested"]
    assert [entry.event for entry in world.incident.status.timeline].count("HighImpact") == 1
    assert world.incident.status.escalation is None
    assert world.incident.status.sli is not None
    assert world.incident.status.sli.escalated is False


@pytest.mark.rule(22)
def test_high_impact_of_an_unknown_type_is_told_beside_the_escalation() -> None:
    world = World(incident=incident(type="Unheard", impact={"customers": 5000}), policy=POLICY)
    world.settle()
    assert [event.reason for event in world.events] == ["HighImpact", "UnknownIncidentType"]
