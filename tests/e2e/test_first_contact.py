"""What the README promises to a first visitor: the demo, and a cluster to follow it by hand."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.testbed.hosts import RUNS
from tests.testbed.processes import Child, wait_until
from tests.testbed.scenarios import SCENARIOS
from tests.testbed.stage import ROOT

pytestmark = pytest.mark.quiet


DEMO = [sys.executable, "-m", "tests.testbed.demo"]


def left_behind(pid: int) -> list[str]:
    """Folders of hosts that a process started, and processes that work in them."""
    mine = str(RUNS / f"{pid}-")
    working = [each.read_bytes().replace(b"\0", b" ").decode() for each in Path("/proc").glob("[0-9]*/cmdline")]
    return [*map(str, RUNS.glob(f"{pid}-*")), *(command for command in working if mine in command)]


def demo(*arguments: str) -> tuple[int, str, str]:
    """Its exit status, output and complaints; nothing of it is left."""
    pipe = subprocess.PIPE
    with subprocess.Popen(
        [*DEMO, *arguments], cwd=ROOT, stdin=subprocess.DEVNULL, stdout=pipe, stderr=pipe, text=True
    ) as running:
        output, complaints = running.communicate(timeout=280)
    assert left_behind(running.pid) == []
    return running.returncode, output, complaints


def test_the_demo_leads_a_leak_to_a_verified_fix() -> None:
    status, text, complaints = demo("--approve=yes")
    assert status == 0, text + complaints
    told = ["The operator triages", "The decision packet", "The operator acts", "The report", "Ended as it must."]
    assert [each for each in told if each in text] == told
    assert "restart api-gateway.service on api-gateway-03" in text
    assert "ApprovalGranted by alice@example.com" in text
    assert "  api-gateway-03: restart-unit" in text
    (samples,) = re.findall(r"Passed: (\d+) samples, window 1m", text)
    assert int(samples) >= 4


def test_the_demo_of_a_miner_needs_no_approver_and_changes_nothing() -> None:
    status, text, complaints = demo("--scenario=miner")
    assert status == 0, text + complaints
    assert "SecurityIncident" in text
    assert "  none on any host" in text


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
        assert local("up").strip() == told[told.index("A cluster runs") :].strip()
    finally:
        assert "stopped and removed" in local("down")
    assert left_behind(keeper) == []
    assert "No cluster of ours runs" in local("down")
