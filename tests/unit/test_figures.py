"""The page of the benchmarks: figures as they were measured, and no good news that nobody has seen."""

from __future__ import annotations

import pytest
from benchmarks import figures
from benchmarks.figures import Section, at_least, at_most, with_section
from benchmarks.machine import Conditions


@pytest.fixture(autouse=True)
def quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(figures, "conditions", lambda: Conditions(load=0.5, busy=0.1))


def measured(title: str, *values: float, goal: figures.Goal | None = None) -> Section:
    section = Section(title, "How.")
    for value in values:
        section.begin_sample()
        section.record("until the end", "s", value, goal)
    return section


def row(section: Section) -> list[str]:
    line = next(line for line in section.markdown().splitlines() if line.startswith("| until"))
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_a_row_has_minimum_median_maximum_and_what_the_machine_did() -> None:
    section = measured("A", 3.0, 1.0, 200.0)
    assert row(section) == ["until the end, s", "1.00", "3.00", "200", "", "", "3", "0.5"]
    assert "before a sample 0.1 of" in section.markdown()


@pytest.mark.parametrize(
    ("goal", "verdict"),
    [(at_most(2), "met"), (at_most(1.9), "**missed**"), (at_least(2), "met"), (at_least(2.1), "**missed**")],
)
def test_a_goal_is_held_to_the_median(goal: figures.Goal, verdict: str) -> None:
    assert row(measured("A", 1.0, 2.0, 9.0, goal=goal))[5] == verdict


def test_what_was_not_measured_says_why() -> None:
    section = measured("A", 1.0)
    section.leave_out("another", "it is not installed")
    assert "| another | | | | | not measured: it is not installed | | |" in section.markdown()


def test_a_section_takes_the_place_of_its_older_self_and_leaves_the_others() -> None:
    page = ""
    for section in (measured("A", 1.0), measured("B", 2.0), measured("A", 3.0)):
        page = with_section(page, section.markdown())
    assert [line for line in page.splitlines() if line.startswith("## ")] == [
        "## Goals that are missed",
        "## A",
        "## B",
    ]
    assert "1.00" not in page
    assert with_section(page, measured("A", 3.0).markdown()) == page


def test_the_page_begins_with_the_goals_that_are_missed() -> None:
    page = with_section("", measured("A", 3.0, goal=at_most(2)).markdown())
    assert "- A: until the end, s: 3.00 instead of ≤ 2\n" in page
    page = with_section(page, measured("A", 1.0, goal=at_most(2)).markdown())
    assert "None of those that were measured." in page
