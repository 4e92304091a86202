"""Measured quantities over time, as SVG to stand in a page: one figure a quantity, all on the same time axis.

Colours and typeface are the page's (CSS variables), so one figure serves light, dark and paper. The same quantities
give the same bytes. Only the page of a report imports this: it needs matplotlib, which the operator does without.
"""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from html import escape
from itertools import pairwise
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from firstresponder.api.base import duration_text, elapsed_seconds
from firstresponder.evidence.field import Unit
from firstresponder.reporting.quantities import Point, Quantity, amount, scale
from firstresponder.reporting.thresholds import Threshold
from firstresponder.safety.values import format_number

_INK, _FAINT, _RULE, _DATA, _LIMIT, _ACTION = (f"#0a0b0{number}" for number in range(6))
_VARIABLES = {
    _INK: "var(--ink)",
    _FAINT: "var(--faint)",
    _RULE: "var(--rule)",
    _DATA: "var(--data)",
    _LIMIT: "var(--limit)",
    _ACTION: "var(--action)",
}
"""Stand-ins that matplotlib can draw with, and the page's colours that take their place."""
_SETTINGS: dict[Any, Any] = {
    "svg.fonttype": "none",
    "font.size": 9.0,
    "text.parse_math": False,
    "text.color": _INK,
    "axes.edgecolor": _RULE,
    "xtick.color": _RULE,
    "ytick.color": _RULE,
    "xtick.labelcolor": _FAINT,
    "ytick.labelcolor": _FAINT,
}
_MARKERS: dict[str, dict[str, Any]] = {
    "Triage": {"marker": "o", "markersize": 6, "markerfacecolor": "none", "markeredgewidth": 1.4},
    "BeforeAction": {"marker": "D", "markersize": 5.2, "markerfacecolor": "none", "markeredgewidth": 1.4},
    "Verification": {"marker": "o", "markersize": 3.2, "markeredgewidth": 0},
}
_LONG = 0.6
"""Share of all the time that one wait must take to be drawn shorter than it was."""
_NARROW = 0.008
"""The least width of an action, as a share of the axis: one that took a second would not be seen."""
_APART = 0.17
"""How far apart the axis' times must be, as a share of it, so that they do not overlap."""


@dataclass(frozen=True)
class Action:
    """From when to when something was done."""

    name: str
    begin: datetime
    end: datetime


class TimeAxis:
    """Moments from 0 to 1. One long wait, as for an approval, is drawn shorter, or it would hide all the rest."""

    def __init__(self, found: Sequence[Quantity], actions: Sequence[Action]) -> None:
        measured = {point.time for each in found for point in each.points}
        moments = sorted(measured | {each.begin for each in actions} | {each.end for each in actions})
        self._first, self._last = moments[0], moments[-1]
        total = self._last - self._first
        gaps = [(later - earlier, earlier) for earlier, later in pairwise(moments)]
        longest, begin = max(gaps, default=(timedelta(), self._first))
        rest = total - longest
        self.wait: tuple[datetime, datetime] | None = None
        """From when to when the axis is shortened."""
        self._saved = timedelta()
        if rest and longest > _LONG * total:
            self.wait = (begin, begin + longest)
            self._saved = longest - rest / 3
        self._drawn = (total - self._saved) or timedelta(seconds=1)
        self._moments = [self._first, *(each.begin for each in actions), self._last]

    def place(self, moment: datetime) -> float:
        since = moment - self._first
        if self.wait is not None and moment > self.wait[0]:
            begin, end = self.wait
            drawn = (end - begin) - self._saved
            within = min((moment - begin) / (end - begin), 1.0)
            since = (begin - self._first) + within * drawn + max(moment - end, timedelta())
        return since / self._drawn

    @property
    def ticks(self) -> list[datetime]:
        """The beginning, the end, and each action's beginning as far as there is space for it."""
        chosen = [self._first, self._last] if self._last > self._first else [self._first]
        for moment in self._moments:
            if all(abs(self.place(moment) - self.place(each)) >= _APART for each in chosen):
                chosen.append(moment)
        return sorted(chosen)


def figure(quantity: Quantity, axis: TimeAxis, actions: Sequence[Action], limits: Sequence[Threshold]) -> str:
    """One quantity as an SVG element with a text alternative."""
    name = f"{quantity.runbook}/{quantity.name}"
    with mpl.rc_context({**_SETTINGS, "svg.hashsalt": name}):
        drawing = Figure(figsize=(4.7, 1.85))
        FigureCanvasSVG(drawing)
        axes = drawing.add_axes((0.1, 0.15, 0.75, 0.78))
        _draw(axes, quantity, axis, actions, limits)
        out = io.StringIO()
        drawing.savefig(
            out, format="svg", transparent=True, metadata=dict.fromkeys(("Creator", "Date", "Format", "Type"))
        )
    return _embedded(out.getvalue(), quantity, limits)


