"""What a container of the operator's image runs, and as whom; tests/kind builds and runs it."""

from __future__ import annotations

import re
from importlib.util import find_spec
from typing import Any

import pytest
from image import build
from image.run import BuildError

CONFIG = build.config("1.2.3", "0123abc")


def test_it_runs_as_nobody_by_a_number_that_kubernetes_can_check() -> None:
    user, group = map(int, CONFIG["User"].split(":"))
    assert user == group == build.USER
    assert user > 0


def test_it_starts_the_operator_without_a_shell() -> None:
    python, option, module = CONFIG["Entrypoint"]
    assert (python, option) == (f"/usr/bin/{build.PYTHON}", "-m")
    assert find_spec(module) is not None


def test_it_says_what_it_is_and_of_which_revision() -> None:
    labels = {key.removeprefix("org.opencontainers.image."): value for key, value in CONFIG["Labels"].items()}
    assert (labels["version"], labels["revision"], labels["licenses"]) == ("1.2.3", "0123abc", "Apache-2.0")


def test_no_package_brings_a_shell_or_an_installer() -> None:
    assert not [name for name in build.PACKAGES if re.fullmatch(r"(da|ba)sh|busybox|coreutils|apt|dpkg|.*pip.*", name)]


def test_the_archive_is_named_after_the_version_of_the_project() -> None:
    assert build.archive_path().name == f"firstresponder-{build.project_version()}-image.tar"


def test_the_sbom_lies_beside_the_archive_under_its_name() -> None:
    assert build.sbom_path() == build.archive_path().parent / f"{build.archive_path().stem}.cdx.json"


def test_a_wheel_that_was_not_locked_is_refused_though_its_version_was() -> None:
    lock = (build.ROOT / "requirements.lock").read_text()
    known = re.findall(r"--hash=sha256:(\w+)", lock)[0]

    def offered(digest: str) -> dict[str, Any]:
        return {"packages": [{"wheels": [{"url": "https://example.com/it.whl", "hashes": {"sha256": digest}}]}]}

    build.require_locked(offered(known))
    with pytest.raises(BuildError, match=r"it\.whl is not in requirements\.lock"):
        build.require_locked(offered("0" * 64))
