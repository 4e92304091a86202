"""The scenarios of `make demo`, as data: what is put up, what breaks, what is reported, how it must end."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.testbed import database, faults, surroundings
from tests.testbed.cluster import ALICE, DANA
from tests.testbed.hosts import Hosts
from tests.testbed.stage import Stage
from tests.testbed.surroundings import APPS, CONTROL, DATABASE, DEPENDENCY, GATEWAY_HOST, REPORTS_HOST, Cast

Parameters = Mapping[str, Any]


@dataclass(frozen=True)
class Report:
    """What a person notices, who does not know why."""

    type: str
    service: str
    target: str
    """The host that the incident is about."""
    summary: str


@dataclass(frozen=True)
class Scenario:
    """One incident, from what is well to how it must end."""

    about: str
    """The fault, for people."""
    put_up: Callable[[Hosts, Stage], Cast]
    """The hosts, all well."""
    break_it: Callable[[Cast, Stage], Parameters | None]
    """The fault. Returns parameters of the incident that depend on this machine, if there are any."""
    report: Report
    phase: str
    """The phase that the incident must end in."""
    reason: str | None = None
    """Why it must have been escalated, if it must."""
    actions: Mapping[str, list[str]] = field(default_factory=dict)
    """What the hosts' ledgers must hold in the end: name of the host to its actions in the order of the alphabet."""
    parameters: Parameters = field(default_factory=dict)
    approver: str = ALICE

    def incident(self, name: str, measured: Parameters | None) -> dict[str, Any]:
        """The resource that a person applies to report it."""
        spec: dict[str, Any] = {
            "type": self.report.type,
            "service": self.report.service,
            "hosts": [{"role": "target", "name": self.report.target}],
            "severity": "Critical",
            "summary": self.report.summary,
        }
        if parameters := {**self.parameters, **(measured or {})}:
            spec["parameters"] = parameters
        metadata = {"name": name}
        return {"apiVersion": "firstresponder.dev/v1alpha1", "kind": "Incident", "metadata": metadata, "spec": spec}


def _load(cast: Cast, stage: Stage) -> None:
    surroundings.send_clients(cast)


def _exhaust(cast: Cast, stage: Stage) -> None:
    surroundings.demand_connections(cast, 5)
    surroundings.wait_for_pool_errors(cast, stage)


def _leak_connections(cast: Cast, stage: Stage) -> None:
    cast[APPS[0]].order("leak")
    surroundings.wait_for_pool_errors(cast, stage)


def _crash_database(cast: Cast, stage: Stage) -> None:
    database.crash(cast[DATABASE])


def _cut_path(cast: Cast, stage: Stage) -> None:
    faults.drop(cast[DATABASE], "input", f"tcp dport {database.PORT}")


def _eat_memory(cast: Cast, stage: Stage) -> Parameters:
    """Hosts of the testbed share this machine's memory, so what is short is relative to what there is now."""
    host = cast[REPORTS_HOST]
    size, limit = faults.shortage(host)
    host.order("hoard", str(size))
    return {"minAvailableMemory": str(limit), "dominantPercent": 5}


HIGH_CPU = Report("HighCPU", surroundings.GATEWAY, GATEWAY_HOST, f"CPU above 80 % for 5m on {GATEWAY_HOST}")
UNREACHABLE = f"{faults.DEPENDENCY} cannot be reached from {GATEWAY_HOST}"
NETWORK = Report("NetworkConnectivity", surroundings.GATEWAY, GATEWAY_HOST, UNREACHABLE)
STRANGE = Report("StrangeNoises", surroundings.GATEWAY, GATEWAY_HOST, f"the fans of {GATEWAY_HOST} hum a tune")
NO_CONNECTION = "payroll gets no database connections"
POOL = Report("DBConnectionPoolExhausted", surroundings.PAYROLL, APPS[0], NO_CONNECTION)
CONNECTIVITY = Report("DBConnectivity", surroundings.PAYROLL, APPS[0], "payroll cannot reach its database")
UNAVAILABLE = Report("ServiceUnavailable", surroundings.PAYROLL, APPS[0], "payroll is unavailable")
DISK = Report("DiskFull", surroundings.REPORTS, REPORTS_HOST, f"a disk of {REPORTS_HOST} is nearly full")
MEMORY = Report("MemoryLeak", surroundings.REPORTS, REPORTS_HOST, f"little memory left on {REPORTS_HOST}")
SHARED = {"explainsPercent": 20}
"""Hosts of the testbed share this machine's processors, with each other and with the cluster."""
MINUTE, HALF_A_MINUTE = {"window": "1m"}, {"window": "30s"}  # the least that the runbooks allow

