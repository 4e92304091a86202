"""The report as one page of HTML: no script, nothing fetched, readable in light and dark, on a phone and on paper.

The words are the Markdown report's. Of its renderer only what the report uses is switched on: no text of a host, an
alert or a person can become a link, an image or HTML, and the page's policy would let none of them do anything.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape
from importlib.resources import files
from itertools import groupby

from markdown_it import MarkdownIt

from firstresponder.api.base import duration_text
from firstresponder.api.incident import Attempt, AttemptState, Phase
from firstresponder.api.runbook import RunbookSpec, Triage
from firstresponder.cli.views.plots import Action, TimeAxis, figure
from firstresponder.incident.approval.attempts import attempt_name
from firstresponder.reporting.quantities import Quantity, quantities, scale
from firstresponder.reporting.report import Report, moment
from firstresponder.reporting.report_markdown import sections
from firstresponder.reporting.thresholds import Threshold, thresholds, worth_plotting

_POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
"""Nothing is fetched and nothing runs; only the page's own styles and those of its figures count."""
_STYLE = files(__package__).joinpath("report.css")
_TONES = {Phase.RESOLVED: "good", Phase.ESCALATED: "bad"}
_LEGEND = (
    ("triage", '<circle cx="7" cy="7" r="4"/>'),
    ("before", '<path d="M7 2.5 11.5 7 7 11.5 2.5 7z"/>'),
    ("verification", '<circle class="full" cx="7" cy="7" r="3.2"/>'),
    ("action", '<rect x="4.5" y="1" width="5" height="12"/>'),
    ("limit", '<path d="M0 7h14"/>'),
)
_STAGES = {"triage": "in triage", "before": "just before acting", "verification": "during verification"}


def page(report: Report, spec: Triage | None) -> str:
    """The page. ``spec`` is the runbook revision that the incident ran, which knows what its criteria compare; without
    it no thresholds are drawn."""
    incident = report.incident
    title = f"Incident {incident.name}: {incident.status.phase}"
    body = "".join(_body(report, spec))
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="referrer" content="no-referrer">\n'
        f"<title>{escape(title)}</title>\n<style>\n{_STYLE.read_text()}</style>\n</head>\n"
        f"<body>\n<main>\n{body}</main>\n</body>\n</html>\n"
    )


def _body(report: Report, spec: Triage | None) -> Iterator[str]:
    yield _header(report)
    renderer = _renderer()
    for name, blocks in groupby(sections(report), key=lambda each: each[0]):
        text = renderer.render("\n\n".join(block for _, block in blocks))
        plots = _plots(report, spec) if name == "measured" else ""
        yield f'<section class="{name}">\n{text}{plots}</section>\n'
    yield "<footer>All times are in UTC. Made from what the Incident's status remembers; nothing is fetched.</footer>\n"


def _renderer() -> MarkdownIt:
    renderer = MarkdownIt("commonmark", {"html": False}).enable("table")
    renderer.disable(["link", "image", "autolink", "html_inline", "html_block", "reference"])
    # A wide table scrolls by itself, not with the page.
    renderer.add_render_rule("table_open", lambda *_: '<div class="table"><table>\n')
    renderer.add_render_rule("table_close", lambda *_: "</table></div>\n")
    return renderer


def _header(report: Report) -> str:
    incident, status = report.incident, report.incident.status
    tiles = "".join(f"<div><dt>{label}</dt><dd>{escape(text)}</dd></div>" for label, text in _tiles(report))
    tone = _TONES.get(status.phase, "open")
    return (
        f'<header>\n<p class="phase {tone}">{escape(status.phase)}</p>\n<h1>Incident {escape(incident.name)}</h1>\n'
        f"<dl>{tiles}</dl>\n</header>\n"
    )


def _tiles(report: Report) -> Iterator[tuple[str, str]]:
    status, sli = report.incident.status, report.incident.status.sli
    if sli is None:
        return
    yield "Detected", moment(sli.detection_time)
    if sli.mttd_seconds is not None:
        yield "Taken up after", duration_text(sli.mttd_seconds)
    if sli.mttr_seconds is not None:
        yield "Then resolved after", duration_text(sli.mttr_seconds)
    elif status.escalation is not None:
        yield "Escalated", status.escalation.reason.value
    if sli.fix_correct is not None:
        yield "The fix was", "right" if sli.fix_correct else "wrong"


def _plots(report: Report, spec: Triage | None) -> str:
    """The figures of what was measured more than once, all on one time axis; none where nothing was."""
    incident = report.incident
    ref = incident.status.runbook_revision_ref
    runbook = ref.runbook if ref is not None else ""
    chosen = worth_plotting(quantities(incident), runbook, spec)
    if not chosen:
        return "<p>Measured once, in triage, so there is no course of it to be shown.</p>\n"
    actions = [_action(each) for each in incident.status.attempts if each.completion_time is not None]
    axis = TimeAxis(chosen, actions)
    lines = thresholds(incident, spec) if isinstance(spec, RunbookSpec) else {}
    limits = [lines.get(each.name, []) if each.runbook == runbook else [] for each in chosen]
    drawn = "".join(_figure(each, axis, actions, own) for each, own in zip(chosen, limits, strict=True))
    return f'{_legend(chosen, actions, limits)}<div class="plots">\n{drawn}</div>\n{_dropped(report)}'


def _action(attempt: Attempt) -> Action:
    end = attempt.completion_time or attempt.start_time
    name = attempt_name(attempt)
    failed = "" if attempt.state == AttemptState.SUCCEEDED else f" ({attempt.state.value})"
    return Action(f"{name}{failed}", min(attempt.start_time, end), end)


def _figure(quantity: Quantity, axis: TimeAxis, actions: Sequence[Action], limits: Sequence[Threshold]) -> str:
    _, unit = scale(quantity)
    said = f"<b>{escape(quantity.title)}</b>{', ' if unit else ''}{escape(unit)} <span>{escape(quantity.host)}</span>"
    drawn = figure(quantity, axis, actions, limits)
    return f"<figure>\n<figcaption>{said}</figcaption>\n{drawn}\n</figure>\n"


def _legend(chosen: Sequence[Quantity], actions: Sequence[Action], limits: Sequence[Sequence[Threshold]]) -> str:
    """What the marks of the figures mean, of those that are there."""
    stages = {point.stage.lower().removesuffix("action") for each in chosen for point in each.points}
    said = {name: text for name, text in _STAGES.items() if name in stages}
    if actions:
        said["action"] = ", ".join(dict.fromkeys(each.name for each in actions))
    if any(limits):
        said["limit"] = "where a criterion draws the line"
    marks = "".join(
        f'<li><svg class="{name}" viewBox="0 0 14 14" aria-hidden="true">{mark}</svg>{escape(said[name])}</li>'
        for name, mark in _LEGEND
        if name in said
    )
    return f'<ul class="legend">{marks}</ul>\n'


def _dropped(report: Report) -> str:
    dropped = report.incident.status.samples_dropped
    return f"<p>{dropped} samples in between were not kept.</p>\n" if dropped else ""
