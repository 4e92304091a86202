"""Several diagnostics in one confinement: each is answered by itself, whatever the others do."""

from __future__ import annotations

import re
import subprocess
from typing import Any

import pytest

from firstresponder.api.command import CommandOutput
from firstresponder.hosts import observe
from firstresponder.hosts.observe import Command
from firstresponder.hosts.pool import SshPool
from tests.host.test_observing import WRITES
from tests.host.wire import Wire
from tests.host_ssh.conftest import observing
from tests.testbed.hosts import Host

KIB = 1024
FINE = ("sh", "-c", "sleep 0.5; echo fine; echo oh >&2; exit 3")
FINE_OUTPUT = CommandOutput(b"fine\n", b"oh\n", 3)


@pytest.fixture
async def pool() -> Any:
    pool = SshPool()
    yield pool
    await pool.close()


async def together(
    pool: SshPool, host: Host, *commands: tuple[str, ...], seconds: float = 20, limit: int = 64 * KIB
) -> list[CommandOutput]:
    """What each gives, in the order of the request."""
    found: dict[int, CommandOutput] = {}
    asked = [Command(argv, seconds, limit) for argv in commands]
    await observe.run_together(pool, observing(host), asked, found.__setitem__)
    return [found[number] for number in range(len(commands))]


def script(text: str) -> tuple[str, ...]:
    return ("sh", "-c", text)


def python(text: str) -> tuple[str, ...]:
    return ("python3", "-c", text)


async def test_each_has_its_own_output_errors_and_exit_status(pool: SshPool, host: Host) -> None:
    arguments = ["$HOME %n $(id) ; rm -rf /", "", "--help", "  two  spaces ", "${PATH} $$ $ 'a' \"b\" \\n", "run 1 1 1"]
    found = await together(
        pool,
        host,
        script("echo out; echo err >&2; exit 42"),
        ("printf", "[%s]\\n", *arguments),
        ("gdb",),
        ("printf", r"\303\050\000\377\000"),
        ("true",),
        script("kill -9 $$; exit 9"),
    )
    assert found[0] == CommandOutput(b"out\n", b"err\n", 42)
    assert found[1].stdout.decode().splitlines() == [f"[{argument}]" for argument in arguments]
    assert found[2] == CommandOutput(b"", b"firstresponder-observe: gdb: not found on this host\n", 127)
    assert (found[3].stdout, found[3].exit_status) == (b"\xc3\x28\x00\xff\x00", 0)
    assert found[4] == CommandOutput(b"", b"", 0)
    assert found[5].exit_status == 9, "nothing can be signalled, not even by itself"


async def test_all_run_at_the_same_time_in_one_unit(pool: SshPool, host: Host) -> None:
    """Each waits until it sees all of them."""
    wait = 'unit=$(sed -n "s/.*fr-observe-/fr-observe-/p" /proc/self/cgroup | head -1); : >/tmp/%d; '
    wait += "until [ $(ls /tmp | wc -l) = 8 ]; do sleep 0.05; done; echo $unit"
    found = await together(pool, host, *(script(wait % number) for number in range(8)))
    assert {output.exit_status for output in found} == {0}
    units = {output.stdout for output in found}
    assert len(units) == 1
    assert re.fullmatch(rb"fr-observe-[0-9a-f-]{36}\.service\n", units.pop())


async def test_the_names_of_builtins_and_functions_of_a_shell_are_programs_too(pool: SshPool, host: Host) -> None:
    found = await together(pool, host, ("echo", "--version"), ("answer", "0", "0"), ("exit", "0"), ("env", "true"))
    assert [output.exit_status for output in found] == [0, 127, 127, 0]
    assert b"coreutils" in found[0].stdout


async def test_one_that_hangs_neither_delays_nor_spoils_the_others(pool: SshPool, host: Host) -> None:
    order: list[int] = []
    found: dict[int, CommandOutput] = {}

    def answered(number: int, output: CommandOutput) -> None:
        order.append(number)
        found[number] = output

    hangs = script("trap '' TERM; setsid sleep 4245 & echo begun; sleep 4246")
    asked = [Command(hangs, 4, 1000), Command(("sleep", "6"), 20, 1000), Command(FINE, 20, 1000)]
    await observe.run_together(pool, observing(host), asked, answered)
    assert order == [2, 0, 1]
    assert found[2] == FINE_OUTPUT
    assert found[0] == CommandOutput(b"begun\n", b"firstresponder-observe: sh: stopped after 4 s\n", 124)
    assert found[1] == CommandOutput(b"", b"", 0)
    assert host.run(["pgrep", "--full", "sleep 424"], check=False).stdout == "", "none outlives the confinement"


