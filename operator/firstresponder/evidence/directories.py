"""The largest folders below a path, from ``du``, which sees every folder and stays on the path's file system.

With ``count: inodes`` a folder's size is the number of files and folders below it, each of which takes an inode, and
everything here is said of them: ``totalInodes``, and the used inodes of the file system. One that does not count
inodes (btrfs) has no share of them to report.

``totalBytes`` is what the path's tree takes on disk. ``sharePercent`` is that of the used bytes of the file system
that holds ``of``; 0 when the path lies on another one, for then it takes nothing there, and never above 100. ``paths``
are the largest folders down to the third level, largest first, each with all that is below it; ``mostIn`` is the
deepest of them that holds more than half of the tree, or the path itself. Files that vanish while they are counted
count as gone; any other complaint of du means that nothing was observed. What no folder shows is in no size: files
that were deleted and are still open, and what lies below a folder that something is mounted on.
"""

from __future__ import annotations

import re
import shlex
from typing import Annotated, Literal

from pydantic import Field

from firstresponder.api.base import JSON, ApiModel
from firstresponder.api.command import CommandOutput
from firstresponder.api.diagnostics import Template
from firstresponder.evidence.argument_checks import require_path
from firstresponder.evidence.field import NUMBER, TEXT, number, table, text
from firstresponder.evidence.manual_steps import Asked, ManualSteps
from firstresponder.evidence.probe import (
    Context,
    Probe,
    Reason,
    Unobserved,
    complaint,
    failure,
    require_whole,
    text_of,
    unparseable,
)
from firstresponder.safety import shown


class DirectoriesArguments(ApiModel):
    """The largest folders below a path, on the path's own file system."""

    path: Template
    """The absolute path of a folder."""
    of: Template | None = None
    """A folder on the file system of which what is used is taken as the whole; left out, the path itself."""
    limit: Annotated[int, Field(ge=0, le=50)] = 10
    """How many of the largest folders are kept for showing."""
    count: Literal["bytes", "inodes"] = "bytes"
    """What makes a folder large: the bytes that it takes, or the inodes, one for each file and folder below it."""


_PATH_LIMIT = 256
"""Characters of a path as it is shown."""
# What host/firstresponder-observe prints: both file systems, folders by size, how du and sort ended; NUL after each.
_ANSWER = re.compile(
    r"of=([0-9]+) used=([0-9]{1,10})\*([0-9]{1,19})-([0-9]{1,19})\0path=([0-9]+)\0"
    r"((?:[0-9]{1,19}\t/[^\0]*\0)+)du=([01]) sort=0\0"
)


def _argv(arguments: DirectoriesArguments, context: Context) -> tuple[str, ...]:
    del context
    path = require_path("path", arguments.path)
    of = require_path("of", arguments.of) if arguments.of is not None else path
    return (path, of, *(["inodes"] if arguments.count == "inodes" else []))


def _parse(arguments: DirectoriesArguments, output: CommandOutput, context: Context) -> dict[str, JSON]:
    del context
    require_whole(output)
    if output.exit_status != 0:
        raise failure(output)
    found = _ANSWER.fullmatch(text_of(output.stdout))
    if found is None:
        raise unparseable("du did not come to its end, or printed something else than folders and sizes")
    complaints = [line for line in text_of(output.stderr).splitlines() if line.startswith("du: ")]
    if (found[7] != "0") != bool(complaints) or not all(map(_is_vanished, complaints)):
        raise _incomplete(output, complaints)
    used = int(found[2]) * (int(found[3]) - int(found[4]))
    sizes = [(int(size), path) for size, path in (each.split("\t", 1) for each in found[6].split("\0")[:-1])]
    (total, top), *below = sizes
    if arguments.count == "inodes" and int(found[3]) == 0:
        raise Unobserved(Reason.NOT_FOUND, "the file system has no fixed number of inodes, so none can run out")
    if used <= 0 or not all(path.startswith(top.rstrip("/") + "/") for _, path in below):
        raise unparseable("du printed folders that are not below the path, or nothing is used on the file system")
    same = found[1] == found[5]
    measure = arguments.count
    most = max((path for size, path in below if 2 * size > total), key=lambda path: path.count("/"), default=top)
    return {
        f"total{measure.capitalize()}": total,
        "sharePercent": min(round(100 * total / used, 1), 100.0) if same else 0.0,
        "mostIn": shown(most, _PATH_LIMIT),
        "paths": [{"path": shown(path, _PATH_LIMIT), measure: size} for size, path in below[: arguments.limit]],
    }


def _is_vanished(line: str) -> bool:
    return line.startswith("du: cannot access ") and line.endswith(": No such file or directory")


def _incomplete(output: CommandOutput, complaints: list[str]) -> Unobserved:
    first = next((shown(line, _PATH_LIMIT) for line in complaints if not _is_vanished(line)), complaint(output))
    reason = Reason.NO_PERMISSION if "Permission denied" in first else Reason.FAILED
    return Unobserved(reason, f"the sizes are not complete: {first}")


_NOT_ALL = "unknown after any complaint of du but `No such file or directory`"


def _manual_steps(arguments: DirectoriesArguments, asked: Asked) -> str:
    """By sudo, for the probe may look into every folder too."""
    path, of = (shlex.quote(each) for each in _argv(arguments, Context(0, asked.timeout))[:2])
    largest = f"sort --numeric-sort --reverse | head -n {arguments.limit + 1}"
    inodes = arguments.count == "inodes"
    du = f"sudo du {'--inodes' if inodes else '--block-size=1'} --max-depth=3 --one-file-system --dereference-args"
    used = "iused" if inodes else "used"
    return f"{du} -- {path} | {largest}\ndf --block-size=1 --output={used},target -- {path} {of}"


def _read_by_hand(arguments: DirectoriesArguments) -> dict[str, str]:
    column = "`IUsed`" if arguments.count == "inodes" else "`Used`"
    totals = dict.fromkeys(("totalBytes", "totalInodes"), f"unknown, for {arguments.count} are counted")
    totals[f"total{arguments.count.capitalize()}"] = f"the number in du's first line; {_NOT_ALL}"
    return {
        **totals,
        "sharePercent": f"100 × du's first number / {column} of df's second line; 0 where df's two lines are mounted "
        f"on different folders; {_NOT_ALL}, or without two lines of df",
        "mostIn": "the longest path of du's lines with more than half of the first line's number",
        "paths": f"the lines after du's first; {_NOT_ALL}",
    }


PROBE = Probe(
    name="directories",
    arguments=DirectoriesArguments,
    source="du",
    fields={
        "totalBytes": number("What the whole tree takes on disk, in bytes"),
        "totalInodes": number("With `count: inodes`, and instead: how many files and folders the tree holds"),
        "sharePercent": number(
            "The same in percent of what is used of the file system that holds `of`; 0 on another one"
        ),
        "mostIn": text("The deepest folder that holds more than half of it, down to the third level"),
        "paths": table(
            "The largest folders down to the third level, each with `path` and `bytes`, or `inodes`",
            path=TEXT,
            bytes=NUMBER,
            inodes=NUMBER,
        ),
    },
    quoted=("paths", "mostIn"),
    request="directories",
    argv=_argv,
    parse=_parse,
    manual_steps=ManualSteps(_read_by_hand, _manual_steps),
    timeout=60.0,
    max_output=256 * 1024,
)
