"""From `kubectl apply` of one incident to its packet that asks for approval, alongside its slowest diagnostic."""

from __future__ import annotations

import time
from collections.abc import Iterator

from tests.testbed.cluster import ALICE, OPERATOR
from tests.testbed.hosts import Host, Hosts
from tests.testbed.operator import Operator
from tests.testbed.stage import Stage

from benchmarks import operators
from benchmarks.figures import Section, at_most
from benchmarks.inside import FOLDER, Inside, add_scripts
from benchmarks.triage import open_incident, runbook, start_hosts

_SAMPLES = 10


def measure() -> Iterator[Section]:
    section = Section(
        "From apply to packet, one incident",
        "From the moment at which the API server got the incident to the one at which it got the ApprovalRequest with "
        "its packet, by the audit log. Its slowest diagnostic lets `top` look for a second; the same is started inside "
        "of the host just before.",
    )
    with operators.stage() as (stage, folder), Hosts() as hosts:
        (host,) = start_hosts(hosts, 1)
        add_scripts(host)
        stage.add_host(host)
        with Operator(stage.cluster, stage.namespace, folder / "operator"), Inside(host) as inside:
            stage.add_runbook(runbook())
            _packet_seconds(stage, host, "unmeasured")  # opens the connection
            for sample in range(_SAMPLES):
                section.begin_sample()
                begin = time.perf_counter()
                inside.start([f"{FOLDER}/processes"])
                inside.wait()
                slowest = time.perf_counter() - begin
                packet = _packet_seconds(stage, host, f"busy-{sample}")
                section.record("its slowest diagnostic, on the host", "s", slowest)
                section.record("from apply to packet", "s", packet)
                section.record("what the packet takes beyond it", "s", packet - slowest, at_most(0.25))
    yield section


def _packet_seconds(stage: Stage, host: Host, name: str) -> float:
    open_incident(stage, name, host)
    request = stage.request_of(name)
    times = operators.creation_times(stage)
    took = times[OPERATOR, "approvalrequests", request] - times[ALICE, "incidents", name]
    stage.cluster.api().delete(stage.path("incidents", name))  # or the next would wait for it
    time.sleep(1)  # nothing is shared with the next
    return took.total_seconds()
