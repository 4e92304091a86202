"""Processes, as top and ps of procps-ng 4.0.2 print them."""

from __future__ import annotations

from typing import Any

import pytest

from firstresponder.evidence.probe import Reason, Unobserved
from firstresponder.incident.budget import size
from tests.unit.evidence.asking import argv, printed, seen, unseen

HEADER = "    PID USER      PR  NI    VIRT    RES    SHR S  %CPU  %MEM     TIME+ COMMAND\n"
SUMMARY = "%Cpu(s): 90.0 us,  5.2 sy,  0.0 ni,  2.8 id,  1.0 wa,  0.0 hi,  0.4 si,  0.6 st \n"
OWN_TOP = 133
BEFORE = (1000, 0, 500, 8000, 300, 0, 10, 5, 0, 0)
"""The line ``cpu`` in ticks: user, nice, system, idle, iowait, irq, softirq, steal, guest, guest_nice."""
BUSY = (180, 0, 10, 6, 2, 0, 1, 1, 0, 0)
"""What it grew by: two processors in a second."""

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
NAMES = """\
Id=api-gateway.service
Names=gateway.service api-gateway.service
LoadState=loaded

Id=init.scope
Names=init.scope
LoadState=loaded
"""
MEMORY = 24 * 2**30


def sample(rows: list[tuple[int, str, float, float]]) -> str:
    table = "".join(
        f"{pid:7d} root      20   0   14076   8928   5980 R {c:5.1f} {m:5.1f}   0:00.28 {command}\n"
        for pid, command, c, m in rows
    )
    return (
        "top - 23:27:04 up 38 min,  0 user,  load average: 3.29, 1.64, 1.09\n"
        "Tasks:  12 total,   3 running,   9 sleeping,   0 stopped,   0 zombie\n"
        f"{SUMMARY}MiB Mem :  24105.6 total,  23232.2 free,    683.6 used,    552.9 buff/cache     \n"
        "MiB Swap:      0.0 total,      0.0 free,      0.0 used.  23422.0 avail Mem \n"
        f"\n{HEADER}{table}"
    )


def counted(uptime: float, ticks: tuple[int, ...], units: dict[str, int], forks: int) -> str:
    cpus = "".join(f"cpu{number} 0 0 0 0 0 0 0 0 0 0\n" for number in range(2))
    groups = "".join(f"./{path}/cpu.stat:usage_usec {usage}\n" for path, usage in units.items())
    return f"{uptime:.2f} 100.00\ncpu  {' '.join(map(str, ticks))}\n{cpus}processes {forks}\n{groups}"


def everything(
    rows: list[tuple[int, str, float, float]] = TOP,
    places: list[tuple[int, int, str]] = PS,
    grown: tuple[int, ...] = BUSY,
    *,
    units: dict[str, float] | None = None,
    memory: str = "",
    mounts: str = "",
    names: str = NAMES,
    command_line: str = "/usr/bin/program --option",
) -> str:
    """``units``: the path of a control group, and the percent of one core that it took."""
    groups = dict.fromkeys(units or {}, 1000000)
    grew = {path: 1_000_000 + int(percent * 10_000) for path, percent in (units or {}).items()}
    ps = "".join(f"{pid:7d} {parent:7d}    3600 {unit:40} {command_line}\n" for pid, parent, unit in places)
    ticks = tuple(one + other for one, other in zip(BEFORE, grown, strict=False))
    return (
        f"=== before\n{counted(5.0, BEFORE[: len(grown)], groups, 700)}"
        f"=== top {OWN_TOP}\n{sample([])}\n{sample(rows)}"
        f"=== after\n{counted(6.0, ticks, grew, 745)}"
        f"=== memory\nMemTotal:       {MEMORY // 1024} kB\n{memory}"
        f"=== mounts\n{mounts}=== names\n{names}=== ps\n{ps}=== end\n"
    )


def processes(output: str, **arguments: Any) -> dict[str, Any]:
    return seen("processes", printed(output), **arguments)


