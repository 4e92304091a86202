"""Real systemd hosts on one machine, prepared by the project's own `host/install`.

    with Hosts() as hosts:
        host = hosts.start("api-gateway-03")               # booted, prepared, api-gateway.service running
        host.address, host.port, host.host_public_key      # "ssh-ed25519 AAAA…", as a Host resource pins it
        host.observe_key, host.act_key                     # private key files of fr-observe and fr-act
        host.observe_user, host.act_user
        host.machine_id
        host.run(["systemctl", "is-active", "api-gateway"])   # as root inside, not over SSH: for the truth
        host.write("/etc/motd", "text", mode=0o644); host.read("/etc/motd")
        host.boot_id(); host.reboot(); host.reboot(hard=True)  # an orderly one; the power cut and back
        host.cpu_seconds()                                 # what all of its processes have used
        host.freeze(); host.thaw()                         # every process stands still, the network answers
        host.cut(); host.restore()                         # every packet is lost, connections stay open
        host.fill_disk(); host.free_disk()                 # no space left, on the whole of /
        host.leak(); host.degrade(); host.mine()           # real faults: see tests/testbed/services
        host.health()                                      # status code of the service's /health, seen inside
        host.stop()
        hosts.start("api-gateway-04", service=None, prepared=False)   # a bare host: tests/testbed/control_node.py
        hosts.start("api-gateway-06", ipv6_only=True)      # it has no IPv4 address but loopback's

Each host is a real systemd booted by systemd-nspawn: own machine-id, SSH host key, boot-id, network and disk (an
overlay over one shared Debian); hosts of one `Hosts` reach each other. The kernel, its clock and its uptime are this
machine's. `Hosts` stops what it started and nothing else. When the process dies without a chance to, the hosts die
with it; the empty folders and control groups that then remain are removed by the next `Hosts`.

`python -m tests.testbed.hosts NAME…` starts hosts, prints them as JSON, one a line, and keeps them until SIGTERM or
Ctrl-C.
"""

from __future__ import annotations

import itertools
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.testbed import debian
from tests.testbed.go_build import MissingError
from tests.testbed.network import Network, inside, run
from tests.testbed.processes import Child, wait_until

HERE = Path(__file__).parent
PREPARATION = HERE.parent.parent / "host"
RUNS = Path(tempfile.gettempdir()) / "firstresponder-hosts"
BOOT_TIMEOUT = 60.0  # seconds; half a second is usual
INOTIFY_INSTANCES = 1024


