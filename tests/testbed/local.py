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

STATE = ROOT / ".state" / "cluster"
READY = STATE / "ready"
KEEPER = STATE / "pid"
LOG = STATE / "log"


def keeper() -> int | None:
    """The process that keeps the cluster, if it lives."""
    try:
        pid = int(KEEPER.read_text())
        command = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except (OSError, ValueError):
        return None
    return pid if b"tests.testbed.local" in command else None


def words(here: Scene) -> str:
    """What a reader needs to go on by hand."""
    programs = Path(here.cluster.environment()["PATH"].split(os.pathsep)[0])
    plugins = Path(sys.executable).parent
    return f"""\
A cluster runs with the operator, the catalogue, and the host {here.host.name} ({here.host.address}).
You are alice@example.com, on call; your namespace is {NAMESPACE}. Leave with: make cluster-down

export KUBECONFIG={here.kubeconfig}
export PATH={plugins}:{programs}:$PATH

Make the service leak:  curl -X POST http://{here.host.address}/leak
Report it:              kubectl apply -f examples/high-cpu.yaml
"""


@click.group(help=__doc__)
def main() -> None:
    pass


@main.command()
def up() -> None:
    """Start it, wait until it is ready, and print how to reach it."""
    if keeper() is not None and READY.exists():
        click.echo(READY.read_text())
        return
    shutil.rmtree(STATE, ignore_errors=True)
    STATE.mkdir(parents=True, mode=0o700)
    with LOG.open("ab") as log:
        child = subprocess.Popen(
            [sys.executable, "-m", "tests.testbed.local", "keep"],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            cwd=ROOT,
            start_new_session=True,
        )
    KEEPER.write_text(str(child.pid))
    told = 0
    while not READY.exists():
        text = LOG.read_text()
        click.echo(text[told:], nl=False)
        told = len(text)
        if child.poll() is not None:
            click.echo(f"error: the cluster did not come up; its log is {LOG}", err=True)
            sys.exit(1)
        time.sleep(0.2)
    click.echo("\n" + READY.read_text())


@main.command()
def down() -> None:
    """Stop everything that `up` started."""
    pid = keeper()
    if pid is None:
        click.echo("No cluster of ours runs.")
    else:
        os.kill(pid, signal.SIGTERM)
        while keeper() is not None:
            time.sleep(0.1)
        click.echo("The cluster and its host are stopped and removed.")
    shutil.rmtree(STATE, ignore_errors=True)


@main.command(hidden=True)
def keep() -> None:
    """Keep it until SIGTERM."""
    stop_on_termination()
    try:
        with scene(STATE, lambda text: print(text, flush=True)) as here:
            READY.write_text(words(here))
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
