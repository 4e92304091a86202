"""``kubectl incident watch``: what happens to an incident while it happens, until it is over."""

from __future__ import annotations

import sys

import click

from firstresponder.api.incident import ENDS, Phase
from firstresponder.cli.follow import states
from firstresponder.cli.kubectl import Cluster
from firstresponder.cli.views.terminal import line_console
from firstresponder.cli.views.watch import Story
from firstresponder.reporting.report import report_of


class NotOver(click.ClickException):
    """The incident goes on."""

    exit_code = 2


def watch(name: str, timeout: float | None, kubeconfig: str | None, context: str | None, namespace: str | None) -> None:
    """Follow an incident until it is over."""
    follow(Cluster.connect(kubeconfig, context, namespace), name, timeout)


def follow(cluster: Cluster, name: str, timeout: float | None) -> None:
    """Tell what happens until the incident is over, and exit with what became of it."""
    out, story = line_console(), Story(cluster.flags)
    phase = Phase.PENDING
    try:
        for incident in states(cluster, name, timeout):
            name, phase = incident.name, incident.status.phase
            for line in story.news(report_of(incident)):
                out.print(line, crop=False)
            if phase in ENDS:
                sys.exit(0 if phase == Phase.RESOLVED else 1)
    except KeyboardInterrupt:
        again = cluster.command("incident", "watch", name)
        click.echo(f"\nNo longer followed; the incident goes on. Again: {again}", err=True)
        sys.exit(130)
    raise NotOver(f"incident {name} is still {phase.value}; it goes on")
