"""What is new about an incident, line by line: entries of its timeline, phases, questions, and how it ended."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from firstresponder.api.base import format_time
from firstresponder.api.incident import ENDS, Phase
from firstresponder.cli.views.incident import COLOURS
from firstresponder.cli.views.terminal import command_line, labelled
from firstresponder.reporting.report import Headline, Report, where_text

_CLOCK, _EVENT = 9, 18
"""Columns of the time, and of what happened."""


class Story:
    """What was printed so far, so that each reading of an incident prints only what is new."""

    def __init__(self, flags: Sequence[str] = ()) -> None:
        self._flags = flags
        self._phase: Phase | None = None
        self._said: Headline | None = None
        self._day = ""
        # An entry is known by when and what; its details may be shortened later, and entries in the middle dropped.
        self._entries: Counter[tuple[datetime, str]] = Counter()

    def news(self, report: Report) -> Iterator[RenderableType]:
        """Lines for all that was not printed yet."""
        status, headline = report.incident.status, report.headline
        if self._phase is None:
            yield from _title(report)
        yield from self._new_entries(report)
        over, asks = status.phase in ENDS, status.phase == Phase.AWAITING_APPROVAL
        if status.phase != self._phase:
            self._phase = status.phase
            doing = Text(headline.happened if not over and not asks else "")
            yield _row("", Text(f"→ {status.phase.value}", style=COLOURS.get(status.phase, "bold")), doing)
        said = headline if over or asks else None
        if said is not None and said != self._said:
            yield Text()
            yield from _headline_lines(said, self._flags)
            if asks:
                yield Text()
        self._said = said

    def _new_entries(self, report: Report) -> Iterator[RenderableType]:
        status = report.incident.status
        if not self._entries and status.timeline_dropped:
            yield Text(f"{status.timeline_dropped} entries in the middle were dropped")
        seen: Counter[tuple[datetime, str]] = Counter()
        for entry in status.timeline:
            key = (entry.time, entry.event)
            seen[key] += 1
            if seen[key] <= self._entries[key]:
                continue
            self._entries[key] += 1
            day, clock = format_time(entry.time).split("T")
            if day != self._day:
                self._day = day
                yield Text(f"{day} (UTC)", style="dim")
            by = f"by {entry.by}" if entry.by is not None else ""
            yield _row(clock, Text(entry.event), Text(": ".join(part for part in (by, entry.details) if part)))


def _title(report: Report) -> Iterator[RenderableType]:
    incident = report.incident
    where = where_text(incident)
    yield Text.assemble((f"Incident {incident.name}", "bold"), f" (namespace {incident.namespace}): {where}")


def _headline_lines(headline: Headline, flags: Sequence[str]) -> Iterator[RenderableType]:
    yield labelled([(headline.label, headline.happened), ("To do", Text(headline.to_do, style="bold"))])
    if headline.command is not None:
        yield command_line(headline.command, flags)


def _row(clock: str, event: Text, details: Text) -> RenderableType:
    if not details:
        return Text.assemble(f"{clock:{_CLOCK}}  ", event)
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(width=_CLOCK)
    grid.add_column(width=_EVENT, overflow="fold")
    grid.add_column(overflow="fold", ratio=1)
    grid.add_row(clock, event, details)
    return grid
