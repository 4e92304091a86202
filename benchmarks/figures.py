"""Figures as they are measured, and the page that holds them.

    section = Section("A restart", "How it is measured.")
    for _ in range(3):
        section.begin_sample()                               # what else the machine does
        section.record("from its start to its end", "s", 2.1, at_most(4))
    section.markdown()

A goal is held to the median. A page keeps what was measured before of sections that were not measured again.
"""

from __future__ import annotations

import re
import statistics
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import click

from benchmarks.machine import Conditions, conditions, machine, processors

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "performance.md"

_MISSED = "**missed**"
_HEAD = (
    "| | min | median | max | goal | | samples | load |\n"
    "|---|---:|---:|---:|---:|---|---:|---:|\n"
)  # fmt: skip
_INTRODUCTION = """\
# Performance

Written by `make bench`. A section may be of another run than its neighbours: each names its revision and its machine. A
goal is held to the median. *Load* is the load average of the minute before each sample, in which this run's own work
counts too. How busy the processors were in the second before, when this run asked for nothing, is said above each
table: where that is much, the machine was shared, and CPU seconds say more than the clock.
"""


class NotMeasured(click.ClickException):
    """What was to be measured failed. A failure is quick, and no figure for anything."""


@dataclass(frozen=True)
class Goal:
    """What a median must not be above, or not below."""

    limit: float
    above: bool = False

    def __str__(self) -> str:
        return f"{'≥' if self.above else '≤'} {self.limit:g}"

    def is_met(self, value: float) -> bool:
        return value >= self.limit if self.above else value <= self.limit


def at_most(limit: float) -> Goal:
    return Goal(limit)


def at_least(limit: float) -> Goal:
    return Goal(limit, above=True)


@dataclass
class Row:
    """One figure, measured some times."""

    what: str
    unit: str
    goal: Goal | None
    values: list[float] = field(default_factory=list)
    met: list[Conditions] = field(default_factory=list)

    def markdown(self) -> str:
        low, middle, high = min(self.values), statistics.median(self.values), max(self.values)
        verdict = "" if self.goal is None else "met" if self.goal.is_met(middle) else _MISSED
        loads = _span([each.load for each in self.met])
        figures = (*map(_number, (low, middle, high)), str(self.goal or ""), verdict, str(len(self.values)), loads)
        what = f"{self.what}, {self.unit}" if self.unit else self.what
        return f"| {what} | {' | '.join(figures)} |"


class Section:
    """Figures that are measured together, under one heading."""

    def __init__(self, title: str, text: str) -> None:
        self.title = title
        self._text = text
        self._rows: dict[str, Row] = {}
        self._missing: dict[str, str] = {}
        self._now: Conditions | None = None

    def begin_sample(self) -> None:
        """Look at the machine for a second, in which nothing of this run's may work."""
        self._now = conditions()

    def record(self, what: str, unit: str, value: float, goal: Goal | None = None) -> None:
        """Add a value to a figure, under the conditions of this sample."""
        assert self._now is not None, "begin a sample first"
        row = self._rows.setdefault(what, Row(what, unit, goal))
        row.values.append(value)
        row.met.append(self._now)

    def leave_out(self, what: str, why: str) -> None:
        """Say that this was not measured."""
        self._missing[what] = why.replace("|", "/")  # it is a cell of a table

    def markdown(self) -> str:
        seen = [each.busy for row in self._rows.values() for each in row.met]
        measured = f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC at {_revision()} on {machine()}."
        busy = f"In the second before a sample {_span(seen)} of {processors()} processors were busy."
        lines = [row.markdown() for row in self._rows.values()]
        lines += [f"| {what} | | | | | not measured: {why} | | |" for what, why in self._missing.items()]
        return f"## {self.title}\n\n{self._text}\n\n{measured} {busy}\n\n{_HEAD}" + "\n".join(lines) + "\n"


def with_section(page: str, section: str) -> str:
    """The page with this section in the place of its older self, or at the end, and with a summary of missed goals."""
    _, *sections = re.split(r"^(?=## )", page, flags=re.MULTILINE)
    kept = {_title(each): each.strip() + "\n" for each in sections if _title(each) != _SUMMARY}
    kept[_title(section)] = section.strip() + "\n"
    return "\n".join([_INTRODUCTION, _summary(kept), *kept.values()])


_SUMMARY = "Goals that are missed"


def _summary(sections: dict[str, str]) -> str:
    missed = [
        f"- {title}: {cells[1].strip()}: {cells[3].strip()} instead of {cells[5].strip()}"
        for title, text in sections.items()
        for line in text.splitlines()
        if _MISSED in line and (cells := line.split("|"))
    ]
    return f"## {_SUMMARY}\n\n" + ("\n".join(missed) or "None of those that were measured.") + "\n"


def _title(section: str) -> str:
    return section.splitlines()[0].removeprefix("## ").strip()


def _number(value: float) -> str:
    digits = 0 if value >= 100 else 1 if value >= 10 else 2 if value >= 1 else 3
    return f"{value:.{digits}f}"


def _span(values: Sequence[float]) -> str:
    low, high = f"{min(values, default=0):.1f}", f"{max(values, default=0):.1f}"
    return low if low == high else f"{low} to {high}"


def _revision() -> str:
    git = ["git", "-C", str(ROOT)]
    commit = subprocess.run([*git, "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False)
    if commit.returncode:
        return "an unknown revision"
    changed = subprocess.run([*git, "diff", "--quiet", "HEAD", "--", "operator", "host"], check=False).returncode
    return commit.stdout.strip() + (" with changes" if changed else "")
