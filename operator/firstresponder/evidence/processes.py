"""Processes with their systemd unit, what units take together, and how busy the host's processors are.

From ``/proc/stat`` and the units' control groups before and after two samples of ``top``, then ``ps`` and systemd. Of
top's samples the second one counts; the first is partly an average since boot. A process's or a unit's percent is of
one core, the host's is of all. The processes of our own diagnostics, in units named ``fr-observe-*`` that only root
can create, are left out, and nothing else (decisions: rule 4). ``unit`` is systemd's own name for it (``Id``), and
empty for a process outside every unit; ``names`` are that and its aliases, in which a name that people wrote is found.

Every process that is not idle is in the list, however many there are: a guard that looks for an intruder must not be
blinded by twenty others that are busier. A process of some milliseconds is in no list, but its unit counts it.
"""

from __future__ import annotations

import re
import shlex
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Literal

from pydantic import Field

from firstresponder.api.base import JSON, ApiModel
from firstresponder.api.command import CommandOutput
from firstresponder.api.diagnostics import Template
from firstresponder.evidence import unit_usage
from firstresponder.evidence.field import BOOLEAN, NUMBER, TEXT, number, record, table, texts
from firstresponder.evidence.manual_steps import Asked, ManualSteps
from firstresponder.evidence.probe import Context, Probe, Reason, Unobserved, completed, unparseable
from firstresponder.evidence.unit import require_unit_name
from firstresponder.safety import shown


class ProcessesArguments(ApiModel):
    """Processes with their systemd unit, what units take together, and what the processors do."""

    sort_by: Literal["cpu", "memory"] = "cpu"
    """What the busiest process has most of."""
    limit: Annotated[int, Field(ge=1, le=200)] = 20
    """How many processes and units are listed at least; each with 1 % or more of a core or of the memory always is."""
    unit: Template | None = None
    """A unit whose usage is reported, by any of its names, for example $(service).service; a template."""


# The inner shell becomes top, so its number is that of our own top, whose unit ps can no longer show.
_TOP = "sh -c 'echo \"=== top $$\"; exec top -b -n 2 -d 1 -w 512'"
_PS = "ps -e -ww -o pid=,ppid=,etimes=,unit:256=,args="
_NAMES = "systemctl show --no-pager --property=Id,Names,LoadState -- '*.service' '*.scope'"
_OR_END = " || exit"
_COMMANDS = (
    *unit_usage.SAMPLE,
    "sample before",
    f"{_TOP}{_OR_END}",
    "sample after",
    "echo '=== memory'",
    *unit_usage.MEMORY,
    "echo '=== mounts'; grep ' /proc/stat ' /proc/self/mountinfo",
    f"echo '=== names'; {_NAMES} \"$@\"",
    f"echo '=== ps'; {_PS}{_OR_END}",
    "echo '=== end'",
)
_SECTIONS = ("before", "top", "after", "memory", "mounts", "names", "ps")
_OUR_UNITS = "fr-observe-"
_NO_UNIT = "-"
_IDLE = 1.0
"""Percent of a core and of the memory, below which a process may be left out."""
_DESCRIBED = 5
"""Of so many processes of a unit, the busiest, the identity is reported; a status could not hold it of all."""
_COMMAND_LINE_LIMIT = 160
_MOST_NAMES = 8


@dataclass(frozen=True)
class _Sample:
    """One process as top saw it."""

    pid: int
    command: str
    cpu_percent: float
    memory_percent: float


@dataclass(frozen=True)
class _Placed:
    """One process as ps saw it, a moment later."""

    ppid: int
    seconds: int
    unit: str
    command_line: str


