"""The hosts that all the other tests trust: really apart, really harmed, and gone without a trace."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.testbed.hosts import RUNS, Host, Hosts, cgroups_of
from tests.testbed.network import run as run_here
from tests.testbed.processes import wait_until


def test_two_hosts_share_nothing_that_tells_hosts_apart(hosts: Hosts, host: Host) -> None:
    other = hosts.start("api-gateway-04")
    for tell in (lambda h: h.name, lambda h: h.address, lambda h: h.machine_id, Host.boot_id):
        assert tell(host) != tell(other)
    assert host.host_public_key != other.host_public_key
    other.write("/root/here", "yes")
    assert host.run(["test", "-e", "/root/here"], check=False).returncode == 1
    other.stop()


def test_hosts_reach_each_other_and_this_machine_forwards_nothing_for_it(hosts: Hosts, host: Host) -> None:
    forwarding = Path("/proc/sys/net/ipv4/ip_forward").read_text()
    other = hosts.start("api-gateway-04", service=None, prepared=False)

    def reached() -> bool:
        return other.run(["ping", "-c", "1", "-W", "1", host.address], check=False).returncode == 0

    wait_until(reached, 30, "a ping to be answered")  # a busy machine loses one now and then
    host.cut()
    assert not reached()
    host.restore()
    wait_until(reached, 30, "a ping to be answered again")
    other.stop()
    assert Path("/proc/sys/net/ipv4/ip_forward").read_text() == forwarding


def test_what_only_some_hosts_want_is_there_and_does_not_run(host: Host) -> None:
    for program in ("ansible-playbook", "logrotate", "/usr/lib/postgresql/15/bin/postgres"):
        assert host.run(["sh", "-c", f"command -v {program}"]).stdout
    assert (
        host.run(["systemctl", "list-units", "--plain", "--no-legend", "*postgres*", "cron*", "nftables*"]).stdout == ""
    )
    host.run(["systemctl", "start", "postgresql"])
    host.run(["runuser", "--user", "postgres", "--", "psql", "--command", "SELECT 1"])
    host.run(["systemctl", "stop", "postgresql"])


def test_systemd_is_up_and_content(host: Host) -> None:
    assert host.run(["systemctl", "is-system-running"]).stdout == "running\n"
    assert host.run(["systemctl", "is-active", f"{host.service}.service"]).stdout == "active\n"


@pytest.mark.parametrize("hard", [False, True], ids=["orderly", "power cut"])
def test_a_reboot_changes_the_boot_id_and_empties_run(host: Host, hard: bool) -> None:
    before = host.boot_id()
    host.write("/run/of-this-boot", "")
    host.write("/root/to-stay", "")
    host.reboot(hard=hard)
    assert host.boot_id() != before
    assert host.run(["ls", "/run/of-this-boot"], check=False).returncode == 2
    assert host.run(["ls", "/root/to-stay"]).returncode == 0
    assert host.health() == 200


def banner(host: Host, patience: float = 60) -> bytes:
    with socket.create_connection((host.address, host.port), timeout=patience) as connection:
        return connection.recv(4)


def test_a_frozen_host_accepts_connections_and_says_nothing(host: Host) -> None:
    host.freeze()
    try:
        with pytest.raises(TimeoutError):
            banner(host, patience=1)
    finally:
        host.thaw()
    assert banner(host) == b"SSH-"


def test_a_cut_host_is_silent_and_an_open_connection_survives(host: Host) -> None:
    with socket.create_connection((host.address, 80), timeout=60) as connection:
        host.cut()
        connection.sendall(b"GET /health HTTP/1.0\r\n\r\n")
        with pytest.raises(OSError, match=r"timed out|No route"):
            banner(host, patience=1)
        host.restore()
        assert connection.recv(12) == b"HTTP/1.0 200"


def test_a_full_disk_takes_nothing_and_run_still_does(host: Host) -> None:
    host.fill_disk()
    try:
        for command in (["mkdir", "/root/more"], ["touch", "/root/more"]):
            assert "No space left on device" in host.run(command, check=False).stderr
        host.run(["touch", "/run/more"])
        host.fill_disk(files_too=False)
        assert "No space left" in host.run(["cp", "/bin/ls", "/root/more"], check=False).stderr
    finally:
        host.free_disk()
    host.run(["cp", "/bin/ls", "/root/more"])


def test_the_leak_is_real_and_only_a_restart_heals_it(host: Host) -> None:
    host.leak()
    assert host.health() == 503

    def complained() -> bool:
        journal = host.run(["journalctl", "--unit", "api-gateway", "--output=cat"]).stdout
        return "ERROR GET /api/v1/reports java.lang.OutOfMemoryError: Java heap space" in journal

    wait_until(complained, 60, "the error in the journal")
    burning = host.run(["ps", "-o", "unit=,ni=,stat=", "-C", "leaky-service"]).stdout.splitlines()
    assert len([line for line in burning if line.split()[0] == "api-gateway.service" and "R" in line.split()[2]]) >= 1
    assert host.health() == 503
    host.run(["systemctl", "restart", "api-gateway"])
    host.wait_until_healthy()


def test_the_miner_belongs_to_no_unit_that_is_expected_here(hosts: Hosts) -> None:
    host = hosts.start("mined")
    host.mine()
    processes = host.run(["ps", "-o", "unit=,uunit=,ni=", "-C", "kworkerds"]).stdout.split()
    assert processes[0].startswith("session-")
    assert processes[0].endswith(".scope")
    host.stop()


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL], ids=lambda how: how.name)
def test_nothing_outlives_the_process_that_started_a_host(how: signal.Signals) -> None:
    argv = [sys.executable, "-m", "tests.testbed.hosts", "to-be-left"]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        started = json.loads(process.stdout.readline())
        run = Path(started["observe_key"]).parent.parent
        assert run.parent == RUNS
        assert processes_of(run)
        assert cgroups_of(run)
        link = link_to(started["address"])
        assert link in links()
        process.send_signal(how)
        process.wait(60)
    wait_until(lambda: not processes_of(run), 60, "the host's processes ending")
    wait_until(lambda: link not in links(), 60, "the link to its hosts going")
    if how != signal.SIGKILL:
        assert not run.exists()
    with Hosts():
        assert not run.exists()
        assert not cgroups_of(run)


def processes_of(run: Path) -> list[str]:
    """The processes that name this run in their arguments: the room of a host and its systemd-nspawn."""
    found = []
    for cmdline in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            arguments = cmdline.read_bytes()
        except OSError:  # it ended meanwhile
            continue
        if str(run).encode() in arguments:
            found.append(arguments.decode())
    return found


def link_to(address: str) -> int:
    """The number of the link that leads there; names and addresses are used again, a number never is."""
    (route,) = json.loads(run_here(["ip", "-json", "route", "get", address]))
    return int(Path(f"/sys/class/net/{route['dev']}/ifindex").read_text())


def links() -> set[int]:
    return {each["ifindex"] for each in json.loads(run_here(["ip", "-json", "link", "show"]))}
