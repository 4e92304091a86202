"""``kubectl incident report``: one incident for other programs and for tickets."""

from __future__ import annotations

import json

import click

from firstresponder.cli.commands.describe import load
from firstresponder.cli.kubectl import Cluster, Refused
from firstresponder.cli.pinned import pinned
from firstresponder.reporting.report import Report
from firstresponder.reporting.report_json import document
from firstresponder.reporting.report_markdown import markdown


def report(name: str, output: str, kubeconfig: str | None, context: str | None, namespace: str | None) -> None:
    """Print an incident's report."""
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
        from firstresponder.cli.views.report_page import page  # noqa: PLC0415 - plots need what others do without
    except ModuleNotFoundError as missing:
        if missing.name != "matplotlib":
            raise
        raise Refused("the page needs matplotlib for its plots: pip install 'firstresponder[html]'") from None
    try:
        _, spec = pinned(cluster, found.incident)
    except Refused:
        spec = None
    return page(found, spec)
