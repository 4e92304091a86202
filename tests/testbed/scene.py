"""What `make demo` and `make cluster` put up: a cluster, the host api-gateway-03, the catalogue, the operator."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from tests.testbed.cluster import ALICE, Cluster
from tests.testbed.hosts import Host, Hosts
from tests.testbed.operator import Operator
from tests.testbed.stage import ROOT, Stage, shipped

NAMESPACE = "prod"
HOST = "api-gateway-03"


@dataclass(frozen=True)
class Scene:
    """Everything that runs, and the kubeconfig of the engineer on call."""

    cluster: Cluster
    host: Host
    stage: Stage
    operator: Operator
    kubeconfig: Path


@contextmanager
def scene(state: Path, say: Callable[[str], None]) -> Iterator[Scene]:
    """Put everything up, tell each step, take everything down again at the end, whatever the end is."""
    say("Starting a Kubernetes API server")
    with Cluster.start(state / "cluster") as cluster, Hosts() as hosts:
        cluster.api().create("/api/v1/namespaces", {"metadata": {"name": NAMESPACE}})
        cluster.watch(NAMESPACE)
        cluster.default_namespace = NAMESPACE
        say(f"Booting the systemd host {HOST} and preparing it with host/install")
        host = hosts.start(HOST)
        host.wait_until_healthy()
        stage = Stage(cluster, NAMESPACE)
        stage.add_host(host)
        say("Starting the operator under its own ServiceAccount, applying runbooks/")
        with Operator(cluster, NAMESPACE, state / "operator") as operator:
            for path in sorted((ROOT / "runbooks").glob("*.yaml")):
                stage.add_runbook(shipped(path))
            yield Scene(cluster, host, stage, operator, cluster.kubeconfig(ALICE))


def stop_on_termination() -> None:
    """Let SIGTERM and SIGHUP end the program as Ctrl-C does: everything that was started is stopped.

    SIGINT too: a program that a script started in the background ignores it otherwise.
    """

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(number, interrupt)
