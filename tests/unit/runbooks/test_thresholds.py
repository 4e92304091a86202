"""Every threshold of a shipped runbook at its boundary: what comes out just below, exactly there, and just above."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from firstresponder.incident.decision.decide import EvaluationInputs, scope_of
from firstresponder.incident.decision.verification import take_sample, verification_plan
from firstresponder.replay.test_cases import run_tests, unmet
from firstresponder.runbooks.models import Runbook, TriagePlaybook
from firstresponder.runbooks.parameters import resolve

RUNBOOKS = Path(__file__).parents[3] / "runbooks"
KINDS: dict[str, type[Runbook | TriagePlaybook]] = {"Runbook": Runbook, "TriagePlaybook": TriagePlaybook}
QUIET = {"errors": {"count": 1, "mostRepeated": 1}}
HEALTHY = {"status": 200, "json": {"status": "healthy"}}
Outcomes = list[tuple[dict[str, Any], dict[str, Any]]]


def cpu(percent: float, iowait: float = 0, steal: float = 0) -> dict[str, Any]:
    """What is busy, and what of the rest waits for disks."""
    kinds = {"iowait": iowait, "steal": steal}
    return {"processes": {"hostCpuPercent": percent, "notIdlePercent": percent + iowait, "cpu": kinds}}


def stranger(percent: float) -> dict[str, Any]:
    return {"processes": {"list": [{"unit": "", "names": [], "cpuPercent": percent, "kernelThread": False}]}}


def strangers(percent: float) -> dict[str, Any]:
    return {"processes": {"units": [{"unit": "session-3.scope", "names": ["session-3.scope"], "cpuPercent": percent}]}}


def explained(own: float, top: float, unexplained: float = 0) -> dict[str, Any]:
    shares = {"own": {"cpuSharePercent": own}, "topUnit": {"cpuSharePercent": top}}
    return {"processes": {**shares, "unexplainedSharePercent": unexplained}}


HIGH_CPU: dict[str, Outcomes] = {
    "processes.hostCpuPercent > cpuThreshold": [
        (cpu(79.9), {"verifyOnly": True}),
        (cpu(80), {"verifyOnly": True}),
        (cpu(80.1), {"action": "scale-out"}),
    ],
    "processes.notIdlePercent > cpuThreshold": [
        (cpu(75, iowait=4.9), {"verifyOnly": True}),
        (cpu(75, iowait=5), {"verifyOnly": True}),
        (cpu(75, iowait=5.1), {"cause": "waiting-for-disks"}),
    ],
    "processes.notIdlePercent < cpuThreshold": [
        ({**cpu(75, iowait=4.9), "health": HEALTHY}, {"unmet": []}),
        ({**cpu(75, iowait=5), "health": HEALTHY}, {"unmet": ["cpu"]}),
        ({**cpu(75, iowait=5.1), "health": HEALTHY}, {"unmet": ["cpu"]}),
    ],
    "processes.cpu.iowait > iowaitThreshold": [
        (cpu(10, iowait=9.9), {"verifyOnly": True}),
        (cpu(10, iowait=10), {"verifyOnly": True}),
        (cpu(10, iowait=10.1), {"cause": "waiting-for-disks"}),
    ],
    "processes.cpu.steal > stealThreshold": [
        (cpu(20, steal=9.9), {"verifyOnly": True}),
        (cpu(20, steal=10), {"verifyOnly": True}),
        (cpu(20, steal=10.1), {"cause": "taken-from-outside"}),
    ],
    "processes.own.cpuSharePercent >= explainsPercent": [
        (explained(49.9, 51), {"cause": "another-unit"}),
        (explained(50, 51), {"action": "scale-out"}),
        (explained(50.1, 51), {"action": "scale-out"}),
    ],
    "processes.topUnit.cpuSharePercent >= explainsPercent": [
        (explained(20, 49.9), {"escalate": "UnknownRootCause"}),
        (explained(20, 50), {"cause": "another-unit"}),
        (explained(20, 50.1), {"cause": "another-unit"}),
    ],
    "processes.unexplainedSharePercent >= explainsPercent": [
        (explained(20, 20, 49.9), {"escalate": "UnknownRootCause"}),
        (explained(20, 20, 50), {"cause": "taken-from-outside"}),
        (explained(20, 20, 50.1), {"cause": "taken-from-outside"}),
    ],
    "u.cpuPercent > 20": [
        (strangers(19.9), {"action": "scale-out"}),
        (strangers(20), {"action": "scale-out"}),
        (strangers(20.1), {"escalate": "SecurityIncident"}),
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
    "memory.availablePercent < minAvailablePercent": [
        ({"memory": {"availablePercent": 9.99}}, {"action": "restart"}),
        ({"memory": {"availablePercent": 10}}, {"action": "scale-out"}),
        ({"memory": {"availablePercent": 10.01}}, {"action": "scale-out"}),
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
QUIET_POOL = {
    "errors": {"perMinute": 0},
    "connections": {"limitPercent": 45},
    "health": {"ok": True, "status": 200},
}


def used(percent: float, **alongside: Any) -> dict[str, Any]:
    return {**alongside, "connections": {"limitPercent": percent}}


def own(percent: float) -> dict[str, Any]:
    return {"connections": {"ownPercent": percent}}


def sockets(here: int, elsewhere: int) -> dict[str, Any]:
    """Of a server without a slot: how many connections are from the service's host, and from others."""
    lines = [f"ESTAB 0 0 10.0.0.21:5432 10.0.0.11:{number}" for number in range(here)]
    lines += [f"ESTAB 0 0 10.0.0.21:5432 10.0.0.111:{number}" for number in range(elsewhere)]
    refused = {"db": {"accepting": False, "error": "TooManyClients"}, "connections": {"tooMany": True}}
    return {**refused, "sockets": {"lines": lines}}


