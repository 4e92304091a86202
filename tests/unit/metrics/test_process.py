"""Each metric by causing what it counts; none of them grows with what there is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.parser import text_string_to_metric_families

from firstresponder.metrics.process import METRICS, ProcessMetrics
from firstresponder.workqueue.queue import Queue


@dataclass(frozen=True)
class Key:
    kind: str


GATE: dict[str, tuple[str, ...]] = {"prod": (), "shop": ("the policy is not bound",)}
"""One namespace where the gate holds, and one where it does not."""


def metrics(queue: Queue[Key] | None = None, leads: Callable[[], bool] = lambda: False) -> ProcessMetrics[Key]:
    made = ProcessMetrics[Key]()
    made.watch(queue or Queue(), leads, lambda: GATE)
    return made


def value(registry: CollectorRegistry, name: str, **labels: str) -> float | None:
    return registry.get_sample_value(name, labels)


def test_the_queue_is_counted_by_kind() -> None:
    counted = metrics()
    counted.taken(Key("Incident"), 2.0)
    counted.done(Key("Incident"), 0.5)
    counted.done(Key("Incident"), 1.0)
    counted.retried(Key("Host"), RuntimeError("away"), 1.0)
    found = counted.registry
    assert value(found, "firstresponder_queue_wait_seconds_sum", kind="Incident") == 2.0
    assert value(found, "firstresponder_reconcile_seconds_count", kind="Incident") == 2.0
    assert value(found, "firstresponder_reconcile_errors_total", kind="Host") == 1.0


@pytest.mark.parametrize(("status", "code"), [(200, "200"), (409, "409"), (None, "none")])
def test_requests_to_the_api_server_are_counted_with_what_became_of_them(status: int | None, code: str) -> None:
    counted = metrics()
    counted.requested("patch", "incidents/status", status, 0.02)
    labels = {"verb": "patch", "resource": "incidents/status", "code": code}
    assert value(counted.registry, "firstresponder_api_request_seconds_count", **labels) == 1.0


async def test_what_is_asked_at_a_scrape_is_as_it_is_then() -> None:
    now, leading = [0.0], [False]
    queue: Queue[Key] = Queue(clock=lambda: now[0])
    found = metrics(queue, lambda: leading[0]).registry
    assert value(found, "firstresponder_leader") == 0.0
    leading[0] = True
    assert value(found, "firstresponder_leader") == 1.0
    assert value(found, "firstresponder_approval_gate_holds", namespace="prod") == 1.0
    assert value(found, "firstresponder_approval_gate_holds", namespace="shop") == 0.0
    for kind in ("Incident", "Host", "Runbook", "ApprovalRequest"):
        queue.add(Key(kind))
    now[0] = 1.25
    await queue.take()
    now[0] = 1.5
    assert value(found, "firstresponder_queue_depth") == 3.0
    assert value(found, "firstresponder_queue_oldest_seconds") == 1.5
    assert value(found, "firstresponder_reconcile_stalled_seconds") == 0.25


def test_a_thousand_hosts_add_no_series() -> None:
    counted = metrics()

    def series() -> int:
        return sum(len(family.samples) for family in counted.registry.collect() if family.name.startswith("first"))

    counted.asked("host-0", "connect", "NoRoute", 0.1)
    before = series()
    for number in range(1000):
        counted.asked(f"host-{number}", "connect", "NoRoute", 0.1)
    assert series() == before
    labels = {"what": "connect", "outcome": "NoRoute"}
    assert value(counted.registry, "firstresponder_ssh_seconds_count", **labels) == 1001.0


def test_all_that_is_served_is_documented_with_its_type_and_labels_and_all_that_is_documented_is_served() -> None:
    counted = metrics()
    counted.taken(Key("Incident"), 0.0)
    counted.done(Key("Incident"), 0.0)
    counted.retried(Key("Incident"), RuntimeError("x"), 1.0)
    counted.requested("get", "incidents", 200, 0.0)
    counted.asked("h", "run", "Answered", 0.0)
    text, content_type = counted.scraped("")
    assert content_type.startswith("text/plain")
    served = {}
    for family in text_string_to_metric_families(text.decode()):
        if family.name.startswith("firstresponder"):
            name = f"{family.name}_total" if family.type == "counter" else family.name
            labels = {label for sample in family.samples for label in sample.labels} - {"le"}
            served[name] = (family.type, labels)
            assert family.documentation
    assert served == {each.name: (each.type, set(each.labels)) for each in METRICS}


def test_the_process_and_its_python_are_there_too() -> None:
    names = {family.name for family in metrics().registry.collect()}
    assert {"process_cpu_seconds", "process_resident_memory_bytes", "python_info", "python_gc_collections"} <= names


def test_open_metrics_is_served_to_whoever_asks_for_it() -> None:
    text, content_type = metrics().scraped("application/openmetrics-text; version=1.0.0")
    assert content_type.startswith("application/openmetrics-text")
    assert text.endswith(b"# EOF\n")
