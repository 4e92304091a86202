"""The commands that an image is made with."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO


class BuildError(Exception):
    """The image cannot be made here; the text says why."""


def run(
    argv: Sequence[str],
    *,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    stdin: IO[bytes] | None = None,
) -> str:
    """The output of a command. Raises BuildError with what it complained of."""
    source = subprocess.DEVNULL if stdin is None else stdin
    try:
        done = subprocess.run(argv, cwd=cwd, env=env, stdin=source, capture_output=True, text=True, check=False)
    except FileNotFoundError as missing:
        raise BuildError(f"no {argv[0]} here: the image is made on Debian 12, with apt, dpkg and uv") from missing
    if done.returncode:
        raise BuildError(f"{' '.join(argv)} failed:\n{(done.stdout + done.stderr).strip()[-2000:]}")
    return done.stdout
