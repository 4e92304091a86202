"""What is built with Go is kept by what it is built of, and whoever cannot build hears what to install."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.testbed.go_build import GoBuild, MissingError, required_version


@pytest.fixture
def build(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> GoBuild:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("PATH", str(tmp_path / "nothing"))
    source = tmp_path / "source"
    (source / "part").mkdir(parents=True)
    (source / "go.mod").write_text(
        "module x\n\nrequire (\n\texample.com/a v1.2.3 // indirect\n\texample.com/ab v9.9.9\n)\n"
    )
    (source / "part" / "main.go").write_text("package main")
    return GoBuild("it-v1", source, packages=("./part",), programs=("part",), takes="a while")


def test_without_go_it_says_what_to_install(build: GoBuild) -> None:
    with pytest.raises(MissingError, match="no Go toolchain to build it-v1: install Go"):
        build.ensure()


def test_what_was_built_needs_no_go(build: GoBuild) -> None:
    build.directory.mkdir(parents=True)
    (build.directory / "part").touch(mode=0o755)
    assert build.ensure() == build.directory


def test_another_source_is_another_build(build: GoBuild) -> None:
    before = build.directory
    (build.source / "part" / "main.go").write_text("package main // changed")
    assert build.directory != before


def test_the_version_of_a_module_is_what_go_mod_requires(build: GoBuild) -> None:
    assert required_version(build.source, "example.com/a") == "v1.2.3"
    with pytest.raises(AssertionError, match=r"example\.com/b"):
        required_version(build.source, "example.com/b")
