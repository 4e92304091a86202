"""What lint says of each thing that it refuses, word for word, with its line."""

from __future__ import annotations

import pytest

from firstresponder.runbooks.manifest import judge, read_manifests
from tests.unit.runbooks.refused import GOOD, REFUSALS, VERIFY, Refusal


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
