"""Every package that runs with the operator is there with its licence, and none that only develops it."""

from __future__ import annotations

from email.message import Message
from importlib.metadata import Distribution
from typing import cast

import pytest

from firstresponder.codegen import licences


class Package:
    """A distribution that says this of itself."""

    def __init__(self, **said: str) -> None:
        self.metadata = Message()
        self.metadata["Name"] = "made-up"
        for name, value in said.items():
            self.metadata[name.replace("_", "-")] = value


def said(**metadata: str) -> str:
    return licences.licence(cast(Distribution, Package(**metadata)))


def test_what_runs_is_listed_and_what_only_develops_is_not() -> None:
    (page,) = licences.files().values()
    packages = {line.split(" | ")[0].removeprefix("| ") for line in page.splitlines() if line.startswith("| ")}
    assert {"kopf", "asyncssh", "pydantic", "pydantic-core", "yarl"} <= packages
    assert not packages & {"firstresponder", "pytest", "mypy", "matplotlib", "hatchling"}


def test_a_licence_is_what_the_package_says_first() -> None:
    assert said(License_Expression="MIT", License="see LICENSE") == "MIT"
    assert said(License="Apache 2.0\n\nall of its text") == "Apache 2.0"
    assert said(Classifier="License :: OSI Approved :: BSD License") == "BSD License"


def test_a_package_without_a_licence_is_an_error() -> None:
    with pytest.raises(ValueError, match="made-up names no licence"):
        said()
