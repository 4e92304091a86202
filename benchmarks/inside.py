"""The five diagnostics as programs on a host, started by a shell that is there already: nothing can be below that."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from typing import Self

from tests.testbed.hosts import Host

from benchmarks.figures import NotMeasured
from benchmarks.triage import as_script, commands, resource_of

FOLDER = "/opt/five"
NAMES = ("processes", "errors", "memory", "unit", "free")
CONFINED = "/opt/five-confined"
"""The same five in one confinement, as the host's program makes it: what they cost without SSH and without operator."""
_OBSERVE = "/usr/local/libexec/firstresponder-observe"


def add_scripts(host: Host) -> None:
    """Give the host a program for each diagnostic, and one for all of them confined."""
    asked = commands(resource_of(host))
    for name in NAMES:
        host.write(f"{FOLDER}/{name}", as_script(asked[name]), mode=0o755)
    request = b"together\n" + b"".join(asked[name].part for name in NAMES)
    host.write(f"{CONFINED}.request", request.decode())
    host.write(CONFINED, f"#!/bin/sh\nexec {_OBSERVE} <{CONFINED}.request\n", mode=0o755)


def together(programs: Sequence[str]) -> str:
    """A line of shell that runs programs at once, waits, and says which have failed."""
    return "".join(f"{{ {program} >/dev/null || echo failed {program}; }} & " for program in programs) + "wait"


class Inside:
    """A shell of root's on a host, waiting for what to start."""

    def __init__(self, host: Host) -> None:
        self._host = host

    def __enter__(self) -> Self:
        enter = ["nsenter", f"--target={self._host.first_process()}", "--all", "--", "bash"]
        environment = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C", "HOME": "/root"}
        self._shell = subprocess.Popen(
            enter,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            bufsize=1,
            env=environment,
        )
        return self

    def __exit__(self, *_: object) -> None:
        self._shell.communicate()  # the end of its input is its end

    def start(self, programs: Sequence[str]) -> None:
        """Run programs at once, without waiting."""
        assert self._shell.stdin is not None
        self._shell.stdin.write(f"{together(programs)}; echo done\n")

    def wait(self) -> None:
        """Until all of them have ended. Raises NotMeasured when one has failed."""
        assert self._shell.stdout is not None
        line = self._shell.stdout.readline()
        if line != "done\n":
            raise NotMeasured(f"{self._host.name}: {line.strip() or 'the shell has ended'}")
