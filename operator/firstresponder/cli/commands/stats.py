"""``kubectl incident stats``: how well incidents are handled, by type and by runbook revision."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import click
from pydantic import ValidationError

from firstresponder.api.incident import Incident
from firstresponder.cli.archived import read_archive
from firstresponder.cli.kubectl import Cluster
from firstresponder.cli.views.stats import document, stats_view
from firstresponder.cli.views.terminal import console
from firstresponder.reporting.statistics import statistics_of


def stats(
    everywhere: bool,
    since: float | None,
    kind: str | None,
    archives: Sequence[str],
    output: str | None,
    kubeconfig: str | None,
    context: str | None,
    namespace: str | None,
) -> None:
    """Show how incidents went, by type and by runbook revision."""
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
    if archives:  # read after the cluster, so that an incident that leaves it meanwhile is not missed
        archive = read_archive(archives)
        incidents = archive.beside(incidents, None if everywhere else cluster.namespace)
    begin = datetime.now(UTC) - timedelta(seconds=since) if since is not None else None
    found = statistics_of(incidents, since=begin, kind=kind)
    if output == "json":
        click.echo(json.dumps(document(found), indent=2, ensure_ascii=False).encode())
    else:
        console().print(stats_view(found))
