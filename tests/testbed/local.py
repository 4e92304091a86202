"""`make cluster` and `make cluster-down`: a cluster that stays, to follow the README by hand.

A process of its own keeps everything; `down` asks it to stop and waits. Its state lies in `.state/cluster`.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import click

from tests.testbed.components import MissingError
from tests.testbed.scene import NAMESPACE, Scene, scene, stop_on_termination
from tests.testbed.stage import ROOT
from tests.testbed.surroundings import GATEWAY_HOST, MAIL_HOST, practice

STATE = ROOT / ".state" / "cluster"
state_option = click.option("--state", type=click.Path(path_type=Path), default=STATE, help="Its own folder.")


def ready(state: Path) -> Path:
    """The file that is there when everything runs, and says how to reach it."""
    return state / "ready"


def keeper(state: Path) -> int | None:
    """The process that keeps the cluster of that folder, if it lives."""
    try:
        pid = int((state / "pid").read_text())
        command = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except (OSError, ValueError):
        return None
    return pid if b"tests.testbed.local" in command and str(state).encode() in command else None


def words(here: Scene) -> str:
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
Apply a runbook:        kubectl --kubeconfig={here.cluster.kubeconfig()} -n {NAMESPACE} apply --server-side -f FILE
"""


@click.group(help=__doc__)
def main() -> None:
    pass


@main.command()
@state_option
def up(state: Path) -> None:
    """Start it, wait until it is ready, and print how to reach it."""
    if keeper(state) is not None and ready(state).exists():
        click.echo(ready(state).read_text())
        return
    shutil.rmtree(state, ignore_errors=True)
    state.mkdir(parents=True, mode=0o700)
    log = state / "log"
    with log.open("ab") as output:
        child = subprocess.Popen(
            [sys.executable, "-m", "tests.testbed.local", "keep", "--state", str(state)],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=ROOT,
            start_new_session=True,
        )
    (state / "pid").write_text(str(child.pid))
    told = 0
    while not ready(state).exists():
        text = log.read_text()
        click.echo(text[told:], nl=False)
        told = len(text)
        if child.poll() is not None:
            click.echo(f"error: the cluster did not come up; its log is {log}", err=True)
            sys.exit(1)
        time.sleep(0.2)
    click.echo("\n" + ready(state).read_text())


@main.command()
@state_option
def down(state: Path) -> None:
    """Stop everything that `up` started."""
    pid = keeper(state)
    if pid is None:
        click.echo("No cluster of ours runs.")
    else:
        os.kill(pid, signal.SIGTERM)
        while keeper(state) is not None:
            time.sleep(0.1)
        click.echo("The cluster and its hosts are stopped and removed.")
    shutil.rmtree(state, ignore_errors=True)


@main.command(hidden=True)
@state_option
def keep(state: Path) -> None:
    """Keep it until SIGTERM."""
    stop_on_termination()
    try:
        with scene(state, lambda text: print(text, flush=True), practice) as here:
            ready(state).write_text(words(here))
            while True:
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
