"""The root file system that every host of the testbed starts from: a small Debian, made once and kept.

It is made with debootstrap from the package mirror that this machine itself is configured to use, and lies in the
user's cache, keyed by a hash of what goes into it. Hosts use it as the read-only lower layer of an overlay.
"""

from __future__ import annotations

import fcntl
import hashlib
import platform
import shutil
import subprocess
import sys
from pathlib import Path

from tests.testbed import preflight
from tests.testbed.go_build import MissingError, cache_directory

PACKAGES = (
    "ansible-core",
    "curl",
    "dbus",
    "iproute2",
    "iputils-ping",
    "libpam-systemd",  # without it whatever is started over SSH stays in ssh.service
    "logrotate",
    "nftables",  # firewalls and losses between hosts
    "openssh-client",  # ansible's way to the hosts of a pool
    "openssh-server",
    "postgresql",
    "procps",
    "python3",  # for the test services, and for what ansible does on a host
    "python3-cffi-backend",  # ansible-core needs it by another name, which debootstrap does not resolve
    "sudo",
    "systemd",
    "systemd-sysv",
)
# Units that only some hosts want: these start them.
DISABLED = ("postgresql.service",)
# Timers and consoles that would only disturb measurements. (After the kernel's uptime, which is this machine's, the
# tmpfiles one would clean up in the middle of a test.)
MASKED = (
    "apt-daily-upgrade.timer",
    "apt-daily.timer",
    "console-getty.service",
    "cron.service",
    "dpkg-db-backup.timer",
    "e2scrub_all.timer",
    "e2scrub_reap.service",
    "fstrim.timer",
    "getty@.service",
    "logrotate.timer",
    "systemd-tmpfiles-clean.timer",
)
# What would be the same on every host, or is of no use there. Without /var/log/journal the journal lives in memory,
# so that it neither fills a disk nor makes room on a full one by vacuuming itself.
REMOVED = ("etc/ssh/ssh_host_*", "etc/machine-id", "var/cache/apt/*", "var/lib/apt/lists/*", "var/log/journal")


def ensure() -> Path:
    """The root directory of the base system, made first when it has to be: about two minutes once.

    Progress goes to standard error. Raises MissingError when it can not be made.
    """
    preflight.check_hosts()
    target = _directory()
    target.parent.mkdir(parents=True, exist_ok=True)
    with (target.parent / "debian.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not target.exists():
            _make(target)
    return target


def _directory() -> Path:
    recipe = "\n".join([platform.machine(), codename(), *PACKAGES, *DISABLED, *MASKED, *REMOVED])
    return cache_directory() / f"debian-{codename()}-{hashlib.sha256(recipe.encode()).hexdigest()[:12]}"


def _make(target: Path) -> None:
    print("Making the base system of the hosts with debootstrap (once, about two minutes)", file=sys.stderr)
    unfinished = target.with_suffix(".unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    # What debootstrap mounts dies with it, and is never in the way of removing an unfinished system.
    alone = ["unshare", "--mount", "--propagation=private"]
    packages = f"--include={','.join(PACKAGES)}"
    _run([*alone, "debootstrap", "--variant=minbase", packages, codename(), str(unfinished), mirror()])
    _run(["systemctl", f"--root={unfinished}", "--quiet", "disable", *DISABLED])
    _run(["systemctl", f"--root={unfinished}", "--quiet", "mask", *MASKED])
    for pattern in REMOVED:
        for path in unfinished.glob(pattern):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    unfinished.rename(target)


def codename() -> str:
    """The release of Debian that this machine runs, by its name."""
    return platform.freedesktop_os_release()["VERSION_CODENAME"]


def mirror() -> str:
    """The first package source of this machine for its own release."""
    sources = _run(["apt-get", "indextargets", "--format", "$(CODENAME) $(REPO_URI)", "Created-By: Packages"])
    for line in sources.splitlines():
        release, _, address = line.partition(" ")
        if release == codename():
            return address
    raise MissingError(f"apt has no package source for {codename()}: add one below /etc/apt and run apt-get update")


def _run(argv: list[str]) -> str:
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if done.returncode:
        raise MissingError(f"{' '.join(argv)} failed:\n{(done.stdout + done.stderr).strip()[-2000:]}")
    return done.stdout