class Host:
    """One running host. Made by `Hosts.start`; the module's text shows what it can do."""

    port = 22
    observe_user = "fr-observe"
    act_user = "fr-act"

    def __init__(
        self,
        name: str,
        service: str | None,
        keys: Path,
        directory: Path,
        base: Path,
        network: Network,
        *,
        ipv6_only: bool = False,
    ) -> None:
        self.name = name
        self._ipv6_only = ipv6_only
        self.service = service
        self.observe_key = keys / self.observe_user
        self.act_key = keys / self.act_user
        self._directory = directory
        self._cgroups = [root / f"firstresponder-{directory.parent.name}-{directory.name}" for root in _cgroup_roots()]
        (directory / "disk").mkdir(parents=True)
        host_key = directory / "ssh_host_ed25519_key"
        _generate_key(host_key, comment=name)
        self.host_public_key = " ".join(host_key.with_suffix(".pub").read_text().split()[:2])
        for cgroup in self._cgroups:
            cgroup.mkdir()
        namespaces = ["--mount", "--propagation=private", "--net", "--pid", "--fork", "--kill-child", "--mount-proc"]
        self._room = Child(
            ["unshare", *namespaces, HERE / "host-room", directory, base, name, *self._cgroups],
            directory / "console.log",
        )
        try:
            self.address = self._connect(network)
            self._wait_until_up()
            self.machine_id = self.read("/etc/machine-id").strip()
        except BaseException:  # Ctrl-C too: nobody else knows of it yet
            self.stop()
            raise

    def run(
        self, argv: Sequence[str], *, stdin: str = "", timeout: float = 60.0, check: bool = True
    ) -> subprocess.CompletedProcess[str]:
        """Run a command as root inside the host, past SSH; `timeout` in seconds.

        Raises CalledProcessError (with its output as a note) unless `check` is false, and TimeoutExpired.
        """
        done = subprocess.run(
            ["nsenter", f"--target={self._leader()}", "--all", "--", *argv],
            input=stdin,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=timeout,
            check=False,
            env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C", "HOME": "/root"},
        )
        if check and done.returncode:
            error = subprocess.CalledProcessError(done.returncode, list(argv), done.stdout, done.stderr)
            error.add_note(f"on {self.name}:\n{done.stdout}{done.stderr}")
            raise error
        return done

    def write(self, path: str, content: str, *, mode: int = 0o644) -> None:
        """Make or replace a file of root's inside the host."""
        self.run(["install", "-D", f"--mode={mode:o}", "/dev/stdin", path], stdin=content)

    def read(self, path: str) -> str:
        return self.run(["cat", path]).stdout

    def boot_id(self) -> str:
        return self.read("/proc/sys/kernel/random/boot_id").strip()

    def reboot(self, *, hard: bool = False) -> None:
        """Reboot in good order, or `hard`: all processes are gone at once, as when the power fails.

        Returns when SSH and the service answer again.
        """
        before = self._leader()
        if hard:
            os.kill(before, signal.SIGKILL)
        else:
            self.run(["systemctl", "--no-block", "reboot"])
        wait_until(lambda: not _is_alive(before), BOOT_TIMEOUT, f"{self.name} going down", self._room)
        self._wait_until_up()
        self.wait_until_healthy()

    def first_process(self) -> int:
        """Process 1 of the host, by its number here, for `nsenter --target`. Raises LookupError while it boots."""
        return self._leader()

    def cpu_seconds(self) -> float:
        """Processor time that the host has used since it began (cpu.stat of its control group)."""
        stat = dict(line.split() for line in (self._cgroups[0] / "cpu.stat").read_text().splitlines())
        return int(stat["usage_usec"]) / 1e6

    def freeze(self) -> None:
        """Every process of the host stands still; the network stack goes on, as on a machine that hangs."""
        self._set_frozen(True)

    def thaw(self) -> None:
        self._set_frozen(False)

    def cut(self) -> None:
        """Lose every packet from now on; nobody is told, open connections stay open."""
        self._inside_network("ip", "link", "set", "eth0", "down")

    def restore(self) -> None:
        self._inside_network("ip", "link", "set", "eth0", "up")

    def fill_disk(self, *, files_too: bool = True) -> None:
        """Leave no space on the file system that is the whole of the host's / (not /run).

        Without `files_too` files and directories can still be made, but nothing be written into them.
        """
        usage = os.statvfs(f"/proc/{self._room_pid()}/root{self._directory}/disk")
        used = (usage.f_blocks - usage.f_bfree) * usage.f_frsize
        files = usage.f_files - usage.f_ffree if files_too else usage.f_files
        self._resize_disk(f"size={used},nr_inodes={files}")

    def free_disk(self) -> None:
        self._resize_disk("size=256m,nr_inodes=100000")

    def leak(self) -> None:
        """Make the service leak: it burns every core, logs OutOfMemoryError and is unhealthy until restarted."""
        self.order("leak")

    def degrade(self, said: str = "") -> None:
        """The same, but for the cores: for tests that have other things to do with them.

        `said` stands in each line that is logged, and in what /health answers.
        """
        self.order("degrade", said)

    def order(self, fault: str, said: str = "") -> None:
        """Have the service do one of the things that it can do wrong: see tests/testbed/services."""
        self.run(["curl", "--silent", "--fail", "--data-raw", said, f"http://localhost/{fault}"])

    def health(self) -> int:
        """The HTTP status code of the service's /health, 0 when nothing answers."""
        probe = ["curl", "--silent", "--output", "/dev/null", "--write-out", "%{http_code}", "http://localhost/health"]
        return int(self.run(probe, check=False).stdout)

    def hold_starts(self) -> None:
        """From now on a start of the service waits until it is let go on, or the host boots again."""
        wait = "/bin/sh -c 'while [ -e /run/held ]; do sleep 0.1; done'"
        drop_in = f"[Service]\nTimeoutStartSec=120\nExecStartPre={wait}\n"
        self.write(f"/etc/systemd/system/{self.service}.service.d/held.conf", drop_in)
        self.run(["touch", "/run/held"])
        self.run(["systemctl", "daemon-reload"])

    def wait_until_held(self) -> None:
        """Until the service was stopped and its start waits."""
        state = ["systemctl", "show", "-P", "ActiveState", f"{self.service}.service"]
        wait_until(lambda: self.run(state).stdout.strip() == "activating", 60, f"{self.service} being started")

    def let_start_go_on(self) -> None:
        self.run(["rm", "/run/held"])

    def wait_until_healthy(self) -> None:
        """Wait for the service, when the host was started with one."""
        if self.service is None:
            return
        wait_until(lambda: self.health() == 200, BOOT_TIMEOUT, f"{self.service} on {self.name} getting healthy")

    def mine(self) -> None:
        """Start a program that burns every core, from a user's login: outside every unit that is expected here."""
        self.run(["useradd", "--create-home", "intern"])
        self.write("/home/intern/kworkerds", (HERE / "services" / "kworkerds").read_text(), mode=0o755)
        start = f"for core in $(seq {os.cpu_count()}); do setsid nice -n 19 ./kworkerds & done"
        self.run(["su", "--login", "intern", "--command", f"({start}) </dev/null >/dev/null 2>&1"])
        count = ["pgrep", "--count", "--exact", "kworkerds"]
        wait_until(lambda: int(self.run(count, check=False).stdout) == os.cpu_count(), 60, "every core burning")

    def stop(self) -> None:
        """End the host and remove all that is left of it. Nothing when it has been stopped."""
        self._room.kill()  # with process 1 of their namespace the kernel ends all others, frozen or not
        _remove(self._directory, self._cgroups)

    # how it is built

    def _connect(self, network: Network) -> str:
        """Plug the host into the run's network. Its address there."""
        wait_until(lambda: bool(_children(self._room.pid)), BOOT_TIMEOUT, f"{self.name} beginning", self._room)
        return network.connect(self._room_pid(), ipv6_only=self._ipv6_only)

    def _wait_until_up(self) -> None:
        wait_until(self._is_up, BOOT_TIMEOUT, f"{self.name} booting", self._room)

    def _is_up(self) -> bool:
        try:
            with socket.create_connection((self.address, self.port), timeout=1) as connection:
                if not connection.recv(4):
                    return False
        except OSError:
            return False
        # A unit that failed makes it "degraded": tests that break things reboot too.
        state = self.run(["systemctl", "is-system-running"], check=False).stdout.strip()
        return state in {"running", "degraded"}

    def _room_pid(self) -> int:
        return _children(self._room.pid)[0]

    def _leader(self) -> int:
        """Process 1 of the host, by its number here. Raises LookupError while there is none."""
        for nspawn in _children(self._room_pid()):
            for candidate in _children(nspawn):
                with suppress(OSError):
                    numbers = next(
                        line
                        for line in Path(f"/proc/{candidate}/status").read_text().splitlines()
                        if line.startswith("NSpid:")
                    ).split()[1:]
                    if len(numbers) == 3 and numbers[-1] == "1":
                        return candidate
        raise LookupError(f"{self.name} is not running")

    def _inside_network(self, *argv: str) -> None:
        inside(self._room_pid(), *argv)

    def _resize_disk(self, options: str) -> None:
        disk = str(self._directory / "disk")
        run(["nsenter", f"--target={self._room_pid()}", "--mount", "mount", "-o", f"remount,{options}", disk])

    def _set_frozen(self, frozen: bool) -> None:
        cgroup = self._cgroups[0]  # the version 2 one
        (cgroup / "cgroup.freeze").write_text(f"{frozen:d}")
        wait_until(lambda: f"frozen {frozen:d}" in (cgroup / "cgroup.events").read_text(), 60, f"{self.name} freezing")


