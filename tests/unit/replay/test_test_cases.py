"""A runbook's own cases: methods, counts and recommendations are expected as a cause is."""

from __future__ import annotations

from typing import Any

import pytest

from firstresponder.replay.test_cases import run_tests
from firstresponder.runbooks.models import RunbookSpec
from tests.unit.incident.world import disk_full, full


def differences(case: dict[str, Any]) -> tuple[str, ...]:
    spec = disk_full()["spec"]
    spec["hypotheses"][0]["then"]["recommendations"] = [
        {"to": ["dba", "on-call"], "text": "Judge."},
        {"to": ["dba"], "text": "Again."},
    ]
    spec["tests"] = {"service": "api", "evidence": {"full": full()}, "cases": [{"name": "x", "given": "full", **case}]}
    (result,) = run_tests(RunbookSpec.model_validate(spec))
    return result.differences


@pytest.mark.parametrize(
    "case",
    [
        {"expect": {"action": "free-disk-space", "methods": ["journald-vacuum", "logrotate-force"]}},
        {
            "expect": {"methods": ["tmpfiles-clean"]},
            "with": {"logs": {"sharePercent": 4}, "temp": {"sharePercent": 88}},
        },
        {"expect": {"escalate": "EvidenceUnavailable"}, "with": {"temp": None}},
        {"expect": {"escalate": "PreconditionFailed"}, "with": {"logs": {"sharePercent": 80}}},
        {"expect": {"recommend": ["dba", "on-call"]}},
        {"expect": {"recommend": []}, "with": {"disk": {"usedPercent": 80}}},
    ],
)
def test_a_case_that_comes_out_as_expected_passes(case: dict[str, Any]) -> None:
    assert differences(case) == ()


@pytest.mark.parametrize("expect", [{"methods": ["journald-vacuum"]}, {"recommend": ["dba"]}, {"methods": []}])
def test_a_case_that_comes_out_otherwise_is_told(expect: dict[str, Any]) -> None:
    assert len(differences({"expect": expect})) == 1


def test_the_baseline_of_a_case_is_the_evidence_that_it_starts_from() -> None:
    spec = disk_full()["spec"]
    spec["verify"]["criteria"] = [{"name": "freed", "require": "disk.usedPercent < baseline.disk.usedPercent"}]
    cases = [
        {"name": "less", "given": "full", "with": {"disk": {"usedPercent": 50}}, "expect": {"unmet": []}},
        {"name": "as much", "given": "full", "expect": {"unmet": ["freed"]}},
    ]
    spec["tests"] = {"service": "api", "evidence": {"full": full()}, "cases": cases}
    assert [each.differences for each in run_tests(RunbookSpec.model_validate(spec))] == [(), ()]
