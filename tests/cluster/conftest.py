"""Fixtures of the cluster tests: a namespace as its people see it, and an operator for it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.testbed.cluster import Cluster
from tests.testbed.operator import Operator
from tests.testbed.stage import Stage


@pytest.fixture
def stage(cluster: Cluster, namespace: str) -> Stage:
    return Stage(cluster, namespace)


@pytest.fixture
def operator(stage: Stage, tmp_path: Path) -> Iterator[Operator]:
    with Operator(stage.cluster, stage.namespace, tmp_path, preloaded=True) as running:
        yield running