class Hosts:
    """The hosts of one test run, and the two SSH user keys that all of them know."""

    def __enter__(self) -> Self:
        self._base = debian.ensure()
        RUNS.mkdir(mode=0o700, exist_ok=True)
        _remove_leftovers()
        _allow_many()
        self._directory = RUNS / _run_name()
        self._keys = self._directory / "keys"
        self._keys.mkdir(parents=True)
        for user in (Host.observe_user, Host.act_user):
            _generate_key(self._keys / user, comment=user)
        self._network = Network(self._directory, RUNS / "addresses.lock")
        self._running: list[Host] = []
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for host in self._running:
            host.stop()
        self._network.close()
        shutil.rmtree(self._directory)

    def connect(self, pid: int) -> str:
        """Plug the network namespace of that process into the hosts' network. The address it has there."""
        return self._network.connect(pid, link="hosts")

    def start(
        self, name: str, *, service: str | None = "api-gateway", prepared: bool = True, ipv6_only: bool = False
    ) -> Host:
        """Boot a host that runs the leaky service as `service`, or none, and prepare it with `host/install`.

        `prepared=False` leaves the preparation to the caller; the files lie in /root/host there.
        """
        directory = self._directory / f"{name}.{len(self._running)}"  # a stopped host's name may be used again
        host = Host(name, service, self._keys, directory, self._base, self._network, ipv6_only=ipv6_only)
        self._running.append(host)
        for path in PREPARATION.rglob("*"):
            if path.is_file():
                copy(host, path, f"/root/host/{path.relative_to(PREPARATION)}")
        for user in (Host.observe_user, Host.act_user):
            host.write(f"/root/{user}.pub", (self._keys / user).with_suffix(".pub").read_text())
        if service is not None:
            copy(host, HERE / "services" / "leaky-service", "/opt/leaky-service")
            copy(host, HERE / "services" / "leaky-service.service", f"/etc/systemd/system/{service}.service")
            host.run(["systemctl", "daemon-reload"])
            host.run(["systemctl", "enable", "--quiet", "--now", f"{service}.service"])
            host.wait_until_healthy()
        if prepared:
            host.run(install_command(service))
        return host


