"""How full the file system is that holds a path, from ``df``.

``usedPercent`` is used / (used + available), as df computes it: blocks that are reserved for root count as neither,
so a file system is full at 100 for everybody else (df rounds up to whole percents, here it is one decimal).
``availablePercent`` is available / size, which is what alerts of node_exporter's metrics compare.

A file system may be full with bytes to spare: when each of its inodes is used no file can be made. Those that make
inodes as they need them (btrfs; bcachefs, most FUSE) report 0 of 0: ``inodesCounted`` is false, and none can run out.
XFS reports how many it could still make of the free space.
"""

from __future__ import annotations

import re
import shlex

from firstresponder.api.base import JSON, ApiModel
from firstresponder.api.command import CommandOutput
from firstresponder.api.diagnostics import Template
from firstresponder.evidence.argument_checks import require_path
from firstresponder.evidence.field import boolean, number, text
from firstresponder.evidence.manual_steps import Asked, ManualSteps
from firstresponder.evidence.probe import Context, Probe, completed, unparseable


class DiskArguments(ApiModel):
    """How full the file system is that holds a path."""

    path: Template
    """An absolute path; it need not be where the file system is mounted."""


_HEADER = ["1B-blocks", "Used", "Avail", "Inodes", "IUsed", "Mounted", "on"]
_ROW = re.compile(r" *([0-9]{1,19}) +([0-9]{1,19}) +([0-9]{1,19}) +([0-9]{1,19}|-) +([0-9]{1,19}|-) +(/.*)")


def _argv(arguments: DiskArguments, context: Context) -> tuple[str, ...]:
    del context
    return (require_path("path", arguments.path),)


def _parse(arguments: DiskArguments, output: CommandOutput, context: Context) -> dict[str, JSON]:
    del arguments, context
    lines = completed(output).split("\n")
    row = _ROW.fullmatch(lines[1]) if len(lines) == 3 and not lines[2] else None
    if row is None or lines[0].split() != _HEADER:
        raise unparseable("df did not print one file system")
    size, used, available = (int(row[column]) for column in (1, 2, 3))
    if used + available == 0 or used > size or available > size:
        raise unparseable(f"of {size} bytes {used} are used and {available} available: that cannot be true")
    values: dict[str, JSON] = {
        "usedPercent": round(100 * used / (used + available), 1),
        "usedBytes": used,
        "sizeBytes": size,
        "availableBytes": available,
        "availablePercent": round(100 * available / size, 1),
        "mountPoint": row[6],
    }
    if row[4] == "0":
        values["inodesCounted"] = False
    elif "-" not in {row[4], row[5]}:
        values |= {"inodesCounted": True, "inodesUsedPercent": round(100 * int(row[5]) / int(row[4]), 1)}
    return values


def _manual_steps(arguments: DiskArguments, asked: Asked) -> str:
    """What the host's program runs (host/firstresponder-observe)."""
    del asked
    path = shlex.quote(require_path("path", arguments.path))
    return f"df --block-size=1 --output=size,used,avail,itotal,iused,target -- {path}"


PROBE = Probe(
    name="disk",
    arguments=DiskArguments,
    source="df",
    fields={
        "usedPercent": number("Used / (used + available), in percent with one decimal", measured=True),
        "usedBytes": number("Used, in bytes"),
        "sizeBytes": number("The whole file system, in bytes"),
        "availableBytes": number("What others than root can still write, in bytes", measured=True),
        "availablePercent": number("The same in percent of the whole file system"),
        "inodesCounted": boolean("Whether it has a fixed number of inodes, so that they can run out"),
        "inodesUsedPercent": number(
            "Used inodes in percent; left out where there is no fixed number of them", measured=True
        ),
        "mountPoint": text("Where the file system is mounted"),
    },
    request="disk",
    argv=_argv,
    parse=_parse,
    manual_steps=ManualSteps(
        lambda _: {
            "usedPercent": "100 × `Used` / (`Used` + `Avail`), with one decimal",
            "usedBytes": "`Used`",
            "sizeBytes": "`1B-blocks`",
            "availableBytes": "`Avail`",
            "availablePercent": "100 × `Avail` / `1B-blocks`, with one decimal",
            "inodesCounted": "whether `Inodes` is above 0; unknown where it is `-`",
            "inodesUsedPercent": "100 × `IUsed` / `Inodes`; unknown where that is 0 or `-`",
            "mountPoint": "`Mounted on`",
        },
        _manual_steps,
    ),
)
