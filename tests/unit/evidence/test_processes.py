"""Processes, as top and ps of procps-ng 4.0.2 print them."""

from __future__ import annotations

from typing import Any

import pytest

from firstresponder.evidence.probe import Reason
from tests.unit.evidence.asking import argv, printed, seen, unseen

HEADER = "    PID USER      PR  NI    VIRT    RES    SHR S  %CPU  %MEM     TIME+ COMMAND\n"
IDLE = "%Cpu(s):  0.0 us,  0.0 sy,  0.0 ni,100.0 id,  0.0 wa,  0.0 hi,  0.0 si,  0.0 st \n"
BUSY = "%Cpu(s): 90.0 us,  5.2 sy,  0.0 ni,  2.8 id,  1.0 wa,  0.0 hi,  0.4 si,  0.6 st \n"
OWN_TOP = 133

# pid, command, CPU percent, memory percent
TOP = [
    (OWN_TOP, "top", 6.2, 0.0),
    (130, "java", 188.0, 40.5),
    (140, "weird name 1 2", 99.0, 0.1),
    (2, "kthreadd", 0.0, 0.0),
    (57, "kswapd0", 12.0, 0.0),
    (1, "systemd", 0.3, 0.2),
    (132, "sh", 1.0, 0.0),
    (150, "gone", 3.0, 55.0),
]
# pid, parent, unit
PS = [
    (1, 0, "init.scope"),
    (2, 0, "-"),
    (57, 2, "-"),
    (130, 1, "api-gateway.service"),
    (140, 1, "-"),
    (132, 1, "fr-observe-8f3a.service"),
    (151, 132, "fr-observe-8f3a.service"),
]


def sample(cpu: str, rows: list[tuple[int, str, float, float]]) -> str:
    table = "".join(
        f"{pid:7d} root      20   0   14076   8928   5980 R {c:5.1f} {m:5.1f}   0:00.28 {command}\n"
        for pid, command, c, m in rows
    )
    return (
        "top - 23:27:04 up 38 min,  0 user,  load average: 3.29, 1.64, 1.09\n"
        "Tasks:  12 total,   3 running,   9 sleeping,   0 stopped,   0 zombie\n"
        f"{cpu}MiB Mem :  24105.6 total,  23232.2 free,    683.6 used,    552.9 buff/cache     \n"
        "MiB Swap:      0.0 total,      0.0 free,      0.0 used.  23422.0 avail Mem \n"
        f"\n{HEADER}{table}"
    )


def everything(
    rows: list[tuple[int, str, float, float]] = TOP, places: list[tuple[int, int, str]] = PS, cpu: str = BUSY
) -> str:
    ps = "".join(f"{pid:7d} {parent:7d} {unit}\n" for pid, parent, unit in places)
    return f"=== top {OWN_TOP}\n{sample(IDLE, [])}\n{sample(cpu, rows)}=== ps\n{ps}"


def processes(output: str, **arguments: Any) -> dict[str, Any]:
    return seen("processes", printed(output), **arguments)


def test_the_second_sample_counts_and_waiting_for_disks_is_not_work() -> None:
    assert processes(everything())["hostCpuPercent"] == 96.2


def test_the_busiest_come_first_each_with_its_unit() -> None:
    assert processes(everything())["list"] == [
        {"pid": 130, "command": "java", "cpuPercent": 188.0, "memoryPercent": 40.5, "unit": "api-gateway.service",
         "kernelThread": False},
        {"pid": 140, "command": "weird name 1 2", "cpuPercent": 99.0, "memoryPercent": 0.1, "unit": "",
         "kernelThread": False},
        {"pid": 57, "command": "kswapd0", "cpuPercent": 12.0, "memoryPercent": 0.0, "unit": "", "kernelThread": True},
        {"pid": 150, "command": "gone", "cpuPercent": 3.0, "memoryPercent": 55.0},
        {"pid": 1, "command": "systemd", "cpuPercent": 0.3, "memoryPercent": 0.2, "unit": "init.scope",
         "kernelThread": False},
        {"pid": 2, "command": "kthreadd", "cpuPercent": 0.0, "memoryPercent": 0.0, "unit": "", "kernelThread": True},
    ]  # fmt: skip


def test_the_first_of_them_is_the_top_one() -> None:
    top = {"unit": "api-gateway.service", "command": "java", "cpuPercent": 188.0, "memoryPercent": 40.5}
    assert processes(everything())["top"] == top
    assert processes(everything(), sort_by="memory")["top"] == {
        "command": "gone",
        "cpuPercent": 3.0,
        "memoryPercent": 55.0,
    }


