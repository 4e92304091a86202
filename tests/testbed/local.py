"""`make cluster` and `make cluster-down`: a cluster that stays, to follow the README by hand.

A process of its own keeps everything; `down` asks it to stop and waits. Its state lies in `.state/cluster`.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from tests.testbed.cluster import Cluster
from tests.testbed.go_build import MissingError
from tests.testbed.keeper import Keeper, commands, state_option
from tests.testbed.scene import NAMESPACE, Scene, scene, stop_on_termination
from tests.testbed.stage import ROOT
from tests.testbed.surroundings import GATEWAY_HOST, MAIL_HOST, practice

STATE = ROOT / ".state" / "cluster"
TOKEN_SECONDS = 3600
MODULE = "tests.testbed.local"


class Token:
    """The operator's token, renewed while the cluster lives, as a kubelet does for a pod."""

    def __init__(self, cluster: Cluster, seconds: int = TOKEN_SECONDS, now: Callable[[], float] = time.time) -> None:
        self._cluster = cluster
        self._seconds = seconds
        self._now = now  # by the clock, for the token goes by it too: a machine that slept has to renew at once
        self._due = now()

    def renew_when_due(self) -> None:
        """Put a new token in the place of the one whose time is half over."""
        if self._now() >= self._due:
            self._cluster.write_operator_token(self._cluster.operator_token_file, self._seconds)
            self._due = self._now() + self._seconds / 2


def ways_in(state: Path) -> Path:
    """The folder of files that hold the number of each host's first process."""
    return state / "hosts"


def note_ways_in(here: Scene, state: Path) -> None:
    """Write down how each host is entered now; that changes when it boots."""
    ways_in(state).mkdir(exist_ok=True)
    for name, host in here.cast.items():
        with suppress(LookupError, IndexError, OSError):  # it is booting
            (ways_in(state) / name).write_text(f"{host.first_process()}\n")


def busy(load: float, cores: int) -> str:
    """What a machine with that load average and so many cores keeps from working; nothing on one that has time."""
    if load < cores / 2:
        return ""
    return f"""
This machine is busy (load {load:.1f} on {cores} cores), and its hosts share its processors: what other programs use
counts as CPU that the service does not explain. A scenario that judges CPU (high-cpu, a leak) may find another cause.
"""


def words(here: Scene, state: Path) -> str:
    """What a reader needs to go on by hand."""
    programs = Path(here.cluster.environment()["PATH"].split(os.pathsep)[0])
    plugins = Path(sys.executable).parent
    return f"""\
A cluster runs with the operator, the catalogue, and the hosts {GATEWAY_HOST} and {MAIL_HOST}.
You are alice@example.com, on call; your namespace is {NAMESPACE}. Leave with: make cluster-down

export KUBECONFIG={here.kubeconfig}
export PATH={plugins}:{programs}:$PATH

Make the gateway leak:  curl -X POST http://{here.cast[GATEWAY_HOST].address}/leak
Report it:              kubectl apply -f examples/high-cpu.yaml
Make the mails pile up: curl -X POST http://{here.cast[MAIL_HOST].address}/hang   (docs/runbook-guide.md)
Enter a host, as root:  nsenter --target=$(cat {ways_in(state).resolve()}/{GATEWAY_HOST}) --all -- bash --login
Apply a runbook:        kubectl --kubeconfig={here.cluster.kubeconfig()} -n {NAMESPACE} apply --server-side -f FILE
"""


main = commands(
    __doc__,
    MODULE,
    STATE,
    removed="The cluster and its hosts are stopped and removed.",
    absent="No cluster of ours runs.",
)


@main.command(hidden=True)
@state_option(STATE)
def keep(state: Path) -> None:
    """Keep it until SIGTERM."""
    stop_on_termination()
    load = os.getloadavg()[1]  # what others use, before anything of ours does
    try:
        with scene(state, lambda text: print(text, flush=True), practice) as here:
            note_ways_in(here, state)
            Keeper(MODULE, state).ready.write_text(words(here, state) + busy(load, os.cpu_count() or 1))
            token = Token(here.cluster)
            while True:
                token.renew_when_due()
                note_ways_in(here, state)
                time.sleep(1)
                if not here.operator.running:
                    here.operator.start()  # as a supervisor would: it may have lost the API server
    except KeyboardInterrupt:
        pass
    except MissingError as missing:
        print(f"error: {missing}", flush=True)
        sys.exit(1)


if __name__ == "__main__":
    main()