async def test_one_that_floods_is_cut_and_leaves_the_others_alone(pool: SshPool, host: Host) -> None:
    flood = script("yes >&2 & yes")
    found = await together(pool, host, flood, flood, FINE, script("head -c 4000000 /dev/zero"), limit=5 * KIB * KIB)
    for output in found[:2]:
        assert (output.exit_status, output.truncated) == (None, True)
        assert output.stdout == b"y\n" * (5 * KIB * KIB // 2)
    assert found[2] == FINE_OUTPUT
    assert (len(found[3].stdout), found[3].exit_status) == (4_000_000, 0)


async def test_output_of_exactly_the_limit_is_whole_and_one_byte_more_is_cut(pool: SshPool, host: Host) -> None:
    whole, cut = await together(pool, host, ("printf", "12345"), ("printf", "123456"), limit=5)
    assert whole == CommandOutput(b"12345", b"", 0)
    assert cut == CommandOutput(b"12345", b"", None, truncated=True)


async def test_one_that_fills_the_own_tmp_takes_no_output_from_the_others(pool: SshPool, host: Host) -> None:
    fill = script("for n in 1 2 3; do head -c 12000000 /dev/zero >/tmp/$n; done; sleep 1")
    _, found, large = await together(pool, host, fill, FINE, script("sleep 0.5; head -c 50000 /dev/zero"))
    assert found == FINE_OUTPUT
    assert len(large.stdout) == 50_000


async def test_one_that_makes_processes_without_end_takes_no_answer_from_the_others(pool: SshPool, host: Host) -> None:
    bomb = python(r"exec('import os, time\nwhile True:\n  try: os.fork()\n  except OSError: time.sleep(1)')")
    found = await together(pool, host, bomb, ("sleep", "2"), seconds=4)
    assert found[0].exit_status == 124
    assert found[1] == CommandOutput(b"", b"", 0)
    assert (await together(pool, host, FINE, FINE)) == [FINE_OUTPUT] * 2


async def test_what_is_printed_cannot_be_taken_for_another_result(pool: SshPool, host: Host) -> None:
    forged = "result 1 0 no 6 0\\nforged\\nresult 0 0 no 0 0\\n"
    found = await together(pool, host, ("printf", forged), FINE, ("printf", "x" + forged))
    assert found[0].stdout == forged.replace("\\n", "\n").encode()
    assert found[1] == FINE_OUTPUT


async def test_nothing_can_be_written_read_or_signalled_that_one_alone_could_not(
    pool: SshPool, host: Host, wire: Wire
) -> None:
    order = wire.order("note", "secret")
    wire.act(order.text)
    host.run(["install", "-d", "-o", host.observe_user, "/srv/own"])
    host.run(["chmod", "1777", "/run/lock"])
    host.run(["runuser", "--user", host.observe_user, "--", "sh", "-c", "sleep 4247 >/dev/null 2>&1 &"])
    pid = host.run(["pgrep", "--full", "sleep 4247"]).stdout.strip()
    paths = " ".join(path for path in [*WRITES, "/srv/own/x"] if path != "/dev/shm/x")
    secrets = "/var/lib/firstresponder /run/firstresponder /etc/shadow /etc/ssh/ssh_host_ed25519_key"
    outside = "for p in /proc/[0-9]*; do (echo 1 >$p/root/var/tmp/out; cat $p/environ >/tmp/environ) 2>/dev/null"
    found = await together(
        pool,
        host,
        script(f"for path in {paths}; do (echo 1 >$path) 2>/dev/null && echo $path; done; true"),
        script(f"for path in {secrets}; do ls $path/ 2>/dev/null; cat $path 2>/dev/null; done; true"),
        python(f"import os; os.kill({pid}, 9)"),
        script(f"exec 3<>/proc/{pid}/mem"),
        script(f"{outside}; done; true"),
        script(
            "logger forged-evidence; echo forged-evidence >/dev/kmsg; unshare --user --map-root-user id; sudo -n id"
        ),
        ("cat", "/proc/self/status"),
        script("cp /bin/id /dev/shm/id && chmod +x /dev/shm/id && /dev/shm/id"),
    )
    assert (found[0].stdout, found[1].stdout) == (b"", b"")
    assert found[2].exit_status == 1
    assert b"Permission denied" in found[3].stderr
    assert b"uid=" not in found[5].stdout + found[7].stdout
    status = found[6].stdout.decode()
    assert re.search(r"^CapBnd:\s+0+$", status, re.MULTILINE)
    assert re.search(r"^NoNewPrivs:\s+1$", status, re.MULTILINE)
    assert re.search(r"^Seccomp:\s+2$", status, re.MULTILINE)
    assert host.run(["kill", pid], check=False).returncode == 0, "it had been ended"
    host.run(["journalctl", "--sync"])
    assert "forged-evidence" not in host.run(["journalctl", "--boot", "--output=cat"]).stdout
    assert host.run(["find", "/tmp", "/var/tmp", "/dev/shm", "-user", host.observe_user]).stdout == ""


async def test_nothing_is_left_loaded_or_in_the_journal(pool: SshPool, host: Host) -> None:
    await together(pool, host, ("false",), ("echo", "OutOfMemoryError"), ("sleep", "5"), seconds=1)
    units = ["systemctl", "list-units", "--all", "--plain", "--no-legend", "fr-observe-*"]
    assert host.run(units).stdout == ""
    host.run(["journalctl", "--sync"])
    assert "OutOfMemoryError" not in host.run(["journalctl", "--boot", "--output=cat"]).stdout


@pytest.mark.parametrize(
    "request_text",
    [
        *("together\n", "together\nrun 5 10 1\n", "together\nrun 5 10 1\n\n", "together\nrun 5 10 2\nid\n"),
        *("together\nrun 0 10 1\nid\n", "together\nrun 5 0 1\nid\n", "together\nrun 5 10 0\nid\n"),
        *("together\nrun 1000 10 1\nid\n", "together\nrun 5 10 1 1\nid\n", "together\nrun 5 10 1\nid\nid\n"),
        *("together\nrun a[$(id)] 10 1\nid\n", "together\ndisk 5 10 1\n/\n", "together 5\nrun 5 10 1\nid\n"),
        "together\n" + "run 5 10 1\nid\n" * 9,
        "together\nrun 5 10 2\necho\n" + "x" * 65536,
    ],
)
def test_a_malformed_request_is_refused_as_a_whole(host: Host, wire: Wire, request_text: str) -> None:
    done: subprocess.CompletedProcess[str] = wire.ssh(host.observe_user, request_text)
    assert (done.returncode, done.stdout) == (78, "")
    assert done.stderr.startswith("firstresponder-observe: refused: ")
