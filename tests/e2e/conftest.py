"""Fixtures of the end-to-end tests: a prepared host, a namespace with a quick runbook, a running operator."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e import records
from tests.e2e.scenes import Scene, Scenes, plays
from tests.testbed.cluster import Cluster
from tests.testbed.hosts import Host, Hosts
from tests.testbed.operator import Operator
from tests.testbed.stage import Stage, quick, shipped


@pytest.fixture
def host(hosts: Hosts) -> Iterator[Host]:
    """api-gateway-03, freshly booted and prepared, its service healthy."""
    started = hosts.start("api-gateway-03")
    started.wait_until_healthy()
    yield started
    started.stop()


@pytest.fixture
def stage(cluster: Cluster, namespace: str, host: Host) -> Iterator[Stage]:
    """The host registered, no runbook yet. In the end there is a report of every incident that ended."""
    prepared = Stage(cluster, namespace)
    prepared.add_host(host)
    yield prepared
    records.assert_records(prepared)


@pytest.fixture
def operator(stage: Stage, tmp_path: Path) -> Iterator[Operator]:
    """A running operator, and the quick form of high-cpu accepted by it."""
    with Operator(stage.cluster, stage.namespace, tmp_path / "operator", preloaded=True) as running:
        stage.add_runbook(quick(shipped()))
        yield running


@pytest.fixture(scope="module")
def scenes(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scenes]:
    """For tests that run at the same time: see tests/e2e/scenes.py."""
    crew = Scenes(cluster, tmp_path_factory.mktemp("scenes"))
    yield crew
    crew.end()


@pytest.fixture
def scene(scenes: Scenes) -> Iterator[Scene]:
    """For a test that harms the cluster, so that no other may run at the same time. The first tests of a module."""
    with scenes.open() as opened:
        yield opened


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Tests that take `scenes` run in its threads, not in pytest's."""
    if not plays(pyfuncitem):
        return None
    crew = pyfuncitem.funcargs["scenes"]
    assert isinstance(crew, Scenes)
    crew.play(pyfuncitem)
    return True
