"""Operators of tests that do not come up, and what is left of them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from tests.testbed import operator
from tests.testbed.cluster import Cluster
from tests.testbed.operator import Operator
from tests.testbed.processes import Child

ROOT = Path(__file__).parents[3]
SLEEPS = (
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('here', flush=True); time.sleep(600)"
)


def test_an_operator_whose_start_times_out_is_gone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    around: Any = SimpleNamespace(operator_kubeconfig=lambda **_: tmp_path / "kubeconfig")
    never = Operator(cast(Cluster, around), "prod", tmp_path)
    child = Child([sys.executable, "-c", SLEEPS], tmp_path / "operator.log")
    monkeypatch.setattr(operator, "START_TIMEOUT", 0.1)

    def launch() -> Child:
        never._child = child
        return child

    monkeypatch.setattr(never, "launch", launch)
    try:
        with pytest.raises(TimeoutError, match="the operator: not within"):
            never.start()
        assert not child.running
    finally:
        child.kill()


def test_a_copy_that_will_not_end_keeps_no_test_run_from_ending(tmp_path: Path) -> None:
    (tmp_path / "stays.py").write_text(SLEEPS)
    program = f"""if True:
        import os, time
        from pathlib import Path
        from tests.testbed.preloaded import PreloadedChild

        log = Path({str(tmp_path / "log")!r})
        child = PreloadedChild("stays", [], log, env=os.environ, cwd=log.parent)
        while "here" not in log.read_text():
            time.sleep(0.01)
        print(child.pid)
    """
    path = os.pathsep.join([str(ROOT / "operator"), str(ROOT)])
    # A run that does not end is ended by the time-out, and fails.
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    assert not Path(f"/proc/{done.stdout.strip()}").exists()
