"""``kubectl incident explain`` and ``replay``: why one was decided so, and whether it would be again."""

from __future__ import annotations

from firstresponder.cli.kubectl import Cluster, Refused
from firstresponder.cli.pinned import pinned
from firstresponder.cli.views.explain import explain_view
from firstresponder.cli.views.terminal import console
from firstresponder.replay.explain import Explanation, NotDecided
from firstresponder.replay.explain import explain as explain_decision


def explain(name: str, kubeconfig: str | None, context: str | None, namespace: str | None) -> None:
    """Show why an incident was decided as it was."""
    console().print(explain_view(_explained(Cluster.connect(kubeconfig, context, namespace), name)))


def replay(name: str, kubeconfig: str | None, context: str | None, namespace: str | None) -> None:
    """Decide an incident again and say whether the result is the recorded one."""
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