def described(pid: int, command: str, cpu: float, memory: float, unit: str, names: list[str]) -> dict[str, Any]:
    return {
        "pid": pid,
        "command": command,
        "cpuPercent": cpu,
        "memoryPercent": memory,
        "unit": unit,
        "names": names,
        "kernelThread": False,
        "commandLine": "/usr/bin/program --option",
        "parent": "systemd (1)",
        "since": "2026-11-23T22:20:00Z",
    }


def test_waiting_for_disks_is_not_work_and_yet_not_idle() -> None:
    values = processes(everything(grown=(5, 0, 3, 8, 184, 0, 0, 0, 0, 0)))
    assert (values["hostCpuPercent"], values["notIdlePercent"], values["cpu"]["iowait"]) == (4.0, 96.0, 92.0)


def test_what_the_hypervisor_takes_is_told_apart_from_work() -> None:
    values = processes(everything(grown=(6, 0, 4, 2, 0, 0, 0, 188, 0, 0)))
    assert values["hostCpuPercent"] == 99.0
    assert values["cpu"] == {
        "user": 3.0, "nice": 0.0, "system": 2.0, "idle": 1.0, "iowait": 0.0, "irq": 0.0, "softirq": 0.0,
        "steal": 94.0, "guest": 0.0, "guestNice": 0.0,
    }  # fmt: skip


def test_what_virtual_machines_of_the_host_take_is_counted_once() -> None:
    values = processes(everything(grown=(100, 0, 0, 100, 0, 0, 0, 0, 80, 0)))
    assert (values["hostCpuPercent"], values["cpu"]["guest"]) == (50.0, 40.0)


@pytest.mark.rule(2)
def test_a_container_whose_proc_stat_is_its_own_knows_nothing_of_steal() -> None:
    lxcfs = "500 400 0:50 /proc/stat /proc/stat rw,nosuid,nodev,relatime - fuse.lxcfs lxcfs rw\n"
    cpu = processes(everything(mounts=lxcfs))["cpu"]
    assert cpu.keys().isdisjoint({"steal", "irq", "softirq"})
    assert cpu["user"] == 90.0


@pytest.mark.rule(2)
def test_an_old_kernel_that_does_not_count_steal_has_none_rather_than_zero() -> None:
    assert "steal" not in processes(everything(grown=BUSY[:7]))["cpu"]


def test_a_share_is_above_a_threshold_exactly_when_the_ticks_are() -> None:
    just_above = processes(everything(grown=(8001, 0, 0, 1999, 0, 0, 0, 0, 0, 0)))["hostCpuPercent"]
    exactly = processes(everything(grown=(8000, 0, 0, 2000, 0, 0, 0, 0, 0, 0)))["hostCpuPercent"]
    assert (just_above > 80, exactly > 80) == (True, False)


def test_a_count_that_went_back_is_no_negative_share() -> None:
    values = processes(everything(grown=(100, 0, 0, 100, -5, 0, 0, 0, 0, 0)))
    assert (values["cpu"]["iowait"], values["hostCpuPercent"]) == (0.0, 50.0)


def test_the_busiest_come_first_each_with_its_unit_and_who_it_is() -> None:
    gateway = ["api-gateway.service", "gateway.service"]
    assert processes(everything())["list"] == [
        described(130, "java", 188.0, 40.5, "api-gateway.service", gateway),
        described(140, "weird name 1 2", 99.0, 0.1, "", []),
        {**described(57, "kswapd0", 12.0, 0.0, "", []), "kernelThread": True, "parent": "kthreadd (2)"},
        {"pid": 150, "command": "gone", "cpuPercent": 3.0, "memoryPercent": 55.0},
        {**described(1, "systemd", 0.3, 0.2, "init.scope", ["init.scope"]), "parent": "? (0)"},
        {**described(2, "kthreadd", 0.0, 0.0, "", []), "kernelThread": True, "parent": "? (0)"},
    ]


