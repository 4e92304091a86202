"""Memory: what the kernel itself says is available."""

from __future__ import annotations

import pytest

from firstresponder.evidence.probe import Reason
from tests.unit.evidence.asking import argv, printed, seen, unseen

MEMINFO = """\
MemTotal:        2048000 kB
MemFree:          100000 kB
MemAvailable:     512000 kB
Buffers:           10000 kB
"""


def test_memory_is_read_in_bytes_and_percent() -> None:
    assert seen("memory", printed(MEMINFO)) == {
        "availableBytes": 512000 * 1024,
        "totalBytes": 2048000 * 1024,
        "usedPercent": 75.0,
        "availablePercent": 25.0,
    }


@pytest.mark.parametrize(("available", "short"), [(204799, True), (204800, False), (204801, False)])
def test_what_is_available_is_below_a_tenth_exactly_when_the_alerts_say_so(available: int, *, short: bool) -> None:
    values = seen("memory", printed(MEMINFO.replace("512000", str(available))))
    assert (values["availablePercent"] < 10) is short
    assert (available / 2048000 * 100 < 10) is short, "HostOutOfMemory"
    assert (100 - available / 2048000 * 100 > 90) is short, "NodeMemoryHighUtilization"


def test_one_program_is_run() -> None:
    assert argv("memory") == ("cat", "/proc/meminfo")


def test_an_old_kernel_without_an_estimate_is_not_taken_for_one_without_memory() -> None:
    old = MEMINFO.replace("MemAvailable:     512000 kB\n", "")
    unseen("memory", printed(old), Reason.UNPARSEABLE, "no line MemAvailable")


def test_an_output_that_ends_in_the_middle_is_not_read() -> None:
    unseen("memory", printed(MEMINFO[:70]), Reason.UNPARSEABLE)


def test_impossible_numbers_are_not_believed() -> None:
    unseen("memory", printed(MEMINFO.replace("512000", "5120000")), Reason.UNPARSEABLE, "cannot both be true")
    unseen("memory", printed(MEMINFO.replace("2048000", "0").replace("512000", "0")), Reason.UNPARSEABLE)


def test_a_failed_read_is_not_a_value_even_when_something_was_printed() -> None:
    unseen("memory", printed(MEMINFO, "cat: /proc/meminfo: Permission denied", 1), Reason.NO_PERMISSION)
