"""What an incident's status remembers of each measured quantity, for people: over time, and in three numbers."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeGuard

from firstresponder.api.incident import Incident, Stage
from firstresponder.evidence.field import Unit
from firstresponder.safety.values import format_number

UNKNOWN = "–"
_MOST = 1e18
"""Nothing that is measured is more, or below zero: such a number can neither be drawn nor be believed."""
_WORDS = {"cpu": "CPU", "rtt": "round trip"}
_UNIT_WORDS = frozenset({"percent", "bytes", "seconds", "ms"})
_SYMBOLS = {
    Unit.PERCENT: "%",
    Unit.BYTES: "bytes",
    Unit.COUNT: "",
    Unit.PER_MINUTE: "/min",
    Unit.SECONDS: "s",
    Unit.MILLISECONDS: "ms",
}
_SIZES = ((2.0**40, "TiB"), (2.0**30, "GiB"), (2.0**20, "MiB"), (2.0**10, "KiB"))


@dataclass(frozen=True)
class Point:
    """One measurement."""

    time: datetime
    stage: Stage
    value: float


@dataclass(frozen=True)
class Quantity:
    """One quantity as one runbook's diagnostic measured it."""

    runbook: str
    name: str
    """Diagnostic and field."""
    unit: Unit
    host: str
    """The Host's name, or the role where none is known; empty when that is not known."""
    points: tuple[Point, ...]
    """In the order in which they were observed, whatever the clocks say; never none."""
    acted: datetime | None = None
    """When the first action was started; None if nothing was done."""

    @property
    def title(self) -> str:
        """``processes: host CPU`` for ``processes.hostCpuPercent``."""
        diagnostic, _, field = self.name.partition(".")
        if self.unit is Unit.PER_MINUTE:
            return f"{diagnostic}: rate"
        words = [each.lower() for each in re.findall(r"[A-Z]?[a-z0-9]+", field)]
        kept = words[:-1] if len(words) > 1 and words[-1] in _UNIT_WORDS else words
        return f"{diagnostic}: {' '.join(_WORDS.get(each, each) for each in kept)}"

    @property
    def in_triage(self) -> float | None:
        """What the decision was made with."""
        return _last(self.points, "Triage")

    @property
    def before_action(self) -> float | None:
        """As it was just before acting; a look at the next method or at the rollback is none of before."""
        looks = [each for each in self.points if each.stage == "BeforeAction"]
        before = [each for each in looks if self.acted is None or each.time <= self.acted]
        # Of looks in one second the first: what was done may have taken less.
        return max(before, key=lambda each: each.time).value if before else None

    @property
    def afterwards(self) -> float | None:
        """As it was at the end of the verification."""
        return _last(self.points, "Verification")


def _last(points: Sequence[Point], stage: Stage) -> float | None:
    return next((each.value for each in reversed(points) if each.stage == stage), None)


def quantities(incident: Incident) -> tuple[Quantity, ...]:
    """Every quantity that was measured, in the order of the runbook's diagnostics."""
    status = incident.status
    hosts = {(each.runbook, each.name): each.host or each.role for each in status.evidence}
    points: dict[tuple[str, str, str], list[Point]] = {}
    for round_ in status.samples:
        for name, value in round_.values.items():
            diagnostic, _, field = name.partition(".")
            if is_amount(value):
                point = Point(round_.time, round_.stage, float(value))
                points.setdefault((round_.runbook, diagnostic, field), []).append(point)
    acted = status.attempts[0].start_time if status.attempts else None
    asked = [*hosts]  # evidence stands in the order in which it was asked for; maps come back in any

    def place(quantity: tuple[str, str, str]) -> tuple[int, str]:
        owner = quantity[:2]
        return asked.index(owner) if owner in hosts else len(asked), quantity[2]

    return tuple(
        Quantity(runbook, f"{diagnostic}.{field}", unit, hosts.get((runbook, diagnostic), ""), tuple(seen), acted)
        for (runbook, diagnostic, field), seen in sorted(points.items(), key=lambda each: place(each[0]))
        if (unit := Unit.of(field)) is not None
    )


def measured_table(found: Sequence[Quantity]) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """Header and rows of each quantity before, at and after the action; without columns in which nothing is known.

    What a playbook and its runbook both measured is distinguished by their names.
    """
    shared = Counter((each.title, each.host) for each in found)
    titles = (f"{each.title} ({each.runbook})" if shared[each.title, each.host] > 1 else each.title for each in found)
    columns = {
        "In triage": [amount(each.in_triage, each.unit) for each in found],
        "Just before acting": [amount(each.before_action, each.unit) for each in found],
        "At the end": [amount(each.afterwards, each.unit) for each in found],
    }
    known = {name: cells for name, cells in columns.items() if set(cells) != {UNKNOWN}}
    rows = zip(titles, (each.host for each in found), *known.values(), strict=True)
    return ("Quantity", "On", *known), list(rows)


def is_amount(value: object) -> TypeGuard[float]:
    """Whether it is a number that a quantity can have; a status holds what it was given, and CEL knows any number."""
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= _MOST


def scale(quantity: Quantity) -> tuple[float, str]:
    """What to divide all of its values by so that people can read them, and the unit that they are in then."""
    return _scale(max(abs(each.value) for each in quantity.points), quantity.unit)


def amount(value: float | None, unit: Unit) -> str:
    """A value with its unit as people write it: ``97.5 %``, ``2 GiB``, ``12 ms``; a dash where none is known."""
    if value is None:
        return UNKNOWN
    factor, symbol = _scale(abs(value), unit)
    return f"{format_number(round(value / factor, 6))} {symbol}".strip()


def _scale(size: float, unit: Unit) -> tuple[float, str]:
    if unit is Unit.SECONDS and 0 < size < 1:
        return 0.001, "ms"
    if unit is Unit.BYTES:
        return next((each for each in _SIZES if size >= each[0]), (1.0, "bytes"))
    return 1.0, _SYMBOLS[unit]
