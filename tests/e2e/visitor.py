"""What a first visitor runs, and what must not be left of it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from tests.testbed.hosts import RUNS
from tests.testbed.stage import ROOT

DEMO = [sys.executable, "-m", "tests.testbed.demo"]


def left_behind(pid: int) -> list[str]:
    """Folders of hosts that a process started, and processes that work in them."""
    mine = str(RUNS / f"{pid}-")
    return [*map(str, RUNS.glob(f"{pid}-*")), *(command for command in _commands() if mine in command)]


def _commands() -> Iterator[str]:
    for process in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):  # it has ended since
            yield process.read_bytes().replace(b"\0", b" ").decode(errors="replace")


def demo(*arguments: str) -> tuple[int, str, str]:
    """Its exit status, output and complaints; nothing of it is left."""
    pipe = subprocess.PIPE
    with subprocess.Popen(
        [*DEMO, *arguments], cwd=ROOT, stdin=subprocess.DEVNULL, stdout=pipe, stderr=pipe, text=True
    ) as running:
        output, complaints = running.communicate(timeout=280)
    assert left_behind(running.pid) == []
    return running.returncode, output, complaints
