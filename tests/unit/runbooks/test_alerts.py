"""The symptoms of high-cpu and memory-leak mean what the alerts mean that they are for, by the same figures of /proc.

The alerts as their rule sets have them: NodeCPUHighUsage and NodeMemoryHighUtilization of node-exporter's mixin
(github.com/prometheus/node_exporter, docs/node-mixin), the others of awesome-prometheus-alerts (github.com/samber).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from firstresponder.expressions import Verdict
from firstresponder.incident.decision.decide import EvaluationInputs, scope_of
from firstresponder.runbooks.models import Runbook
from firstresponder.runbooks.parameters import resolve
from firstresponder.runbooks.symbols import compiled, names_in
from tests.testbed.stage import RUNBOOKS
from tests.unit.evidence.asking import printed, seen
from tests.unit.evidence.test_processes import everything

Ticks = tuple[int, ...]
"""user, nice, system, idle, iowait, irq, softirq, steal."""


def percent(ticks: Ticks, *kinds: int) -> float:
    return 100 * sum(ticks[kind] for kind in kinds) / sum(ticks)


CPU: dict[str, Callable[[Ticks], bool]] = {
    "NodeCPUHighUsage": lambda ticks: percent(ticks, 0, 1, 2, 5, 6, 7) > 90,
    "HostHighCpuLoad": lambda ticks: percent(ticks, 0, 1, 2, 4, 5, 6, 7) > 80,
    "HostCpuHighIowait": lambda ticks: percent(ticks, 4) > 10,
    "HostCpuStealNoisyNeighbor": lambda ticks: percent(ticks, 7) > 10,
}
MEMORY: dict[str, Callable[[int, int], bool]] = {
    "HostOutOfMemory": lambda available, total: available * 100 / total < 10,
    "NodeMemoryHighUtilization": lambda available, total: 100 * (total - available) / total > 90,
}


def runbook(name: str) -> Runbook:
    return Runbook.model_validate(yaml.safe_load((RUNBOOKS / f"{name}.yaml").read_text()))


HIGH_CPU, MEMORY_LEAK = runbook("high-cpu"), runbook("memory-leak")


def symptom(of: Runbook, **evidence: dict[str, Any]) -> Verdict:
    inputs = EvaluationInputs("api-gateway", resolve(of.spec.parameters, {}).values, {"target": {"name": "h"}})
    scope = scope_of(of.spec, inputs, evidence)
    return compiled(of.spec.symptom, names_in(of.spec)).verdict(scope)


def cpu_symptom(ticks: Ticks) -> bool:
    verdict = symptom(HIGH_CPU, processes=seen("processes", printed(everything(grown=(*ticks, 0, 0)))))
    assert verdict is not Verdict.UNKNOWN
    return verdict is Verdict.TRUE


def memory_symptom(available: int, total: int) -> bool:
    meminfo = f"MemTotal: {total} kB\nMemAvailable: {available} kB\n"
    none = {"count": 0, "extracted": {}}
    verdict = symptom(MEMORY_LEAK, memory=seen("memory", printed(meminfo)), oom=none, oomKills=none)
    assert verdict is not Verdict.UNKNOWN
    return verdict is Verdict.TRUE


def test_each_alert_that_they_match_is_known_here() -> None:
    assert sorted(HIGH_CPU.spec.match.alerts) == sorted(CPU)
    assert sorted(MEMORY_LEAK.spec.match.alerts) == sorted(MEMORY)


@pytest.mark.parametrize(
    ("alert", "at", "above"),
    [
        ("NodeCPUHighUsage", (9000, 0, 0, 1000, 0, 0, 0, 0), (9001, 0, 0, 999, 0, 0, 0, 0)),
        ("HostHighCpuLoad", (7500, 0, 0, 2000, 500, 0, 0, 0), (7500, 0, 0, 1999, 501, 0, 0, 0)),
        ("HostCpuHighIowait", (500, 0, 0, 8500, 1000, 0, 0, 0), (500, 0, 0, 8499, 1001, 0, 0, 0)),
        ("HostCpuStealNoisyNeighbor", (500, 0, 0, 8500, 0, 0, 0, 1000), (500, 0, 0, 8499, 0, 0, 0, 1001)),
    ],
)
def test_the_symptom_is_there_where_the_alert_begins_to_fire(alert: str, at: Ticks, above: Ticks) -> None:
    assert (CPU[alert](at), CPU[alert](above), cpu_symptom(above)) == (False, True, True)
    assert cpu_symptom(at) is any(fires(at) for fires in CPU.values())


@given(ticks=st.tuples(*[st.integers(0, 5000)] * 8).filter(any))
@example(ticks=(4, 0, 1, 3, 92, 0, 0, 0)).via("nearly all waits for disks")
def test_the_symptom_is_there_exactly_when_one_of_its_alerts_fires(ticks: Ticks) -> None:
    assert cpu_symptom(ticks) is any(fires(ticks) for fires in CPU.values())


@given(total=st.integers(10**5, 2**31), thousandths=st.integers(0, 1000))
@example(total=64 * 2**20, thousandths=78).via("5 GiB of 64 left")
@example(total=64 * 2**20 - 4, thousandths=100).via("at the threshold")
def test_memory_is_short_exactly_when_one_of_its_alerts_fires(total: int, thousandths: int) -> None:
    available = total * thousandths // 1000
    assert memory_symptom(available, total) is any(fires(available, total) for fires in MEMORY.values())