DB_CONNECTION_POOL: dict[str, Outcomes] = {
    "connections.limitPercent > exhaustedPercent": [
        (used(79.9), {"escalate": "UnknownRootCause"}),
        (used(80), {"escalate": "UnknownRootCause"}),
        (used(80.1), {"action": "scale-in", "desired": 2}),
    ],
    "connections.limitPercent < leakPercent": [
        (used(49.9), {"action": "restart"}),
        (used(50), {"escalate": "UnknownRootCause"}),
        (used(50.1), {"escalate": "UnknownRootCause"}),
    ],
    "connections.count > 0": [
        ({"connections": {"limitPercent": 5, "count": 0}}, {"escalate": "UnknownRootCause"}),
        ({"connections": {"limitPercent": 5, "count": 1}}, {"action": "restart"}),
    ],
    "connections.ownPercent > 50": [
        (own(49.9), {"cause": "held-by-others", "escalate": "ManualActionRequired"}),
        (own(50), {"cause": "held-by-others", "escalate": "ManualActionRequired"}),
        (own(50.1), {"action": "scale-in"}),
    ],
    "errors.perMinute >= errorsPerMinute": [
        (used(60, errors={"perMinute": 9.9}), {"verifyOnly": True}),
        (used(60, errors={"perMinute": 10}), {"escalate": "UnknownRootCause"}),
        (used(60, errors={"perMinute": 10.1}), {"escalate": "UnknownRootCause"}),
    ],
    "errors.count < 1": [
        (used(60, errors={"count": 0, "perMinute": 0}), {"escalate": "UnknownRootCause"}),
        (used(60, errors={"count": 1, "perMinute": 0.2}), {"verifyOnly": True}),
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
    "connections.limitPercent < safePercent": [
        ({**QUIET_POOL, **used(69.9)}, {"unmet": []}),
        ({**QUIET_POOL, **used(70)}, {"unmet": ["connections"]}),
        ({**QUIET_POOL, **used(70.1)}, {"unmet": ["connections"]}),
    ],
    "health.status == 200": [
        ({**QUIET_POOL, "health": {"ok": True, "status": 199}}, {"unmet": ["healthy"]}),
        (QUIET_POOL, {"unmet": []}),
        ({**QUIET_POOL, "health": {"ok": True, "status": 201}}, {"unmet": ["healthy"]}),
    ],
}
"""Beside a pool that is exhausted while its service logs errors."""


def disk(percent: float) -> dict[str, Any]:
    """Of a file system without reserved blocks."""
    return {"disk": {"usedPercent": percent, "availablePercent": 100 - percent}}


def left(percent: float) -> dict[str, Any]:
    """Available of the whole, where blocks are reserved for root."""
    return {"disk": {"usedPercent": 80, "availablePercent": percent}}


def inodes(percent: float, **alongside: Any) -> dict[str, Any]:
    """Of a file system with bytes to spare."""
    space = {"usedPercent": 40, "availablePercent": 57}
    return {**alongside, "disk": {**space, "inodesCounted": True, "inodesUsedPercent": percent}}


def shares(logs: float, temp: float) -> dict[str, Any]:
    return {"logs": {"sharePercent": logs}, "temp": {"sharePercent": temp}}


ROTATED = ["journald-vacuum", "logrotate-force"]
DISK_FULL: dict[str, Outcomes] = {
    "disk.usedPercent > fullPercent": [
        (disk(89.9), {"verifyOnly": True}),
        (disk(90), {"verifyOnly": True}),
        (disk(90.1), {"action": "free-disk-space", "methods": ROTATED}),
    ],
    "disk.availablePercent < minAvailablePercent": [
        (left(9.9), {"action": "free-disk-space"}),
        (left(10), {"verifyOnly": True}),
        (left(10.1), {"verifyOnly": True}),
    ],
    "disk.inodesUsedPercent > fullPercent": [
        (inodes(89.9), {"verifyOnly": True}),
        (inodes(90), {"verifyOnly": True}),
        (inodes(90.1), {"cause": "too-many-files", "escalate": "ManualActionRequired"}),
    ],
    "tempFiles.sharePercent > dominantPercent": [
        (inodes(100, tempFiles={"sharePercent": 79.9}), {"cause": "too-many-files"}),
        (inodes(100, tempFiles={"sharePercent": 80}), {"cause": "too-many-files"}),
        (inodes(100, tempFiles={"sharePercent": 80.1}), {"action": "free-disk-space", "methods": ["tmpfiles-clean"]}),
    ],
    "files.sharePercent >= foundPercent": [
        (inodes(100, files={"sharePercent": 49.9}), {"escalate": "UnknownRootCause"}),
        (inodes(100, files={"sharePercent": 50}), {"cause": "too-many-files"}),
        (inodes(100, files={"sharePercent": 50.1}), {"cause": "too-many-files"}),
    ],
    "largest.sharePercent < foundPercent": [
        ({**shares(3, 3), "largest": {"sharePercent": 49.9}}, {"cause": "files-in-no-folder"}),
        ({**shares(3, 3), "largest": {"sharePercent": 50}}, {"escalate": "UnknownRootCause"}),
        ({**shares(3, 3), "largest": {"sharePercent": 50.1}}, {"escalate": "UnknownRootCause"}),
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


def available(percent: float, **alongside: Any) -> dict[str, Any]:
    return {**alongside, "memory": {"availablePercent": percent}}


def top(percent: float, **alongside: Any) -> dict[str, Any]:
    return {**alongside, "processes": {"topUnit": {"memoryPercent": percent}}}


def holder(percent: float) -> dict[str, Any]:
    return {"processes": {"list": [{"unit": "", "names": [], "memoryPercent": percent, "kernelThread": False}]}}


def holders(percent: float) -> dict[str, Any]:
    return {"processes": {"units": [{"unit": "", "names": [], "memoryPercent": percent}]}}


MEMORY_LEAK: dict[str, Outcomes] = {
    "memory.availablePercent < minAvailablePercent": [
        (available(9.99), {"action": "restart"}),
        (available(10), {"verifyOnly": True}),
        (available(10.01), {"verifyOnly": True}),
    ],
    "u.memoryPercent > unexpectedPercent": [
        (holders(19.9), {"action": "restart"}),
        (holders(20), {"action": "restart"}),
        (holders(20.1), {"escalate": "SecurityIncident"}),
    ],
    "processes.topUnit.memoryPercent > dominantPercent": [
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
        (available(11, **top(3), oomKills={"count": 0}), {"verifyOnly": True}),
        (available(11, **top(3), oomKills={"count": 1}), {"escalate": "UnknownRootCause"}),
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


FAILING = {"connected": True, "status": 500, "error": ""}


def lost(percent: float, gateway: float = 0, port: str = "TimedOut") -> dict[str, Any]:
    probe = {"open": port == "", "error": port}
    health = {"dependencyHealth": FAILING} if port == "" else {}
    return {"loss": {"lossPercent": percent}, "gateway": {"lossPercent": gateway}, "portProbe": probe, **health}


def large_lost(percent: float) -> dict[str, Any]:
    health = {"connected": True, "error": "AnswerIncomplete"}
    return {"dependencyHealth": health, "portProbe": {"open": True, "error": ""}, "large": {"lossPercent": percent}}


def answered(status: int) -> dict[str, Any]:
    return {"dependencyHealth": {"ok": True, "connected": True, "status": status, "error": ""}}


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
    "large.lossPercent >= 50": [
        (large_lost(49.9), {"cause": "answer-does-not-arrive"}),
        (large_lost(50), {"cause": "large-packets-lost"}),
        (large_lost(50.1), {"cause": "large-packets-lost"}),
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
    "dbLog.count > 0": [
        ({"dbLog": {"count": 0}}, {"escalate": "ManualActionRequired"}),
        ({"dbLog": {"count": 1}}, {"action": "restart-database"}),
    ],
    "dbDisk.inodesUsedPercent > 95": [
        ({"dbDisk": {"inodesUsedPercent": 94.9}}, {"action": "restart-database"}),
        ({"dbDisk": {"inodesUsedPercent": 95}}, {"action": "restart-database"}),
        ({"dbDisk": {"inodesUsedPercent": 95.1}}, {"cause": "database-disk-full", "escalate": "ManualActionRequired"}),
    ],
    "dbDisk.usedPercent > 95": [
        ({"dbDisk": {"usedPercent": 94.9}}, {"action": "restart-database"}),
        ({"dbDisk": {"usedPercent": 95}}, {"action": "restart-database"}),
        ({"dbDisk": {"usedPercent": 95.1}}, {"cause": "database-disk-full", "escalate": "ManualActionRequired"}),
    ],
    "errors.count > 0": [
        ({**UP, "health": SUFFERING, "errors": {"count": 0}}, {"escalate": "UnknownRootCause"}),
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
    "memory.availablePercent < minAvailablePercent": [
        (available(9.99), {"runbook": "memory-leak"}),
        (available(10), {"escalate": "UnknownIncidentType"}),
        (available(10.01), {"escalate": "UnknownIncidentType"}),
    ],
    "disk.inodesUsedPercent > fullPercent": [
        (inodes(89.9), {"escalate": "UnknownIncidentType"}),
        (inodes(90), {"escalate": "UnknownIncidentType"}),
        (inodes(90.1), {"runbook": "disk-full"}),
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
AGAINST_BASELINE = {
    "memory-leak": {"memory.availablePercent >= minAvailablePercent"},
    "disk-full": {
        "baseline.disk.inodesUsedPercent > fullPercent",
        "baseline.disk.usedPercent <= fullPercent",
        "baseline.disk.usedPercent > fullPercent",
    },
}
"""Thresholds that hold only together with what memory was before the action; a test of their own below."""
BY_AMOUNT = {"memory.availableBytes < minAvailableMemory", "memory.availableBytes >= minAvailableMemory"}
"""Thresholds of an amount, which is none unless an incident gives it; a test of their own below."""

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
    (result,) = run_tests(KINDS[runbook["kind"]].model_validate(runbook).spec)
    assert result.differences == ()
    if "unmet" in expected:  # what is told of a verification is all of it
        assert result.outcome.failed == expected.get("failed")


@pytest.mark.parametrize("path", sorted(RUNBOOKS.glob("*.yaml")), ids=lambda path: path.stem)
def test_no_threshold_of_the_runbook_is_left_out(path: Path) -> None:
    rows = set(BOUNDARIES[path.stem][1]) | AGAINST_BASELINE.get(path.stem, set()) | BY_AMOUNT
    assert thresholds(document(path.stem)["spec"]) <= rows


@pytest.mark.parametrize("name", BOUNDARIES)
def test_at_every_threshold_something_changes(name: str) -> None:
    for threshold, outcomes in BOUNDARIES[name][1].items():
        assert len({str(expected) for _, expected in outcomes}) > 1, threshold


@pytest.mark.rule(16)
@pytest.mark.parametrize(
    ("before", "after", "holds"),
    [(4, 9.99, False), (4, 10, True), (10, 10, False)],
)
def test_memory_is_free_again_when_there_is_enough_and_more_than_before(
    before: float, after: float, *, holds: bool
) -> None:
    spec = Runbook.model_validate(document("memory-leak")).spec
    inputs = EvaluationInputs("report-service", resolve(spec.parameters, {}).values, {})
    sizes = [{"availableBytes": percent * 2**20, "availablePercent": percent} for percent in (before, after)]
    scope = scope_of(spec, inputs, {"memory": sizes[1]}, baseline={"memory": sizes[0]})
    plan = verification_plan(spec, inputs)
    assert ("memory" not in unmet(plan, take_sample(spec, plan, scope, datetime(2026, 1, 1, tzinfo=UTC)))) is holds


@pytest.mark.parametrize(
    ("here", "elsewhere", "cause"),
    [(1, 2, "slots-not-known-to-be-ours"), (1, 1, "slots-not-known-to-be-ours"), (2, 1, "no-slot-left")],
)
def test_a_service_gives_up_connections_only_when_its_host_is_seen_to_hold_most(
    here: int, elsewhere: int, cause: str
) -> None:
    runbook = document("db-connection-pool")
    case = {"name": "sockets", "given": "errors", "with": sockets(here, elsewhere), "expect": {"cause": cause}}
    runbook["spec"]["tests"]["cases"] = [case]
    (result,) = run_tests(Runbook.model_validate(runbook).spec)
    assert result.differences == ()


@pytest.mark.rule(16)
@pytest.mark.parametrize(
    ("before", "after", "missing", "failed"),
    [
        ((95, 12), (86, 12), {"disk"}, "cleanup-did-not-help"),
        ((90, 100), (86, 30), set(), None),
        ((90.1, 100), (86, 30), {"disk"}, "cleanup-did-not-help"),
        ((89.7, 89.9), (86, 30), {"disk"}, None),
        ((40, 100), (91, 30), {"disk"}, None),
        ((40, 100), (40, 90.1), {"inodes"}, None),
    ],
)
def test_a_disk_is_freed_of_what_filled_it(
    before: tuple[float, float], after: tuple[float, float], missing: set[str], failed: str | None
) -> None:
    def seen(used: float, inodes: float) -> dict[str, Any]:
        percents = {"usedPercent": used, "availablePercent": 100 - used, "inodesUsedPercent": inodes}
        well = {"unit": {"activeState": "active"}, "health": {"status": 200}}
        return {"disk": {**percents, "inodesCounted": True, "mountPoint": "/"}, **well}

    spec = Runbook.model_validate(document("disk-full")).spec
    inputs = EvaluationInputs("report-service", resolve(spec.parameters, {}).values, {})
    scope = scope_of(spec, inputs, seen(*after), baseline=seen(*before))
    plan = verification_plan(spec, inputs)
    sample = take_sample(spec, plan, scope, datetime(2026, 1, 1, tzinfo=UTC))
    assert set(unmet(plan, sample)) == missing
    assert sample.failed == failed


@pytest.mark.parametrize(
    ("alert", "evidence", "full"),
    [
        ("HostOutOfDiskSpace", left(10), False),
        ("HostOutOfDiskSpace", left(9.9), True),
        ("NodeFilesystemAlmostOutOfSpace", left(4.9), True),
        ("NodeFilesystemAlmostOutOfSpace", left(2.9), True),
        ("HostOutOfInodes", inodes(90), False),
        ("HostOutOfInodes", inodes(90.1), True),
        ("NodeFilesystemAlmostOutOfFiles", inodes(95.1), True),
        ("NodeFilesystemAlmostOutOfFiles", inodes(97.1), True),
    ],
)
def test_a_disk_is_full_where_an_alert_says_so(alert: str, evidence: dict[str, Any], *, full: bool) -> None:
    """awesome-prometheus-alerts: less than 10 % of the whole; node_exporter's mixin: less than 5 %, then 3 %. Its
    SpaceFillingUp and FilesFillingUp are forecasts at up to 40 %, of which no look at the disk can tell."""
    runbook = document("disk-full")
    assert alert in runbook["spec"]["match"]["alerts"]
    runbook["spec"]["tests"]["cases"] = [{"name": alert, "given": "full", "with": evidence, "expect": {}}]
    (result,) = run_tests(Runbook.model_validate(runbook).spec)
    assert result.outcome.verify_only is not full


@pytest.mark.parametrize(("percent", "symptom"), [(80, False), (80.1, True), (100, True)])
@pytest.mark.parametrize(
    "alert", ["PostgresqlTooManyConnections", "PostgreSQLHighConnections", "PostgreSQLMaxConnectionsReached"]
)
def test_the_symptom_is_true_where_an_alert_about_connections_is(alert: str, percent: float, *, symptom: bool) -> None:
    """awesome-prometheus-alerts: > 80 % of max_connections; postgres_exporter's mixin: > 80 % and 100 % of what is not
    reserved. With one pool error, which alone is no symptom."""
    runbook = document("db-connection-pool")
    assert alert in runbook["spec"]["match"]["alerts"]
    expect = {"action": "scale-in"} if symptom else {"verifyOnly": True}
    evidence = used(percent, errors={"count": 1, "perMinute": 0.2})
    runbook["spec"]["tests"]["cases"] = [{"name": alert, "given": "errors", "with": evidence, "expect": expect}]
    (result,) = run_tests(Runbook.model_validate(runbook).spec)
    assert result.differences == ()


AMOUNT = 256 * 2**20


@pytest.mark.parametrize(
    ("name", "given", "short", "enough"),
    [
        ("high-cpu", "busy", {"action": "restart"}, {"action": "scale-out"}),
        ("memory-leak", "low", {"action": "restart", "unmet": ["memory"]}, {"verifyOnly": True}),
        ("service-unavailable", "well", {"runbook": "memory-leak"}, {"escalate": "UnknownIncidentType"}),
    ],
)
def test_memory_is_short_below_an_amount_too_where_an_incident_gives_one(
    name: str, given: str, short: dict[str, Any], enough: dict[str, Any]
) -> None:
    runbook = document(name)
    for more, expected in ((-1, short), (0, enough), (1, enough)):
        memory = {"memory": {"availableBytes": AMOUNT + more, "availablePercent": 50}}
        case = {"name": "amount", "given": given, "with": memory, "expect": expected}
        runbook["spec"]["tests"]["cases"] = [case]
        (result,) = run_tests(KINDS[runbook["kind"]].model_validate(runbook).spec, {"minAvailableMemory": "256Mi"})
        assert result.differences == ()


@pytest.mark.rule(15)
@pytest.mark.parametrize(
    ("percent", "expected"),
    [(79.9, {"escalate": "PreconditionFailed"}), (80, {"action": "free-disk-space"}), (80.1, {"methods": ROTATED})],
)
def test_a_disk_below_its_target_is_not_cleaned_up(percent: float, expected: dict[str, Any]) -> None:
    runbook = document("disk-full")
    case = {"name": "until", "given": "full", "with": disk(percent), "expect": expected}
    runbook["spec"]["tests"]["cases"] = [case]
    (result,) = run_tests(Runbook.model_validate(runbook).spec, {"fullPercent": 50})
    assert result.differences == ()


def test_a_threshold_that_nobody_wrote_a_row_for_is_noticed() -> None:
    spec = document("high-cpu")["spec"]
    spec["verify"]["failWhen"] = [{"name": "worse", "when": "errors.perMinute > 12.5 && health.ok"}]
    assert thresholds(spec) - set(HIGH_CPU) - BY_AMOUNT == {"errors.perMinute > 12.5"}
