"""``kubectl incident report``: one incident for other programs and for tickets."""

from __future__ import annotations

import json

import click

from firstresponder.cli.cluster import Cluster
from firstresponder.cli.describe import load
from firstresponder.cli.manual import Manual
from firstresponder.cli.options import cluster_options, incident_argument
from firstresponder.incident.report_json import document
from firstresponder.incident.report_markdown import markdown


@click.command(
    cls=Manual,
    examples=[
        "kubectl incident report high-cpu-7xk2p -n prod",
        "kubectl incident report high-cpu-7xk2p -n prod -o json > report.json",
    ],
)
@incident_argument
@click.option(
    "-o", "--output", type=click.Choice(["markdown", "json"]), default="markdown", show_default=True, help="The form."
)
@cluster_options
def report(name: str, output: str, kubeconfig: str | None, context: str | None, namespace: str | None) -> None:
    """Print an incident's report: Markdown for a ticket, or JSON for other programs.

    Texts of hosts, alerts and people are redacted and cannot act as markup. The JSON has incident_id, service,
    timeline, resolution_time, resolved_by, escalated, follow_up, sli, decision_packet and escalation, and all else
    that the status holds.
    """
    found = load(Cluster.connect(kubeconfig, context, namespace), name)
    text = json.dumps(document(found), indent=2, ensure_ascii=False) + "\n" if output == "json" else markdown(found)
    click.echo(text.encode(), nl=False)  # UTF-8 whatever the locale says, as JSON demands