def test_the_limit_caps_what_is_idle_in_the_list_and_not_the_top() -> None:
    values = processes(everything(), limit=1)
    assert [each["pid"] for each in values["list"]] == [130, 140, 57, 150]
    assert values["top"]["unit"] == "api-gateway.service"


def test_twenty_busy_workers_hide_nobody_who_is_less_busy() -> None:
    workers = [(200 + n, "java", 60.0, 1.0) for n in range(20)]
    rows = [(1, "systemd", 0.3, 0.2), *workers, (300, "kworkerds", 59.0, 0.1)]
    places = [
        (1, 0, "init.scope"),
        *((pid, 1, "api-gateway.service") for pid, *_ in workers),
        (300, 1, "session-3.scope"),
    ]
    listed = processes(everything(rows, places), limit=20)["list"]
    assert {"session-3.scope", "api-gateway.service"} == {each["unit"] for each in listed}


@pytest.mark.rule(4)
def test_our_own_diagnostics_are_left_out_and_nothing_else() -> None:
    rows = [
        (1, "systemd", 0.0, 0.0),
        (10, "sh", 50.0, 0.0),
        (11, "sh", 40.0, 0.0),
        (12, "sh", 30.0, 0.0),
        (13, "top", 20.0, 0.0),
    ]
    places = [
        (1, 0, "init.scope"),
        (10, 1, "fr-observe-1.service"),
        (11, 1, "fr-act-1.service"),
        (12, 1, "my-fr-observe-1.service"),
        (13, 1, "session-3.scope"),
    ]
    assert [each["pid"] for each in processes(everything(rows, places))["list"]] == [11, 12, 13, 1]


def test_a_process_that_ps_no_longer_saw_has_no_unit_rather_than_an_empty_one() -> None:
    gone = next(each for each in processes(everything())["list"] if each["pid"] == 150)
    assert "unit" not in gone
    assert "kernelThread" not in gone


def test_where_ps_cannot_tell_units_at_all_none_is_claimed() -> None:
    places = [(pid, parent, "-") for pid, parent, _ in PS]
    assert not any("unit" in each for each in processes(everything(places=places))["list"])


def test_in_a_container_the_children_of_process_2_are_no_kernel_threads() -> None:
    places = [(pid, 1 if pid == 2 else parent, unit) for pid, parent, unit in PS]
    values = processes(everything(places=places))
    assert not any(each.get("kernelThread") for each in values["list"])


def test_hidden_processes_are_not_taken_for_an_idle_host() -> None:
    hidden = [row for row in TOP if row[0] != 1]
    unseen("processes", printed(everything(rows=hidden)), Reason.NO_PERMISSION, "process 1 is not visible")
    places = [row for row in PS if row[0] != 1]
    unseen("processes", printed(everything(places=places)), Reason.NO_PERMISSION)


def test_a_comma_for_a_decimal_point_is_not_read_as_another_number() -> None:
    unseen("processes", printed(everything().replace(".", ",")), Reason.UNPARSEABLE)
    unseen("processes", printed(everything().replace("188.0", "188,0")), Reason.UNPARSEABLE, "is not a row of top")


def test_another_table_than_expected_is_not_read() -> None:
    unseen("processes", printed(everything().replace("%CPU", "%ZPU")), Reason.UNPARSEABLE, "no columns PID")
    unseen("processes", printed(everything(cpu="%Cpu0  :  1.0 us\n")), Reason.UNPARSEABLE, r"no line %Cpu\(s\)")


@pytest.mark.rule(2)
@pytest.mark.parametrize("share", ["-99.0", "nan", "inf", "1e3", "9_9.0", "99.0.0", "", "+99.0"])
def test_a_share_that_is_no_plain_number_hides_no_process(share: str) -> None:
    table = everything().replace("  99.0   0.1", f"  {share}   0.1")
    unseen("processes", printed(table), Reason.UNPARSEABLE, "is not a row of top's table")


def test_one_sample_is_not_enough() -> None:
    half = f"=== top 1\n{sample(BUSY, TOP)}=== ps\n"
    unseen("processes", printed(half), Reason.UNPARSEABLE, "1 samples")


def test_an_output_that_ends_anywhere_before_its_end_is_not_read() -> None:
    whole = everything()
    for end in range(0, whole.index("=== ps") + 7, 7):
        unseen("processes", printed(whole[:end]), Reason.UNPARSEABLE)
    unseen("processes", printed(whole, status=1), Reason.FAILED)


def test_a_row_of_ps_in_another_form_is_not_read() -> None:
    unseen("processes", printed(everything() + "  99 x y\n"), Reason.UNPARSEABLE, "is not a row of ps")


def test_the_script_is_constant() -> None:
    assert argv("processes", limit=5) == argv("processes", sort_by="memory")
