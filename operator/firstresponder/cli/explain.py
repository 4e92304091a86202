"""``kubectl incident explain`` and ``replay``: why one was decided so, and whether it would be again."""

from __future__ import annotations

import click

from firstresponder.cli.cluster import Cluster, Refused
from firstresponder.cli.explain_view import explain_view
from firstresponder.cli.manual import EXITS, Manual
from firstresponder.cli.options import cluster_options, incident_argument
from firstresponder.cli.pinned import pinned
from firstresponder.cli.terminal import console
from firstresponder.incident.explain import Explanation, NotDecided
from firstresponder.incident.explain import explain as explain_decision


@click.command(cls=Manual, examples=["kubectl incident explain high-cpu-7xk2p -n prod"])
@incident_argument
@cluster_options
def explain(name: str, kubeconfig: str | None, context: str | None, namespace: str | None) -> None:
    """Show why an incident was decided as it was.

    Each variable, guard, symptom, hypothesis, precondition, count and method of the pinned runbook revision, in the
    order of judgement: the expression, the evidence that it saw, and what came out. Then what follows from it, and
    each criterion at the last look of the verification.
    """
    console().print(explain_view(_explained(Cluster.connect(kubeconfig, context, namespace), name)))


@click.command(
    cls=Manual,
    exits=EXITS | {0: "the same as recorded", 1: "not the same, no such incident, or refused by the API server"},
    examples=["kubectl incident replay high-cpu-7xk2p -n prod"],
)
@incident_argument
@cluster_options
def replay(name: str, kubeconfig: str | None, context: str | None, namespace: str | None) -> None:
    """Decide an incident again from its stored evidence and its pinned runbook revision.

    Says whether the result is the recorded one: every verdict, the proposed action with its target, counts, methods
    and orders, and the recommendations. If not, it says where it differs, and the exit status is 1.
    """
    explanation = _explained(Cluster.connect(kubeconfig, context, namespace), name)
    out = console()
    out.print(f"Decided again: {explanation.conclusion}", soft_wrap=True)
    if explanation.differences:
        raise Refused("not what was recorded:\n" + "\n".join(f"  {each}" for each in explanation.differences))
    out.print("The same as recorded.")


def _explained(cluster: Cluster, name: str) -> Explanation:
    incident = cluster.the_incident(name)
    try:
        return explain_decision(incident, *pinned(cluster, incident))
    except NotDecided as problem:
        raise Refused(f"incident {incident.name} cannot be explained: {problem}") from None
