"""``kubectl runbook test``: the test cases that Runbooks carry, decided as incidents would be, without a cluster."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence

import click

from firstresponder.cli.files import counted, files_argument, print_findings, read_files
from firstresponder.cli.junit import junit
from firstresponder.cli.manual import Manual
from firstresponder.cli.rehearsal import Rehearsal, rehearsals
from firstresponder.cli.rehearsal_view import rehearsal_json, rehearsal_view
from firstresponder.cli.terminal import console, heading
from firstresponder.runbooks.manifest import Finding, judge


@click.command(
    "test",
    cls=Manual,
    exits={
        0: "every case came out as expected",
        1: "a case came out otherwise, a Runbook has no case, or a file has a problem",
        2: "wrong usage, or a file that is not there",
    },
    examples=[
        "kubectl runbook test runbooks/high-cpu.yaml",
        "kubectl runbook test runbooks/ -o junit > report.xml",
        "kubectl runbook test runbooks/ -o json | jq '.[] | select(.passed | not)'",
    ],
)
@files_argument
@click.option(
    "-o",
    "--output",
    type=click.Choice(["table", "junit", "json"]),
    default="table",
    show_default=True,
    help="A table for people, JUnit XML for continuous integration, or JSON.",
)
def test(files: tuple[str, ...], output: str) -> None:
    """Run the test cases of Runbooks and TriagePlaybooks.

    A case is recorded evidence (spec.tests.evidence, changed by its merge patch) and what must come of it: a cause, an
    action, a reason to escalate, criteria that are unmet. It is decided by the same code that decides an incident,
    with the parameters' defaults, and takes no time. Only the fields that a case expects are looked at.

    A Runbook that lint refuses is not tested, and one without cases has failed, for nothing is known of it.

    It needs no cluster and asks no host.
    """
    manifests, unreadable = read_files(files)
    found = rehearsals(judge(manifests))
    match output:
        case "junit":
            click.echo(junit(found, unreadable).encode())
        case "json":
            click.echo(json.dumps(rehearsal_json(found, unreadable), indent=2).encode())
        case _:
            print_findings([*unreadable, *(finding for each in found for finding in each.problems)])
            console().print(rehearsal_view(found))
            if differences := [finding for each in found for finding in each.differences]:
                console().print(heading("Differences"))
                print_findings(differences)
    passed = not unreadable and bool(found) and all(each.passed for each in found)
    click.echo(_summary(found, unreadable), err=True)
    if not passed:
        sys.exit(1)


def _summary(found: Sequence[Rehearsal], unreadable: Sequence[Finding]) -> str:
    if not found and not unreadable:
        return "There is no Runbook and no TriagePlaybook in these files: nothing was tested"
    results = [result for each in found for result in each.results]
    failed = sum(not result.passed for result in results)
    refused = len(unreadable) + sum(bool(each.problems) for each in found)
    parts = [f"{counted(len(results), 'case')}, {failed} failed"]
    parts += [f"{counted(refused, 'object')} refused by lint or without a case"] if refused else []
    return "; ".join(parts)
