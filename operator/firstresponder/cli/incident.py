"""``kubectl incident``: one incident for a person (describe), for other programs and tickets (report), why it was
decided so (explain), and whether it would be again (replay)."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import click

from firstresponder.api.incident import Incident
from firstresponder.api.runbook import RunbookSpec, Triage, TriagePlaybookSpec
from firstresponder.cli.cluster import Cluster, Refused, cluster_options
from firstresponder.cli.explain_view import explain_view
from firstresponder.cli.incident_view import incident_view
from firstresponder.cli.terminal import console
from firstresponder.incident.explain import Explanation, NotDecided
from firstresponder.incident.explain import explain as explain_decision
from firstresponder.incident.report import Report, report_of
from firstresponder.incident.report_json import document
from firstresponder.incident.report_markdown import markdown
from firstresponder.runbooks.revision import digest_of

_SETTINGS = {"max_content_width": 100, "help_option_names": ["-h", "--help"]}
_EXITS = """
\b
Exit codes: 0  done
            1  refused by the API server, or no such incident
            2  wrong usage, no usable kubeconfig, or no answer from the API server
"""


@click.group(context_settings=_SETTINGS)
def main() -> None:
    """What is known about one incident.

    \b
    Examples:
      kubectl incident describe high-cpu-7xk2p -n prod
      kubectl incident report high-cpu-7xk2p -n prod -o json
      kubectl incident explain high-cpu-7xk2p -n prod
      kubectl incident replay high-cpu-7xk2p -n prod
    """


@main.command(
    context_settings=_SETTINGS,
    help="Show an incident to a person.\n\nThe first lines say what is wrong, what is proposed or happened, and what "
    "you must do. Then follow the escalation, the decision packet, the attempts with their proof, the verification, "
    "what triage found and saw, the conditions and the timeline."
    f"\n{_EXITS}\n\b\nExample:\n  kubectl incident describe high-cpu-7xk2p -n prod",
)
@click.argument("name")
@cluster_options
def describe(name: str, kubeconfig: str | None, context: str | None, namespace: str | None) -> None:
    report = _load(Cluster.connect(kubeconfig, context, namespace), name)
    console().print(incident_view(report, datetime.now(UTC)))


@main.command(
    context_settings=_SETTINGS,
    help="Print an incident's report: Markdown for a ticket, or JSON for other programs.\n\nTexts of hosts, alerts and "
    "people are redacted and cannot act as markup. The JSON has incident_id, service, timeline, resolution_time, "
    "resolved_by, escalated, follow_up, sli, decision_packet and escalation, and all else that the status holds."
    f"\n{_EXITS}\n\b\nExample:\n  kubectl incident report high-cpu-7xk2p -n prod -o json > report.json",
)
@click.argument("name")
@click.option(
    "-o", "--output", type=click.Choice(["markdown", "json"]), default="markdown", show_default=True, help="The form."
)
@cluster_options
def report(name: str, output: str, kubeconfig: str | None, context: str | None, namespace: str | None) -> None:
    found = _load(Cluster.connect(kubeconfig, context, namespace), name)
    text = json.dumps(document(found), indent=2, ensure_ascii=False) + "\n" if output == "json" else markdown(found)
    click.echo(text.encode(), nl=False)  # UTF-8 whatever the locale says, as JSON demands


@main.command(
    context_settings=_SETTINGS,
    help="Show why an incident was decided as it was.\n\nEach variable, guard, symptom, hypothesis, precondition, "
    "count and method of the pinned runbook revision, in the order of judgement: the expression, the evidence that it "
    "saw, and what came out. Then what follows from it, and each criterion at the last look of the verification."
    f"\n{_EXITS}\n\b\nExample:\n  kubectl incident explain high-cpu-7xk2p -n prod",
)
@click.argument("name")
@cluster_options
def explain(name: str, kubeconfig: str | None, context: str | None, namespace: str | None) -> None:
    console().print(explain_view(_explained(Cluster.connect(kubeconfig, context, namespace), name)))


@main.command(
    context_settings=_SETTINGS,
    help="Decide an incident again from its stored evidence and its pinned runbook revision.\n\nSays whether the "
    "result is the recorded one: every verdict, the proposed action with its target, counts, methods and orders, and "
    "the recommendations. If not, it says where it differs, and the exit code is 1."
    f"\n{_EXITS}\n\b\nExample:\n  kubectl incident replay high-cpu-7xk2p -n prod",
)
@click.argument("name")
@cluster_options
def replay(name: str, kubeconfig: str | None, context: str | None, namespace: str | None) -> None:
    explanation = _explained(Cluster.connect(kubeconfig, context, namespace), name)
    click.echo(f"Decided again: {explanation.conclusion}")
    if explanation.differences:
        raise Refused("not what was recorded:\n" + "\n".join(f"  {each}" for each in explanation.differences))
    click.echo("The same as recorded.")


def _explained(cluster: Cluster, name: str) -> Explanation:
    """The decision made again from the revision that the incident pinned, never from the runbook of today."""
    incident = _incident(cluster, name)
    led, ref = incident.status.playbook_revision_ref, incident.status.runbook_revision_ref
    kind: type[Triage] = RunbookSpec
    if ref is None and led is not None:  # it ended with the playbook
        ref, kind = led, TriagePlaybookSpec
    if ref is None:
        raise Refused(f"incident {incident.name} has no runbook: it ended before triage, or is not triaged yet")
    data = cluster.revision(ref.name)
    if data is None or digest_of(data) != ref.digest:
        raise Refused(f"ControllerRevision {ref.name} is gone or no longer holds what the incident recorded")
    try:
        return explain_decision(incident, ref.runbook, kind.model_validate(data["spec"]))
    except NotDecided as problem:
        raise Refused(f"incident {incident.name} cannot be explained: {problem}") from None


def _incident(cluster: Cluster, name: str) -> Incident:
    name = name.removeprefix("incident/")
    incident = cluster.incident(name)
    if incident is None:
        raise Refused(f"there is no incident {name} in namespace {cluster.namespace}")
    return incident


def _load(cluster: Cluster, name: str) -> Report:
    incident = _incident(cluster, name)
    ref = incident.status.approval_request_ref
    return report_of(incident, cluster.request(ref.name) if ref is not None else None)
