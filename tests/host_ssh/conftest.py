"""Real hosts, a fresh pool for each test, and the hosts' own records of what reached them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

import pytest

from firstresponder.hosts.pool import SshPool
from firstresponder.hosts.target import SshTarget
from tests.testbed.hosts import Host, Hosts


@pytest.fixture(scope="package")
def two_hosts(hosts: Hosts) -> Iterator[tuple[Host, Host]]:
    two = hosts.start("web-1"), hosts.start("web-2")
    yield two
    for host in two:
        host.stop()


@pytest.fixture
def host(two_hosts: tuple[Host, Host]) -> Host:
    return two_hosts[0]


@pytest.fixture
def other_host(two_hosts: tuple[Host, Host]) -> Host:
    return two_hosts[1]


@pytest.fixture
async def pool() -> AsyncIterator[SshPool]:
    pool = SshPool()
    yield pool
    await pool.close()


def observing(host: Host) -> SshTarget:
    return _target(host, host.observe_user, host.observe_key.read_text())


def acting(host: Host) -> SshTarget:
    return _target(host, host.act_user, host.act_key.read_text())


def _target(host: Host, user: str, private_key: str) -> SshTarget:
    return SshTarget(host.name, host.address, host.port, (host.host_public_key,), user, private_key)


def sshd_log(host: Host) -> list[str]:
    """What the host's sshd recorded in this boot, oldest first."""
    host.run(["journalctl", "--sync"])
    return host.run(["journalctl", "--boot", "--output=cat", "--identifier=sshd"]).stdout.splitlines()


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    """Wait until something holds that only looking can tell; TimeoutError after a minute."""
    async with asyncio.timeout(60):
        while not await condition():  # noqa: ASYNC110 - it happens on the host
            await asyncio.sleep(0.1)
