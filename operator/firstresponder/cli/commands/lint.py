"""``kubectl runbook lint``: every problem of files of Runbooks at once, without a cluster."""

from __future__ import annotations

import sys

import click

from firstresponder.cli.files import counted, print_findings, read_files
from firstresponder.runbooks.manifest import judge
from firstresponder.safety import neutralise


def lint(files: tuple[str, ...]) -> None:
    """Print every problem of the objects in these files."""
    manifests, unreadable = read_files(files)
    foreign = [each.kind for each in manifests if each.foreign]
    if foreign:
        kinds = neutralise(", ".join(sorted(set(foreign))), 1000)
        click.echo(f"Skipped {counted(len(foreign), 'object')} of other APIs: {kinds}", err=True)
    findings = [*unreadable, *(finding for _, problems in judge(manifests) for finding in problems)]
    print_findings(findings)
    checked = counted(len(manifests) - len(foreign), "object")
    if findings:
        where = counted(len({each.file for each in findings}), "file")
        click.echo(f"{counted(len(findings), 'problem')} in {where} ({checked} checked)", err=True)
        sys.exit(1)
    click.echo(f"No problem ({checked} checked)", err=True)
