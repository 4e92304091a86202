"""Test cases on a terminal, a table for each Runbook, and as JSON."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from firstresponder.api.base import JSON
from firstresponder.cli.test_runs import TestRun, said
from firstresponder.cli.views.terminal import heading
from firstresponder.runbooks.manifest import Finding
from firstresponder.safety import neutralise

_LONGEST = 500


def test_results_view(found: Sequence[TestRun]) -> RenderableType:
    """A table of the cases of each Runbook that was tested."""
    return Group(*(part for each in found if each.results for part in _cases(each)))


def _cases(run: TestRun) -> Iterator[RenderableType]:
    yield heading(f"{run.manifest.kind} {neutralise(run.name, 253)}")
    table = Table(box=None, padding=(0, 2, 0, 0))
    for title in ("Case", "Expected", "Got"):
        table.add_column(title, overflow="fold")
    table.add_column("OK", min_width=3)
    for result in run.results:
        verdict = Text("yes", style="green") if result.passed else Text("no", style="bold red")
        table.add_row(*(Text(neutralise(each, _LONGEST, lines=True)) for each in (result.name, *said(result))), verdict)
    yield table


def test_results_json(found: Sequence[TestRun], unreadable: Sequence[Finding]) -> list[JSON]:
    """Each Runbook with its cases and problems; a file that cannot be read has the same fields, and no name."""
    return [
        *(
            {
                "kind": each.manifest.kind,
                "name": each.name,
                "file": each.manifest.file,
                "passed": each.passed,
                "problems": [_finding(finding) for finding in each.problems],
                "cases": [
                    {
                        "name": result.name,
                        "line": each.line(index),
                        "passed": result.passed,
                        "expected": result.expected.wire(),
                        "got": result.outcome.wire(),
                        "differences": list(result.differences),
                    }
                    for index, result in enumerate(each.results)
                ],
            }
            for each in found
        ),
        *(
            {
                "kind": None,
                "name": None,
                "file": each.file,
                "passed": False,
                "problems": [_finding(each)],
                "cases": [],
            }
            for each in unreadable
        ),
    ]


def _finding(finding: Finding) -> JSON:
    return {
        "line": finding.place.line,
        "column": finding.place.column,
        "field": finding.problem.field,
        "message": finding.problem.message,
    }
