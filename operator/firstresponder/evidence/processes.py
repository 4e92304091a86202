"""Processes with their systemd unit, and how busy the host's processors are, from ``top`` and ``ps``.

Of two samples of top the second one counts; the first is partly an average since boot. A process's percent is of one
core, the host's is of all. The processes of our own diagnostics, in units named ``fr-observe-*`` that only root can
create, are left out, and nothing else (decisions: rule 4). ``unit`` is empty for a process outside every unit.

Every process that is not idle is in the list, however many there are: a guard that looks for an intruder must not be
blinded by twenty others that are busier.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from firstresponder.api.base import JSON
from firstresponder.api.command import CommandOutput
from firstresponder.api.diagnostics import ProcessesArguments
from firstresponder.evidence.by_hand import Asked, ByHand
from firstresponder.evidence.probe import Context, Probe, Reason, Unit, Unobserved, completed, unparseable

# The inner shell becomes top, so its number is that of our own top, whose unit ps can no longer tell.
_TOP = "sh -c 'echo \"=== top $$\"; exec top -b -n 2 -d 1 -w 512'"
_SCRIPT = f"{_TOP} && echo '=== ps' && exec ps -e -ww -o pid=,ppid=,unit:256="
_OUR_UNITS = "fr-observe-"
_NO_UNIT = "-"
_IDLE = 1.0
"""Percent of a core and of the memory, below which a process may be left out."""


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
    unit: str


def _argv(arguments: ProcessesArguments, context: Context) -> tuple[str, ...]:
    del arguments, context
    return ("sh", "-c", _SCRIPT)


def _parse(arguments: ProcessesArguments, output: CommandOutput, context: Context) -> dict[str, JSON]:
    del context
    found = re.fullmatch(r"=== top ([0-9]+)\n(.*\n)=== ps\n(.*)", completed(output), re.DOTALL)
    if found is None:
        raise unparseable("the output of top or ps is missing")
    own_top = int(found[1])
    host_cpu, samples = _second_sample(found[2])
    placed = _placed(found[3])
    if 1 not in placed or not any(sample.pid == 1 for sample in samples):
        raise Unobserved(Reason.NO_PERMISSION, "process 1 is not visible: /proc hides the processes of others")

    by_memory = arguments.sort_by == "memory"
    samples.sort(key=lambda each: (-(each.memory_percent if by_memory else each.cpu_percent), each.pid))
    processes = [_described(each, placed) for each in samples if each.pid != own_top]
    seen = [each for each in processes if not str(each.get("unit", "")).startswith(_OUR_UNITS)]
    if not seen:
        raise unparseable("top lists no process but our own")
    top = {name: value for name, value in seen[0].items() if name not in {"pid", "kernelThread"}}
    kept = [each for place, each in enumerate(seen) if place < arguments.limit or not _is_idle(each)]
    return {"hostCpuPercent": host_cpu, "list": kept, "top": top}


def _is_idle(process: dict[str, JSON]) -> bool:
    return bool(max(process["cpuPercent"], process["memoryPercent"]) < _IDLE)


def _described(sample: _Sample, placed: dict[int, _Placed]) -> dict[str, JSON]:
    described: dict[str, JSON] = {
        "pid": sample.pid,
        "command": sample.command,
        "cpuPercent": sample.cpu_percent,
        "memoryPercent": sample.memory_percent,
    }
    place = placed.get(sample.pid)
    if place is None:  # it ended between top and ps: neither its unit nor its parent is known
        return described
    if placed[1].unit != _NO_UNIT:  # else ps cannot tell units on this host at all
        described["unit"] = "" if place.unit == _NO_UNIT else place.unit
    # kthreadd is process 2 and has no parent; in a container, process 2 is an ordinary one.
    has_kernel_threads = 2 in placed and placed[2].ppid == 0
    described["kernelThread"] = has_kernel_threads and 2 in {sample.pid, place.ppid}
    return described


def _second_sample(text: str) -> tuple[float, list[_Sample]]:
    """The host's CPU percent and the processes of top's second sample."""
    samples = re.split(r"^top - .*$", text, flags=re.MULTILINE)[1:]
    if len(samples) != 2:
        raise unparseable(f"top printed {len(samples)} samples instead of 2")
    summary, _, table = samples[1].partition("\n\n")
    header, *rows = table.strip("\n").split("\n")
    columns = header.split()
    if columns[:1] != ["PID"] or columns[-1:] != ["COMMAND"] or not {"%CPU", "%MEM"} <= set(columns):
        raise unparseable("top's table has no columns PID, %CPU, %MEM and COMMAND")
    return _host_cpu(summary), [_sample(row, columns) for row in rows]


def _host_cpu(summary: str) -> float:
    """100 less idle and waiting for disks, from the line ``%Cpu(s):  1.2 us,  0.5 sy, … 98.0 id,  0.1 wa, …``."""
    line = re.search(r"^%Cpu\(s\):(.*)$", summary, re.MULTILINE)
    shares = {
        name: float(share) for share, name in re.findall(r"([0-9]+\.[0-9]) ([a-z]{2})\b", line[1] if line else "")
    }
    if not {"us", "sy", "id", "wa"} <= shares.keys():
        raise unparseable("top printed no line %Cpu(s) with us, sy, id and wa")
    return round(min(max(100 - shares["id"] - shares["wa"], 0.0), 100.0), 1)


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
        found = re.fullmatch(r" *([0-9]+) +([0-9]+) (\S+) *", line)
        if found is None:
            raise unparseable(f"{line.strip()[:64]!r} is not a row of ps")
        placed[int(found[1])] = _Placed(int(found[2]), found[3])
    return placed


def _by_hand(arguments: ProcessesArguments, asked: Asked) -> str:
    del arguments, asked
    second = "awk '/^top - / { sample++ } sample == 2'"
    return f"top -b -n 2 -d 1 -w 512 | {second}\nps -e -ww -o pid=,ppid=,unit:256="


_NOT_ALL = "unknown where PID 1 is not there: all others' are hidden from you then"


def _read_by_hand(arguments: ProcessesArguments) -> dict[str, str]:
    most = "%MEM" if arguments.sort_by == "memory" else "%CPU"
    return {
        "hostCpuPercent": "100 less `id` and less `wa` of the line `%Cpu(s)`",
        "top": f"the line with the most `{most}` below `PID`: `command` is its `COMMAND`, `cpuPercent` its `%CPU`, "
        "`memoryPercent` its `%MEM`; `unit` stands behind the same PID in the third column of `ps`, where `-` means "
        f"outside every unit (`''`), or unknown if PID 1 has it too; {_NOT_ALL}",
        "list": "the lines below `PID`, each with the same fields, and `kernelThread`: its PID, or its parent's (the "
        f"second column of `ps`), is 2, which is `kthreadd`; {_NOT_ALL}",
    }


PROBE = Probe(
    name="processes",
    arguments=ProcessesArguments,
    source="top, ps",
    fields={
        "hostCpuPercent": "How busy all processors together are, in percent of all of them",
        "top": "The busiest process: `command`, `unit` (empty outside every unit), `cpuPercent` (of one core), "
        "`memoryPercent`",
        "list": "The busiest processes, each with `pid`, `command`, `unit`, `cpuPercent` (of one core), "
        "`memoryPercent`, `kernelThread`",
    },
    measures={"hostCpuPercent": Unit.PERCENT},
    argv=_argv,
    parse=_parse,
    by_hand=ByHand(_read_by_hand, _by_hand),
    max_output=4 * 1024 * 1024,
)
