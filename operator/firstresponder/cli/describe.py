"""``kubectl incident describe``: one incident for a person, the urgent first."""

from __future__ import annotations

from datetime import UTC, datetime

import click

from firstresponder.cli.cluster import Cluster
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
    console().print(incident_view(load(cluster, name), datetime.now(UTC), cluster.flags))


def load(cluster: Cluster, name: str) -> Report:
    """The report of the incident and its request. Raises Refused or NoAnswer."""
    incident = cluster.the_incident(name)
    ref = incident.status.approval_request_ref
    return report_of(incident, cluster.request(ref.name) if ref is not None else None)
