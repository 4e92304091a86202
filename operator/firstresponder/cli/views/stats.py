"""Statistics of incidents: tables for a person, JSON for programs. A rate never comes without its counts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from firstresponder.api.base import JSON, duration_text
from firstresponder.cli.views.terminal import heading
from firstresponder.reporting.statistics import Escalations, Figures, RevisionFigures, Share, Statistics, Times
from firstresponder.safety.neutralise import neutralise

_NOTHING = "–"
"""Where there is nothing to count: never a zero."""
_DIGEST = 12
"""Digits of a digest that are shown."""
_COLUMNS = ("Incidents", "Resolved", "Escalated", "Wrong fixes", "MTTD", "MTTR")


def stats_view(found: Statistics) -> RenderableType:
    """All tables; each cell has its parts on lines of their own, so that they fit 80 columns."""
    if not found.total.incidents:
        return Text("There are no such incidents.")
    types = [(neutralise(name, 128), some) for name, some in found.types]
    everything = [("all", found.total)] if len(types) > 1 else []
    return Group(
        Text("By type", style="bold underline"),
        _table("Type", [*types, *everything]),
        heading("By runbook revision"),
        _table("Revision", ((_revision(each), each.figures) for each in found.revisions)),
        heading("Escalated most"),
        _escalations(found.escalated_most),
        *_times_note(),
    )


def _table(name: str, rows: Iterable[tuple[str, Figures]]) -> Table:
    table = _empty_table(name, *_COLUMNS)
    for title, some in rows:
        if table.row_count:
            table.add_row()
        table.add_row(*(Text(cell) for cell in (title, *_cells(some))))
    return table


def _cells(some: Figures) -> Iterator[str]:
    yield f"{some.incidents}\n{some.open} open" if some.open else str(some.incidents)
    yield _share(some.resolved) + (
        f"\n{some.by_fix} by a fix\n{some.by_itself} by itself" if some.resolved.count else ""
    )
    yield _share(some.escalated)
    yield _share(some.incorrect)
    yield _times(some.time_to_detect)
    yield _times(some.time_to_resolve)


def share_text(share: Share) -> str:
    """``3 of 12 (25 %)``, or a dash where there is nothing to be a part of."""
    return _NOTHING if share.rate is None else f"{share.count} of {share.of} ({share.rate:.0%})".replace("%", " %")


def _share(share: Share) -> str:
    return share_text(share).replace(" (", "\n(")


def _times(times: Times | None) -> str:
    if times is None:
        return _NOTHING
    return "\n".join(duration_text(each) for each in (times.median, times.mean, times.maximum))


def _times_note() -> Iterator[Text]:
    yield Text("\nMTTD and MTTR: median, mean, maximum. What each figure means: kubectl incident stats --help")


def _revision(each: RevisionFigures) -> str:
    if each.revision is None:
        return "no runbook"
    digest = each.revision.digest.removeprefix("sha256:")[:_DIGEST]
    return "\n".join(neutralise(line, 256) for line in (each.revision.runbook, digest, *each.git_revisions))


def _escalations(ranked: Iterable[Escalations]) -> RenderableType:
    table = _empty_table("Type", "Escalated", "Reasons")
    for each in ranked:
        reasons = ", ".join(f"{reason} {number}" for reason, number in each.reasons)
        table.add_row(Text(neutralise(each.type, 128)), Text(share_text(each.escalated)), Text(reasons))
    return table if table.row_count else Text("None was.")


def _empty_table(*columns: str) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim")
    for column in columns:
        table.add_column(column, overflow="fold")
    return table


def document(found: Statistics) -> dict[str, JSON]:
    """The same for programs; times in whole seconds, rates from 0 to 1, null where there is no figure."""
    return {
        "total": _figures(found.total),
        "types": [{"type": name, **_figures(some)} for name, some in found.types],
        "revisions": [
            {
                "runbook": each.revision.runbook if each.revision is not None else None,
                "digest": each.revision.digest if each.revision is not None else None,
                "git_revisions": [neutralise(revision, 256) for revision in each.git_revisions],
                **_figures(each.figures),
            }
            for each in found.revisions
        ],
        "escalated_most": [
            {"type": each.type, "escalated": _part(each.escalated), "reasons": dict(each.reasons)}
            for each in found.escalated_most
        ],
    }


def _figures(some: Figures) -> dict[str, JSON]:
    return {
        "incidents": some.incidents,
        "open": some.open,
        "resolved": _part(some.resolved),
        "resolved_by_fix": some.by_fix,
        "resolved_by_itself": some.by_itself,
        "escalated": _part(some.escalated),
        "incorrect_fixes": _part(some.incorrect),
        "mttd_seconds": _seconds(some.time_to_detect),
        "mttr_seconds": _seconds(some.time_to_resolve),
    }


def _part(share: Share) -> dict[str, JSON]:
    return {"count": share.count, "of": share.of, "rate": share.rate}


def _seconds(times: Times | None) -> dict[str, JSON] | None:
    if times is None:
        return None
    return {"of": times.of, "median": times.median, "mean": times.mean, "maximum": times.maximum}
