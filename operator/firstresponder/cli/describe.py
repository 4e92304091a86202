"""``kubectl incident describe``: one incident for a person, the urgent first."""

from __future__ import annotations

from datetime import UTC, datetime

import click

from firstresponder.api.approvalrequest import ApprovalRequest
from firstresponder.api.incident import Incident
from firstresponder.cli.cluster import Cluster, Refused
from firstresponder.cli.incident_view import incident_view
from firstresponder.cli.manual import Manual
from firstresponder.cli.options import cluster_options, incident_argument
from firstresponder.cli.terminal import console
from firstresponder.incident.report import Report, report_of


@click.command(cls=Manual, examples=["kubectl incident describe high-cpu-7xk2p -n prod"])
@incident_argument
@cluster_options
def describe(name: str, kubeconfig: str | None, context: str | None, namespace: str | None) -> None:
    """Show an incident to a person.

    The first lines say what is wrong, what is proposed or happened, and what you must do. Then follow the escalation,
    the attempts with their proof, the verification, what was measured, the root cause, what triage found and saw, the
    timeline, follow-ups, the decision packet (first of all these while an answer is waited for) and the conditions.
    """
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