@dataclass(frozen=True)
class _Seen:
    """Everything that was printed, read."""

    samples: list[_Sample]
    placed: Mapping[int, _Placed]
    names: Mapping[str, list[str]] | None
    """Every name of each unit by its Id; None where systemd did not say."""
    loaded: frozenset[str]
    now: float

    @property
    def tells_units(self) -> bool:
        """Whether ps shows units on this host at all."""
        return self.placed[1].unit != _NO_UNIT

    def unit(self, pid: int) -> str | None:
        """The unit of a process, empty outside every unit; None where it is not known."""
        if pid not in self.placed or not self.tells_units:
            return None
        unit = self.placed[pid].unit
        return "" if unit == _NO_UNIT else unit

    def is_kernel_thread(self, pid: int) -> bool:
        # kthreadd is process 2 and has no parent; in a container, process 2 is an ordinary one.
        has_kernel_threads = 2 in self.placed and self.placed[2].ppid == 0
        return has_kernel_threads and pid in self.placed and 2 in {pid, self.placed[pid].ppid}

    def names_of(self, unit: str) -> list[JSON] | None:
        """Every name of a unit; none outside every unit."""
        if self.names is None:
            return None
        return [*self.names.get(unit, [unit])[:_MOST_NAMES]] if unit else []


def _argv(arguments: ProcessesArguments, context: Context) -> tuple[str, ...]:
    del context
    asked = () if arguments.unit is None else (require_unit_name(arguments.unit),)
    return ("sh", "-c", "; ".join(_COMMANDS), "sh", *asked)


def _parse(arguments: ProcessesArguments, output: CommandOutput, context: Context) -> dict[str, JSON]:
    text = _sections(completed(output))
    own_top, top = re.match(r"([0-9]+)\n", text["top"]), text["top"].partition("\n")[2]
    if own_top is None:
        raise unparseable("the output of top is missing")
    window = unit_usage.window(unit_usage.read_counters(text["before"]), unit_usage.read_counters(text["after"]))
    memory = unit_usage.read_memory(text["memory"])
    names, loaded = _names(text["names"])
    samples = [each for each in _second_sample(top) if each.pid != int(own_top[1])]
    host = _Seen(samples, _placed(text["ps"]), names, loaded, context.now)
    if 1 not in host.placed or not any(sample.pid == 1 for sample in samples):
        raise Unobserved(Reason.NO_PERMISSION, "process 1 is not visible: /proc hides the processes of others")

    by_memory = arguments.sort_by == "memory"
    samples.sort(key=lambda each: (-(each.memory_percent if by_memory else each.cpu_percent), each.pid))
    told = Counter[tuple[str | None, bool]]()
    processes = []
    for sample in samples:
        unit = host.unit(sample.pid)
        if str(unit or "").startswith(_OUR_UNITS):
            continue
        kind = unit, host.is_kernel_thread(sample.pid)
        processes.append(_described(sample, host, told[kind] < _DESCRIBED))
        told[kind] += 1
    if not processes:
        raise unparseable("top lists no process but our own")
    seen: dict[str, JSON] = {
        "hostCpuPercent": window.busy,
        "notIdlePercent": window.not_idle,
        "cpu": _kinds(window, virtual=bool(text["mounts"].strip())),
        "forksPerSecond": round(window.forks / window.seconds, 1),
        "list": [each for place, each in enumerate(processes) if place < arguments.limit or not _is_idle(each)],
        "top": {name: processes[0][name] for name in _TOP_FIELDS if name in processes[0]},
    }
    if host.tells_units:
        seen |= _by_unit(arguments, host, window, memory)
    return seen


def _sections(text: str) -> dict[str, str]:
    """What follows each headline. Raises Unobserved where one is missing."""
    pattern = "".join(rf"=== {name}[ \n](?P<{name}>.*?)" for name in _SECTIONS)
    found = re.fullmatch(pattern + "=== end\n", text, re.DOTALL)
    if found is None:
        raise unparseable("a part of the output is missing: of top, ps, /proc or systemctl")
    return found.groupdict()


def _kinds(window: unit_usage.Window, *, virtual: bool) -> dict[str, JSON]:
    """What the processors did. A container's /proc/stat of its own (LXCFS) knows nothing of the host's steal."""
    unseen = {"steal", "irq", "softirq"} if virtual else set()
    return {kind: percent for kind, percent in window.percent.items() if kind not in unseen}


