"""Contents that exhaust whoever judges them, applied by one who may apply Runbooks: the incidents of others go on."""

from __future__ import annotations

import copy
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.testbed.operator import Operator
from tests.testbed.stage import Stage, shipped

ONES = f"[{','.join(['1'] * 99)}]"
SLOW = f"{ONES}.all(a, {ONES}.all(b, !'{'ab' * 1200}'.matches('^(a|b)*(a|b)*(a|b)*c$')))"
LARGE = f"{ONES}.map(a, {ONES}.map(b, {ONES}.map(c, '{'x' * 2000}')))"


def runbook(name: str, expression: str) -> dict[str, Any]:
    document = copy.deepcopy(shipped())
    document["metadata"] = {"name": name}
    document["spec"]["match"] = {"types": [name]}
    document["spec"]["variables"].append({"name": "hostile", "expression": expression})
    return document


@pytest.fixture
def operator(stage: Stage, tmp_path: Path) -> Iterator[Operator]:
    with Operator(stage.cluster, stage.namespace, tmp_path) as running:
        yield running


@pytest.mark.parametrize(("name", "expression"), [("slow", SLOW), ("large", LARGE)])
def test_a_content_that_exhausts_its_judge_is_refused_while_incidents_go_on(
    stage: Stage, operator: Operator, name: str, expression: str
) -> None:
    stage.apply(runbook(name, expression))
    stage.wait_until_ended(stage.open_incident("meanwhile", type="Unheard"))
    assert operator.health()[0] == 200
    stage.wait(lambda: stage.condition("runbooks", name, "Ready") == "False", "the runbook to be refused")
    assert stage.condition("runbooks", name, "Stalled") == "True"
    stage.add_runbook(shipped())
    stage.wait_until_ended(stage.open_incident("theirs", type=name))
    assert stage.reason("theirs") == "InvalidRunbook"
    assert operator.running


def test_a_judge_that_is_killed_is_replaced(stage: Stage, operator: Operator) -> None:
    stage.add_runbook(shipped())
    (judge,) = judges_of(operator)
    os.kill(judge, signal.SIGKILL)
    stage.add_runbook(runbook("second", "cpuHigh"))
    (other,) = judges_of(operator)
    assert other != judge
    assert operator.running


def judges_of(operator: Operator) -> list[int]:
    """The operator's processes that judge."""
    children = Path(f"/proc/{operator.pid}/task/{operator.pid}/children").read_text().split()
    return [int(each) for each in children if b"judge_process" in Path(f"/proc/{each}/cmdline").read_bytes()]