SCENARIOS: Mapping[str, Scenario] = {
    "leak": Scenario(
        "api-gateway leaks: it burns CPU and logs OutOfMemoryError",
        surroundings.gateway,
        lambda cast, _: cast[GATEWAY_HOST].leak(),
        HIGH_CPU,
        parameters={**MINUTE, **SHARED},
        phase="Resolved",
        actions={GATEWAY_HOST: ["restart-unit"]},
    ),
    "miner": Scenario(
        "a process outside any expected unit burns CPU",
        surroundings.gateway,
        lambda cast, _: cast[GATEWAY_HOST].mine(),
        HIGH_CPU,
        phase="Escalated",
        reason="SecurityIncident",
    ),
    "scale-out": Scenario(
        "clients ask one api-gateway for more than it can have ready; its pool has room for more",
        surroundings.gateway_pool,
        _load,
        HIGH_CPU,
        parameters={**MINUTE, **SHARED},
        phase="Resolved",
        actions={CONTROL: ["ansible-scale"]},
    ),
    "capacity": Scenario(
        "the same load, and the pool may not grow by two",
        lambda hosts, stage: surroundings.gateway_pool(hosts, stage, maximum=2),
        _load,
        HIGH_CPU,
        parameters=SHARED,
        phase="Escalated",
        reason="CapacityLimit",
    ),
    "db-pool": Scenario(
        "payroll's instances take all connections that PostgreSQL has",
        surroundings.payroll_pool,
        _exhaust,
        POOL,
        parameters=MINUTE,
        phase="Resolved",
        actions={CONTROL: ["ansible-scale"]},
    ),
    "db-leak": Scenario(
        "payroll forgets to give connections back; PostgreSQL has plenty",
        surroundings.database_and_service,
        _leak_connections,
        POOL,
        parameters=MINUTE,
        phase="Resolved",
        actions={APPS[0]: ["restart-unit"]},
    ),
    "db-down": Scenario(
        "PostgreSQL was killed (a DBA approves)",
        surroundings.database_and_service,
        _crash_database,
        CONNECTIVITY,
        parameters={**HALF_A_MINUTE, "dbUnit": database.UNIT},
        phase="Resolved",
        actions={DATABASE: ["restart-unit"]},
        approver=DANA,
    ),
    "db-path": Scenario(
        "packets from payroll to PostgreSQL are dropped on the way",
        surroundings.database_and_service,
        _cut_path,
        CONNECTIVITY,
        parameters={"dbUnit": database.UNIT},
        phase="Escalated",
        reason="ManualActionRequired",
    ),
    "disk-logs": Scenario(
        "/var/log is full of an old journal and a log that nobody rotates",
        surroundings.small_disk,
        lambda cast, _: surroundings.fill_with_logs(cast[REPORTS_HOST], journal=4),
        DISK,
        parameters={**HALF_A_MINUTE, "mountPoint": "/var/log", "retention": "2d"},
        phase="Resolved",
        actions={REPORTS_HOST: ["journal-vacuum", "logrotate"]},
    ),
    "disk-tmp": Scenario(
        "/tmp is full of a forgotten export",
        lambda hosts, stage: surroundings.small_disk(hosts, stage, "/tmp"),
        lambda cast, _: surroundings.fill_with_temporary_files(cast[REPORTS_HOST]),
        DISK,
        parameters={**HALF_A_MINUTE, "mountPoint": "/tmp"},
        phase="Resolved",
        actions={REPORTS_HOST: ["tmpfiles-clean"]},
    ),
    "memory": Scenario(
        "report-service eats the memory of its host",
        surroundings.reports,
        _eat_memory,
        MEMORY,
        parameters=MINUTE,
        phase="Resolved",
        actions={REPORTS_HOST: ["restart-unit"]},
    ),
    "network": Scenario(
        "the link to a dependency is cut",
        surroundings.dependent_gateway,
        lambda cast, _: cast[DEPENDENCY].cut(),
        NETWORK,
        phase="Escalated",
        reason="ManualActionRequired",
    ),
    "unavailable": Scenario(
        "nobody knows why payroll is down: a playbook finds its database dead (a DBA approves)",
        surroundings.payroll_and_all_it_needs,
        _crash_database,
        UNAVAILABLE,
        parameters={**HALF_A_MINUTE, "dbUnit": database.UNIT},
        phase="Resolved",
        actions={DATABASE: ["restart-unit"]},
        approver=DANA,
    ),
    "unknown": Scenario(
        "something that no runbook is for",
        surroundings.gateway,
        lambda cast, _: cast[GATEWAY_HOST].order("fail"),
        STRANGE,
        phase="Escalated",
        reason="UnknownIncidentType",
    ),
}
