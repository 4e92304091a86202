"""Fixtures of the kind tests: one cluster with the chart installed in it, and hosts that its pods can reach."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import cast

import pytest

from tests.testbed.cluster import Cluster
from tests.testbed.hosts import Host, Hosts
from tests.testbed.kind import release
from tests.testbed.kind.cluster import KindCluster
from tests.testbed.stage import Stage

WATCHED = "prod"
_NUMBERS = itertools.count(11)  # the lower ones are those of tests/testbed/surroundings.py


@pytest.fixture(scope="session")
def kind(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KindCluster]:
    """A kind cluster with the operator ready in its pod, watching one namespace."""
    with KindCluster.start(tmp_path_factory.mktemp("kind")) as cluster:
        release.prepare(cluster, [WATCHED])
        release.install(cluster, [WATCHED])
        yield cluster


@pytest.fixture(scope="session")
def stage(kind: KindCluster) -> Stage:
    """The watched namespace as people see it."""
    return Stage(cast(Cluster, kind), WATCHED)  # it asks a cluster for nothing but the API as somebody sees it


@pytest.fixture(scope="session")
def hosts(hosts: Hosts, kind: KindCluster) -> Hosts:
    """The testbed's, which the pods can reach."""
    kind.join(hosts)
    return hosts


@pytest.fixture
def host(hosts: Hosts, stage: Stage) -> Iterator[Host]:
    """A prepared and registered host of its own for a test: what one did to it would count against the next."""
    started = hosts.start(f"api-gateway-{next(_NUMBERS)}")
    stage.add_host(started)
    yield started
    started.stop()
