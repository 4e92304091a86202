"""``kubectl incident watch``: what happens to an incident while it happens, until it is over."""

from __future__ import annotations

import sys

import click

from firstresponder.api.incident import ENDS, Phase
from firstresponder.cli.cluster import Cluster
from firstresponder.cli.follow import states
from firstresponder.cli.manual import Manual
from firstresponder.cli.options import cluster_options, incident_argument, timeout_option
from firstresponder.cli.terminal import line_console
from firstresponder.cli.watch_view import Story
from firstresponder.incident.report import report_of

EXITS = {
    0: "the incident is resolved",
    1: "it was escalated to a human, or deleted; or the API server refused",
    2: "its end was not seen: --timeout passed, the API server gave no answer, wrong usage, or no usable kubeconfig",
    130: "interrupted with Ctrl-C; the incident goes on",
}


class NotOver(click.ClickException):
    """The incident goes on."""

    exit_code = 2


@click.command(
    cls=Manual,
    exits=EXITS,
    examples=[
        "kubectl incident watch high-cpu-7xk2p -n prod",
        "kubectl incident watch high-cpu-7xk2p --timeout 30m || page-a-human",
    ],
)
@incident_argument
@timeout_option
@cluster_options
def watch(name: str, timeout: float | None, kubeconfig: str | None, context: str | None, namespace: str | None) -> None:
    """Follow an incident until it is over.

    A line for each entry of its timeline (when, what, by whom) and for each change of phase, as it comes. When the
    incident waits for an approval: what is proposed, the command that approves it, and until when. At the end what
    happened and what is left to do. Of an incident that is over already, all of that at once.

    Nothing is changed. A connection that is cut is made again, and an API server that is away for less than two
    minutes is waited for.
    """
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
