"""Fixtures for every test: the cluster and the hosts. They start nothing until a test asks for them.

Several tests run at the same time, in processes of their own (pytest-xdist), each with its own cluster. Those marked
`quiet` judge how busy the processors are and run alone.
"""

from __future__ import annotations

import fcntl
import os
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# How long an example takes, to be made and to be run, depends on what else this machine does; no test asserts time.
settings.register_profile("firstresponder", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("firstresponder")

# A shell without job control has what it starts in the background ignore Ctrl-C, which a program inherits from its
# parent; those that the tests start must hear it.
signal.signal(signal.SIGINT, signal.default_int_handler)

pytest_plugins = ["tests.testbed.fixtures", "tests.testbed.host_fixtures"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Those that run alone come last, when nobody is kept waiting by them."""
    alone = {item.path for item in items if item.get_closest_marker("quiet")}
    items.sort(key=lambda item: item.path in alone)


class Turn:
    """This process's share of the machine: with others, or alone. Without others there is nothing to share."""

    def __init__(self) -> None:
        run = os.environ.get("PYTEST_XDIST_TESTRUNUID")
        self._file = (Path(tempfile.gettempdir()) / f"firstresponder-tests-{run}").open("w") if run else None

    def take(self, item: pytest.Item) -> None:
        self._lock(fcntl.LOCK_EX if item.get_closest_marker("quiet") else fcntl.LOCK_SH)

    def end(self) -> None:
        self._lock(fcntl.LOCK_UN)

    def _lock(self, how: int) -> None:
        if self._file is not None:
            fcntl.flock(self._file, how)


turn = Turn()


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item, nextitem: pytest.Item | None) -> Iterator[None]:
    """Let a quiet test run alone, outside of what its time-out covers.

    The turn lasts as long as the module: what its tests share (tests/e2e/scenes.py) goes on between them.
    """
    turn.take(item)
    result = yield
    if nextitem is None or nextitem.path != item.path:
        turn.end()
    return result
