"""What each systemd unit takes of the processors and of the memory, from its control group and from its processes.

A control group also counts processes that lived and ended between two looks, and memory that several processes share
once; so it is believed where the kernel keeps it. Its memory is what cannot be given back (anonymous and shared memory,
and the kernel's for it), without the page cache, which the kernel calls available. Where there is no such group, the
processes are summed: their CPU as top saw it, and their own anonymous memory (RssAnon) with the largest RssShmem once;
what forked processes still have in common is then counted more than once.

Files: Documentation/admin-guide/cgroup-v2.rst (cpu.stat, memory.stat) and cgroup-v1/memory.rst of the kernel. Beside
version 1, systemd keeps a version 2 hierarchy that has cpu.stat too.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from firstresponder.evidence.probe import unparseable

_CLOCK = "cat /proc/uptime; grep -E '^(cpu[0-9]*|processes) ' /proc/stat"
_UNITS_CPU = (
    "for root in /sys/fs/cgroup /sys/fs/cgroup/unified; do [ ! -e $root/cgroup.controllers ] || "
    "(cd \"$root${group%/init.scope}\" && grep -rs --include=cpu.stat '^usage_usec ' .); done"
)
SAMPLE = (
    "group=$(sed -n 's/^0:://p' /proc/1/cgroup)",
    f'sample() {{ echo "=== $1"; {_CLOCK}; {_UNITS_CPU}; }}',
)
"""Commands that define a shell's function, which prints what the processors did since boot: altogether and by unit."""
MEMORY = (
    "grep '^MemTotal:' /proc/meminfo",
    '(cd "/sys/fs/cgroup${group%/init.scope}" && grep -rsE --include=memory.stat '
    "'^(anon|shmem|kernel_stack|pagetables|sock|slab_unreclaimable) ' .) 2>/dev/null",
    "old=$(sed -n 's/^[0-9]*:memory://p' /proc/1/cgroup)",
    '(cd "/sys/fs/cgroup/memory${old%/init.scope}" && grep -rsE --include=memory.stat '
    "'^total_(rss|shmem) ' .) 2>/dev/null",
    "grep -sE '^Rss(Anon|Shmem):' /proc/[0-9]*/status",
)
"""Commands that print the memory of each unit and of each process, and how much there is of it."""

KINDS = ("user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal", "guest", "guestNice")
"""The columns of the line ``cpu`` of /proc/stat (proc(5)); user and nice contain what guests of this host took."""
_GROUP = re.compile(
    r"^\./(?:[^/\n]+\.slice/)*([^/\n]+\.(?:service|scope|socket|mount|swap))/([a-z.]+):(\w+) ([0-9]+)$", re.MULTILINE
)
"""A unit's own group: those below it are counted in it."""


@dataclass(frozen=True)
class Counters:
    """What was counted since boot."""

    uptime: float
    ticks: Mapping[str, int]
    """Of all processors, by kind."""
    processors: int
    forks: int
    units: Mapping[str, int]
    """Microseconds of CPU by unit; empty where the kernel does not count them."""


@dataclass(frozen=True)
class Window:
    """What happened between two samples."""

    seconds: float
    processors: int
    percent: Mapping[str, float]
    """Of all processors, by kind."""
    busy: float
    """Percent of all processors that were neither idle nor waiting for disks."""
    not_idle: float
    """Percent of all processors that were not idle."""
    forks: int
    units: Mapping[str, float]
    """Percent of one core by unit."""

    def share(self, cpu_percent: float) -> float:
        """Percent of one core as a part of what is busy, in percent."""
        busy = self.busy * self.processors
        return round(min(100 * cpu_percent / busy, 100.0), 1) if busy > 0 else 0.0


def read_counters(text: str) -> Counters:
    """What ``SAMPLE`` printed. Raises Unobserved."""
    uptime = re.match(r"([0-9]+\.[0-9]+) [0-9.]+\n", text)
    cpu = re.search(r"^cpu +([0-9 ]+)$", text, re.MULTILINE)
    forks = re.search(r"^processes ([0-9]+)$", text, re.MULTILINE)
    processors = len(re.findall(r"^cpu[0-9]+ ", text, re.MULTILINE))
    if uptime is None or cpu is None or forks is None or processors == 0:
        raise unparseable("/proc/uptime or /proc/stat is missing or has another form")
    ticks = dict(zip(KINDS, map(int, cpu[1].split()), strict=False))
    if "iowait" not in ticks:
        raise unparseable("the line cpu of /proc/stat does not show what waits for disks")
    units = {name: int(value) for name, _, key, value in _GROUP.findall(text) if key == "usage_usec"}
    return Counters(float(uptime[1]), ticks, processors, int(forks[1]), units)


def window(before: Counters, after: Counters) -> Window:
    """What was counted between the two. Raises Unobserved."""
    # The kernel's count of iowait may go back (proc(5)).
    ticks = {kind: max(count - before.ticks.get(kind, 0), 0) for kind, count in after.ticks.items()}
    total = sum(count for kind, count in ticks.items() if not kind.startswith("guest"))
    seconds = after.uptime - before.uptime
    if total <= 0 or seconds <= 0:
        raise unparseable("/proc/stat counted nothing between two samples")

    def percent(count: int) -> float:
        # Rounded up, so that it is above a threshold of one decimal exactly when the share itself is.
        return -(-1000 * count // total) / 10

    return Window(
        seconds=seconds,
        processors=after.processors,
        percent={kind: percent(count) for kind, count in ticks.items()},
        busy=percent(total - ticks["idle"] - ticks["iowait"]),
        not_idle=percent(total - ticks["idle"]),
        forks=max(after.forks - before.forks, 0),
        units={
            name: round(min(max(usage - before.units.get(name, 0), 0) / seconds / 10_000, 100.0 * after.processors), 1)
            for name, usage in after.units.items()
            if before.units  # else nobody looked before
        },
    )


@dataclass(frozen=True)
class Memory:
    """Bytes of memory."""

    total: int
    units: Mapping[str, int]
    anonymous: Mapping[int, int]
    """Of each process by its number, as the two that follow."""
    shared: Mapping[int, int]

    def percent(self, size: int) -> float:
        return round(min(100 * size / self.total, 100.0), 1)

    def of_processes(self, pids: list[int]) -> int | None:
        """What the processes hold; None where one of them is not known."""
        if not all(pid in self.anonymous for pid in pids):
            return None
        return sum(self.anonymous[pid] for pid in pids) + max((self.shared.get(pid, 0) for pid in pids), default=0)


def read_memory(text: str) -> Memory:
    """What ``MEMORY`` printed. Raises Unobserved."""
    total = re.search(r"^MemTotal: +([0-9]{1,15}) kB$", text, re.MULTILINE)
    if total is None or int(total[1]) == 0:
        raise unparseable("/proc/meminfo has no line MemTotal: … kB")
    units: dict[str, int] = {}
    for name, file, _, value in _GROUP.findall(text):
        if file == "memory.stat":
            units[name] = units.get(name, 0) + int(value)
    rows = re.findall(r"^/proc/([0-9]+)/status:Rss(Anon|Shmem):\s+([0-9]{1,15}) kB$", text, re.MULTILINE)
    anonymous = {int(pid): int(size) * 1024 for pid, kind, size in rows if kind == "Anon"}
    shared = {int(pid): int(size) * 1024 for pid, kind, size in rows if kind == "Shmem"}
    return Memory(int(total[1]) * 1024, units, anonymous, shared)
