"""`make kind` and `make kind-down`: a kind cluster that stays, with the chart installed in it.

A process of its own keeps everything; `down` asks it to stop and waits. Its state lies in `.state/kind`.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

from image.run import BuildError

from tests.testbed.go_build import MissingError
from tests.testbed.keeper import ROOT, Keeper, commands, state_option
from tests.testbed.kind import release
from tests.testbed.kind.cluster import KindCluster
from tests.testbed.scene import stop_on_termination

STATE = ROOT / ".state" / "kind"
WATCHED = "prod"
MODULE = "tests.testbed.kind.local"


def words(cluster: KindCluster) -> str:
    """How to reach it."""
    return f"""The cluster runs, and the operator in it. You are its administrator.

export KUBECONFIG={cluster.kubeconfig()}
export PATH={":".join(map(str, cluster.programs))}:$PATH
kubectl -n {release.NAMESPACE} get pods
kubectl -n {WATCHED} get firstresponder
make kind-down                                 # removes all of it
"""


main = commands(__doc__, MODULE, STATE, removed="The cluster is removed.", absent="No kind cluster of ours runs.")


@main.command(hidden=True)
@state_option(STATE)
def keep(state: Path) -> None:
    """Keep it until SIGTERM."""
    stop_on_termination()
    began = time.monotonic()

    def say(text: str) -> None:
        print(f"[{time.monotonic() - began:5.1f} s] {text}", flush=True)

    try:
        say("Creating the cluster of kind-config.yaml")
        with KindCluster.start(state / "cluster") as cluster:
            say("Making the operator's image and loading it into the nodes")
            release.prepare(cluster, [WATCHED])
            say("Installing charts/firstresponder")
            release.install(cluster, [WATCHED])
            say("The operator is ready")
            Keeper(MODULE, state).ready.write_text(words(cluster))
            while True:
                time.sleep(60)
    except KeyboardInterrupt:
        pass
    except (MissingError, BuildError) as missing:
        print(f"error: {missing}", flush=True)
        sys.exit(1)


if __name__ == "__main__":
    main()