def install_command(service: str | None) -> list[str]:
    """How a host of the testbed is prepared: the argv, run inside it."""
    keys = ["--observe-key", "/root/fr-observe.pub", "--act-key", "/root/fr-act.pub"]
    restartable = [] if service is None else ["--restartable", f"{service}.service"]
    return ["/root/host/install", *keys, *restartable]


def copy(host: Host, source: Path, target: str) -> None:
    """Copy a text file of this machine to the host, with its mode."""
    host.write(target, source.read_text(), mode=source.stat().st_mode & 0o777)


def _generate_key(path: Path, comment: str) -> None:
    run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", comment, "-f", str(path)])


def _cgroup_roots() -> list[Path]:
    """Where a host needs a control group of its own: version 2 first; systemd's own tree too on older set-ups."""
    mounts = [line.split() for line in Path("/proc/self/mounts").read_text().splitlines()]
    unified = [Path(mount[1]) for mount in mounts if mount[2] == "cgroup2"]
    if not unified:
        raise MissingError("no cgroup2 file system is mounted: mount -t cgroup2 none /sys/fs/cgroup/unified")
    systemd = [Path(mount[1]) for mount in mounts if mount[2] == "cgroup" and "name=systemd" in mount[3].split(",")]
    return unified[:1] + systemd[:1]


_ordinals = itertools.count()


def _run_name() -> str:
    return f"{os.getpid()}-{_start_time(os.getpid())}-{next(_ordinals)}"


def _allow_many() -> None:
    """Let this machine watch enough files: a host needs nine inotify instances, and Linux gives a user 128 of them.

    It stays so until the machine boots again. Where it is not ours to change, fewer hosts fit.
    """
    limit = Path("/proc/sys/fs/inotify/max_user_instances")
    if int(limit.read_text()) < INOTIFY_INSTANCES:
        with suppress(OSError):
            limit.write_text(str(INOTIFY_INSTANCES))


def _remove_leftovers() -> None:
    """Remove what dead runs left: their processes died with them, folders and control groups did not."""
    for directory in RUNS.glob("*-*-*"):
        pid, started, _ = directory.name.split("-")
        if _start_time(int(pid)) != started:
            _remove(directory, cgroups_of(directory))


def cgroups_of(run: Path) -> list[Path]:
    """The control groups of a run's hosts, which stand at the top: below them systemd makes and removes its own."""
    return [cgroup for root in _cgroup_roots() for cgroup in root.glob(f"firstresponder-{run.name}-*")]


def _remove(directory: Path, cgroups: list[Path]) -> None:
    remove_cgroups(cgroups)
    shutil.rmtree(directory, ignore_errors=True)


def remove_cgroups(cgroups: list[Path]) -> None:
    """Remove control groups with those below them, once the last process in them is gone."""
    for cgroup in cgroups:
        if cgroup.exists():
            wait_until(lambda: _remove_cgroup(cgroup), 60, f"emptying {cgroup}")  # noqa: B023


def _remove_cgroup(cgroup: Path) -> bool:
    try:
        for folder, _, _ in os.walk(cgroup, topdown=False):
            Path(folder).rmdir()
    except OSError:  # a process in it is still dying
        return False
    return True


def _start_time(pid: int) -> str | None:
    """When a process began, in clock ticks since the boot (proc(5), field 22); with its pid that is unique."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except OSError:
        return None


def _is_alive(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


def _children(pid: int) -> list[int]:
    try:
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def main() -> None:
    for number in (signal.SIGTERM, signal.SIGINT):  # a program started in the background ignores SIGINT otherwise
        signal.signal(number, signal.default_int_handler)
    with Hosts() as hosts, suppress(KeyboardInterrupt):
        for name in sys.argv[1:] or ["api-gateway-03"]:
            host = hosts.start(name)
            shown = ("name", "address", "port", "host_public_key", "observe_key", "act_key", "machine_id")
            print(json.dumps({key: getattr(host, key) for key in shown}, default=str), flush=True)
        while True:
            time.sleep(60)


if __name__ == "__main__":
    main()
