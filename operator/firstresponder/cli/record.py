"""``kubectl runbook record``: a test case out of a real incident."""

from __future__ import annotations

import click

from firstresponder.cli.cluster import Cluster, Refused
from firstresponder.cli.manual import EXITS, Manual
from firstresponder.cli.options import cluster_options, incident_argument
from firstresponder.cli.pinned import pinned
from firstresponder.incident.explain import NotDecided
from firstresponder.incident.fixture import fixture, fixture_yaml


@click.command(
    cls=Manual,
    exits=EXITS
    | {
        0: "done: it decides as the incident was decided",
        1: "it does not, no such incident, one that ended before triage, or refused by the API server",
    },
    examples=[
        "kubectl runbook record high-cpu-7xk2p -n prod",
        "kubectl runbook record high-cpu-7xk2p -n prod > case.yaml",
    ],
)
@incident_argument
@cluster_options
def record(name: str, kubeconfig: str | None, context: str | None, namespace: str | None) -> None:
    """Make a test case out of a real incident.

    Prints YAML for spec.tests of the Runbook (or of the TriagePlaybook, if the incident ended with that): the service,
    the hosts as expressions saw them, what the diagnostics saw in triage, and a case with what was decided. Where the
    Runbook has tests already, put the evidence and the case among them; the names of its own service and hosts stand
    for the incident's. A decision that was wrong becomes a case that fails once its expect is corrected.

    It is redacted: hosts and addresses are replaced, each always by the same; values that may hold a secret or
    personal data are left out; of what others wrote (answers, logs, what commands print) only that is kept which a
    condition reads. Comments say what is not in it. Read it before you publish it: names of programs, units and
    folders are kept, and other hosts are known by their address or domain only.

    The case is decided at once by the revision that the incident pinned, with the parameters' defaults. If that does
    not come to what was recorded, the differences are told on the standard error.
    """
    cluster = Cluster.connect(kubeconfig, context, namespace)
    incident = cluster.the_incident(name)
    try:
        recorded = fixture(incident, *pinned(cluster, incident))
    except NotDecided as problem:
        raise Refused(f"incident {incident.name} cannot be recorded: {problem}") from None
    click.echo(fixture_yaml(recorded).encode(), nl=False)
    if recorded.differences:
        told = "\n".join(f"  {each}" for each in recorded.differences)
        raise Refused(f"the case does not decide as the incident was decided:\n{told}")