def _by_unit(
    arguments: ProcessesArguments, host: _Seen, window: unit_usage.Window, memory: unit_usage.Memory
) -> dict[str, JSON]:
    """What units take: all that are not idle, the one that takes most, and the one that was asked for."""
    members: dict[str, list[_Sample]] = {}
    kernel = 0.0
    for sample in host.samples:
        unit = host.unit(sample.pid)
        if host.is_kernel_thread(sample.pid):
            kernel += sample.cpu_percent
        elif unit is not None:
            members.setdefault(unit, []).append(sample)
    own = _own(arguments, host)
    every = sorted({*members, *window.units, *memory.units, *([own] if own else [])})
    units = [_usage(unit, members.get(unit, []), host, window, memory) for unit in every]
    explained = kernel + sum(each["cpuPercent"] for each in units)
    explained += window.processors * sum(window.percent.get(kind, 0.0) for kind in ("irq", "softirq", "steal"))
    seen = [each for each in units if not each["unit"].startswith(_OUR_UNITS)]
    most = "memoryPercent" if arguments.sort_by == "memory" else "cpuPercent"
    seen.sort(key=lambda each: (-each.get(most, 0.0), each["unit"]))
    found: dict[str, JSON] = {
        "units": [each for place, each in enumerate(seen) if place < arguments.limit or not _is_idle(each)],
        "unexplainedSharePercent": round(max(100 - window.share(explained), 0.0), 1),
    }
    if seen and most in seen[0]:
        found["topUnit"] = seen[0]
    if own is not None:
        found["own"] = next(each for each in units if each["unit"] == own)
    return found


def _own(arguments: ProcessesArguments, host: _Seen) -> str | None:
    """The Id of the unit that was asked for, under whatever name; None where there is no such unit."""
    ids = [each for each, names in (host.names or {}).items() if arguments.unit in names and each in host.loaded]
    return ids[0] if ids else None


def _usage(
    unit: str, members: list[_Sample], host: _Seen, window: unit_usage.Window, memory: unit_usage.Memory
) -> dict[str, JSON]:
    cpu = window.units.get(unit, sum(each.cpu_percent for each in members))
    size = memory.units.get(unit)
    if size is None:
        size = memory.of_processes([each.pid for each in members if each.pid in host.placed])
    names = host.names_of(unit)
    return {
        "unit": unit,
        **({"names": names} if names is not None else {}),
        "cpuPercent": round(cpu, 1),
        "cpuSharePercent": window.share(cpu),
        **({"memoryPercent": memory.percent(size)} if size is not None else {}),
        "processes": len(members),
    }


def _is_idle(each: Mapping[str, JSON]) -> bool:
    return bool(max(each["cpuPercent"], each.get("memoryPercent", _IDLE)) < _IDLE)


def _described(sample: _Sample, host: _Seen, fully: bool) -> dict[str, JSON]:
    described: dict[str, JSON] = {
        "pid": sample.pid,
        "command": sample.command,
        "cpuPercent": sample.cpu_percent,
        "memoryPercent": sample.memory_percent,
    }
    place = host.placed.get(sample.pid)
    if place is None:  # it ended between top and ps: neither its unit nor its parent is known
        return described
    if (unit := host.unit(sample.pid)) is not None:
        described["unit"] = unit
        if (names := host.names_of(unit)) is not None:
            described["names"] = names
    described["kernelThread"] = host.is_kernel_thread(sample.pid)
    if fully:
        started = datetime.fromtimestamp(host.now - place.seconds, UTC)
        parent = next((each.command for each in host.samples if each.pid == place.ppid), "")
        described["commandLine"] = shown(place.command_line, _COMMAND_LINE_LIMIT)
        described["parent"] = f"{parent or '?'} ({place.ppid})"
        described["since"] = f"{started:%Y-%m-%dT%H:%M:%SZ}"
    return described


def _names(text: str) -> tuple[dict[str, list[str]] | None, frozenset[str]]:
    """Every name of each unit by its Id, and the Ids of those that systemd could load."""
    names: dict[str, list[str]] = {}
    loaded = set()
    for block in text.split("\n\n"):
        found = dict(line.split("=", 1) for line in block.splitlines() if "=" in line)
        if unit := found.get("Id"):
            names[unit] = list(dict.fromkeys([unit, *found.get("Names", "").split()]))
            if found.get("LoadState") != "not-found":
                loaded.add(unit)
    return names or None, frozenset(loaded)


