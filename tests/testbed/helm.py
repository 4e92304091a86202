"""Helm, built from its Go module: the chart is rendered, checked and installed with the real one."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

from tests.testbed import processes
from tests.testbed.go_build import GoBuild, required_version

SOURCE = Path(__file__).parent / "helm"


def build() -> GoBuild:
    """The program `helm`."""
    version = required_version(SOURCE, "helm.sh/helm/v4")
    return GoBuild(
        f"helm-{version}",
        SOURCE,
        packages=("helm.sh/helm/v4/cmd/helm",),
        programs=("helm",),
        takes="about 3 minutes",
        stamps=(("helm.sh/helm/v4/internal/version.version", version),),
    )


def ensure() -> Path:
    """The program, built first when it has to be. Raises MissingError."""
    return build().ensure() / "helm"


def run(
    *arguments: str | Path, home: Path, environment: Mapping[str, str] | None = None, check: bool = True
) -> subprocess.CompletedProcess[str]:
    """Run helm, with what it remembers in `home`. Raises AssertionError with its complaint if it fails and `check`."""
    base = os.environ if environment is None else environment
    return processes.run([ensure(), *arguments], {**base, **homes(home)}, check=check)


def homes(directory: Path) -> dict[str, str]:
    """The variables that have helm remember what it does in a folder, and nowhere else."""
    return dict.fromkeys(("HELM_CACHE_HOME", "HELM_CONFIG_HOME", "HELM_DATA_HOME"), str(directory))
