"""The runbook author's guide: each step is a valid file, the last one is the example, and lint says what is quoted."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from firstresponder.cli.plugins.runbook import main
from firstresponder.replay.test_cases import run_tests
from firstresponder.runbooks.manifest import judge, read_manifests

ROOT = Path(__file__).parents[2]
GUIDE = (ROOT / "docs" / "runbook-guide.md").read_text()
EXAMPLE = (ROOT / "examples" / "mail-worker.yaml").read_text()
FILE = "mail-worker.yaml"
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", GUIDE, re.MULTILINE | re.DOTALL)


def _built() -> Iterator[dict[str, Any]]:
    """The runbook after each step."""
    built: dict[str, Any] = {}
    for language, text in BLOCKS:
        if language == "yaml":
            built = _added(built, yaml.safe_load(text))
            yield built


def _added(before: Any, piece: Any) -> Any:
    """What becomes of a file when a piece of the guide is added: an entry replaces the one of its name."""
    match before, piece:
        case dict(), dict():
            return {**before, **{key: _added(before.get(key), value) for key, value in piece.items()}}
        case [{"name": _}, *_], [{"name": _}, *_]:
            named = {each["name"]: each for each in piece}
            return [*(named.pop(each["name"], each) for each in before), *named.values()]
        case _:
            return piece


def _in_any_order(content: Any) -> Any:
    """Named entries of a list in the order of the alphabet: each looks up its neighbours by name."""
    match content:
        case dict():
            return {key: _in_any_order(value) for key, value in content.items()}
        case [{"name": _}, *_]:
            return sorted((_in_any_order(each) for each in content), key=lambda each: str(each["name"]))
        case _:
            return content


@dataclass(frozen=True)
class Mistake:
    """A change of the finished file, and what lint says to it."""

    taken: str
    put: str
    said: str


def _mistakes() -> Iterator[Mistake]:
    for (language, change), (_, said) in pairwise(BLOCKS):
        if language == "diff":
            lines = [(line[0], line[1:] + "\n") for line in change.splitlines()]
            taken, put = ("".join(text for sign, text in lines if sign == wanted) for wanted in "-+")
            yield Mistake(taken, put, said)


def _ran(directory: Path, command: str, content: str) -> str:
    """What `kubectl runbook COMMAND mail-worker.yaml` prints."""
    (directory / FILE).write_text(content)
    before = Path.cwd()
    os.chdir(directory)
    try:
        shown = CliRunner().invoke(main, [command, FILE], env={"COLUMNS": "80"}).output
        return "".join(f"{line.rstrip()}\n" for line in shown.splitlines())
    finally:
        os.chdir(before)


def test_the_file_is_valid_after_each_step() -> None:
    steps = list(_built())
    assert len(steps) > 7
    for number, step in enumerate(steps):
        manifests, unreadable = read_manifests(f"step {number}", yaml.safe_dump(step))
        assert [*map(str, unreadable), *(str(each) for _, found in judge(manifests) for each in found)] == []
        (manifest,) = manifests
        assert [each for each in run_tests(manifest.spec) if not each.passed] == []


def test_the_last_step_is_the_example() -> None:
    *_, last = _built()
    assert _in_any_order(last) == _in_any_order(yaml.safe_load(EXAMPLE))


@pytest.mark.parametrize("mistake", [*_mistakes()], ids=lambda mistake: mistake.put.strip()[:40])
def test_lint_says_what_is_quoted(mistake: Mistake, tmp_path: Path) -> None:
    assert EXAMPLE.count(mistake.taken) == 1, mistake.taken
    wrong = EXAMPLE.replace(mistake.taken, mistake.put)
    assert f"$ kubectl runbook lint {FILE}\n" + _ran(tmp_path, "lint", wrong) == mistake.said


@pytest.mark.parametrize("command", ["lint", "test"])
def test_lint_and_test_of_the_example_print_what_is_quoted(command: str, tmp_path: Path) -> None:
    prompt = f"$ kubectl runbook {command} {FILE}\n"
    quoted = [text.removeprefix(prompt) for _, text in BLOCKS if text.startswith(prompt) and "problem in" not in text]
    assert len(quoted) == 1
    beginning, _, end = quoted[0].rpartition("…\n")
    printed = _ran(tmp_path, command, EXAMPLE)
    assert printed.startswith(beginning)
    assert printed.endswith(end)
