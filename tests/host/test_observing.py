"""Observing: diagnostics see everything they need, and the kernel lets them change nothing."""

from __future__ import annotations

import re
import subprocess
from typing import Any

import pytest

from firstresponder.api.command import CommandOutput
from firstresponder.evidence import directories, disk
from firstresponder.evidence.catalogue import PROBES
from firstresponder.evidence.probe import Context, Unobserved
from tests.host.wire import Wire
from tests.testbed.hosts import Host
from tests.testbed.processes import wait_until

CONTEXT = Context(now=0.0, timeout=5.0)
REAL: dict[str, dict[str, Any]] = {
    "tcp open": {"host": "127.0.0.1", "port": 22},
    "tcp refused": {"host": "127.0.0.1", "port": 1},
    "tcp unknown": {"host": "nowhere.invalid", "port": 1},
    "resolve": {"name": "localhost"},
    "resolve unknown": {"name": "nowhere.invalid"},
    "interfaces": {},
    "configValue": {
        "path": "/etc/ssh/sshd_config.d/60-firstresponder.conf",
        "key": "PermitTTY",
        "format": "properties",
    },
    "command": {"argv": ["ip", "-json", "route", "show"], "output": "json"},
}


def output(done: subprocess.CompletedProcess[str]) -> CommandOutput:
    return CommandOutput(done.stdout.encode(), done.stderr.encode(), done.returncode)


def sizes(wire: Wire, path: str, of: str, count: str = "bytes") -> dict[str, Any]:
    given = directories.PROBE.arguments.model_validate({"path": path, "of": of, "count": count})
    done = wire.observe(*directories.PROBE.argv(given, CONTEXT), request="directories", seconds=60)
    assert (done.returncode, done.stderr) == (0, "")
    return directories.PROBE.parse(given, output(done), CONTEXT)


def probed(wire: Wire, name: str, arguments: dict[str, Any]) -> dict[str, Any]:
    probe = PROBES[name.split(maxsplit=1)[0]]
    given = probe.arguments(**arguments)
    return probe.parse(given, output(wire.observe(*probe.argv(given, CONTEXT))), CONTEXT)


def shell(wire: Wire, script: str) -> subprocess.CompletedProcess[str]:
    assert "\n" not in script
    return wire.observe("/bin/sh", "-c", script)


def test_info_tells_what_an_order_is_bound_to(host: Host, wire: Wire) -> None:
    info = wire.info()
    assert info["machine"] == host.machine_id
    assert info["boot"] == host.boot_id()
    assert re.fullmatch(r"[0-9]+", info["uptime"])
    assert re.fullmatch(r"[0-9]+\.[0-9]{9}", info["time"])
    assert "restart-unit" in info["actions"].split()
    assert info["os"].startswith("Debian GNU/Linux ")
    assert info["version"] == "2"


