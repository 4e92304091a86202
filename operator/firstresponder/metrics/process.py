"""What the operator does, in numbers: its queue, the API server, SSH, whether it leads and whether the gate holds.

Names follow Prometheus (https://prometheus.io/docs/practices/naming). Labels are bounded: kinds, verbs, resources, HTTP
statuses, reasons and the namespaces that are watched; never a host, a service, a user or an incident.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Generic, NamedTuple, Protocol, TypeVar

from prometheus_client import (
    CollectorRegistry,
    Counter,
    GCCollector,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    disable_created_metrics,
)
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import GaugeMetricFamily
from prometheus_client.registry import Collector

from firstresponder.hosts import pool
from firstresponder.kube import client
from firstresponder.workqueue import observer
from firstresponder.workqueue.queue import Queue


class Metric(NamedTuple):
    """A metric as it is documented; a histogram has the upper bounds of its buckets, in seconds."""

    name: str
    type: str
    meaning: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()


_WORK = (0.01, 0.05, 0.1, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800)
QUEUE_WAIT = Metric(
    "firstresponder_queue_wait_seconds",
    "histogram",
    "How long a key that was due waited for its turn.",
    ("kind",),
    _WORK,
)
RECONCILE = Metric(
    "firstresponder_reconcile_seconds", "histogram", "How long the work on a key took, well or not.", ("kind",), _WORK
)
RECONCILE_ERRORS = Metric(
    "firstresponder_reconcile_errors_total", "counter", "Work on a key that failed and is tried again.", ("kind",)
)
API_REQUEST = Metric(
    "firstresponder_api_request_seconds",
    "histogram",
    "Requests to the API server by verb and resource as in RBAC, and by HTTP status; `none` where there was no answer.",
    ("verb", "resource", "code"),
    (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
)
SSH = Metric(
    "firstresponder_ssh_seconds",
    "histogram",
    "SSH connections that were tried (`connect`) and requests to hosts that have ended (`run`): `Answered`, `GivenUp` "
    "by whoever asked, or the reason why not.",
    ("what", "outcome"),
    (0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300),
)
QUEUE_DEPTH = Metric("firstresponder_queue_depth", "gauge", "Keys that are due and wait for their turn.")
QUEUE_OLDEST = Metric(
    "firstresponder_queue_oldest_seconds", "gauge", "For how long the key that waits longest has waited."
)
STALLED = Metric(
    "firstresponder_reconcile_stalled_seconds",
    "gauge",
    "The longest that work on a key has gone without progress; from half an hour on the operator counts as dead.",
)
LEADER = Metric("firstresponder_leader", "gauge", "1 for the replica that leads, 0 for one that stands by.")
GATE = Metric(
    "firstresponder_approval_gate_holds",
    "gauge",
    "1 where the approval gate was seen to hold at the last look; 0 where it does not, or where nobody has looked yet.",
    ("namespace",),
)
METRICS = (
    LEADER, GATE, QUEUE_DEPTH, QUEUE_OLDEST, QUEUE_WAIT, RECONCILE, RECONCILE_ERRORS, STALLED, API_REQUEST, SSH,
)  # fmt: skip
"""All of them, in the order in which they are documented."""


class _OfKind(Protocol):
    @property
    def kind(self) -> str: ...


K = TypeVar("K", bound=_OfKind)
GateProblems = Callable[[], Mapping[str, Sequence[str]]]
"""What is wrong with the approval gate, by namespace that is watched; nothing where it holds."""


class ProcessMetrics(observer.Observer[K], client.Observer, pool.Observer):
    """Counts what it hears of the queue, the API client and the SSH pool."""

    def __init__(self) -> None:
        # A series more for each, which says nothing of the operator. (The library's function has no types.)
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self.registry = CollectorRegistry()
        for library in (ProcessCollector, PlatformCollector, GCCollector):
            library(registry=self.registry)
        self._waited, self._worked, self._requests, self._ssh = map(
            self._histogram, (QUEUE_WAIT, RECONCILE, API_REQUEST, SSH)
        )
        failed = RECONCILE_ERRORS
        self._failed = Counter(failed.name, failed.meaning, failed.labels, registry=self.registry)

    def _histogram(self, metric: Metric) -> Histogram:
        return Histogram(metric.name, metric.meaning, metric.labels, buckets=metric.buckets, registry=self.registry)

    def taken(self, key: K, waited: float) -> None:
        self._waited.labels(key.kind).observe(waited)

    def done(self, key: K, worked: float) -> None:
        self._worked.labels(key.kind).observe(worked)

    def retried(self, key: K, error: Exception, delay: float) -> None:  # noqa: ARG002 - as the queue tells it
        self._failed.labels(key.kind).inc()

    def requested(self, verb: str, resource: str, status: int | None, seconds: float) -> None:
        self._requests.labels(verb, resource, "none" if status is None else str(status)).observe(seconds)

    def asked(self, host: str, what: str, outcome: str, seconds: float) -> None:  # noqa: ARG002 - of hosts there is no end
        self._ssh.labels(what, outcome).observe(seconds)

    def watch(self, queue: Queue[K], leads: Callable[[], bool], gate_problems: GateProblems) -> None:
        """Ask these too, at each scrape."""
        self.registry.register(_AtScrape(queue, leads, gate_problems))

    def scraped(self, accept: str) -> tuple[bytes, str]:
        """All of it in the format that whoever asks accepts, and that format's content type."""
        write, content_type = choose_encoder(accept)
        return write(self.registry), content_type


class _AtScrape(Collector, Generic[K]):
    def __init__(self, queue: Queue[K], leads: Callable[[], bool], gate_problems: GateProblems) -> None:
        self._queue = queue
        self._leads = leads
        self._gate_problems = gate_problems

    def collect(self) -> Iterator[GaugeMetricFamily]:
        for metric, value in (
            (LEADER, float(self._leads())),
            (QUEUE_DEPTH, float(self._queue.depth())),
            (QUEUE_OLDEST, self._queue.oldest_seconds()),
            (STALLED, self._queue.stalled_seconds()),
        ):
            yield GaugeMetricFamily(metric.name, metric.meaning, value=value)
        gate = GaugeMetricFamily(GATE.name, GATE.meaning, labels=GATE.labels)
        for namespace, problems in self._gate_problems().items():
            gate.add_metric([namespace], float(not problems))
        yield gate
