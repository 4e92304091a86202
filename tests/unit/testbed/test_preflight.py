"""The first line that a person sees on a machine that lacks something says what to do."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from tests.testbed import components, preflight


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A Linux machine with root, but nothing on PATH and nothing built. The folder that is its PATH."""
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("KUBEBUILDER_ASSETS", raising=False)
    (tmp_path / "bin").mkdir()
    return tmp_path / "bin"


def provide(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).touch(mode=0o755)


def first_line(capsys: pytest.CaptureFixture[str], *needs: str) -> str:
    assert preflight.main(needs) == 1
    return capsys.readouterr().out.splitlines()[0]


@pytest.mark.usefixtures("bare")
def test_without_go_and_components_it_asks_for_either(capsys: pytest.CaptureFixture[str]) -> None:
    line = first_line(capsys, "cluster", "hosts")
    assert line.startswith("error: no Go toolchain")
    assert "install Go" in line
    assert "KUBEBUILDER_ASSETS" in line


def test_with_go_a_cluster_can_be_had(bare: Path) -> None:
    provide(bare, "go")
    assert preflight.main(["cluster"]) == 0


def test_given_components_need_no_go(bare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    provide(bare, *components.INDISPENSABLE)
    monkeypatch.setenv("KUBEBUILDER_ASSETS", str(bare))
    assert preflight.main(["cluster"]) == 0
    given = components.available()
    assert given is not None
    assert given["kubectl"] == bare / "kubectl"


def test_given_components_that_are_not_enough_are_named(
    bare: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    provide(bare, "go", "etcd", "kubectl")
    monkeypatch.setenv("KUBEBUILDER_ASSETS", str(bare))
    assert "has no kube-apiserver" in first_line(capsys, "cluster")


@pytest.mark.usefixtures("bare")
def test_hosts_ask_for_root(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    line = first_line(capsys, "hosts")
    assert "needs root" in line
    assert "make test-unit" in line


@pytest.mark.usefixtures("bare")
def test_another_system_is_named(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    assert "runs on Linux, this is darwin" in first_line(capsys, "cluster")


@pytest.mark.usefixtures("bare")
def test_without_root_a_missing_package_is_named(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert "apt-get install shellcheck" in first_line(capsys, "lint")


def test_an_old_python_is_named(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "version_info", (3, 9, 2))
    line = first_line(capsys, "python")
    assert "is Python 3.9" in line
    assert "PYTHON=" in line


def test_a_kind_cluster_says_where_to_read_on_when_control_groups_are_too_new(
    bare: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    provide(bare, "go", *preflight.HOST_PROGRAMS, *preflight.KIND_PROGRAMS)
    (bare / "cgroup.controllers").touch()
    monkeypatch.setattr(preflight, "CGROUPS", bare)
    line = first_line(capsys, "kind")
    assert "control groups version 1 only" in line
    assert "docs/install-kind.md#with-docker" in line


def test_with_the_programs_and_old_control_groups_a_kind_cluster_can_be_had(
    bare: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    provide(bare, "go", *preflight.HOST_PROGRAMS, *preflight.KIND_PROGRAMS)
    monkeypatch.setattr(preflight, "CGROUPS", bare)
    assert preflight.main(["kind"]) == 0
