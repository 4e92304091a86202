"""What many incidents of different causes cost on many hosts: nothing of them is the same question or the same fix."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from tests.testbed.hosts import Host, Hosts
from tests.testbed.operator import Operator
from tests.testbed.stage import Stage

from benchmarks import operators
from benchmarks.figures import Section, at_most
from benchmarks.operators import cpu_seconds, peak_mib, wait_for_all, with_namespace
from benchmarks.triage import open_incident, runbook, start_hosts

HOSTS, RUNBOOKS = 32, 7
_INCIDENTS = 200
_SAMPLES = 2
_AT_ONCE = 8


def measure() -> Iterator[Section]:
    section = Section(
        f"{_INCIDENTS} incidents of different causes on {HOSTS} hosts, all at once",
        f"{RUNBOOKS} runbooks of five diagnostics each, so each incident is a question and a fix of its own; each then "
        "asks for approval. All of the operator's CPU is counted, that for the API server too. The hosts and the "
        "API server share the processors with the operator.",
    )
    with operators.stage() as (first, folder), Hosts() as hosts:
        fleet = start_hosts(hosts, HOSTS)
        for sample in range(_SAMPLES):
            stage = first if sample == 0 else with_namespace(first.cluster, f"shop-{sample}")
            _register(stage, fleet)
            with Operator(stage.cluster, stage.namespace, folder / f"operator-{sample}") as operator:
                _add_runbooks(stage)
                time.sleep(10)  # what follows from a start
                section.begin_sample()
                used = sum(host.cpu_seconds() for host in fleet)
                spent, begin = cpu_seconds(operator.pid), time.monotonic()
                _open(stage, fleet, _INCIDENTS)
                section.record("until all were judged", "s", time.monotonic() - begin)
                cpu = (cpu_seconds(operator.pid) - spent) * 1000 / _INCIDENTS
                section.record("the operator's CPU, an incident", "ms", cpu, at_most(25))
                used = sum(host.cpu_seconds() for host in fleet) - used
                section.record("the hosts' CPU, an incident", "ms", used * 1000 / _INCIDENTS)
                section.record("the operator's memory at the peak", "MiB", peak_mib(operator.pid))
                asking = [name for name in _names(_INCIDENTS) if stage.phase(name) == "AwaitingApproval"]
                section.record("those that have a packet", "%", 100 * len(asking) / _INCIDENTS)
    yield section


def put_up(stage: Stage, hosts: Hosts) -> list[Host]:
    """The hosts, registered in this namespace."""
    fleet = start_hosts(hosts, HOSTS)
    _register(stage, fleet)
    return fleet


def open_incidents(stage: Stage, fleet: Sequence[Host], number: int) -> None:
    """So many incidents of different causes, which then wait for approval; an operator is at work."""
    _add_runbooks(stage)
    _open(stage, fleet, number)


def _register(stage: Stage, fleet: Sequence[Host]) -> None:
    for host in fleet:
        stage.add_host(host)


def _add_runbooks(stage: Stage) -> None:
    for number in range(RUNBOOKS):
        stage.add_runbook(runbook(number))


def _open(stage: Stage, fleet: Sequence[Host], number: int) -> None:
    """Open them, and wait until each was judged."""

    def opened(which: int) -> None:
        host, kind = fleet[which % len(fleet)], f"Busy{which // len(fleet)}"
        open_incident(stage, _name(which), host, kind)

    with ThreadPoolExecutor(_AT_ONCE) as pool:
        list(pool.map(opened, range(number)))
    wait_for_all(stage, _names(number), _is_judged)


def _is_judged(status: Mapping[str, Any]) -> bool:
    return status.get("phase") in {"AwaitingApproval", "Escalated", "Resolved"}


def _name(which: int) -> str:
    return f"cause-{which}"


def _names(number: int) -> list[str]:
    return [_name(which) for which in range(number)]
