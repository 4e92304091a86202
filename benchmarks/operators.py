"""An operator alongside a real API server of its own, measured: a row for each number of incidents."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from tests.testbed.cluster import Cluster
from tests.testbed.stage import Stage

from benchmarks.machine import machine


def print_rows(header: str, measured: Callable[[Stage, int, Path], str], default: Sequence[int]) -> None:
    """Measure each number that the command line names, with a cluster and a folder of its own; the stage is a namespace
    that an operator may watch."""
    print(f"{machine()}\n{header}")
    for number in map(int, sys.argv[1:] or default):
        with tempfile.TemporaryDirectory(prefix="operator-") as state, Cluster.start(Path(state)) as cluster:
            cluster.kubectl("create", "namespace", "shop")
            cluster.watch("shop")
            print(measured(Stage(cluster, "shop"), number, Path(state)), flush=True)


def cpu_seconds(pid: int) -> float:
    """User and system time of a process and of its children that have ended."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")


def peak_mib(pid: int) -> float:
    """The largest resident size of a process so far."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    peak = next(line for line in lines if line.startswith("VmHWM:"))
    return int(peak.split()[1]) / 1024
