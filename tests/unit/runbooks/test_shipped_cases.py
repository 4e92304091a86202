"""The test cases that the shipped runbooks carry, each a test of its own."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from firstresponder.replay.test_cases import CaseResult, run_tests
from firstresponder.runbooks.models import Runbook, TriagePlaybook

RUNBOOKS = Path(__file__).parents[3] / "runbooks"
KINDS: dict[str, type[Runbook | TriagePlaybook]] = {"Runbook": Runbook, "TriagePlaybook": TriagePlaybook}


def _cases() -> list[tuple[str, CaseResult]]:
    found = []
    for path in sorted(RUNBOOKS.glob("*.yaml")):
        document = yaml.safe_load(path.read_text())
        runbook = KINDS[document["kind"]].model_validate(document)
        found += [(f"{path.stem}: {result.name}", result) for result in run_tests(runbook.spec)]
    return found


@pytest.mark.parametrize(("name", "result"), _cases(), ids=lambda value: value if isinstance(value, str) else "")
def test_a_case_of_a_shipped_runbook_comes_out_as_it_expects(name: str, result: CaseResult) -> None:
    assert result.differences == (), name


@pytest.mark.parametrize("path", sorted(RUNBOOKS.glob("*.yaml")), ids=lambda path: path.stem)
def test_every_cause_of_a_shipped_runbook_is_found_in_one_of_its_cases(path: Path) -> None:
    spec = yaml.safe_load(path.read_text())["spec"]
    found = {case["expect"].get("cause") for case in spec["tests"]["cases"]}
    assert {each["name"] for each in spec["hypotheses"]} <= found


def test_a_wrong_expectation_is_noticed() -> None:
    document = yaml.safe_load((RUNBOOKS / "high-cpu.yaml").read_text())
    document["spec"]["tests"]["cases"] = [
        {"name": "wrong", "given": "busy", "expect": {"cause": "memory-leak", "escalate": "SecurityIncident"}}
    ]
    (result,) = run_tests(Runbook.model_validate(document).spec)
    assert len(result.differences) == 2
