"""What the README promises beside the demo's end: clear words, no traces, a cluster to go on with."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.visitor import DEMO, demo, left_behind
from tests.testbed.processes import Child, wait_until
from tests.testbed.scenarios import SCENARIOS
from tests.testbed.stage import ROOT


def test_the_demo_names_its_scenarios_with_a_line_each() -> None:
    status, text, complaints = demo("--scenario=list")
    assert (status, complaints) == (0, "")
    assert [line.split()[0] for line in text.splitlines()] == list(SCENARIOS)


@pytest.mark.parametrize(
    ("arguments", "remedy"),
    [(["--scenario=nothing"], "there are: leak, miner"), ([], "make demo APPROVE=yes")],
    ids=["unknown scenario", "nobody to ask"],
)
def test_a_demo_that_cannot_run_says_what_to_do_before_it_starts_anything(arguments: list[str], remedy: str) -> None:
    status, text, complaints = demo(*arguments)
    assert (status, text) == (2, "")
    assert remedy in complaints


def test_ctrl_c_stops_what_the_demo_started(tmp_path: Path) -> None:
    log = tmp_path / "log"
    child = Child([*DEMO, "--approve=yes"], log, cwd=ROOT)
    wait_until(lambda: "Starting the operator" in log.read_text(), 60, "the demo to be under way", child)
    assert left_behind(child.pid) != []
    os.kill(child.pid, signal.SIGINT)
    assert child.wait(60) == 130
    assert "what was started is stopped" in log.read_text()
    assert left_behind(child.pid) == []


def test_a_cluster_stays_for_the_reader_and_goes_when_told(tmp_path: Path) -> None:
    state = f"--state={tmp_path / 'cluster'}"

    def local(command: str) -> str:
        argv = [sys.executable, "-m", "tests.testbed.local", command, state]
        return subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, timeout=120, check=True).stdout

    told = local("up")
    variables = dict(re.findall(r"^export (KUBECONFIG|PATH)=(.*)$", told, re.MULTILINE))
    environment = {**os.environ, **{name: os.path.expandvars(value) for name, value in variables.items()}}

    def kubectl(*arguments: str) -> str:
        ran = subprocess.run(
            ["kubectl", *arguments], env=environment, capture_output=True, text=True, timeout=60, check=True
        )
        return ran.stdout

    keeper = int((tmp_path / "cluster" / "pid").read_text())
    try:
        assert left_behind(keeper) != []
        assert kubectl("auth", "whoami", "-o", "jsonpath={.status.userInfo.username}") == "alice@example.com"
        assert "high-cpu" in kubectl("get", "runbooks")
        (way_in,) = re.findall(r"^Enter a host, as root: +(nsenter .*) bash --login$", told, re.MULTILINE)
        entered = subprocess.run(["sh", "-c", f"{way_in} hostname"], capture_output=True, text=True, check=True)
        assert entered.stdout == "api-gateway-03\n"
        assert local("up").strip() == told[told.index("A cluster runs") :].strip()
    finally:
        assert "stopped and removed" in local("down")
    assert left_behind(keeper) == []
    assert "No cluster of ours runs" in local("down")
