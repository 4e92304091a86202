"""The largest folders below a path, from ``du``, which sees every folder and stays on the path's file system.

``totalBytes`` is what the path's tree takes on disk. ``sharePercent`` is that of the used bytes of the file system
that holds ``of``; 0 when the path lies on another one, for then it takes nothing there, and never above 100. ``paths``
are the largest folders down to the third level, largest first, each with all that is below it. Files that vanish
while they are counted count as gone; any other complaint of du means that nothing was observed.
"""

from __future__ import annotations

import re
import shlex

from firstresponder.api.base import JSON
from firstresponder.api.command import CommandOutput
from firstresponder.api.diagnostics import DirectoriesArguments
from firstresponder.evidence.by_hand import Asked, ByHand
from firstresponder.evidence.place import require_path
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
    return (path, require_path("of", arguments.of) if arguments.of is not None else path)


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
    if used <= 0 or not all(path.startswith(top.rstrip("/") + "/") for _, path in below):
        raise unparseable("du printed folders that are not below the path, or nothing is used on the file system")
    same = found[1] == found[5]
    return {
        "totalBytes": total,
        "sharePercent": min(round(100 * total / used, 1), 100.0) if same else 0.0,
        "paths": [{"path": shown(path, _PATH_LIMIT), "bytes": size} for size, path in below[: arguments.limit]],
    }


def _is_vanished(line: str) -> bool:
    return line.startswith("du: cannot access ") and line.endswith(": No such file or directory")


def _incomplete(output: CommandOutput, complaints: list[str]) -> Unobserved:
    first = next((shown(line, _PATH_LIMIT) for line in complaints if not _is_vanished(line)), complaint(output))
    reason = Reason.NO_PERMISSION if "Permission denied" in first else Reason.FAILED
    return Unobserved(reason, f"the sizes are not complete: {first}")


_NOT_ALL = "unknown after any complaint of du but `No such file or directory`"


def _by_hand(arguments: DirectoriesArguments, asked: Asked) -> str:
    """By sudo, for the probe may look into every folder too."""
    path, of = (shlex.quote(each) for each in _argv(arguments, Context(0, asked.timeout)))
    largest = f"sort --numeric-sort --reverse | head -n {arguments.limit + 1}"
    du = "sudo du --block-size=1 --max-depth=3 --one-file-system --dereference-args"
    return f"{du} -- {path} | {largest}\ndf --block-size=1 --output=used,target -- {path} {of}"


PROBE = Probe(
    name="directories",
    arguments=DirectoriesArguments,
    source="du",
    fields={
        "totalBytes": "What the whole tree takes on disk, in bytes",
        "sharePercent": "The same in percent of the used bytes of the file system that holds `of`; 0 on another one",
        "paths": "The largest folders down to the third level, each with `path` and `bytes`",
    },
    quoted=("paths",),
    request="directories",
    argv=_argv,
    parse=_parse,
    by_hand=ByHand(
        lambda _: {
            "totalBytes": f"the number in du's first line; {_NOT_ALL}",
            "sharePercent": "100 × du's first number / `Used` of df's second line; 0 where df's two lines are mounted "
            f"on different folders; {_NOT_ALL}, or without two lines of df",
            "paths": f"the lines after du's first; {_NOT_ALL}",
        },
        _by_hand,
    ),
    timeout=60.0,
    max_output=256 * 1024,
)
