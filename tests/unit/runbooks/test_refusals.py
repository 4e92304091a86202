"""What lint says of each thing that it refuses, word for word, with its line."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from firstresponder.replay.test_cases import run_tests
from firstresponder.runbooks.manifest import judge, read_manifests
from tests.unit.runbooks.refused import GOOD, REFUSALS, TESTS, VERIFY, Refusal


def said(text: str) -> list[str]:
    """Every problem as it is printed, without the file's name."""
    manifests, unreadable = read_manifests("full.yaml", text)
    findings = [*unreadable, *(finding for _, problems in judge(manifests) for finding in problems)]
    return [str(finding).removeprefix("full.yaml:") for finding in findings]


def test_the_runbook_that_is_spoilt_here_is_good() -> None:
    assert said(GOOD) == []


@pytest.mark.parametrize("refusal", REFUSALS, ids=lambda refusal: refusal.name)
def test_a_refusal_names_line_field_and_what_to_do(refusal: Refusal) -> None:
    assert said(refusal.text) == list(refusal.said)


def test_all_problems_are_told_at_once_in_the_order_of_the_file() -> None:
    text = (
        GOOD.replace(VERIFY, "")
        .replace("uptime", "kill")
        .replace("    when: disk.availableBytes < 1000", "    when: !x")
    )
    assert [each.partition(": ")[0] for each in said(text)] == ["5:1", "17:22", "34:5"]


def _places(content: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    yield path
    entries = content.items() if isinstance(content, dict) else enumerate(content) if isinstance(content, list) else ()
    for key, value in entries:
        yield from _places(value, (*path, key))


CONTENT = yaml.safe_load(f"{GOOD}{TESTS}")
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["name", "type", "x"]), inner),
    max_leaves=4,
)


@given(st.sampled_from(list(_places(CONTENT))), ANYTHING)
def test_whatever_stands_somewhere_lint_ends_and_the_cases_of_what_it_passes_can_be_run(
    place: tuple[str | int, ...], value: Any
) -> None:
    content = copy.deepcopy(CONTENT)
    whole: Any = {"file": content}
    *around, last = ("file", *place)
    target = whole
    for part in around:
        target = target[part]
    target[last] = value
    manifests, _ = read_manifests("x.json", json.dumps(whole["file"]))
    for manifest, findings in judge(manifests):
        if not findings and manifest.kind == "Runbook":
            run_tests(manifest.spec)
