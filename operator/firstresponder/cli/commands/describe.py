"""``kubectl incident describe``: one incident for a person, the urgent first."""

from __future__ import annotations

from datetime import UTC, datetime

import click

from firstresponder.api.approvalrequest import ApprovalRequest
from firstresponder.api.incident import Incident
from firstresponder.cli.kubectl import Cluster, Refused
from firstresponder.cli.views.incident import incident_view
from firstresponder.cli.views.terminal import console
from firstresponder.reporting.report import Report, report_of


def describe(name: str, kubeconfig: str | None, context: str | None, namespace: str | None) -> None:
    """Show an incident in detail."""
    cluster = Cluster.connect(kubeconfig, context, namespace)
    console().print(incident_view(load(cluster, name), datetime.now(UTC), cluster.flags), crop=False)


def load(cluster: Cluster, name: str) -> Report:
    """The report of the incident and, as far as the caller may read that, its request. Raises Refused or NoAnswer."""
    incident = cluster.the_incident(name)
    return report_of(incident, _request(cluster, incident))


def _request(cluster: Cluster, incident: Incident) -> ApprovalRequest | None:
    ref = incident.status.approval_request_ref
    try:
        return cluster.request(ref.name) if ref is not None else None
    except Refused as problem:
        click.echo(f"Warning: who answered is not known: {problem.message}", err=True)
        return None