def test_the_first_of_them_is_the_top_one() -> None:
    top = {"unit": "api-gateway.service", "command": "java", "cpuPercent": 188.0, "memoryPercent": 40.5}
    assert processes(everything())["top"] == top
    assert processes(everything(), sort_by="memory")["top"] == {
        "command": "gone",
        "cpuPercent": 3.0,
        "memoryPercent": 55.0,
    }


def test_a_command_line_holds_no_secret_no_control_character_and_is_short() -> None:
    line = f"mysqld --password=hunter2hunter2 \x1b[31m{'x' * 500}"
    told = processes(everything(command_line=line))["list"][0]["commandLine"]
    assert "hunter2" not in told
    assert "\x1b" not in told
    assert len(told) <= 160


def workers(number: int, unit: str, percent: float) -> tuple[list[Any], list[Any]]:
    rows = [(1, "systemd", 0.3, 0.2), *((200 + n, "worker", percent, 6.0) for n in range(number))]
    return rows, [(1, 0, "init.scope"), *((200 + n, 1, unit) for n in range(number))]


def test_forty_workers_of_a_unit_are_summed_by_it() -> None:
    values = processes(everything(*workers(40, "pool.service", 4.5)))
    assert values["topUnit"] == {
        "unit": "pool.service", "names": ["pool.service"], "cpuPercent": 180.0, "cpuSharePercent": 93.8,
        "processes": 40,
    }  # fmt: skip
    assert values["units"][0] == values["topUnit"]


def test_who_a_process_is_is_told_of_the_busiest_of_each_unit_alone() -> None:
    rows, places = workers(150, "pool.service", 4.5)
    values = processes(everything([*rows, (999, "kworkerds", 3.0, 0.0)], [*places, (999, 1, "session-3.scope")]))
    told = [each["unit"] for each in values["list"] if "commandLine" in each]
    assert (told.count("pool.service"), told.count("session-3.scope")) == (5, 1)
    assert len(values["list"]) == 151
    assert size(values) < 32 * 1024


def test_a_unit_counts_processes_that_lived_and_ended_between_two_looks() -> None:
    units = {"system.slice/api-gateway.service": 20.0, "user.slice/user-1000.slice/session-3.scope": 150.0}
    values = processes(everything(units=units))
    assert values["topUnit"]["unit"] == "session-3.scope"
    assert (values["topUnit"]["cpuPercent"], values["topUnit"]["processes"]) == (150.0, 0)
    assert values["forksPerSecond"] == 45.0


def test_the_groups_below_a_unit_are_counted_once_and_for_it() -> None:
    units = {"system.slice/a.service": 30.0, "system.slice/a.service/init.scope": 20.0, "system.slice": 90.0}
    found = {each["unit"]: each["cpuPercent"] for each in processes(everything(units=units))["units"]}
    assert found["a.service"] == 30.0
    assert found["init.scope"] == 0.3, "from its process"


def test_memory_of_a_unit_is_that_of_its_group_without_the_page_cache() -> None:
    group = "./system.slice/api-gateway.service/memory.stat"
    memory = f"{group}:anon {MEMORY // 2}\n{group}:shmem {MEMORY // 4}\n"
    values = processes(everything(memory=memory), sort_by="memory")
    assert (values["topUnit"]["unit"], values["topUnit"]["memoryPercent"]) == ("api-gateway.service", 75.0)


def test_memory_of_a_unit_without_a_group_is_that_of_its_processes_with_what_they_share_once() -> None:
    rows, places = workers(13, "pool.service", 1.0)
    own, shared = MEMORY // 20 // 1024, MEMORY // 10 // 1024
    memory = "".join(
        f"/proc/{pid}/status:RssAnon:\t{own} kB\n/proc/{pid}/status:RssShmem:\t{shared} kB\n" for pid, *_ in places
    )
    values = processes(everything(rows, places, memory=memory), sort_by="memory")
    assert (values["topUnit"]["unit"], values["topUnit"]["memoryPercent"]) == ("pool.service", 75.0)


