"""What this machine lacks for a given need, said in one line before anything else happens.

`python3 -m tests.testbed.preflight cluster|hosts|kind|lint|browser|rulebook|python…` runs on the machine's own Python,
before there is a virtual environment: standard library only. As root on Debian it installs the
missing packages.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path

from tests.testbed import components
from tests.testbed.go_build import MissingError

OLDEST_PYTHON = (3, 11)
CGROUPS = Path("/sys/fs/cgroup")

# Program → the Debian package that has it.
HOST_PROGRAMS = {"debootstrap": "debootstrap", "systemd-nspawn": "systemd-container", "ip": "iproute2"}
KIND_PROGRAMS = {"dockerd": "docker.io", "docker": "docker.io", "runc": "runc", "iptables": "iptables"}
LINT_PROGRAMS = {"shellcheck": "shellcheck"}
BROWSER_PROGRAMS = {"chromium": "chromium"}
RULEBOOK_PROGRAMS = {"java": "default-jre-headless", "ssh": "openssh-client"}


def check_python() -> None:
    """Python is new enough, and there is a way to make a virtual environment."""
    if sys.version_info < OLDEST_PYTHON:
        have = ".".join(map(str, sys.version_info[:2]))
        raise MissingError(
            f"{sys.executable} is Python {have}: install Python 3.11 or newer, or name one: make PYTHON=…"
        )
    if shutil.which("uv") is None and find_spec("ensurepip") is None:
        _install(["python3-venv"], "Python's ensurepip")


def check_cluster() -> None:
    """A Kubernetes API server can be started here."""
    _require_linux()
    components.require_buildable()


def check_hosts() -> None:
    """Systemd hosts can be booted here: namespaces and mounts need root."""
    _require_linux()
    if os.geteuid() != 0:
        raise MissingError(
            "test hosts are booted with systemd-nspawn, which needs root: run this as root, "
            "or `make test-unit` and `make test-cluster`, which do not"
        )
    _require_programs(HOST_PROGRAMS)


def check_kind() -> None:
    """A kind cluster can be made here, without a registry."""
    check_hosts()
    components.require_buildable()
    if (CGROUPS / "cgroup.controllers").exists():
        raise MissingError(
            "`make kind` knows control groups version 1 only, and this machine has version 2: use a kind of your own "
            "(docs/install-kind.md#with-docker)"
        )
    _require_programs(KIND_PROGRAMS)


def check_lint() -> None:
    """The linters that are not Python packages."""
    _require_programs(LINT_PROGRAMS)


def check_browser() -> None:
    """A real browser shows the page of a report."""
    _require_programs(BROWSER_PROGRAMS)


def check_rulebook() -> None:
    """What ansible-rulebook needs that is no Python package: its rules run in Java."""
    _require_programs(RULEBOOK_PROGRAMS)
    if find_spec("ensurepip") is None:
        _install(["python3-venv"], "Python's ensurepip")


CHECKS = {
    "python": check_python,
    "cluster": check_cluster,
    "hosts": check_hosts,
    "kind": check_kind,
    "lint": check_lint,
    "browser": check_browser,
    "rulebook": check_rulebook,
}


def _require_linux() -> None:
    if sys.platform != "linux":
        raise MissingError(f"the testbed runs on Linux, this is {sys.platform}: use a Linux machine or VM")


def _require_programs(package_of: Mapping[str, str]) -> None:
    path = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/sbin"])
    if lacking := [program for program in package_of if shutil.which(program, path=path) is None]:
        _install([package_of[program] for program in lacking], ", ".join(lacking))


def _install(packages: Sequence[str], missing: str) -> None:
    command = f"apt-get install {' '.join(packages)}"
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        raise MissingError(f"no {missing}: {command} (as root), or your distribution's equivalent")
    print(f"Installing Debian packages: {' '.join(packages)}", flush=True)
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    install = ["install", "--yes", "--no-install-recommends", *packages]
    for arguments in (["update"], install):
        done = subprocess.run(
            ["apt-get", "--quiet", *arguments],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
    if done.returncode:  # of install: an update may fail for a source that is not needed
        raise MissingError(f"no {missing}, and {command} failed:\n{done.stdout[-2000:]}")


def main(needs: Sequence[str]) -> int:
    """Check each need. Prints the first thing that is missing and returns 1, else 0."""
    try:
        for need in needs:
            CHECKS[need]()
    except MissingError as missing:
        print(f"error: {missing}", flush=True)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