def _second_sample(text: str) -> list[_Sample]:
    """The processes of top's second sample."""
    samples = re.split(r"^top - .*$", text, flags=re.MULTILINE)[1:]
    if len(samples) != 2:
        raise unparseable(f"top printed {len(samples)} samples instead of 2")
    _, _, table = samples[1].partition("\n\n")
    header, *rows = table.strip("\n").split("\n")
    columns = header.split()
    if columns[:1] != ["PID"] or columns[-1:] != ["COMMAND"] or not {"%CPU", "%MEM"} <= set(columns):
        raise unparseable("top's table has no columns PID, %CPU, %MEM and COMMAND")
    return [_sample(row, columns) for row in rows]


def _sample(row: str, columns: list[str]) -> _Sample:
    cells = row.split(None, len(columns) - 1)
    try:
        cell = dict(zip(columns, cells, strict=True))
        return _Sample(int(cell["PID"]), cell["COMMAND"].strip(), _share(cell["%CPU"]), _share(cell["%MEM"]))
    except ValueError:
        raise unparseable(f"{row.strip()[:64]!r} is not a row of top's table") from None


def _share(text: str) -> float:
    """A percentage as top prints it. Raises ValueError, also for what float() would take: nan or a number below zero
    would hide a process from guards."""
    if not re.fullmatch(r"[0-9]{1,6}(\.[0-9]+)?", text):
        raise ValueError(text)
    return float(text)


def _placed(text: str) -> dict[int, _Placed]:
    placed = {}
    for line in text.splitlines():
        found = re.fullmatch(r" *([0-9]+) +([0-9]+) +([0-9]{1,12}) (\S+)(?: +(.*))?", line)
        if found is None:
            raise unparseable(f"{line.strip()[:64]!r} is not a row of ps")
        placed[int(found[1])] = _Placed(int(found[2]), int(found[3]), found[4], (found[5] or "").strip())
    return placed


def _manual_steps(arguments: ProcessesArguments, asked: Asked) -> str:
    del asked
    unit = shlex.quote(require_unit_name(arguments.unit)) if arguments.unit is not None else ""
    return "\n".join(each.removesuffix(_OR_END).replace('"$@"', unit).rstrip() for each in _COMMANDS)


_NOT_ALL = "unknown where PID 1 is not there: all others' are hidden from you then"
_USAGE = (
    "`cpuPercent` is what its `usage_usec` grew by from `=== before` to `=== after`, divided by 10000 and by the "
    "seconds in between (the first number below each), or the sum of its processes where it has no such line; "
    "`cpuSharePercent` is that divided by `hostCpuPercent` and by the number of processors, times 100; "
    "`memoryPercent` is the sum of its numbers in `memory.stat` as a part of `MemTotal`, or its processes' `RssAnon` "
    "and the largest `RssShmem`; `names` are its `Names`"
)


def _read_by_hand(arguments: ProcessesArguments) -> dict[str, str]:
    most = "%MEM" if arguments.sort_by == "memory" else "%CPU"
    name = f" `{arguments.unit}`" if arguments.unit is not None else ", which nobody asked for"
    return {
        "hostCpuPercent": "100 less the parts of `idle` and `iowait` (the 4th and 5th number) in what the line `cpu` "
        "grew by from `=== before` to `=== after`",
        "notIdlePercent": "100 less the part of `idle` in it",
        "cpu": f"the part of each number in what the line `cpu` grew by, in the order {', '.join(unit_usage.KINDS)}; "
        "the three before guest are unknown where anything stands below `=== mounts`",
        "forksPerSecond": "what the number of `processes` grew by, a second",
        "top": f"the line with the most `{most}` below the second `PID`: `command` is its `COMMAND`, `cpuPercent` its "
        "`%CPU`, `memoryPercent` its `%MEM`; `unit` stands behind the same PID in the fourth column below `=== ps`, "
        f"where `-` means outside every unit (`''`), or unknown if PID 1 has it too; {_NOT_ALL}",
        "list": "the lines below the second `PID`, each with the same fields; `names` are the unit's `Names`, "
        "`commandLine` the last column below `=== ps`, `since` the third in seconds before now, `parent` the second, "
        f"and `kernelThread`: its PID, or its parent's, is 2, which is `kthreadd`; {_NOT_ALL}",
        "units": f"each unit that is named in a path or in the fourth column below `=== ps`: {_USAGE}; {_NOT_ALL}",
        "topUnit": f"that of the units with the most {arguments.sort_by}; {_NOT_ALL}",
        "own": f"the same of the unit whose `Names` have the name{name}; unknown where there is none",
        "unexplainedSharePercent": "100 less the `cpuSharePercent` of all units, and of `irq`, `softirq`, `steal` and "
        f"kernel threads; {_NOT_ALL}",
    }


