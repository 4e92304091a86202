"""pytest fixtures: real systemd hosts, prepared by the project's own `host/install`."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.testbed import debian
from tests.testbed.go_build import MissingError
from tests.testbed.hosts import Host, Hosts


@pytest.hookimpl(trylast=True)
def pytest_collection_finish(session: pytest.Session) -> None:
    """Make the base system before the first test starts: a minute, which no test's time-out covers."""
    if not any("hosts" in getattr(item, "fixturenames", ()) for item in session.items):
        return
    capture = session.config.pluginmanager.getplugin("capturemanager")
    try:
        with capture.global_and_fixture_disabled():
            debian.ensure()
    except MissingError as missing:
        raise pytest.UsageError(str(missing)) from None


@pytest.fixture(scope="session")
def hosts() -> Iterator[Hosts]:
    """Starts hosts; those that a test does not stop end with the session."""
    with Hosts() as running:
        yield running


@pytest.fixture(scope="module")
def host(hosts: Hosts) -> Iterator[Host]:
    """A prepared host for the tests of one module. A test leaves it in working order for the next one."""
    running = hosts.start("api-gateway-03")
    yield running
    running.stop()
