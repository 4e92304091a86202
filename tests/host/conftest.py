"""Fixtures: a way to talk to the module's host, and actions that leave a trace of each run."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.host.wire import Wire
from tests.testbed.hosts import Host

RAN = "/root/ran"  # each run of a test action appends a line
HELD = "/root/held"  # as long as it is there, the action hold goes on

ACTIONS = {
    "note": 'printf "%s\\n" "$*" >>/root/ran; for argument; do printf "argument=%s\\n" "$argument"; done',
    "fail": "echo fail >>/root/ran; exit 3",
    "linger": 'echo linger >>/root/ran; exec sleep "$1"',
    "hold": "echo hold >>/root/ran; while [ -e /root/held ]; do sleep 0.05; done",
    "talk": "set -e; echo talk >>/root/ran; head -c 5000000 /dev/zero | tr '\\0' x; echo to the end >>/root/ran",
    "stubborn": 'echo stubborn >>/root/ran; trap "" TERM; setsid sh -c "trap \\"\\" TERM; sleep 4242" & sleep 4243',
    "leave-behind": "echo leave-behind >>/root/ran; sleep 4244 & echo done",
}


@pytest.fixture(scope="module")
def wire(host: Host) -> Iterator[Wire]:
    with tempfile.TemporaryDirectory(prefix="fr-") as directory:  # short: it names a socket
        connected = Wire(host, Path(directory))
        for name, body in ACTIONS.items():
            host.write(f"/etc/firstresponder/actions/{name}", f"#!/bin/sh\n{body}\n", mode=0o755)
        yield connected
        connected.disconnect()


@pytest.fixture
def runs(host: Host) -> Iterator[Runs]:
    host.run(["flock", "/run/firstresponder/busy", "true"], check=False)  # a result is told before its unit is gone
    host.run(["rm", "-f", RAN])
    yield Runs(host)
    host.run(["rm", "-f", HELD])


class Runs:
    """How often the test actions really ran since the test began."""

    def __init__(self, host: Host) -> None:
        self._host = host

    def hold(self) -> None:
        """From now on the action hold does not end until it is let go."""
        self._host.run(["touch", HELD])

    def let_go(self) -> None:
        self._host.run(["rm", HELD])

    def lines(self) -> list[str]:
        return self._host.run(["cat", RAN], check=False).stdout.splitlines()

    def count(self) -> int:
        return len(self.lines())
