"""A process of its own that keeps what `make cluster` or `make kind` leaves, until it is asked to stop.

It is a module of the testbed, called as `python -m MODULE keep --state STATE`: it writes the file `ready` when
everything runs, and ends in good order on SIGTERM.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import click

ROOT = Path(__file__).parents[2]
C = TypeVar("C", bound=Callable[..., Any])


@dataclass(frozen=True)
class Keeper:
    """The keeper of one folder."""

    module: str
    state: Path

    @property
    def ready(self) -> Path:
        """The file that is there when everything runs, and says how to reach it."""
        return self.state / "ready"

    @property
    def pid(self) -> int | None:
        """The process, if it lives."""
        try:
            pid = int((self.state / "pid").read_text())
            command = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        except (OSError, ValueError):
            return None
        return pid if self.module.encode() in command and str(self.state).encode() in command else None

    def up(self) -> None:
        """Start it unless it lives, tell what it tells until it is ready, and print how to reach it.

        Ends this program with exit status 1 when it does not come up.
        """
        if self.pid is not None and self.ready.exists():
            click.echo(self.ready.read_text())
            return
        shutil.rmtree(self.state, ignore_errors=True)
        self.state.mkdir(parents=True, mode=0o700)
        log = self.state / "log"
        with log.open("ab") as output:
            child = subprocess.Popen(
                [sys.executable, "-m", self.module, "keep", "--state", str(self.state)],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=ROOT,
                start_new_session=True,
            )
        (self.state / "pid").write_text(str(child.pid))
        told, ready = 0, False
        while not ready:
            time.sleep(0.2)
            ready = self.ready.exists()  # asked before the log is read, which then has all that was said
            text = log.read_text()
            click.echo(text[told:], nl=False)
            told = len(text)
            if not ready and child.poll() is not None:
                click.echo(f"error: the cluster did not come up; its log is {log}", err=True)
                sys.exit(1)
        click.echo("\n" + self.ready.read_text())

    def down(self) -> bool:
        """Ask it to stop and wait until it has. Whether there was one."""
        pid = self.pid
        if pid is not None:
            os.kill(pid, signal.SIGTERM)
            while self.pid is not None:
                time.sleep(0.1)
        shutil.rmtree(self.state, ignore_errors=True)
        return pid is not None


def commands(page: str | None, module: str, state: Path, *, removed: str, absent: str) -> click.Group:
    """`up` and `down` of a module; its own `keep` is added to them."""
    group = click.Group(help=page)
    option = state_option(state)

    @group.command()
    @option
    def up(state: Path) -> None:
        """Start it, wait until it is ready, and print how to reach it."""
        Keeper(module, state).up()

    @group.command()
    @option
    def down(state: Path) -> None:
        """Stop and remove everything that `up` started."""
        click.echo(removed if Keeper(module, state).down() else absent)

    return group


def state_option(default: Path) -> Callable[[C], C]:
    """The option that says where the keeper's folder is."""
    return click.option("--state", type=click.Path(path_type=Path), default=default, help="Its own folder.")
