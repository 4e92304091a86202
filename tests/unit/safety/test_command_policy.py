"""The read-only policy: what is not known to only look does not run."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firstresponder.safety.command_policy import PROGRAMS, CommandRefused, check_command

LOOKING = [
    ["uptime"],
    ["free", "-b"],
    ["ps", "-eo", "pid,unit,pcpu", "--sort=-pcpu"],
    ["ps", "aux"],
    ["ss", "-ltnp"],
    ["ip", "-json", "route", "show", "default"],
    ["systemctl", "list-units", "--failed", "--output=json", "--no-pager"],
    ["systemctl", "list-dependencies", "--reverse", "postgresql@15-main.service"],
    ["sysctl", "-n", "net.core.somaxconn"],
    ["cat", "/proc/pressure/memory"],
    ["tail", "-n", "50", "/var/log/payroll/app.log"],
    ["stat", "--format=%s %Y", "/etc/passwd"],
    ["vmstat", "-w", "1", "3"],
    ["ls", "-al", "--", "/etc/payroll"],
    ["date", "-u", "+%s"],
    ["dpkg-query", "-W", "postgresql*"],
]
REFUSED = [
    [],
    [""],
    # Programs that change, execute, or speak to other hosts.
    *[[each, "x"] for each in ("kill", "rm", "mv", "dd", "tee", "sed", "awk", "find", "xargs", "env", "sudo", "sh")],
    *[
        [each, "x"]
        for each in ("bash", "python3", "perl", "psql", "curl", "wget", "nc", "ssh", "dig", "ping", "getent")
    ],
    *[["/bin/ls"], ["./ls"], ["../ls"], ["LS"], ["ls\n"], ["ls "]],
    # Listed programs with what does more than look.
    ["systemctl", "restart", "payroll.service"],
    ["systemctl"],
    ["systemctl", "--host=db-01", "list-units"],
    ["systemctl", "-H", "db-01", "list-units"],
    ["systemctl", "list-units", "stop", "--now"],
    ["systemctl", "list-units; reboot"],
    ["systemctl", "show", "payroll.service"],  # shows the environment, and with it secrets
    ["ip", "link", "set", "eth0", "down"],
    ["ip", "route", "flush", "cache"],
    ["ip", "route"],
    ["ip", "link", "show", "-batch", "/tmp/x"],
    ["ip", "-n", "other", "link", "show"],
    ["ip", "netns", "exec", "x", "sh"],
    ["ss", "-K", "dst", "10.0.0.1"],
    ["ss", "-lK"],
    ["ss", "--kill"],
    ["ss", "-D", "/x"],
    ["sysctl", "-w", "vm.swappiness=1"],
    ["sysctl", "vm.swappiness=1"],
    ["sysctl", "--system"],
    ["sysctl", "-p", "/x"],
    ["date", "010203042026"],
    ["date", "-s", "now"],
    ["date", "--set=now"],
    ["tail", "-f", "/var/log/syslog"],
    ["tail", "--follow", "/var/log/syslog"],
    ["tail", "-n5f", "/var/log/syslog"],
    ["tail", "/etc/shadow"],
    ["tail", "/var/log/../../etc/payroll/db.yml"],
    ["tail"],  # reads its standard input for ever
    ["cat"],
    ["cat", "/etc/payroll/db.yml"],
    ["cat", "/proc/1/environ"],
    ["cat", "/proc/sys/../1/environ"],
    ["cat", "-"],
    ["dpkg-query", "--admindir=/x", "-W"],
    ["free", "-s", "1"],
    ["iostat", "-x", "-j", "ID"],
    ["ps", "e"],  # shows environments
    ["ps", "auxe"],
    ["stat", "--printf=x", "/"],
    ["stat", "-c"],
    ["stat", "--format=$(id)", "/"],
    ["stat", "--form=%s", "/"],
    ["ls", "--", "-l"],
    ["ls", "relative"],
    ["ls", "-"],
    ["ls", "--color=always"],
    ["uname", "x"],
    ["lsmod", "-x"],
    # A diagnostic has folders of its own there: what it sees is not the host's.
    *[["ls", path] for path in ("/tmp", "/tmp/", "//tmp/x", "/var/tmp", "/dev/shm", "/run/user/0", "/etc/../tmp")],
]


@pytest.mark.parametrize("argv", LOOKING, ids=" ".join)
def test_what_only_looks_may_run(argv: list[str]) -> None:
    check_command(argv)


@pytest.mark.parametrize("argv", REFUSED, ids=lambda argv: " ".join(argv) or "nothing")
def test_whatever_else_is_refused_and_the_element_is_named(argv: list[str]) -> None:
    with pytest.raises(CommandRefused, match=r"^argv(\[[0-9]+\])?: "):
        check_command(argv)


def test_no_program_is_listed_that_runs_another_one_writes_or_speaks_to_hosts() -> None:
    dangerous = {"awk", "bash", "curl", "dd", "env", "find", "journalctl", "kill", "nice", "nsenter", "perl", "psql"}
    dangerous |= {"python3", "rm", "sed", "sh", "ssh", "sudo", "systemd-run", "tee", "timeout", "top", "watch", "xargs"}
    assert not PROGRAMS & dangerous


WORD = st.sampled_from(
    [
        *("-f", "-K", "-w", "-s", "--set", "--kill", "-exec", "--", "-", "x", "/etc/shadow", "rm", ";", "$(id)", "set"),
        *("link", "show", "restart", "list-units", "1", "-n", "/var/log/x", "a=b", "--output=json", "--vacuum-time=1s"),
    ]
)


@given(st.lists(WORD, max_size=5), st.sampled_from(sorted(PROGRAMS)))
def test_no_combination_of_words_lets_a_known_danger_through(words: list[str], program: str) -> None:
    argv = [program, *words]
    try:
        check_command(argv)
    except CommandRefused:
        return
    never = {"-K", "--set", "--kill", ";", "$(id)", "a=b", "--vacuum-time=1s"}
    if program not in {"ls", "stat", "readlink"}:  # which tell of a file, and not what is in it
        never.add("/etc/shadow")
    if program != "ps":  # for which these are the letters e, x and c
        never.add("-exec")
    assert not never & set(words)
    operands = [word for word in words if not word.startswith("-")]
    assert (program, operands[:1]) != ("systemctl", ["restart"])
    assert program != "ip" or "set" not in operands[:2]
