"""``kubectl runbook test``: the test cases that Runbooks carry, decided as incidents would be, without a cluster."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence

import click

from firstresponder.cli.files import counted, print_findings, read_files
from firstresponder.cli.test_runs import TestRun, test_runs_of
from firstresponder.cli.views.junit import junit
from firstresponder.cli.views.terminal import console, heading
from firstresponder.cli.views.test_results import test_results_json, test_results_view
from firstresponder.runbooks.manifest import Finding, judge


def test(files: tuple[str, ...], output: str) -> None:
    """Run the test cases of these files."""
    manifests, unreadable = read_files(files)
    found = test_runs_of(judge(manifests))
    match output:
        case "junit":
            click.echo(junit(found, unreadable).encode())
        case "json":
            click.echo(json.dumps(test_results_json(found, unreadable), indent=2).encode())
        case _:
            print_findings([*unreadable, *(finding for each in found for finding in each.problems)])
            console().print(test_results_view(found))
            if differences := [finding for each in found for finding in each.differences]:
                console().print(heading("Differences"))
                print_findings(differences)
    passed = not unreadable and bool(found) and all(each.passed for each in found)
    click.echo(_summary(found, unreadable), err=True)
    if not passed:
        sys.exit(1)


def _summary(found: Sequence[TestRun], unreadable: Sequence[Finding]) -> str:
    if not found and not unreadable:
        return "There is no Runbook and no TriagePlaybook in these files: nothing was tested"
    results = [result for each in found for result in each.results]
    failed = sum(not result.passed for result in results)
    refused = len(unreadable) + sum(bool(each.problems) for each in found)
    parts = [f"{counted(len(results), 'case')}, {failed} failed"]
    parts += [f"{counted(refused, 'object')} refused by lint or without a case"] if refused else []
    return "; ".join(parts)
