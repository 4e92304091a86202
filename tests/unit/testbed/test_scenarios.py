"""Every scenario of the demo is about something that the catalogue knows, within the bounds that it gives."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from firstresponder.api.incident import Incident
from firstresponder.api.reasons import EscalationReason
from firstresponder.runbooks.models import Runbook, TriagePlaybook
from tests.testbed.scenarios import SCENARIOS, Scenario
from tests.testbed.stage import RUNBOOKS

KINDS: dict[str, type[Runbook | TriagePlaybook]] = {"Runbook": Runbook, "TriagePlaybook": TriagePlaybook}
DOCUMENTS: list[dict[str, Any]] = [yaml.safe_load(path.read_text()) for path in RUNBOOKS.glob("*.yaml")]
CATALOGUE = [KINDS[each["kind"]].model_validate(each) for each in DOCUMENTS]
each_scenario = pytest.mark.parametrize(("name", "scenario"), SCENARIOS.items(), ids=SCENARIOS.keys())


def matching(scenario: Scenario) -> list[str]:
    return [each.metadata.name for each in CATALOGUE if scenario.report.type in each.spec.match.types]


@each_scenario
def test_a_scenario_is_for_one_file_of_the_catalogue_or_for_none_and_says_so(name: str, scenario: Scenario) -> None:
    assert len(matching(scenario)) == (0 if scenario.reason == EscalationReason.UNKNOWN_INCIDENT_TYPE else 1)


@each_scenario
def test_a_scenario_reports_an_incident_with_parameters_that_somebody_declares(name: str, scenario: Scenario) -> None:
    incident = Incident.model_validate(scenario.incident(name, {"dominantPercent": 5} if name == "memory" else None))
    declared = {each.name for runbook in CATALOGUE for each in runbook.spec.parameters}
    assert incident.spec.parameters.keys() <= declared


@each_scenario
def test_only_what_is_resolved_may_have_changed_a_host_and_only_what_is_escalated_has_a_reason(
    name: str, scenario: Scenario
) -> None:
    assert (scenario.phase == "Resolved") == bool(scenario.actions)
    assert (scenario.phase == "Escalated") == (scenario.reason is not None)
    assert scenario.reason is None or EscalationReason(scenario.reason)


def test_every_file_of_the_catalogue_has_a_scenario() -> None:
    assert {name for each in SCENARIOS.values() for name in matching(each)} == {
        each.metadata.name for each in CATALOGUE
    }
