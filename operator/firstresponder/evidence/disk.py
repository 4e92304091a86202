"""How full the file system is that holds a path, from ``df``.

``usedPercent`` is used / (used + available), as df computes it: blocks that are reserved for root count as neither,
so a file system is full at 100 for everybody else (df rounds up to whole percents, here it is one decimal).
``inodesUsedPercent`` is left out where the file system does not count inodes.
"""

from __future__ import annotations

import re
import shlex

from firstresponder.api.base import JSON
from firstresponder.api.command import CommandOutput
from firstresponder.api.diagnostics import DiskArguments
from firstresponder.evidence.by_hand import Asked, ByHand
from firstresponder.evidence.place import require_path
from firstresponder.evidence.probe import Context, Probe, Unit, completed, unparseable

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
        "mountPoint": row[6],
    }
    if row[4] not in {"-", "0"} and row[5] != "-":
        values["inodesUsedPercent"] = round(100 * int(row[5]) / int(row[4]), 1)
    return values


def _by_hand(arguments: DiskArguments, asked: Asked) -> str:
    """What the host's program runs (host/firstresponder-observe)."""
    del asked
    path = shlex.quote(require_path("path", arguments.path))
    return f"df --block-size=1 --output=size,used,avail,itotal,iused,target -- {path}"


PROBE = Probe(
    name="disk",
    arguments=DiskArguments,
    source="df",
    fields={
        "usedPercent": "Used / (used + available), in percent with one decimal",
        "usedBytes": "Used, in bytes",
        "sizeBytes": "The whole file system, in bytes",
        "availableBytes": "What others than root can still write, in bytes",
        "inodesUsedPercent": "Used inodes in percent; left out where there is no fixed number of them",
        "mountPoint": "Where the file system is mounted",
    },
    request="disk",
    measures={"usedPercent": Unit.PERCENT, "availableBytes": Unit.BYTES, "inodesUsedPercent": Unit.PERCENT},
    argv=_argv,
    parse=_parse,
    by_hand=ByHand(
        lambda _: {
            "usedPercent": "100 × `Used` / (`Used` + `Avail`), with one decimal",
            "usedBytes": "`Used`",
            "sizeBytes": "`1B-blocks`",
            "availableBytes": "`Avail`",
            "inodesUsedPercent": "100 × `IUsed` / `Inodes`; unknown where that is 0 or `-`",
            "mountPoint": "`Mounted on`",
        },
        _by_hand,
    ),
)
