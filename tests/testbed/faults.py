"""What goes wrong between hosts, and with their memory and disks: all of it real, all of it gone with the host.

faults.drop(host, "input", "tcp dport 5432")       # a firewall of the host's own: see nft(8)
faults.lose(host, 40)                              # of 100 packets that come in, so many are lost
faults.mend(host)                                  # both
faults.depend(target, other)                       # `other` is dependency-service, behind the default route
faults.hoard(host, 2 * GIB, unit="cache.service")  # memory that another unit holds
faults.hoard_as_stranger(host, 2 * GIB)            # memory held from a user's login
faults.mount_small(host, "/var/log", 64 * MIB)     # a small disk, which can be filled
faults.fill(host, "/var/log/app.log", MIB)
"""

from __future__ import annotations

import fcntl
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.testbed.hosts import HERE, Host, copy
from tests.testbed.processes import wait_until

MIB = 1024**2
GIB = 1024**3
DEPENDENCY = "dependency-service"
ELSEWHERE = "192.0.2.1"  # TEST-NET-1 (RFC 5737): a network that is reached over the gateway only


def drop(host: Host, direction: str, packets: str) -> None:
    """Drop what comes in (`input`) or goes out (`output`) and matches an nft expression; nobody is told."""
    hook = f"add chain inet faults {direction} {{ type filter hook {direction} priority 0; }}"
    host.run(
        ["nft", "-f", "-"], stdin=f"add table inet faults\n{hook}\nadd rule inet faults {direction} {packets} drop\n"
    )


def lose(host: Host, percent: int, source: str) -> None:
    """Lose so many of 100 packets that come from an address, by chance."""
    drop(host, "input", f"ip saddr {source} numgen random mod 100 < {percent}")


def mend(host: Host) -> None:
    host.run(["nft", "delete", "table", "inet", "faults"])


def depend(target: Host, other: Host) -> str:
    """Make `other` the dependency of the target: a name, an address in another network, and the way there.

    The other host is the target's default gateway too, and has no name server. Returns the dependency's name.
    """
    other.run(["ip", "address", "add", f"{ELSEWHERE}/32", "dev", "lo"])
    target.run(["ip", "route", "add", "default", "via", other.address])
    target.write("/etc/hosts", f"{target.read('/etc/hosts')}{ELSEWHERE} {DEPENDENCY}\n")
    target.write("/etc/resolv.conf", f"nameserver {other.address}\n")
    return DEPENDENCY


@contextmanager
def alone_with_memory() -> Iterator[None]:
    """Whoever judges this machine's memory holds this: nobody else eats of it meanwhile, in no process."""
    with (Path(tempfile.gettempdir()) / "firstresponder-memory.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def memory(host: Host) -> tuple[int, int]:
    """All memory, and what the kernel holds to be available of it, in bytes: this machine's, which its hosts share."""
    fields = dict(line.split(":") for line in host.read("/proc/meminfo").splitlines())
    total, available = (int(fields[name].split()[0]) * 1024 for name in ("MemTotal", "MemAvailable"))
    return total, available


def shortage(host: Host) -> tuple[int, int]:
    """How many bytes to hold so that memory is short, and below how many available ones it is short then.

    What else this machine does takes memory and gives it back meanwhile: up to a twelfth of what there is makes no
    difference, neither before nor after.
    """
    _, available = memory(host)
    return available // 6, available - available // 12


def hoard(host: Host, size: int, *, unit: str) -> None:
    """Have another unit of the host hold so many bytes of memory."""
    host.run(["systemd-run", "--quiet", f"--unit={unit}", *_hoarder(size)])
    _wait_for_hoarder(host)


def hoard_as_stranger(host: Host, size: int) -> None:
    """Have a program hold so many bytes of memory that was started from a user's login, outside every unit."""
    host.run(["useradd", "--create-home", "intern"])
    command = " ".join(f"'{word}'" for word in _hoarder(size))
    host.run(["su", "--login", "intern", "--command", f"(setsid {command} &) </dev/null >/dev/null 2>&1"])
    _wait_for_hoarder(host)


def _hoarder(size: int) -> list[str]:
    return ["python3", "-c", f'hoard = b"x" * {size}; open("/tmp/hoarding", "w"); import time; time.sleep(3600)']


def _wait_for_hoarder(host: Host) -> None:
    wait_until(lambda: host.run(["test", "-e", "/tmp/hoarding"], check=False).returncode == 0, 60, "the memory held")


def mount_small(host: Host, path: str, size: int) -> None:
    """Put a file system of so many bytes there, with what was there before."""
    script = 'mkdir -p "$1" /mnt/before && cp -a "$1/." /mnt/before && mount -t tmpfs -o "size=$2" small "$1" && '
    host.run(["sh", "-c", script + 'cp -a /mnt/before/. "$1" && rm -r /mnt/before', "sh", path, str(size)])


def fill(host: Host, path: str, size: int) -> None:
    """Make a file of so many bytes, folders included."""
    folder = str(Path(path).parent)
    host.run(["sh", "-c", 'mkdir -p "$1" && head -c "$3" /dev/zero >"$2"', "sh", folder, path, str(size)])


def fill_up_to(host: Host, path: str, percent: int) -> None:
    """Make a file so big that this much of its file system is used."""
    size, free = map(int, host.run(["stat", "--file-system", "--format=%b %f", str(Path(path).parent)]).stdout.split())
    fill(host, path, (size * percent // 100 - (size - free)) * 4096)


def keep_journal(host: Host, *, old: int) -> None:
    """Keep the journal on disk without a limit, with archived files of so many bytes in all that are ten days old."""
    limits = "SystemMaxUse=1G\nSystemKeepFree=1\nSystemMaxFileSize=8M\nRateLimitIntervalSec=0\n"
    host.write("/etc/systemd/journald.conf.d/testbed.conf", f"[Journal]\nStorage=persistent\n{limits}")
    host.run(["systemctl", "restart", "systemd-journald"])
    host.run(["journalctl", "--flush"])
    # Random bytes in base64 take about as much as before once the journal has compressed them.
    chatter = "head -c 2M /dev/urandom | base64 --wrap=4000 | systemd-cat --identifier=chatter; journalctl --sync"
    script = f'for _ in $(seq "$1"); do {chatter}; done; journalctl --rotate; journalctl --sync'
    host.run(["sh", "-c", script, "sh", str(old // (2 * MIB))])
    age_journal(host, "/var/log/journal/*/*@*.journal", 10 * 86400)


def age_journal(host: Host, files: str, seconds: int, records: int = 10**6) -> None:
    """Make the first so many records of archived journal files so much older; a shell expands their paths."""
    copy(host, HERE / "age-journal", "/root/age-journal")
    host.run(["sh", "-c", f"/root/age-journal {seconds} {records} {files}"])
