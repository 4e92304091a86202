"""``kubectl runbook lint``: every problem of files of Runbooks at once, without a cluster."""

from __future__ import annotations

import sys

import click

from firstresponder.cli.files import counted, files_argument, print_findings, read_files
from firstresponder.cli.manual import Manual
from firstresponder.runbooks.manifest import judge
from firstresponder.safety import neutralise


@click.command(
    cls=Manual,
    exits={
        0: "no problem",
        1: "problems, each in a line of its own on the standard output",
        2: "wrong usage, or a file that is not there",
    },
    examples=[
        "kubectl runbook lint runbooks/high-cpu.yaml",
        "kubectl runbook lint runbooks/ deploy/watched-namespace/",
    ],
)
@files_argument
def lint(files: tuple[str, ...]) -> None:
    """Say everything that is wrong with Runbooks and TriagePlaybooks.

    Each problem is a line FILE:LINE:COLUMN: FIELD: MESSAGE, which editors and continuous integration understand. The
    line is the field's, or where the field is missing, that of the field around it. What is refused here would be
    refused by the API server or by the operator too (condition Ready=False).

    Incidents, Hosts, ActionClasses and EscalationPolicies are checked against their schema; objects of other
    makers are skipped and named. Where Runbooks are given together, no two of them may match the same incident; where
    Runbooks or ActionClasses are given, those that the others name must be among them.

    It needs no cluster.
    """
    manifests, unreadable = read_files(files)
    foreign = [each.kind for each in manifests if each.foreign]
    if foreign:
        kinds = neutralise(", ".join(sorted(set(foreign))), 1000)
        click.echo(f"Skipped {counted(len(foreign), 'object')} of other makers: {kinds}", err=True)
    findings = [*unreadable, *(finding for _, problems in judge(manifests) for finding in problems)]
    print_findings(findings)
    checked = counted(len(manifests) - len(foreign), "object")
    if findings:
        where = counted(len({each.file for each in findings}), "file")
        click.echo(f"{counted(len(findings), 'problem')} in {where} ({checked} checked)", err=True)
        sys.exit(1)
    click.echo(f"No problem ({checked} checked)", err=True)
