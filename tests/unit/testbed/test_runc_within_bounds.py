"""Where a machine lacks a capability, containers ask for all others."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.testbed.kind.docker import WITHIN_BOUNDS

ASKED = {"bounding": ["CAP_CHOWN", "CAP_SYS_RESOURCE"], "effective": ["CAP_SYS_RESOURCE"], "inheritable": []}
REDUCED = {"bounding": ["CAP_CHOWN"], "effective": [], "inheritable": []}


@pytest.fixture
def runc(tmp_path: Path) -> dict[str, str]:
    """An environment in which runc tells what it was called with."""
    program = tmp_path / "bin" / "runc"
    program.parent.mkdir()
    program.write_text('#!/bin/sh\necho "$@"\n')
    program.chmod(0o755)
    return {"PATH": f"{program.parent}:{os.environ['PATH']}"}


def call(environment: dict[str, str], *arguments: str | Path) -> str:
    return subprocess.run(
        [WITHIN_BOUNDS, *arguments], env=environment, capture_output=True, text=True, check=True
    ).stdout.strip()


def test_a_container_is_created_without_it(runc: dict[str, str], tmp_path: Path) -> None:
    config: dict[str, Any] = {"process": {"args": ["init"], "capabilities": ASKED}, "root": {"path": "rootfs"}}
    (tmp_path / "config.json").write_text(json.dumps(config))
    assert call(runc, "create", "--bundle", tmp_path, "name") == f"create --bundle {tmp_path} name"
    written = json.loads((tmp_path / "config.json").read_text())
    assert written == {"process": {"args": ["init"], "capabilities": REDUCED}, "root": {"path": "rootfs"}}


def test_a_process_joins_a_container_without_it(runc: dict[str, str], tmp_path: Path) -> None:
    process = tmp_path / "process.json"
    process.write_text(json.dumps({"args": ["sh"], "capabilities": ASKED}))
    call(runc, "exec", "--process", process, "name")
    assert json.loads(process.read_text()) == {"args": ["sh"], "capabilities": REDUCED}


def test_every_other_command_is_runcs_own(runc: dict[str, str]) -> None:
    assert call(runc, "delete", "--force", "name") == "delete --force name"
