"""What a storm costs: many incidents of one cause on one host, all at once.

On a real API server and a real systemd host of the testbed. One incident asks for approval, the others wait for it.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import yaml
from tests.testbed.cluster import OPERATOR
from tests.testbed.hosts import Hosts
from tests.testbed.operator import Operator
from tests.testbed.stage import ROOT, Stage

from benchmarks import operators
from benchmarks.figures import Section, at_most
from benchmarks.operators import cpu_seconds, peak_mib, wait_for_all, with_namespace

_RUNBOOK = ROOT / "tests" / "e2e" / "unhealthy.yaml"
_AT_ONCE = 8
_SETTLED, _REST = 5.0, 20.0
"""Seconds: what follows from the last one being judged, and then the wait that is measured."""
_STORMS = {50: (2, None, None), 200: (3, 15, 10), 500: (2, 30, None)}
"""By how many incidents: samples, and at most so many seconds, and so many of the operator's CPU."""


def measure() -> Iterator[Section]:
    with operators.stage() as (first, folder), Hosts() as hosts:
        host = hosts.start("api-gateway-03")
        host.degrade()
        for number, (samples, seconds, cpu) in _STORMS.items():
            section = Section(
                f"{number} incidents of one cause on one host, all at once",
                "From the first one on until each was judged: one asks for approval, the others wait for it. "
                "Then what it costs that they wait.",
            )
            for sample in range(samples):
                name = f"storm-{number}-{sample}"
                stage = with_namespace(first.cluster, name)
                stage.add_host(host)
                with Operator(stage.cluster, name, folder / name) as operator:
                    stage.add_runbook(yaml.safe_load(_RUNBOOK.read_text()))
                    time.sleep(_SETTLED)
                    section.begin_sample()
                    _storm(section, stage, operator, number, seconds, cpu)
            yield section


def _storm(
    section: Section, stage: Stage, operator: Operator, number: int, seconds: float | None, cpu: float | None
) -> None:
    spent, begin = cpu_seconds(operator.pid), time.monotonic()
    names = [f"storm-{each}" for each in range(number)]
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        list(pool.map(lambda name: stage.open_incident(name, type="Unhealthy"), names))
    wait_for_all(stage, names, _is_judged)
    section.record("until all were judged", "s", time.monotonic() - begin, at_most(seconds) if seconds else None)
    used = cpu_seconds(operator.pid) - spent
    section.record("the operator's CPU for it", "s", used, at_most(cpu) if cpu else None)
    requests = stage.cluster.requests(namespace=stage.namespace, user=OPERATOR)
    section.record("requests to the API server, an incident", "", len(requests) / number)
    section.record("the operator's memory at the peak", "MiB", peak_mib(operator.pid))
    time.sleep(_SETTLED)
    waiting = cpu_seconds(operator.pid)
    time.sleep(_REST)
    waiting = 100 * (cpu_seconds(operator.pid) - waiting) / _REST
    section.record("the operator while all of them wait", "% of a core", waiting, at_most(0.5))


def _is_judged(status: Mapping[str, Any]) -> bool:
    """Whether it asks for approval, or waits for one that does."""
    return bool(status.get("approvalRequestRef", {}).get("uid")) or bool(status.get("relatedIncidents"))
