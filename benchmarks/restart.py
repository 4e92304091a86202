"""How long the operator takes to be at work again, and what that costs, beside many incidents that ended.

    python -m benchmarks.restart 0 1000 5000

For each number: a real API server holds so many ended incidents (7 KB of status each); the operator is started, and an
incident of an unknown type is opened. Printed are the seconds and the operator's CPU seconds from its start until that
incident has ended, its memory at the peak, and its CPU in the ten seconds after.
"""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from tests.testbed.operator import Operator
from tests.testbed.stage import Stage

from benchmarks.operators import cpu_seconds, peak_mib, print_rows

_REST = 10.0
"""Seconds after the incident's end in which nothing should be left to do."""
_AT_ONCE = 16


def main() -> None:
    header = f"{'ended':>6} {'seconds':>8} {'CPU s':>6} {'peak MiB':>9} {'CPU % at rest':>14}"
    print_rows(header, measured, (0, 1000))


def measured(stage: Stage, number: int, directory: Path) -> str:
    fill(stage, number)
    begin = time.monotonic()
    with Operator(stage.cluster, stage.namespace, directory / "operator") as operator:
        stage.wait_until_ended(stage.open_incident("another", type="Unheard"), timeout=600)
        seconds, spent = time.monotonic() - begin, cpu_seconds(operator.pid)
        time.sleep(_REST)
        rest = cpu_seconds(operator.pid) - spent
        return f"{number:6} {seconds:8.1f} {spent:6.1f} {peak_mib(operator.pid):9.0f} {rest / _REST:14.1%}"


def fill(stage: Stage, number: int) -> None:
    """Store so many incidents that ended long ago."""
    people, operator = stage.cluster.api(), stage.cluster.api_with(stage.cluster.operator_token())
    path = stage.path("incidents")

    def store(which: int) -> None:
        name = f"ended-{which}"
        kind = {"apiVersion": "firstresponder.dev/v1alpha1", "kind": "Incident"}
        spec = {"type": "Unheard", "service": "api-gateway"}
        people.create(path, {**kind, "metadata": {"name": name}, "spec": spec})
        operator.patch(f"{path}/{name}/status", {"status": ended_status()})

    with ThreadPoolExecutor(_AT_ONCE) as pool:
        list(pool.map(store, range(number)))


def ended_status() -> dict[str, Any]:
    """7 KB of status."""
    moment = "2026-03-14T03:07:00Z"
    entry = {"time": moment, "event": "ActionDelayed", "details": "the host did not answer in time; " * 10}
    closed = {
        "type": "Closed",
        "status": "True",
        "reason": "Escalated",
        "message": "UnknownIncidentType",
        "lastTransitionTime": moment,
        "observedGeneration": 1,
    }
    return {
        "phase": "Escalated",
        "observedGeneration": 1,
        "conditions": [closed],
        "timeline": [entry] * 17,
        "escalation": {
            "time": moment,
            "reason": "UnknownIncidentType",
            "message": "no runbook",
            "to": ["on-call"],
            "humanAction": "look",
        },
    }


if __name__ == "__main__":
    main()
