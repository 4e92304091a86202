"""How long the operator takes to be at work again, and what that costs, alongside many incidents.

A real API server holds the incidents, with 7 KB of status each; the operator is started, and an incident of an unknown
type is opened. Whatever is open then waits for the approval of a fix of its own, on a real host.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.testbed.hosts import Hosts
from tests.testbed.operator import Operator
from tests.testbed.stage import Stage

from benchmarks import operators
from benchmarks.causes import open_incidents, put_up
from benchmarks.figures import Section, at_most
from benchmarks.operators import cpu_seconds, peak_mib

_SAMPLES = 3
_SETTLED, _REST = 15.0, 20.0
"""Seconds: what follows from a start, and then the rest that is measured."""
_AT_ONCE = 16


@dataclass(frozen=True)
class Before:
    """What there is before a restart, and what it may cost then."""

    ended: int
    open: int
    seconds: float
    cpu: float | None
    peak: float | None


_ROWS = (
    Before(0, 0, 4, 2, None),
    Before(1000, 0, 4, 2, None),
    Before(5000, 0, 8, None, 200),
    Before(9800, 200, 15, None, 250),
)


def measure() -> Iterator[Section]:
    for before in _ROWS:
        with operators.stage() as (stage, folder):
            if before.open:
                with Hosts() as hosts:
                    fleet = put_up(stage, hosts)
                    with Operator(stage.cluster, stage.namespace, folder / "filling"):
                        open_incidents(stage, fleet, before.open)
                    yield _restarted(stage, before, folder)
            else:
                yield _restarted(stage, before, folder)


def _restarted(stage: Stage, before: Before, folder: Path) -> Section:
    fill(stage, before.ended)
    waiting = f", and {before.open} that wait for approval" if before.open else ""
    section = Section(
        f"A restart alongside {before.ended:,} ended incidents{waiting}",
        "From the operator's start to the end of an incident of an unknown type that is opened then. Memory is the "
        "largest resident size of its processes, added up; at rest are 20 s that begin 15 s later.",
    )
    for sample in range(_SAMPLES):
        section.begin_sample()
        begin = time.monotonic()
        with Operator(stage.cluster, stage.namespace, folder / f"operator-{sample}") as operator:
            stage.wait_until_ended(stage.open_incident(f"another-{sample}", type="Unheard"), timeout=600)
            seconds, spent = time.monotonic() - begin, cpu_seconds(operator.pid)
            section.record("until the new incident has ended", "s", seconds, at_most(before.seconds))
            section.record("the operator's CPU until then", "s", spent, at_most(before.cpu) if before.cpu else None)
            time.sleep(_SETTLED)
            settled = cpu_seconds(operator.pid)
            section.record("the operator's CPU in what follows from the start", "s", settled - spent)
            time.sleep(_REST)
            rest = 100 * (cpu_seconds(operator.pid) - settled) / _REST
            peak = peak_mib(operator.pid)
            section.record("memory at the peak", "MiB", peak, at_most(before.peak) if before.peak else None)
            section.record("at rest", "% of a core", rest, at_most(1))
    return section


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
