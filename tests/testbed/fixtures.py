"""pytest fixtures: the cluster of the session, and a fresh namespace for each test."""

from __future__ import annotations

import secrets
from collections.abc import Iterator

import pytest

from tests.testbed import components
from tests.testbed.cluster import Cluster
from tests.testbed.go_build import MissingError


@pytest.hookimpl(trylast=True)
def pytest_collection_finish(session: pytest.Session) -> None:
    """Build what the collected tests need before the first starts: minutes, which no test's time-out covers."""
    asking = [item for item in session.items if "cluster" in getattr(item, "fixturenames", ())]
    if all("unit" in item.path.parts for item in asking):  # what they call so is in memory
        return
    capture = session.config.pluginmanager.getplugin("capturemanager")
    try:
        with capture.global_and_fixture_disabled():
            components.ensure()
    except MissingError as missing:
        raise pytest.UsageError(str(missing)) from None


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A real API server with the project's manifests, shared by the session's tests.

    A test that changes something outside its own namespace puts it back (`cluster.install()`).
    """
    with Cluster.start(tmp_path_factory.mktemp("cluster")) as running:
        yield running


@pytest.fixture
def namespace(cluster: Cluster) -> Iterator[str]:
    """A fresh namespace for one test, watched by the operator, with people who may do their part.

    It is deleted afterwards, without waiting until it is gone.
    """
    name = f"test-{secrets.token_hex(4)}"
    cluster.api().create("/api/v1/namespaces", {"metadata": {"name": name}})
    cluster.watch(name)
    yield name
    cluster.api().delete(f"/api/v1/namespaces/{name}")
