"""The pool tells of each connection and of each request how it ended."""

from __future__ import annotations

from collections.abc import AsyncIterator

import asyncssh
import pytest

from firstresponder.hosts.errors import CommandTimedOut, HostKeyMismatch, HostUnreachable
from firstresponder.hosts.pool import Observer, SshPool
from firstresponder.hosts.target import SshTarget


class Told(Observer):
    """What the pool told, without the time."""

    def __init__(self) -> None:
        self.outcomes: list[tuple[str, str, str]] = []

    def asked(self, host: str, what: str, outcome: str, seconds: float) -> None:
        assert seconds >= 0
        self.outcomes.append((host, what, outcome))


def public(key: asyncssh.SSHKey) -> str:
    return " ".join(key.export_public_key().decode().split()[:2])


@pytest.fixture
async def target() -> AsyncIterator[SshTarget]:
    """An account on a server that answers what it is told, unless that is to wait."""
    host_key, key = asyncssh.generate_private_key("ssh-ed25519"), asyncssh.generate_private_key("ssh-ed25519")

    async def program(process: asyncssh.SSHServerProcess[str]) -> None:
        request = await process.stdin.read()
        if request != "wait":
            process.stdout.write(request)
            process.exit(0)

    keys = asyncssh.import_authorized_keys(public(key))
    async with asyncssh.listen(
        "127.0.0.1", 0, server_host_keys=[host_key], authorized_client_keys=keys, process_factory=program
    ) as server:
        port = server.get_port()
        yield SshTarget("web-1", "127.0.0.1", port, (public(host_key),), "observe", key.export_private_key().decode())


async def test_each_connection_and_each_request_is_told_with_its_outcome(target: SshTarget) -> None:
    told = Told()
    pool = SshPool(told)
    for _ in range(2):
        assert (await pool.run(target, b"hello", timeout=60, max_output=100)).stdout == b"hello"
    with pytest.raises(CommandTimedOut):
        await pool.run(target, b"wait", timeout=0.1, max_output=100)
    await pool.close()
    assert told.outcomes == [
        ("web-1", "connect", "Answered"),
        ("web-1", "run", "Answered"),
        ("web-1", "run", "Answered"),
        ("web-1", "run", "TimedOut"),
    ]


@pytest.mark.parametrize(
    ("change", "error", "reason"),
    [("host_keys", HostKeyMismatch, "HostKeyMismatch"), ("port", HostUnreachable, "ConnectionRefused")],
)
async def test_a_connection_that_fails_is_told_with_the_reason_and_so_is_the_request(
    target: SshTarget, change: str, error: type[Exception], reason: str
) -> None:
    told = Told()
    pool = SshPool(told)
    other = {"host_keys": (public(asyncssh.generate_private_key("ssh-ed25519")),), "port": 1}
    with pytest.raises(error):
        await pool.run(SshTarget(**{**vars(target), change: other[change]}), b"hello", timeout=60, max_output=100)
    await pool.close()
    assert told.outcomes == [("web-1", "connect", reason), ("web-1", "run", reason)]
