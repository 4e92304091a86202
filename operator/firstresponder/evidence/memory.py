"""Memory of the host, from ``/proc/meminfo`` (proc(5)): what the kernel estimates to be available without swapping."""

from __future__ import annotations

import re

from firstresponder.api.base import JSON, ApiModel
from firstresponder.api.command import CommandOutput
from firstresponder.evidence.field import number
from firstresponder.evidence.manual_steps import ManualSteps
from firstresponder.evidence.probe import Context, Probe, completed, unparseable


class MemoryArguments(ApiModel):
    """Memory of the host."""


def _argv(arguments: MemoryArguments, context: Context) -> tuple[str, ...]:
    del arguments, context
    return ("cat", "/proc/meminfo")


def _parse(arguments: MemoryArguments, output: CommandOutput, context: Context) -> dict[str, JSON]:
    del arguments, context
    text = completed(output)
    total, available = _bytes(text, "MemTotal"), _bytes(text, "MemAvailable")
    if not 0 <= available <= total or total == 0:
        raise unparseable(f"MemAvailable {available} and MemTotal {total} cannot both be true")
    return {
        "availableBytes": available,
        "totalBytes": total,
        "usedPercent": round(100 * (total - available) / total, 1),
        # Rounded down, so that it is below a threshold of two decimals exactly when the ratio itself is.
        "availablePercent": 10_000 * available // total / 100,
    }


def _bytes(text: str, name: str) -> int:
    found = re.search(rf"^{name}: +([0-9]{{1,15}}) kB$", text, re.MULTILINE)
    if found is None:
        raise unparseable(f"/proc/meminfo has no line {name}: … kB")
    return int(found[1]) * 1024


PROBE = Probe(
    name="memory",
    arguments=MemoryArguments,
    source="/proc/meminfo",
    fields={
        "availableBytes": number("What can be had without swapping, in bytes", measured=True),
        "totalBytes": number("All of it, in bytes"),
        "usedPercent": number("What is not available, in percent of all", measured=True),
        "availablePercent": number("What can be had without swapping, in percent of all, rounded down"),
    },
    argv=_argv,
    parse=_parse,
    manual_steps=ManualSteps(
        lambda _: {
            "availableBytes": "`MemAvailable`, times 1024",
            "totalBytes": "`MemTotal`, times 1024",
            "availablePercent": "100 × `MemAvailable` / `MemTotal`",
            "usedPercent": "100 × (`MemTotal` − `MemAvailable`) / `MemTotal`",
        }
    ),
)
