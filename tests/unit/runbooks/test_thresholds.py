"""Every threshold of a shipped runbook at its boundary: what comes out just below, exactly there, and just above."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from firstresponder.api.runbook import Runbook
from firstresponder.incident.rehearse import rehearse

RUNBOOKS = Path(__file__).parents[3] / "runbooks"
QUIET = {"errors": {"count": 1, "mostRepeated": 1}}
HEALTHY = {"status": 200, "json": {"status": "healthy"}}
Outcomes = list[tuple[dict[str, Any], dict[str, Any]]]


def cpu(percent: float) -> dict[str, Any]:
    return {"processes": {"hostCpuPercent": percent}}


def stranger(percent: float) -> dict[str, Any]:
    return {"processes": {"list": [{"unit": "", "cpuPercent": percent, "kernelThread": False}]}}


HIGH_CPU: dict[str, Outcomes] = {
    "processes.hostCpuPercent > cpuThreshold": [
        (cpu(79.9), {"verifyOnly": True}),
        (cpu(80), {"verifyOnly": True}),
        (cpu(80.1), {"action": "scale-out"}),
    ],
    "p.cpuPercent > 20": [
        (stranger(19.9), {"action": "scale-out"}),
        (stranger(20), {"action": "scale-out"}),
        (stranger(20.1), {"escalate": "SecurityIncident"}),
    ],
    "oom.count > 0": [
        ({**QUIET, "oom": {"count": 0}}, {"escalate": "UnknownRootCause"}),
        ({**QUIET, "oom": {"count": 1}}, {"action": "restart"}),
    ],
    "errors.mostRepeated >= repeatedAfter": [
        ({"errors": {"count": 4, "mostRepeated": 2}}, {"escalate": "UnknownRootCause"}),
        ({"errors": {"count": 4, "mostRepeated": 3}}, {"action": "restart"}),
        ({"errors": {"count": 4, "mostRepeated": 4}}, {"action": "restart"}),
    ],
    "memory.availableBytes < minAvailableMemory": [
        ({"memory": {"availableBytes": 256 * 2**20 - 1}}, {"action": "restart"}),
        ({"memory": {"availableBytes": 256 * 2**20}}, {"action": "scale-out"}),
        ({"memory": {"availableBytes": 256 * 2**20 + 1}}, {"action": "scale-out"}),
    ],
    "errors.count == 0": [
        ({"errors": {"count": 0}, "health": HEALTHY}, {"action": "scale-out", "unmet": ["cpu"]}),
        ({**QUIET, "health": HEALTHY}, {"escalate": "UnknownRootCause", "unmet": ["cpu", "no-new-errors"]}),
    ],
    "processes.hostCpuPercent < cpuThreshold": [
        ({**cpu(79.9), "health": HEALTHY}, {"unmet": []}),
        ({**cpu(80), "health": HEALTHY}, {"unmet": ["cpu"]}),
        ({**cpu(80.1), "health": HEALTHY}, {"unmet": ["cpu"]}),
    ],
    "health.status == 200": [
        ({**cpu(12), "health": {**HEALTHY, "status": 199}}, {"unmet": ["healthy"]}),
        ({**cpu(12), "health": HEALTHY}, {"unmet": []}),
        ({**cpu(12), "health": {**HEALTHY, "status": 201}}, {"unmet": ["healthy"]}),
    ],
    "replicas.count + 2.0 <= replicas.max": [
        ({"replicas": {"count": 5, "max": 8}}, {"action": "scale-out", "desired": 7}),
        ({"replicas": {"count": 6, "max": 8}}, {"action": "scale-out", "desired": 8}),
        ({"replicas": {"count": 7, "max": 8}}, {"escalate": "CapacityLimit"}),
    ],
}
"""Threshold → evidence beside that of a host whose service is busy without errors, and what comes of it."""
BOUNDARIES: dict[str, tuple[str, dict[str, Outcomes]]] = {"high-cpu": ("busy", HIGH_CPU)}
"""Runbook → the evidence of its own tests that the rows begin from, and the rows."""

_COMPARISON = re.compile(r"[\w.]+ (?:<=|>=|<|>|==|!=) [\w.]+(?!\w*')")


def document(name: str) -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((RUNBOOKS / f"{name}.yaml").read_text())
    return loaded


def thresholds(spec: dict[str, Any]) -> set[str]:
    """Every comparison with a number or with a parameter that is one."""
    numbers = {each["name"] for each in spec["parameters"] if each["type"] in {"number", "integer", "quantity"}}
    sources = [each["expression"] for each in spec["variables"]]
    sources += [each["when"] for each in [*spec["guards"], *spec["hypotheses"], *spec["verify"].get("failWhen", [])]]
    sources += [each["require"] for each in spec["verify"]["criteria"]]
    for action in spec["actions"]:
        sources += [each["require"] for each in action.get("preconditions", [])]
    found = {comparison for source in sources for comparison in _COMPARISON.findall(source)}
    ends = {comparison: comparison.rpartition(" ")[2] for comparison in found}
    return {comparison for comparison, end in ends.items() if end in numbers or re.fullmatch(r"[0-9.]+", end)}


ROWS = [
    (name, threshold, number)
    for name, (_, rows) in BOUNDARIES.items()
    for threshold, outcomes in rows.items()
    for number in range(len(outcomes))
]


@pytest.mark.parametrize(("name", "threshold", "number"), ROWS)
def test_at_a_threshold_it_comes_out_as_it_should(name: str, threshold: str, number: int) -> None:
    given, rows = BOUNDARIES[name]
    evidence, expected = rows[threshold][number]
    runbook = document(name)
    runbook["spec"]["tests"]["cases"] = [{"name": "boundary", "given": given, "with": evidence, "expect": expected}]
    (result,) = rehearse(Runbook.model_validate(runbook).spec)
    assert result.differences == ()


@pytest.mark.parametrize("name", BOUNDARIES)
def test_no_threshold_of_the_runbook_is_left_out(name: str) -> None:
    assert thresholds(document(name)["spec"]) <= set(BOUNDARIES[name][1])


def test_a_threshold_that_nobody_wrote_a_row_for_is_noticed() -> None:
    spec = document("high-cpu")["spec"]
    spec["verify"]["failWhen"] = [{"name": "worse", "when": "errors.perMinute > 12.5 && health.ok"}]
    assert thresholds(spec) - set(HIGH_CPU) == {"errors.perMinute > 12.5"}