def _draw(
    axes: Axes, quantity: Quantity, axis: TimeAxis, actions: Sequence[Action], limits: Sequence[Threshold]
) -> None:
    factor, _ = scale(quantity)
    values = [each.value / factor for each in quantity.points]
    lines = [each.value / factor for each in limits]
    top = max([*values, *lines, 0])
    axes.set_ylim(0, 100 if quantity.unit is Unit.PERCENT and top <= 100 else top * 1.15 or 1)
    axes.set_xlim(-0.02, 1.02)
    axes.spines[["top", "right"]].set_visible(False)
    axes.yaxis.set_major_locator(MaxNLocator(4, integer=quantity.unit is Unit.COUNT))
    axes.yaxis.set_major_formatter(lambda value, _: format_number(round(value, 6)))
    axes.set_xticks([axis.place(each) for each in axis.ticks], [f"{each:%H:%M:%S}" for each in axis.ticks])
    axes.grid(axis="y", color=_RULE, linewidth=0.5)
    axes.set_axisbelow(True)
    for action in actions:
        begin = axis.place(action.begin)
        end = max(axis.place(action.end), begin + _NARROW)
        axes.axvspan(begin, end, color=_ACTION, alpha=0.35, linewidth=0, gid="action")
    for limit, height in zip(limits, lines, strict=True):
        axes.axhline(height, color=_LIMIT, linewidth=1, linestyle=(0, (4, 3)), zorder=3, clip_on=False, gid="limit")
        # Its words stand at the end where the curve is farther from it.
        at_the_left = abs(values[0] - height) > abs(values[-1] - height)
        axes.annotate(
            f"{limit.criterion}: {amount(limit.value, quantity.unit)}",
            (0.02 if at_the_left else 0.98, height),
            xycoords=("axes fraction", "data"),
            xytext=(0, 2),
            textcoords="offset points",
            ha="left" if at_the_left else "right",
            color=_LIMIT,
            fontsize=8,
        )
    places = [axis.place(each.time) for each in quantity.points]
    axes.plot(places, values, color=_DATA, linewidth=1.2, alpha=0.55, gid="line")
    for stage, style in _MARKERS.items():
        own = [place for place, each in enumerate(quantity.points) if each.stage == stage]
        if own:
            axes.plot(
                [places[each] for each in own],
                [values[each] for each in own],
                color=_DATA,
                linestyle="none",
                clip_on=False,
                gid=f"points {stage.lower()}",
                **style,
            )
    axes.annotate(
        amount(quantity.points[-1].value, quantity.unit),
        (places[-1], values[-1]),
        xytext=(7, 0),
        textcoords="offset points",
        va="center",
        annotation_clip=False,
        fontweight="bold",
    )
    if axis.wait is not None:
        asked, answered = axis.wait
        waited = duration_text(elapsed_seconds(asked, answered))
        middle = (axis.place(asked) + axis.place(answered)) / 2
        axes.text(middle, 0.5, f"… {waited} …", transform=axes.get_xaxis_transform(), ha="center", color=_FAINT)


def _embedded(svg: str, quantity: Quantity, limits: Sequence[Threshold]) -> str:
    """The figure as it stands in a page: the page's colours and typeface, no names that others could have too."""
    svg = svg[svg.index("<svg ") :]
    svg = re.sub(r"<metadata>.*?</metadata>|<style type=.*?</style>|<!--.*?-->", "", svg, flags=re.DOTALL)
    svg = re.sub(r"(font: [^;\"]*?[0-9.]+px) [^;\"]*", r"\1 var(--sans)", svg)
    svg = re.sub(r'<g id="(action|limit|line|points [a-z]+)">', r'<g class="\1">', svg)
    svg = re.sub(r'<g id="[^"]*">', "<g>", svg)
    for colour, variable in _VARIABLES.items():
        svg = svg.replace(colour, variable)
    title, text = f"{quantity.title} on {quantity.host or quantity.runbook}", described(quantity, limits)
    alternative = f"<title>{escape(title)}</title><desc>{escape(text)}</desc>"
    label = escape(f"{title}: {text}", quote=True)
    size = re.search(r'viewBox="[^"]*"', svg)
    opening = (
        f'<svg role="img" aria-label="{label}" {size[0] if size else ""} xmlns:xlink="http://www.w3.org/1999/xlink">'
    )
    return opening + alternative + svg[svg.index(">") + 1 :].strip()


def described(quantity: Quantity, limits: Sequence[Threshold]) -> str:
    """What the figure shows, in a sentence."""

    def at(point: Point) -> str:
        return f"{amount(point.value, quantity.unit)} at {point.time:%H:%M:%S} UTC"

    values = [each.value for each in quantity.points]
    parts = [
        f"{at(quantity.points[0])}, {at(quantity.points[-1])}",
        f"{len(values)} measurements, the least {amount(min(values), quantity.unit)}",
        f"the most {amount(max(values), quantity.unit)}",
        *(f"criterion {each.criterion} compares it with {amount(each.value, quantity.unit)}" for each in limits),
    ]
    return "; ".join(parts)