@pytest.mark.rule(2)
def test_memory_that_nobody_counted_is_unknown_and_not_zero() -> None:
    values = processes(everything(), sort_by="memory")
    assert "topUnit" not in values
    assert not any("memoryPercent" in each for each in values["units"])


@pytest.mark.rule(2)
def test_cpu_that_no_process_here_explains_is_told() -> None:
    rows, places = workers(2, "pool.service", 3.0)
    values = processes(everything(rows, places))
    assert values["unexplainedSharePercent"] == 95.7
    rows, places = workers(2, "pool.service", 96.0)
    assert processes(everything(rows, places))["unexplainedSharePercent"] == 0.0


@pytest.mark.parametrize("name", ["gateway.service", "api-gateway.service"])
def test_a_unit_is_found_under_each_of_its_names(name: str) -> None:
    own = processes(everything(), unit=name)["own"]
    assert (own["unit"], own["cpuPercent"]) == ("api-gateway.service", 188.0)


def test_a_unit_that_does_nothing_takes_nothing_and_one_that_is_not_there_is_unknown() -> None:
    idle = NAMES + "\nId=idle.service\nNames=idle.service\nLoadState=loaded\n"
    own = processes(everything(names=idle), unit="idle.service")["own"]
    assert (own["cpuPercent"], own["processes"]) == (0.0, 0)
    gone = NAMES + "\nId=gone.service\nNames=gone.service\nLoadState=not-found\n"
    assert "own" not in processes(everything(names=gone), unit="gone.service")
    assert "own" not in processes(everything(names=""), unit="api-gateway.service")


@pytest.mark.rule(2)
def test_names_that_systemd_did_not_tell_are_unknown() -> None:
    assert not any("names" in each for each in processes(everything(names=""))["list"])


def test_a_unit_name_that_is_a_pattern_is_refused() -> None:
    with pytest.raises(Unobserved, match="is not a unit's name"):
        argv("processes", unit="*.service")


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
    values = processes(everything(places=places))
    assert not any("unit" in each for each in values["list"])
    assert values.keys().isdisjoint({"units", "topUnit", "own", "unexplainedSharePercent"})


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
    unseen("processes", printed(everything().replace("188.0", "188,0")), Reason.UNPARSEABLE, "is not a row of top")


def test_another_table_than_expected_is_not_read() -> None:
    unseen("processes", printed(everything().replace("%CPU", "%ZPU")), Reason.UNPARSEABLE, "no columns PID")
    unseen("processes", printed(everything().replace("cpu  ", "zpu  ")), Reason.UNPARSEABLE, "/proc/stat")
    unseen("processes", printed(everything(grown=(0,) * 10)), Reason.UNPARSEABLE, "counted nothing")


@pytest.mark.rule(2)
@pytest.mark.parametrize("share", ["-99.0", "nan", "inf", "1e3", "9_9.0", "99.0.0", "", "+99.0"])
def test_a_share_that_is_no_plain_number_hides_no_process(share: str) -> None:
    table = everything().replace("  99.0   0.1", f"  {share}   0.1")
    unseen("processes", printed(table), Reason.UNPARSEABLE, "is not a row of top's table")


def test_one_sample_is_not_enough() -> None:
    half = everything().replace(f"{sample([])}\n", "")
    unseen("processes", printed(half), Reason.UNPARSEABLE, "1 samples")


def test_an_output_that_ends_anywhere_before_its_end_is_not_read() -> None:
    whole = everything()
    for end in range(0, len(whole), 7):
        unseen("processes", printed(whole[:end]), Reason.UNPARSEABLE)
    unseen("processes", printed(whole, status=1), Reason.FAILED)


def test_a_row_of_ps_in_another_form_is_not_read() -> None:
    unseen(
        "processes",
        printed(everything().replace("=== end", "  99 x y\n=== end")),
        Reason.UNPARSEABLE,
        "is not a row of ps",
    )


def test_the_script_is_constant() -> None:
    assert argv("processes", limit=5) == argv("processes", sort_by="memory")