_UNIT_FIELDS = {
    "unit": TEXT,
    "names": texts(),
    "cpuPercent": NUMBER,
    "cpuSharePercent": NUMBER,
    "memoryPercent": NUMBER,
    "processes": NUMBER,
}
_TOP_FIELDS = {"command": TEXT, "unit": TEXT, "cpuPercent": NUMBER, "memoryPercent": NUMBER}

PROBE = Probe(
    name="processes",
    arguments=ProcessesArguments,
    source="/proc/stat, control groups, top, ps, systemctl show",
    fields={
        "hostCpuPercent": number(
            "How busy all processors together are, in percent of all of them: with `steal`, without `idle` and "
            "`iowait`",
            measured=True,
        ),
        "notIdlePercent": number("The same with `iowait`: all but `idle`"),
        "cpu": record(
            "What the processors did, in percent of all of them, by the kinds of `/proc/stat`; `user` and `nice` "
            "contain `guest` and `guestNice`. In a container with a `/proc/stat` of its own (LXCFS), `steal`, `irq` "
            "and `softirq` are unknown",
            **dict.fromkeys(unit_usage.KINDS, NUMBER),
        ),
        "forksPerSecond": number("How many processes and threads were started a second"),
        "top": record(
            "The busiest process: `command`, `unit` (empty outside every unit), `cpuPercent` (of one core), "
            "`memoryPercent`",
            **_TOP_FIELDS,
        ),
        "list": table(
            "The busiest processes, each with `pid`, `command`, `unit` (systemd's `Id`), `names` (the unit's, with its "
            "aliases), `cpuPercent` (of one core), `memoryPercent`, `kernelThread`; the five busiest of each unit also "
            "with `commandLine` (redacted, at most 160 characters), `parent`, `since`",
            pid=NUMBER,
            command=TEXT,
            commandLine=TEXT,
            unit=TEXT,
            names=texts(),
            cpuPercent=NUMBER,
            memoryPercent=NUMBER,
            kernelThread=BOOLEAN,
            parent=TEXT,
            since=TEXT,
        ),
        "units": table(
            "The busiest units, and all processes outside every unit as one of an empty name, each with `unit`, "
            "`names`, `cpuPercent` (of one core), `cpuSharePercent` (of what is busy), `memoryPercent` (without the "
            "page cache), `processes` (how many)",
            **_UNIT_FIELDS,
        ),
        "topUnit": record("The busiest of the units, with the same fields", **_UNIT_FIELDS),
        "own": record(
            "The unit that is named as `unit`, with the same fields; unknown where the host has none of that name",
            **_UNIT_FIELDS,
        ),
        "unexplainedSharePercent": number(
            "What is busy and no process or unit of this host explains, in percent of what is busy: what other "
            "containers on the same kernel do"
        ),
    },
    notes="""\
A unit's name is systemd's own (`Id`). Compare a name that people wrote with `names`, which hold its aliases too:
`!p.names.exists(n, n in hosts.target.expectedUnits)`; for the service, give `unit` and read `own`.

CPU and memory of a unit are those of its control group, which counts processes that lived for milliseconds, and shared
memory once. Where the kernel keeps none for it, they are the sums of its processes: of `RssAnon`, and the largest
`RssShmem` once. What of its children's memory a process still shares with them is then counted more than once.
""",
    argv=_argv,
    parse=_parse,
    manual_steps=ManualSteps(_read_by_hand, _manual_steps),
    max_output=4 * 1024 * 1024,
)
