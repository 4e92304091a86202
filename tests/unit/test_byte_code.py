"""An image may hold byte code alone: the operator and every plugin run without their sources."""

from __future__ import annotations

import compileall
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROGRAMS = {
    "operator": "from firstresponder.main import main; main(['run', '--help'])",
    "incident": "from firstresponder.cli.plugins import PLUGINS; PLUGINS['incident'].main(['describe', '--help'])",
    "runbook": "from firstresponder.cli.plugins import PLUGINS; PLUGINS['runbook'].main(['lint', 'runbooks'])",
    "test": "from firstresponder.cli.plugins import PLUGINS; PLUGINS['runbook'].main(['test', 'runbooks'])",
    "approve": "from firstresponder.cli.plugins import PLUGINS; PLUGINS['approve'].main(['--help'])",
    "deny": "from firstresponder.cli.plugins import PLUGINS; PLUGINS['deny'].main(['--help'])",
    "judge": "import firstresponder.controller.judge_process",
    "complete": "from firstresponder.cli.commands.complete import answer; "
    "from firstresponder.cli.plugins import PLUGINS; print(answer(PLUGINS['incident'], ['de']))",
}


@pytest.fixture(scope="module")
def without_sources(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("image")
    ignored = shutil.ignore_patterns("__pycache__", "codegen")
    shutil.copytree(ROOT / "operator" / "firstresponder", folder / "firstresponder", ignore=ignored)
    assert compileall.compile_dir(folder / "firstresponder", quiet=1, legacy=True)
    for source in (folder / "firstresponder").rglob("*.py"):
        source.unlink()
    return folder


def run(folder: Path, program: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(folder)}
    program = f"import firstresponder; assert firstresponder.__file__.startswith({str(folder)!r})\n{program}"
    command = [sys.executable, "-c", program]
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=environment, check=False)


@pytest.mark.parametrize("program", PROGRAMS)
def test_every_program_runs_from_byte_code_alone_and_without_what_generates(
    without_sources: Path, program: str
) -> None:
    done = run(without_sources, PROGRAMS[program])
    assert (done.returncode, "Traceback" in done.stderr) == (0, False), done.stderr


def test_a_field_that_is_missing_or_unknown_is_named_without_sources_too(without_sources: Path, tmp_path: Path) -> None:
    text = (ROOT / "runbooks" / "disk-full.yaml").read_text()
    (tmp_path / "bad.yaml").write_text(text.replace("  match:", "  mach:", 1))
    lint = f"from firstresponder.cli.plugins import PLUGINS; PLUGINS['runbook'].main(['lint', {str(tmp_path)!r}])"
    done = run(without_sources, lint)
    assert done.returncode == 1
    assert "spec.match: missing: write it" in done.stdout
    assert "mach" in done.stdout
    assert "cannot be evaluated" not in done.stdout
