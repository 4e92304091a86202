"""``kubectl runbook record``: a test case out of a real incident."""

from __future__ import annotations

import click

from firstresponder.cli.kubectl import Cluster, Refused
from firstresponder.cli.pinned import pinned
from firstresponder.replay.explain import NotDecided
from firstresponder.replay.fixtures import fixture, fixture_yaml


def record(name: str, kubeconfig: str | None, context: str | None, namespace: str | None) -> None:
    """Print a test case made out of an incident."""
    cluster = Cluster.connect(kubeconfig, context, namespace)
    incident = cluster.the_incident(name)
    try:
        recorded = fixture(incident, *pinned(cluster, incident))
    except NotDecided as problem:
        raise Refused(f"incident {incident.name} cannot be recorded: {problem}") from None
    click.echo(fixture_yaml(recorded).encode(), nl=False)
    if recorded.differences:
        differences = "\n".join(f"  {each}" for each in recorded.differences)
        raise Refused(f"the case does not decide as the incident was decided:\n{differences}")