@pytest.mark.parametrize(
    ("argv", "shown"),
    [
        (["top", "-b", "-n", "2", "-d", "0.2"], r"(?s)%Cpu\(s\):.*%Cpu\(s\):.*systemd"),
        (["ps", "-eo", "pid,unit,pcpu,args"], r"api-gateway\.service +[0-9.]+ /usr/bin/python3 /opt/leaky-service"),
        (["journalctl", "--unit=api-gateway.service", "--output=json"], r'"MESSAGE":"Started api-gateway.service'),
        (["systemctl", "show", "--property=ActiveState", "api-gateway.service"], r"^ActiveState=active$"),
        (["cat", "/proc/meminfo"], r"MemAvailable: +[1-9][0-9]* kB"),
        (["curl", "--silent", "http://localhost/health"], r'^{"status": "healthy"}$'),
        (["df", "--output=pcent", "/"], r"[0-9]+%"),
        (["du", "--summarize", "/usr/bin"], r"^[1-9][0-9]+\s/usr/bin"),
        (["free", "--bytes"], r"Mem: +[1-9]"),
        (["cat", "/sys/fs/cgroup/unified/system.slice/ssh.service/cgroup.procs"], r"^[1-9]"),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_the_usual_diagnostics_work(host: Host, wire: Wire, argv: list[str], shown: str) -> None:
    if argv[1].startswith("/sys/fs/cgroup") and host.run(["test", "-e", argv[1]], check=False).returncode:
        pytest.skip("control groups are laid out differently here")
    done = wire.observe(*argv)
    assert (done.returncode, done.stderr) == (0, "")
    assert re.search(shown, done.stdout, re.MULTILINE)


def test_output_and_exit_status_are_passed_through(wire: Wire) -> None:
    done = shell(wire, "echo out; echo err >&2; exit 42")
    assert (done.stdout, done.stderr, done.returncode) == ("out\n", "err\n", 42)


def test_arguments_arrive_as_they_were_sent(wire: Wire) -> None:
    arguments = ["$HOME %n $(id) ; rm -rf /", "", "--help", "  two  spaces ", "${PATH} $$ $ 'a' \"b\" \\n"]
    done = wire.observe("printf", "[%s]\\n", *arguments)
    assert done.stdout.splitlines() == [f"[{argument}]" for argument in arguments]


def test_a_diagnostic_is_stopped_when_its_time_is_over(host: Host, wire: Wire) -> None:
    done = wire.observe("sh", "-c", "trap '' TERM; setsid sleep 4245 & echo begun; sleep 4246", seconds=4)
    assert (done.returncode, done.stdout) == (124, "begun\n")
    assert "stopped after 4 s" in done.stderr
    assert host.run(["pgrep", "--full", "sleep 424"], check=False).stdout == ""


def test_a_missing_program_is_told_apart(wire: Wire) -> None:
    done = wire.observe("gdb")
    assert (done.returncode, done.stderr) == (127, "firstresponder-observe: gdb: not found on this host\n")


@pytest.mark.parametrize(
    "request_text",
    [
        *(
            "",
            "\n",
            "run\n",
            "run 0\nid\n",
            "run 1000\nid\n",
            "run 5\n",
            "run 5s\nid\n",
            "run 5;id\nid\n",
            "status x\n",
        ),
        *("run 5\necho\nna\u00efve\n", "run 5\necho\na\0b\n", "run 5\necho\n\x1b[2J\n", f"run 5\necho\n{'x' * 16384}"),
    ],
)
def test_a_malformed_request_is_refused(host: Host, wire: Wire, request_text: str) -> None:
    done = wire.ssh(host.observe_user, request_text)
    assert (done.returncode, done.stdout) == (78, "")
    assert done.stderr.startswith("firstresponder-observe: refused: ")


def test_a_request_that_does_not_come_to_its_end_in_time_is_refused_and_not_run_in_part(host: Host, wire: Wire) -> None:
    argv = wire.ssh_argv(host.observe_user)
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as client:
        assert client.stdin is not None
        assert client.stdout is not None
        assert client.stderr is not None
        client.stdin.write(b"run 5\necho\nhalf of it\n" + b"x" * 9000)  # more than head keeps back
        client.stdin.flush()  # and stays open
        assert client.stdout.read() == b""
        assert client.stderr.read().startswith(b"firstresponder-observe: refused: no request on standard input")


WRITES = [
    *("/x", "/etc/x", "/root/x", "/var/lib/x", "/var/log/x", "/var/tmp/x", "/usr/local/x", "/run/x", "/dev/x"),
    *("/dev/shm/x", "/dev/mqueue/x", "/run/lock/x", "/run/user/x", "/var/lib/private/x"),
    *("/proc/sys/vm/drop_caches", "/proc/sysrq-trigger"),
]


def test_nothing_can_be_written_anywhere(host: Host, wire: Wire) -> None:
    """Not even where everybody may, such as /var/tmp, or where this account owns something."""
    host.run(["install", "-d", "-o", host.observe_user, "/srv/own"])
    host.run(["chmod", "1777", "/run/lock"])
    paths = [*WRITES, "/srv/own/x"]
    done = shell(wire, f"for path in {' '.join(paths)}; do (echo 1 >$path) 2>/dev/null && echo $path; done; true")
    assert (done.returncode, done.stdout) == (0, "")


def test_what_a_diagnostic_leaves_in_its_own_tmp_is_gone_with_it(host: Host, wire: Wire) -> None:
    assert shell(wire, "echo kept >$HOME/x && cat $TMPDIR/x").stdout == "kept\n"
    assert shell(wire, "ls -A $HOME").stdout == ""
    assert host.run(["find", "/tmp", "/var/tmp", "-user", host.observe_user]).stdout == ""


def test_the_own_tmp_is_small_and_runs_no_programs(wire: Wire) -> None:
    assert shell(wire, "head -c 20000000 /dev/zero >/tmp/x").returncode != 0
    assert "Permission denied" in shell(wire, "cp /bin/id /tmp/id; /tmp/id").stderr


def test_the_accounts_other_processes_are_no_way_out(host: Host, wire: Wire) -> None:
    """The shell that sshd started for the same user is not confined, and /proc shows a process its own user's files."""
    script = "for p in /proc/[0-9]*; do (echo 1 >$p/root/var/tmp/out; cat $p/environ >/tmp/environ) 2>/dev/null; done"
    shell(wire, f"{script}; true")
    assert host.run(["find", "/tmp", "/var/tmp", "-name", "out"]).stdout == ""
    outside = "for p in /proc/[0-9]*; do readlink $p/root >/dev/null && grep -L fr-observe- $p/cgroup; done"
    assert shell(wire, f"{outside}; true").stdout == ""


def test_no_process_can_be_signalled_not_even_of_the_same_user(host: Host, wire: Wire) -> None:
    sleeper = ["runuser", "--user", host.observe_user, "--", "sh", "-c", "sleep 4247 >/dev/null 2>&1 &"]
    host.run(sleeper)
    pid = host.run(["pgrep", "--full", "sleep 4247"]).stdout.strip()
    kill = "import os, signal; os.kill({0}, 9)"
    by_queue = "import ctypes; exit(ctypes.CDLL(None, use_errno=True).sigqueue({0}, 9, 0) and 1)"
    by_descriptor = "import os, signal; signal.pidfd_send_signal(os.pidfd_open({0}), 9)"
    for way in (kill, by_queue, by_descriptor):
        assert wire.observe("python3", "-c", way.format(pid)).returncode != 0
    assert "Permission denied" in wire.observe("sh", "-c", f"exec 3<>/proc/{pid}/mem").stderr
    assert host.run(["kill", pid], check=False).returncode == 0, "it had been ended"


def test_the_journal_cannot_be_forged(host: Host, wire: Wire) -> None:
    for attempt in (
        "logger forged-evidence",
        "echo forged-evidence | systemd-cat --identifier=api-gateway",
        "echo forged-evidence >/dev/kmsg",
        "echo forged-evidence >/dev/console",
        "systemd-run --user echo forged-evidence",
        "XDG_RUNTIME_DIR=/run/user/$(id -u) systemd-run --user echo forged-evidence",
        "systemd-run echo forged-evidence",
        "sudo -n /usr/local/libexec/firstresponder-observe </dev/null",
    ):
        assert shell(wire, attempt).returncode != 0, attempt
    python = "import socket; s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)"
    for path in ("/run/systemd/journal/socket", "/run/systemd/journal/dev-log", "/dev/log", "/run/systemd/notify"):
        send = f"{python}; s.sendto(b'MESSAGE=forged-evidence\\n', '{path}')"
        assert wire.observe("python3", "-c", send).returncode != 0, path
    host.run(["journalctl", "--sync"])
    # What sudo and systemd tell about a refusal is theirs and says so; our words must not be among it.
    assert "forged-evidence" not in host.run(["journalctl", "--boot", "--output=cat"]).stdout


def test_a_diagnostics_own_arguments_never_reach_the_journal(host: Host, wire: Wire) -> None:
    wire.observe("echo", "OutOfMemoryError")
    host.run(["journalctl", "--sync"])
    assert "OutOfMemoryError" not in host.run(["journalctl", "--boot", "--output=cat"]).stdout


def test_claims_and_keys_cannot_be_read(host: Host, wire: Wire) -> None:
    order = wire.order("note", "secret")
    wire.act(order.text)
    for path in ("/var/lib/firstresponder", "/run/firstresponder", "/etc/shadow", "/etc/ssh/ssh_host_ed25519_key"):
        done = shell(wire, f"ls {path}/ {path} && cat {path}")
        assert (done.returncode != 0, done.stdout.replace(path, "").strip()) == (True, ""), path


def test_a_diagnostic_has_no_rights_and_no_way_to_any(host: Host, wire: Wire) -> None:
    status = wire.observe("cat", "/proc/self/status").stdout
    assert re.search(r"^CapBnd:\s+0+$", status, re.MULTILINE)
    assert re.search(r"^NoNewPrivs:\s+1$", status, re.MULTILINE)
    for attempt in (
        "sudo -n id",
        "unshare --user --map-root-user id",
        "systemctl stop api-gateway.service",
        "systemctl kill api-gateway.service",
        "systemctl set-property --runtime api-gateway.service CPUQuota=1%",
        "systemctl daemon-reload",
        "mount -t tmpfs x /tmp",
    ):
        assert shell(wire, attempt).returncode != 0, attempt
    assert host.health() == 200


def test_diagnostics_are_told_apart_from_what_they_look_at(wire: Wire) -> None:
    own = wire.observe("ps", "-o", "unit=,user=", "-C", "ps").stdout
    assert re.fullmatch(r"fr-observe-[0-9a-f-]{36}\.\S+ fr-obse\S+\s*", own), own


def test_nothing_is_left_loaded_after_a_diagnostic(host: Host, wire: Wire) -> None:
    wire.observe("false")
    wire.observe("sleep", "5", seconds=1)
    assert host.run(["systemctl", "list-units", "--all", "--plain", "--no-legend", "fr-observe-*"]).stdout == ""


def test_disk_tells_of_the_hosts_file_systems_and_not_of_a_diagnostics_own(host: Host, wire: Wire) -> None:
    host.run(["sh", "-c", "mkdir -p /srv/data && mount -t tmpfs -o size=8M,nr_inodes=100 small /srv/data"])
    host.run(
        ["sh", "-c", "head -c 6000000 /dev/zero >/srv/data/x && mkdir /srv/data/private && chmod 700 /srv/data/private"]
    )
    for path in ("/srv/data", "/srv/data/private"):
        done = wire.observe(path, request="disk")
        assert (done.returncode, done.stderr) == (0, "")
        values = disk.PROBE.parse(disk.PROBE.arguments(path=path), output(done), CONTEXT)
        assert (values["mountPoint"], values["sizeBytes"], values["usedPercent"]) == ("/srv/data", 8 * 2**20, 71.5)
    for path in ("/", "/tmp", "/var/tmp", "/root", "/home", "/dev/shm", "/run/user"):
        columns = ["df", "--block-size=1", "--output=size,itotal,target", path]
        real = host.run(columns).stdout.splitlines()[-1].split()
        size, _, _, inodes, _, target = wire.observe(path, request="disk").stdout.splitlines()[-1].split()
        assert [size, inodes, target] == real, path


def test_directories_sees_what_a_diagnostic_would_not(host: Host, wire: Wire) -> None:
    """A diagnostic has another /tmp, and no right to look into the folders of others: both would look empty."""
    script = "install -d -m 700 /tmp/theirs /var/tmp/theirs /root/theirs && for d in /tmp /var/tmp /root; do "
    host.run(["sh", "-c", script + "head -c 3000000 /dev/zero >$d/theirs/x; done"])
    for path in ("/tmp", "/var/tmp", "/root"):
        values = sizes(wire, path, path)
        assert values["totalBytes"] >= 3_000_000
        assert values["paths"][0]["path"] == f"{path}/theirs"
        assert 0 < values["sharePercent"] <= 100
    elsewhere = sizes(wire, "/run", "/")
    assert (elsewhere["sharePercent"], elsewhere["totalBytes"] > 0) == (0.0, True)


def test_directories_follows_a_link_and_stays_on_one_file_system(host: Host, wire: Wire) -> None:
    host.run(["sh", "-c", "mkdir -p /srv/tree/sub /srv/mounted && head -c 2000000 /dev/zero >/srv/tree/sub/x"])
    host.run(["sh", "-c", "mkdir -p /srv/tree/other && mount -t tmpfs other /srv/tree/other && ln -s tree /srv/link"])
    host.run(["sh", "-c", "head -c 5000000 /dev/zero >/srv/tree/other/x"])
    assert 2_000_000 <= sizes(wire, "/srv/link", "/")["totalBytes"] < 3_000_000


def test_a_file_system_without_an_inode_left_is_full_and_the_folder_with_the_files_is_named(
    host: Host, wire: Wire
) -> None:
    script = "mkdir -p /srv/small && mount -t tmpfs -o size=16m,nr_inodes=400 small /srv/small && cd /srv/small && "
    script += "mkdir -p spool/mails other && cd spool/mails && for n in $(seq 500); do : >$n || break; done"
    host.run(["sh", "-c", script], check=False)
    given = disk.PROBE.arguments(path="/srv/small")
    done = wire.observe(*disk.PROBE.argv(given, CONTEXT), request="disk")
    found = disk.PROBE.parse(given, output(done), CONTEXT)
    assert (found["inodesCounted"], found["inodesUsedPercent"]) == (True, 100.0)
    assert (found["usedPercent"], found["mountPoint"]) == (0.0, "/srv/small")
    values = sizes(wire, "/srv/small", "/srv/small", "inodes")
    assert (values["mostIn"], values["totalInodes"]) == ("/srv/small/spool/mails", 400)
    assert values["sharePercent"] == 100.0
    assert values["paths"][0] == {"path": "/srv/small/spool", "inodes": 398}
    assert sizes(wire, "/tmp", "/srv/small", "inodes")["sharePercent"] == 0.0


def test_a_file_that_was_deleted_and_is_still_open_is_in_no_folder(host: Host, wire: Wire) -> None:
    host.run(["sh", "-c", "mkdir -p /srv/held && mount -t tmpfs -o size=16m held /srv/held"])
    hold = "head -c 12000000 /dev/zero >/srv/held/log && exec 3</srv/held/log && rm /srv/held/log && exec sleep 600"
    host.run(["systemd-run", "--quiet", "--unit=holder", "sh", "-c", hold])

    def values() -> dict[str, Any]:
        return sizes(wire, "/srv/held", "/srv/held")

    wait_until(lambda: values()["sharePercent"] < 1, 60, "the file being deleted")
    given = disk.PROBE.arguments(path="/srv/held")
    done = wire.observe(*disk.PROBE.argv(given, CONTEXT), request="disk")
    assert disk.PROBE.parse(given, output(done), CONTEXT)["usedPercent"] > 60


def test_a_folder_that_is_not_there_has_no_size(wire: Wire) -> None:
    done = wire.observe("/srv/nothing", "/", request="directories")
    assert done.returncode == 66
    with pytest.raises(Unobserved, match="No such file or directory"):
        directories.PROBE.parse(directories.PROBE.arguments(path="/srv/nothing"), output(done), CONTEXT)


def test_directories_is_stopped_when_its_time_is_over(host: Host, wire: Wire) -> None:
    host.run(["sh", "-c", "mkdir -p /srv/many && cd /srv/many && seq 60000 | xargs mkdir"])
    done = wire.observe("/srv/many", "/", seconds=1, request="directories")
    if done.returncode == 0:  # fast enough
        assert sizes(wire, "/srv/many", "/")["paths"]
    else:
        assert (done.returncode, "stopped after 1 s" in done.stderr) == (124, True)


@pytest.mark.parametrize(
    "request_text",
    [
        *("disk 5\n", "disk 5\nvar\n", "disk 5\n/\n/\n", "disk x\n/\n", "disk\n/\n", "directories 5\n/\n"),
        *(
            "directories 5\n/\n-x\n",
            "directories 0\n/\n/\n",
            "directories 5\n/\n/\n/\n",
            "directories 5\n/\n/\nfiles\n",
        ),
        *("directories 5\n/\ninodes\n", "directories 5\n/\n/\ninodes\ninodes\n"),
    ],
)
def test_only_absolute_paths_are_measured(host: Host, wire: Wire, request_text: str) -> None:
    done = wire.ssh(host.observe_user, request_text)
    assert (done.returncode, done.stdout) == (78, "")
    assert done.stderr.startswith("firstresponder-observe: refused: ")


def test_a_path_is_no_program(host: Host, wire: Wire) -> None:
    for path in ("/$(touch /tmp/ran)", "/;touch /tmp/ran", "/`touch /tmp/ran`", '/"; touch /tmp/ran; "'):
        assert wire.observe(path, path, request="directories").returncode == 66
        assert wire.observe(path, request="disk").returncode == 1
    assert host.run(["ls", "-A", "/tmp"]).stdout.find("ran") < 0


def test_the_probes_understand_what_a_real_host_prints(host: Host, wire: Wire) -> None:
    seen = {name: probed(wire, name, arguments) for name, arguments in REAL.items()}
    assert seen["tcp open"] == {"open": True, "error": ""}
    assert seen["tcp refused"] == {"open": False, "error": "Refused"}
    assert seen["tcp unknown"] == {"open": False, "error": "NameNotResolved"}
    assert seen["resolve"]["resolved"] is True
    assert seen["resolve unknown"]["resolved"] is False
    assert host.address in str(seen["interfaces"]["list"])
    assert seen["configValue"] == {"value": "no"}
    assert seen["command"]["json"]
