"""``kubectl incident stats``: how well incidents are handled, by type and by runbook revision."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import click
from pydantic import ValidationError

from firstresponder.api.incident import Incident
from firstresponder.cli import suggest
from firstresponder.cli.cluster import Cluster
from firstresponder.cli.manual import EXITS, Manual
from firstresponder.cli.options import Span, cluster_options
from firstresponder.cli.stats_view import document, stats_view
from firstresponder.cli.terminal import console
from firstresponder.incident.statistics import statistics_of


@click.command(
    cls=Manual,
    exits=EXITS | {1: "refused by the API server"},
    examples=[
        "kubectl incident stats -n prod",
        "kubectl incident stats --all-namespaces --since 30d --type HighCPU",
        "kubectl incident stats -o json | jq '.escalated_most[0]'",
        "# Mark a fix as wrong afterwards, as a human:",
        "kubectl patch incident high-cpu-7xk2p --type=merge \\",
        '    -p \'{"spec":{"fixIncorrect":true}}\'',
    ],
)
@click.option("-A", "--all-namespaces", "everywhere", is_flag=True, help="Count the incidents of all namespaces.")
@click.option("--since", type=Span(), metavar="DURATION", help="Count those detected within it, for example 30d.")
@click.option("--type", "kind", metavar="TYPE", shell_complete=suggest.types, help="Count those of this type.")
@click.option("-o", "--output", type=click.Choice(["json"]), help="Print JSON instead of tables.")
@cluster_options
def stats(
    everywhere: bool,
    since: float | None,
    kind: str | None,
    output: str | None,
    kubeconfig: str | None,
    context: str | None,
    namespace: str | None,
) -> None:
    """Show how incidents went, by type and by runbook revision.

    Open incidents are counted and are in no other figure. Where there is nothing to tell a figure of, there is a dash
    and never a zero.

    \b
    Resolved     verified as fixed, of those that are over: by a fix (something
                 was done) or by itself (the symptom went away)
    Escalated    handed to a human, of those that are over (escalation rate);
                 denied, expired and aborted ones are among them, and all
                 with which a Runbook in mode Observe proposed something
    Wrong fixes  fixes found wrong, of those that were judged (false-action
                 rate): right is a fix that was verified; wrong is one whose
                 verification failed, that a recurrence showed not to last, or
                 that a human marked by spec.fixIncorrect; an action that
                 failed or whose end is not known is no fix that was judged
    MTTD         from detection to the beginning of triage
    MTTR         from the beginning of triage to the verified end; only resolved
                 incidents have one

    A runbook revision is the content that an incident was pinned to, by the digest; a TriagePlaybook's where the
    incident came no further. Incidents that were deleted are not counted.
    """
    cluster = Cluster.connect(kubeconfig, context, namespace)
    incidents, unreadable = [], 0
    for each in cluster.items(Incident, everywhere=everywhere):
        try:
            incidents.append(Incident.model_validate(each))
        except ValidationError:
            unreadable += 1
    if unreadable:
        click.echo(
            f"Warning: incidents that cannot be read and are not counted: {unreadable} (is this plugin older than the "
            "operator?)",
            err=True,
        )
    begin = datetime.now(UTC) - timedelta(seconds=since) if since is not None else None
    found = statistics_of(incidents, since=begin, kind=kind)
    if output == "json":
        click.echo(json.dumps(document(found), indent=2, ensure_ascii=False).encode())
    else:
        console().print(stats_view(found))
