"""What `make demo` and `make cluster` put up: a cluster, hosts, the catalogue, the operator."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from firstresponder.kube.permissions import LEASE
from tests.testbed.cluster import ALICE, Cluster
from tests.testbed.hosts import Hosts
from tests.testbed.operator import Operator
from tests.testbed.stage import ROOT, Stage, shipped
from tests.testbed.surroundings import Cast

NAMESPACE = "prod"


@dataclass(frozen=True)
class Scene:
    """Everything that runs, and the kubeconfig of the engineer on call."""

    cluster: Cluster
    cast: Cast
    stage: Stage
    operator: Operator
    kubeconfig: Path


@contextmanager
def scene(state: Path, say: Callable[[str], None], put_up: Callable[[Hosts, Stage], Cast]) -> Iterator[Scene]:
    """Put everything up, tell each step, take everything down again at the end, whatever the end is."""
    say("Starting a Kubernetes API server")
    with Cluster.start(state / "cluster") as cluster, Hosts() as hosts:
        cluster.api().create("/api/v1/namespaces", {"metadata": {"name": NAMESPACE}})
        cluster.watch(NAMESPACE)
        cluster.default_namespace = NAMESPACE
        say("Booting systemd hosts and preparing them with host/install")
        stage = Stage(cluster, NAMESPACE)
        cast = put_up(hosts, stage)
        say(f"{', '.join(cast)}: up and well")
        say("Starting the operator under its own ServiceAccount, applying runbooks/")
        with Operator(cluster, NAMESPACE, state / "operator", lease=LEASE) as operator:
            for path in sorted((ROOT / "runbooks").glob("*.yaml")):
                stage.add_runbook(shipped(path))
            yield Scene(cluster, cast, stage, operator, cluster.kubeconfig(ALICE))


def stop_on_termination() -> None:
    """Let SIGTERM and SIGHUP end the program as Ctrl-C does: everything that was started is stopped.

    SIGINT too: a program that a script started in the background ignores it otherwise.
    """

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(number, interrupt)
