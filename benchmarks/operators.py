"""An operator alongside a real API server, measured from outside."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Any

from tests.testbed.cluster import Cluster
from tests.testbed.stage import Stage, moment

_PATIENCE = 600.0


@contextmanager
def stage() -> Iterator[tuple[Stage, Path]]:
    """A namespace that an operator may watch, in a cluster of its own, and a folder that goes with them."""
    with tempfile.TemporaryDirectory(prefix="benchmark-") as state, Cluster.start(Path(state)) as cluster:
        yield with_namespace(cluster, "shop"), Path(state)


def with_namespace(cluster: Cluster, name: str) -> Stage:
    """One more such namespace in the cluster."""
    cluster.kubectl("create", "namespace", name)
    cluster.watch(name)
    return Stage(cluster, name)


def wait_for_all(stage: Stage, names: Sequence[str], is_so: Callable[[Mapping[str, Any]], bool]) -> None:
    """Until the status of each of these incidents is so. Looks once a second: to look at hundreds costs the API server
    something too. Raises TimeoutError after ten minutes."""
    end = time.monotonic() + _PATIENCE
    while True:
        items = stage.cluster.api().get(stage.path("incidents"))["items"]
        statuses = {each["metadata"]["name"]: each.get("status", {}) for each in items}
        open_ones = [name for name in names if not is_so(statuses[name])]
        if not open_ones:
            return
        if time.monotonic() > end:
            raise TimeoutError(f"{len(open_ones)} of {len(names)} not within {_PATIENCE:.0f} s: {open_ones[:5]} …")
        time.sleep(1)


def creation_times(stage: Stage) -> dict[tuple[str, str, str], datetime]:
    """When the API server was asked for each object that it has created, by user, resource and name."""
    return {
        (each.user, each.resource, each.name): moment(each.time)
        for each in stage.cluster.writes(namespace=stage.namespace)
        if each.verb == "create" and each.ok and not each.dry_run and not each.subresource
    }


def cpu_seconds(pid: int) -> float:
    """User and system time of a process and of all that it started."""
    return sum(_own_cpu_seconds(each) for each in _tree(pid))


def peak_mib(pid: int) -> float:
    """The largest resident size so far of a process and of what it started and still runs, added up."""
    return sum(map(_own_peak_mib, _tree(pid)))


def _tree(pid: int) -> Iterator[int]:
    yield pid
    with suppress(FileNotFoundError):
        for children in Path(f"/proc/{pid}/task").glob("*/children"):
            for child in children.read_text().split():
                yield from _tree(int(child))


def _own_cpu_seconds(pid: int) -> float:
    """With that of its children that have ended."""
    with suppress(FileNotFoundError):
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")
    return 0.0


def _own_peak_mib(pid: int) -> float:
    with suppress(FileNotFoundError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 1024
    return 0.0
