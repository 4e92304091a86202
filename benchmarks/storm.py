"""What a storm costs: many incidents of one cause on one host, all at once. ``python -m benchmarks.storm 50 200``

On a real API server and a real systemd host of the testbed (as root). For each number: the seconds until each incident
was judged (one asks for approval, the others wait for it) and the operator's CPU seconds for that, the requests to the
API server, the memory at the peak, and the CPU while all of them wait.
"""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import yaml
from tests.testbed.cluster import OPERATOR
from tests.testbed.hosts import Hosts
from tests.testbed.operator import Operator
from tests.testbed.stage import ROOT, Stage

from benchmarks.operators import cpu_seconds, peak_mib, print_rows

_RUNBOOK = ROOT / "tests" / "e2e" / "unhealthy.yaml"
_AT_ONCE = 8
_SETTLED, _REST = 5.0, 20.0
"""Seconds: what follows from the last one being judged, and then the wait that is measured."""


def main() -> None:
    header = f"{'incidents':>9} {'seconds':>8} {'CPU s':>6} {'requests':>9} {'peak MiB':>9} {'CPU % waiting':>14}"
    print_rows(header, measured, (50, 200))


def measured(stage: Stage, number: int, directory: Path) -> str:
    cluster = stage.cluster
    with Hosts() as hosts, Operator(cluster, stage.namespace, directory / "operator") as operator:
        host = hosts.start("api-gateway-03")
        stage.add_host(host)
        stage.add_runbook(yaml.safe_load(_RUNBOOK.read_text()))
        host.degrade()
        spent, begin = cpu_seconds(operator.pid), time.monotonic()
        names = [f"storm-{each}" for each in range(number)]
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            list(pool.map(lambda name: stage.open_incident(name, type="Unhealthy"), names))
        stage.wait(lambda: all(is_judged(stage, name) for name in names), "all of them to be judged", 600)
        seconds, cpu = time.monotonic() - begin, cpu_seconds(operator.pid) - spent
        requests = len(cluster.requests(namespace=stage.namespace, user=OPERATOR))
        time.sleep(_SETTLED)
        waiting = cpu_seconds(operator.pid)
        time.sleep(_REST)
        waiting = (cpu_seconds(operator.pid) - waiting) / _REST
        return f"{number:9} {seconds:8.1f} {cpu:6.1f} {requests:9} {peak_mib(operator.pid):9.0f} {waiting:14.2%}"


def is_judged(stage: Stage, name: str) -> bool:
    """Whether it asks for approval, or waits for one that does."""
    status = stage.status(name)
    return bool(status.get("approvalRequestRef", {}).get("uid")) or bool(status.get("relatedIncidents"))


if __name__ == "__main__":
    main()
