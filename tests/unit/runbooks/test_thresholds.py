"""Every threshold of a shipped runbook at its boundary: what comes out just below, exactly there, and just above."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from firstresponder.api.runbook import Runbook, TriagePlaybook
from firstresponder.incident.decide import Setting, scope_of
from firstresponder.incident.rehearse import rehearse
from firstresponder.incident.verify import take_sample, unmet, verification_plan
from firstresponder.runbooks.parameters import resolve

RUNBOOKS = Path(__file__).parents[3] / "runbooks"
KINDS: dict[str, type[Runbook | TriagePlaybook]] = {"Runbook": Runbook, "TriagePlaybook": TriagePlaybook}
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
QUIET_POOL = {"errors": {"perMinute": 0}, "connections": {"usedPercent": 45}, "health": {"status": 200}}


def used(percent: float, **beside: Any) -> dict[str, Any]:
    return {**beside, "connections": {"usedPercent": percent}}


DB_CONNECTION_POOL: dict[str, Outcomes] = {
    "connections.usedPercent >= exhaustedPercent": [
        (used(89.9), {"escalate": "UnknownRootCause"}),
        (used(90), {"action": "scale-in", "desired": 2}),
        (used(90.1), {"action": "scale-in", "desired": 2}),
    ],
    "connections.usedPercent < leakPercent": [
        (used(49.9), {"action": "restart"}),
        (used(50), {"escalate": "UnknownRootCause"}),
        (used(50.1), {"escalate": "UnknownRootCause"}),
    ],
    "errors.perMinute >= errorsPerMinute": [
        ({"errors": {"perMinute": 9.9}}, {"verifyOnly": True}),
        ({"errors": {"perMinute": 10}}, {"action": "scale-in"}),
        ({"errors": {"perMinute": 10.1}}, {"action": "scale-in"}),
    ],
    "replicas.count > 1": [
        ({"replicas": {"count": 0}}, {"escalate": "CapacityLimit"}),
        ({"replicas": {"count": 1}}, {"escalate": "CapacityLimit"}),
        ({"replicas": {"count": 2}}, {"action": "scale-in", "desired": 1}),
        ({"replicas": {"count": 3}}, {"action": "scale-in", "desired": 1}),
        ({"replicas": {"count": 4}}, {"action": "scale-in", "desired": 2}),
    ],
    "math.floor(replicas.count / 2.0) <= replicas.max": [
        ({"replicas": {"count": 6, "max": 2}}, {"escalate": "CapacityLimit"}),
        ({"replicas": {"count": 6, "max": 3}}, {"action": "scale-in", "desired": 3}),
        ({"replicas": {"count": 6, "max": 4}}, {"action": "scale-in", "desired": 3}),
    ],
    "errors.perMinute < 1": [
        ({**QUIET_POOL, "errors": {"perMinute": 0.9}}, {"unmet": []}),
        ({**QUIET_POOL, "errors": {"perMinute": 1}}, {"unmet": ["error-rate"]}),
        ({**QUIET_POOL, "errors": {"perMinute": 1.1}}, {"unmet": ["error-rate"]}),
    ],
    "connections.usedPercent < safePercent": [
        ({**QUIET_POOL, **used(69.9)}, {"unmet": []}),
        ({**QUIET_POOL, **used(70)}, {"unmet": ["connections"]}),
        ({**QUIET_POOL, **used(70.1)}, {"unmet": ["connections"]}),
    ],
    "health.status == 200": [
        ({**QUIET_POOL, "health": {"status": 199}}, {"unmet": ["healthy"]}),
        (QUIET_POOL, {"unmet": []}),
        ({**QUIET_POOL, "health": {"status": 201}}, {"unmet": ["healthy"]}),
    ],
}
"""Beside a pool that is exhausted while its service logs errors."""


def disk(percent: float) -> dict[str, Any]:
    return {"disk": {"usedPercent": percent}}


def shares(logs: float, temp: float) -> dict[str, Any]:
    return {"logs": {"sharePercent": logs}, "temp": {"sharePercent": temp}}


ROTATED = ["journald-vacuum", "logrotate-force"]
DISK_FULL: dict[str, Outcomes] = {
    "disk.usedPercent > fullPercent": [
        (disk(89.9), {"verifyOnly": True}),
        (disk(90), {"verifyOnly": True}),
        (disk(90.1), {"action": "free-disk-space", "methods": ROTATED}),
    ],
    "logs.sharePercent > dominantPercent": [
        (shares(79.9, 3), {"escalate": "UnknownRootCause"}),
        (shares(80, 3), {"escalate": "UnknownRootCause"}),
        (shares(80.1, 3), {"cause": "log-rotation-issue", "methods": ROTATED}),
    ],
    "temp.sharePercent > dominantPercent": [
        (shares(3, 79.9), {"escalate": "UnknownRootCause"}),
        (shares(3, 80), {"escalate": "UnknownRootCause"}),
        (shares(3, 80.1), {"cause": "temp-files-not-cleaned", "methods": ["tmpfiles-clean"]}),
    ],
    "disk.usedPercent < targetPercent": [
        (disk(79.9), {"unmet": []}),
        (disk(80), {"unmet": ["disk"]}),
        (disk(80.1), {"unmet": ["disk"]}),
    ],
    "disk.usedPercent > 85": [
        (disk(84.9), {"unmet": ["disk"]}),
        (disk(85), {"unmet": ["disk"]}),
        (disk(85.1), {"unmet": ["disk"], "failed": "cleanup-did-not-help"}),
    ],
    "health.status == 200": [
        ({**disk(60), "health": {"status": 199}}, {"unmet": ["healthy"]}),
        (disk(60), {"unmet": []}),
        ({**disk(60), "health": {"status": 201}}, {"unmet": ["healthy"]}),
    ],
}
"""Beside a disk that logs fill."""


def available(more: int, **beside: Any) -> dict[str, Any]:
    return {**beside, "memory": {"availableBytes": 256 * 2**20 + more}}


def top(percent: float, **beside: Any) -> dict[str, Any]:
    return {**beside, "processes": {"top": {"memoryPercent": percent}}}


def holder(percent: float) -> dict[str, Any]:
    return {"processes": {"list": [{"unit": "", "memoryPercent": percent, "kernelThread": False}]}}


MEMORY_LEAK: dict[str, Outcomes] = {
    "memory.availableBytes < minAvailableMemory": [
        (available(-1), {"action": "restart"}),
        (available(0), {"verifyOnly": True}),
        (available(1), {"verifyOnly": True}),
    ],
    "processes.top.memoryPercent > dominantPercent": [
        (top(49.9), {"escalate": "UnknownRootCause"}),
        (top(50), {"escalate": "UnknownRootCause"}),
        (top(50.1), {"action": "restart"}),
    ],
    "p.memoryPercent > unexpectedPercent": [
        (holder(19.9), {"action": "restart"}),
        (holder(20), {"action": "restart"}),
        (holder(20.1), {"escalate": "SecurityIncident"}),
    ],
    "oom.count > 0": [
        (top(30, oom={"count": 0}), {"escalate": "UnknownRootCause"}),
        (top(30, oom={"count": 1}), {"action": "restart"}),
    ],
    "oomKills.count > 0": [
        (available(1, **top(3), oomKills={"count": 0}), {"verifyOnly": True}),
        (available(1, **top(3), oomKills={"count": 1}), {"escalate": "UnknownRootCause"}),
    ],
    # Evidence is its own baseline in these rows: memory did not grow.
    "oom.count == 0": [
        ({"oom": {"count": 0}}, {"unmet": ["memory"]}),
        ({"oom": {"count": 1}}, {"unmet": ["memory", "no-new-oom"]}),
    ],
    "oomKills.count == 0": [
        ({"oomKills": {"count": 0}}, {"unmet": ["memory"]}),
        ({"oomKills": {"count": 1}}, {"unmet": ["memory", "no-new-oom"]}),
    ],
    "health.status == 200": [
        ({"health": {"status": 199}}, {"unmet": ["memory", "healthy"]}),
        ({"health": {"status": 200}}, {"unmet": ["memory"]}),
        ({"health": {"status": 201}}, {"unmet": ["memory", "healthy"]}),
    ],
}
"""Beside a service that holds most of a memory that is short."""


def lost(percent: float, gateway: float = 0, port: str = "TimedOut") -> dict[str, Any]:
    probe = {"open": port == "", "error": port}
    return {"loss": {"lossPercent": percent}, "gateway": {"lossPercent": gateway}, "portProbe": probe}


def answered(status: int) -> dict[str, Any]:
    return {"dependencyHealth": {"ok": True, "status": status}}


NETWORK_DIAGNOSTICS: dict[str, Outcomes] = {
    "gateway.lossPercent == 100": [
        (lost(100, gateway=99.9), {"cause": "unreachable", "escalate": "ManualActionRequired"}),
        (lost(100, gateway=100), {"cause": "link-down", "escalate": "ManualActionRequired"}),
    ],
    "loss.lossPercent < 100": [
        (lost(99.9, gateway=100), {"cause": "packet-loss"}),
        (lost(100, gateway=100), {"cause": "link-down"}),
    ],
    "loss.lossPercent <= maxLossPercent": [
        (lost(4.9), {"cause": "filtered"}),
        (lost(5), {"cause": "filtered"}),
        (lost(5.1), {"cause": "packet-loss"}),
    ],
    "loss.lossPercent == 100": [(lost(99.9), {"cause": "packet-loss"}), (lost(100), {"cause": "unreachable"})],
    "loss.lossPercent > maxLossPercent": [
        (lost(4.9, port=""), {"cause": "dependency-unhealthy"}),
        (lost(5, port=""), {"cause": "dependency-unhealthy"}),
        (lost(5.1, port=""), {"cause": "packet-loss"}),
    ],
    "dependencyHealth.status == 200": [
        (answered(199), {"verifyOnly": True, "unmet": ["dependency"]}),
        (answered(200), {"verifyOnly": True, "unmet": []}),
        (answered(201), {"verifyOnly": True, "unmet": ["dependency"]}),
    ],
}
"""Beside a dependency that refuses connections."""

UP: dict[str, Any] = {
    "db": {"accepting": True, "error": ""},
    "dbUnitState": {"activeState": "active"},
    "path": {"open": True, "error": ""},
    "errors": {"count": 0},
    "health": {"ok": True, "status": 200},
}
SUFFERING = {"ok": False, "status": 503}
RESTORE_DB_CONNECTIVITY: dict[str, Outcomes] = {
    "corruption.count > 0": [
        ({"corruption": {"count": 0}}, {"action": "restart-database"}),
        ({"corruption": {"count": 1}}, {"escalate": "ManualActionRequired"}),
    ],
    "dbDisk.usedPercent > 95": [
        ({"dbDisk": {"usedPercent": 94.9}}, {"action": "restart-database"}),
        ({"dbDisk": {"usedPercent": 95}}, {"action": "restart-database"}),
        ({"dbDisk": {"usedPercent": 95.1}}, {"cause": "database-disk-full", "escalate": "ManualActionRequired"}),
    ],
    "errors.count > 0": [
        ({**UP, "health": SUFFERING, "errors": {"count": 0}}, {"verifyOnly": True}),
        ({**UP, "health": SUFFERING, "errors": {"count": 1}}, {"action": "restart-service"}),
    ],
    "errors.count == 0": [(UP, {"unmet": []}), ({**UP, "errors": {"count": 1}}, {"unmet": ["no-new-errors"]})],
    "health.status == 200": [
        ({**UP, "health": {"ok": True, "status": 199}}, {"unmet": ["healthy"]}),
        (UP, {"unmet": []}),
        ({**UP, "health": {"ok": True, "status": 201}}, {"unmet": ["healthy"]}),
    ],
}
"""Beside a database whose unit failed."""
SERVICE_UNAVAILABLE: dict[str, Outcomes] = {
    "memory.availableBytes <= minAvailableMemory": [
        (available(-1), {"runbook": "memory-leak"}),
        (available(0), {"runbook": "memory-leak"}),
        (available(1), {"escalate": "UnknownIncidentType"}),
    ],
    "disk.usedPercent > fullPercent": [
        (disk(89.9), {"escalate": "UnknownIncidentType"}),
        (disk(90), {"escalate": "UnknownIncidentType"}),
        (disk(90.1), {"runbook": "disk-full"}),
    ],
}
"""Beside a service whose surroundings are well."""

BOUNDARIES: dict[str, tuple[str, dict[str, Outcomes]]] = {
    "db-connection-pool": ("errors", DB_CONNECTION_POOL),
    "disk-full": ("full", DISK_FULL),
    "high-cpu": ("busy", HIGH_CPU),
    "memory-leak": ("low", MEMORY_LEAK),
    "network-diagnostics": ("refused", NETWORK_DIAGNOSTICS),
    "restore-db-connectivity": ("down", RESTORE_DB_CONNECTIVITY),
    "service-unavailable": ("well", SERVICE_UNAVAILABLE),
}
"""Runbook → the evidence of its own tests that the rows begin from, and the rows."""
AGAINST_BASELINE = {"memory-leak": {"memory.availableBytes >= minAvailableMemory"}}
"""Thresholds that hold only together with what memory was before the action; a test of their own below."""

_COMPARISON = re.compile(r"[\w.]+ (?:<=|>=|<|>|==|!=) [\w.]+(?!\w*')")


def document(name: str) -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((RUNBOOKS / f"{name}.yaml").read_text())
    return loaded


def thresholds(spec: dict[str, Any]) -> set[str]:
    """Every comparison with a number or with a parameter that is one."""
    numbers = {each["name"] for each in spec["parameters"] if each["type"] in {"number", "integer", "quantity"}}
    judged = [*spec.get("variables", []), *spec["guards"], *spec["hypotheses"]]
    verify = spec.get("verify", {})
    judged += [*verify.get("criteria", []), *verify.get("failWhen", [])]
    for action in spec.get("actions", []):
        judged += [*action.get("preconditions", []), *action.get("methods", []), {"when": action.get("until", "")}]
    sources = [each[key] for each in judged for key in ("expression", "when", "require") if key in each]
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
    (result,) = rehearse(KINDS[runbook["kind"]].model_validate(runbook).spec)
    assert result.differences == ()
    if "unmet" in expected:  # what is told of a verification is all of it
        assert result.outcome.failed == expected.get("failed")


@pytest.mark.parametrize("path", sorted(RUNBOOKS.glob("*.yaml")), ids=lambda path: path.stem)
def test_no_threshold_of_the_runbook_is_left_out(path: Path) -> None:
    rows = set(BOUNDARIES[path.stem][1]) | AGAINST_BASELINE.get(path.stem, set())
    assert thresholds(document(path.stem)["spec"]) <= rows


@pytest.mark.parametrize("name", BOUNDARIES)
def test_at_every_threshold_something_changes(name: str) -> None:
    for threshold, outcomes in BOUNDARIES[name][1].items():
        assert len({str(expected) for _, expected in outcomes}) > 1, threshold


@pytest.mark.rule(16)
@pytest.mark.parametrize(
    ("before", "after", "holds"),
    [(100, 256 * 2**20 - 1, False), (100, 256 * 2**20, True), (256 * 2**20, 256 * 2**20, False)],
)
def test_memory_is_free_again_when_there_is_enough_and_more_than_before(
    before: int, after: int, *, holds: bool
) -> None:
    spec = Runbook.model_validate(document("memory-leak")).spec
    setting = Setting("report-service", resolve(spec.parameters, {}).values, {})
    values = {"memory": {"availableBytes": after}}
    scope = scope_of(spec, setting, values, baseline={"memory": {"availableBytes": before}})
    plan = verification_plan(spec, setting)
    assert ("memory" not in unmet(plan, take_sample(spec, plan, scope, datetime(2026, 1, 1, tzinfo=UTC)))) is holds


@pytest.mark.rule(15)
@pytest.mark.parametrize(
    ("percent", "expected"),
    [(79.9, {"escalate": "PreconditionFailed"}), (80, {"action": "free-disk-space"}), (80.1, {"methods": ROTATED})],
)
def test_a_disk_below_its_target_is_not_cleaned_up(percent: float, expected: dict[str, Any]) -> None:
    runbook = document("disk-full")
    case = {"name": "until", "given": "full", "with": disk(percent), "expect": expected}
    runbook["spec"]["tests"]["cases"] = [case]
    (result,) = rehearse(Runbook.model_validate(runbook).spec, {"fullPercent": 50})
    assert result.differences == ()


def test_a_threshold_that_nobody_wrote_a_row_for_is_noticed() -> None:
    spec = document("high-cpu")["spec"]
    spec["verify"]["failWhen"] = [{"name": "worse", "when": "errors.perMinute > 12.5 && health.ok"}]
    assert thresholds(spec) - set(HIGH_CPU) == {"errors.perMinute > 12.5"}
