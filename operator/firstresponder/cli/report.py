"""``kubectl incident report``: one incident for other programs and for tickets."""

from __future__ import annotations

import json

import click

from firstresponder.cli.cluster import Cluster, Refused
from firstresponder.cli.describe import load
from firstresponder.cli.manual import Manual
from firstresponder.cli.options import cluster_options, incident_argument
from firstresponder.cli.pinned import pinned
from firstresponder.incident.report import Report
from firstresponder.incident.report_json import document
from firstresponder.incident.report_markdown import markdown


@click.command(
    cls=Manual,
    examples=[
        "kubectl incident report high-cpu-7xk2p -n prod",
        "kubectl incident report high-cpu-7xk2p -n prod -o json > report.json",
        "kubectl incident report high-cpu-7xk2p -n prod -o html > report.html",
    ],
)
@incident_argument
@click.option(
    "-o",
    "--output",
    type=click.Choice(["markdown", "json", "html"]),
    default="markdown",
    show_default=True,
    help="The form.",
)
@cluster_options
def report(name: str, output: str, kubeconfig: str | None, context: str | None, namespace: str | None) -> None:
    """Print an incident's report: Markdown for a ticket, JSON for other programs, or a page of HTML to be kept.

    Texts of hosts, alerts and people are redacted and cannot act as markup. The JSON has incident_id, service,
    timeline, resolution_time, resolved_by, escalated, follow_up, sli, decision_packet and escalation, and all else
    that the status holds. The page shows what was measured over time; it has no script and fetches nothing.
    """
    cluster = Cluster.connect(kubeconfig, context, namespace)
    found = load(cluster, name)
    match output:
        case "html":
            text = _page(cluster, found)
        case "json":
            text = json.dumps(document(found), indent=2, ensure_ascii=False) + "\n"
        case _:
            text = markdown(found)
    click.echo(text.encode(), nl=False)  # UTF-8 whatever the locale says, as JSON demands


def _page(cluster: Cluster, found: Report) -> str:
    """The page, with the thresholds of the revision that the incident pinned as far as that can be read."""
    try:
        from firstresponder.cli.report_page import page  # noqa: PLC0415 - plots need what others do without
    except ModuleNotFoundError as missing:
        if missing.name != "matplotlib":
            raise
        raise Refused("the page needs matplotlib for its plots: pip install 'firstresponder[html]'") from None
    try:
        _, spec = pinned(cluster, found.incident)
    except Refused:
        spec = None
    return page(found, spec)
