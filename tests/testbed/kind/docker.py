"""A Docker of our own: in namespaces of one process, with its data in the user's cache and nothing of the system's."""

from __future__ import annotations

import fcntl
import os
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import IO

from image.run import BuildError

from tests.testbed.go_build import MissingError, cache_directory
from tests.testbed.hosts import remove_cgroups
from tests.testbed.kind import node_image
from tests.testbed.network import Network, inside
from tests.testbed.processes import Child, wait_until

WITHIN_BOUNDS = Path(__file__).with_name("runc-within-bounds")
SYS_RESOURCE = 24  # the number of the capability in linux/capability.h
DATA = cache_directory() / "docker"
CGROUP = "firstresponder-kind"
START_TIMEOUT = 60.0  # seconds; one is usual


class Docker:
    """A running daemon, with the image of a node in it. `Docker.start` makes it."""

    def __init__(self, directory: Path) -> None:
        self._turn = _take_turn()
        self._socket = directory / "docker.sock"
        own = ["--net", "--mount", "--propagation=private", "--pid", "--fork", "--kill-child", "--mount-proc"]
        daemon = [
            "dockerd",
            f"--data-root={DATA}",
            f"--exec-root={directory / 'exec'}",
            f"--pidfile={directory / 'dockerd.pid'}",
            f"--host=unix://{self._socket}",
            f"--cgroup-parent=/{CGROUP}",
            "--storage-driver=overlay2",
            *_runtime(),
        ]
        self._daemon = Child(["unshare", *own, *daemon], directory / "dockerd.log")
        self._network: Network | None = None
        self.address = ""
        """Where this machine reaches what the daemon publishes."""

    @classmethod
    def start(cls, directory: Path) -> Docker:
        """A daemon whose socket and log are in `directory`.

        Raises MissingError where one of ours runs already, and when a node's image cannot be made.
        """
        docker = cls(directory)
        try:
            answers = lambda: docker.run("version", check=False).returncode == 0  # noqa: E731
            wait_until(answers, START_TIMEOUT, "Docker", docker._daemon)
            inside(docker.pid, "ip", "link", "set", "lo", "up")
            docker._network = Network(directory, directory / "addresses.lock")
            docker.address = docker._network.connect(docker.pid)
            docker._load_node_image()
        except BaseException:
            docker.stop()
            raise
        return docker

    def stop(self) -> None:
        """With process 1 of their namespace the kernel ends the daemon, the containers and their network."""
        self._daemon.kill()
        if self._network is not None:
            self._network.close()
        remove_cgroups([hierarchy / CGROUP for hierarchy in Path("/sys/fs/cgroup").iterdir()])
        self._turn.close()

    @property
    def pid(self) -> int:
        """A process in the daemon's network namespace, where its nodes' network ends."""
        return self._daemon.pid

    def environment(self) -> dict[str, str]:
        """The environment in which `docker` and `kind` talk to this daemon."""
        proxies = {name for name in os.environ if name.lower().endswith("_proxy")}  # kind would pass them on
        rest = {name: value for name, value in os.environ.items() if name not in proxies}
        return {**rest, "DOCKER_HOST": f"unix://{self._socket}"}

    def run(
        self, *arguments: str | Path, stdin: IO[bytes] | None = None, check: bool = True
    ) -> subprocess.CompletedProcess[str]:
        """Run a command of docker's. Raises AssertionError with its complaint when it fails and `check`."""
        argv: Sequence[str | Path] = ["docker", *arguments]
        source = subprocess.DEVNULL if stdin is None else stdin
        done = subprocess.run(argv, env=self.environment(), stdin=source, capture_output=True, text=True, check=False)
        if check and done.returncode:
            raise AssertionError(f"{' '.join(map(str, argv))}: {done.stderr.strip()}")
        return done

    def _load_node_image(self) -> None:
        if self.run("image", "inspect", node_image.name(), check=False).returncode == 0:
            return
        archive = DATA / "node.tar"
        try:
            node_image.write(archive)
            self.run("load", "--input", archive)
        except BuildError as problem:
            raise MissingError(str(problem)) from problem
        finally:
            archive.unlink(missing_ok=True)
        self.run("image", "prune", "--all", "--force", "--filter", f"label!={node_image.LABEL}={node_image.name()}")


def _take_turn() -> IO[str]:
    """Hold the daemon's data, which only one can have."""
    DATA.mkdir(parents=True, exist_ok=True)
    turn = (DATA / "lock").open("w")
    try:
        fcntl.flock(turn, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise MissingError("a kind cluster of ours runs already: make kind-down") from None
    return turn


def _runtime() -> list[str]:
    """How containers are run where this machine lacks a capability that privileged ones ask for."""
    [bounds] = [line.split()[1] for line in Path("/proc/self/status").read_text().splitlines() if "CapBnd" in line]
    if int(bounds, 16) >> SYS_RESOURCE & 1:
        return []
    return [f"--add-runtime=within-bounds={WITHIN_BOUNDS}", "--default-runtime=within-bounds"]
