"""``kubectl incident report``: one incident for other programs and for tickets."""

from __future__ import annotations

import json
from collections.abc import Sequence

import click

from firstresponder.cli.archived import read_archive
from firstresponder.cli.commands.describe import load
from firstresponder.cli.kubectl import Cluster, Refused
from firstresponder.cli.pinned import pinned
from firstresponder.reporting.report import Report, report_of
from firstresponder.reporting.report_json import document
from firstresponder.reporting.report_markdown import markdown
from firstresponder.safety.neutralise import neutralise


def report(
    name: str,
    archives: Sequence[str],
    output: str,
    kubeconfig: str | None,
    context: str | None,
    namespace: str | None,
) -> None:
    """Print an incident's report."""
    cluster = Cluster.connect(kubeconfig, context, namespace)
    found = _archived(archives, name, cluster.namespace) if archives else load(cluster, name)
    match output:
        case "html":
            text = _page(cluster, found)
        case "json":
            text = json.dumps(document(found), indent=2, ensure_ascii=False) + "\n"
        case _:
            text = markdown(found)
    click.echo(text.encode(), nl=False)  # UTF-8 whatever the locale says, as JSON demands


def _archived(archives: Sequence[str], name: str, namespace: str) -> Report:
    """The report of the incident of that name that was archived last. Raises Refused."""
    archive = read_archive(archives, name)
    there = [each for each in archive.incidents.values() if each.incident.namespace == namespace]
    last = max(there, key=lambda each: each.archived, default=None)
    if last is None:
        raise Refused(f"no incident {neutralise(name, 256)} of namespace {namespace} is in these files")
    ref = last.incident.status.approval_request_ref
    requests = {each.name: each for each in last.approval_requests}
    return report_of(last.incident, requests.get(ref.name) if ref is not None else None)


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
