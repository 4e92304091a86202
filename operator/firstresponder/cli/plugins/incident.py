"""``kubectl incident``: from the report that something is wrong to what is learnt from many."""

from __future__ import annotations

from typing import Any

import click

from firstresponder.cli.manual import EXITS, ManualGroup
from firstresponder.cli.options import (
    Span,
    archive_option,
    cluster_options,
    incident_argument,
    suggested,
    timeout_option,
)

_UNTIL_THE_END = {
    0: "the incident is resolved",
    1: "it was escalated to a human, or deleted; or the API server refused",
    2: "its end was not seen: --timeout passed, the API server gave no answer, wrong usage, or no usable kubeconfig",
    130: "interrupted with Ctrl-C; the incident goes on",
}


@click.group(
    "kubectl incident",
    cls=ManualGroup,
    examples=[
        "kubectl incident open --type DiskFull --service shop --host shop-1 -n prod",
        "kubectl incident watch high-cpu-7xk2p -n prod",
        "kubectl incident describe high-cpu-7xk2p -n prod",
        "kubectl incident stats --since 30d",
    ],
)
def main() -> None:
    """Open incidents, follow them, and read what is known about them.

    Each command has a page of its own: kubectl incident COMMAND --help. To approve or deny what an incident
    proposes: kubectl approve and kubectl deny.
    """


@main.command(
    "open",
    exits=_UNTIL_THE_END
    | {0: "the incident is resolved; with --no-watch, --dry-run or -o: it was created, or could be"},
    examples=[
        "kubectl incident open --type HighCPU --service api-gateway \\",
        "    --host api-gateway-03 --summary 'CPU above 90 % for 5m' -n prod",
        "kubectl incident open --type HighCPU --service api-gateway \\",
        "    --host api-gateway-03 --host control-node=control-1 \\",
        "    --parameter cpuThreshold=90 --severity Critical --no-watch",
    ],
)
@click.option("--type", "kind", required=True, metavar="TYPE", shell_complete=suggested("types"), help="What is wrong.")
@click.option(
    "--service", required=True, metavar="NAME", shell_complete=suggested("services"), help="The affected service."
)
@click.option(
    "--host", "hosts", multiple=True, metavar="[ROLE=]NAME", shell_complete=suggested("hosts"),
    help="A Host and its role, which is target unless given; repeatable. Roles left out are found by the runbook.",
)  # fmt: skip
@click.option("--summary", metavar="TEXT", help="What is wrong, in one sentence.")
@click.option(
    "--severity", type=click.Choice(["Critical", "Warning", "Info"]), help="How bad it is.  [default: Warning]"
)
@click.option(
    "--runbook", metavar="NAME", shell_complete=suggested("runbooks"),
    help="The Runbook to use; by default the only one that matches the type.",
)  # fmt: skip
@click.option(
    "--parameter", "parameters", multiple=True, metavar="NAME=VALUE",
    help="Overrides a parameter of the runbook, within its bounds; repeatable. "
    "The value is a YAML scalar: 90 is a number, '\"90\"' a text.",
)  # fmt: skip
@click.option(
    "--override-recurrence", metavar="WHY",
    help="Propose the same fix although it was tried within its cooldown and did not last; the reason is recorded.",
)  # fmt: skip
@click.option(
    "--detection-time", metavar="TIME", help="When it was detected, as in 2026-03-14T03:07:12Z; by default now."
)
@click.option("--customers", type=click.IntRange(min=0), metavar="N", help="How many customers are affected.")
@click.option("--revenue-loss", metavar="MONEY", help="Revenue lost per hour, as in 5000EUR.")
@click.option("--name", metavar="NAME", help="The incident's name; by default one made from its type.")
@click.option("--no-watch", is_flag=True, help="Print the incident's name and do not follow it.")
@timeout_option
@click.option("--dry-run", is_flag=True, help="Let the API server check it and change nothing.")
@click.option(
    "-o", "--output", type=click.Choice(["name", "yaml", "json"]),
    help="Print what was created (or would be) in this form, and do not follow it.",
)  # fmt: skip
@cluster_options
def open_incident(**given: Any) -> None:
    """Open an incident and follow it until it is over.

    What kubectl apply of an Incident would do, and then what kubectl incident watch does. The API server checks
    whether the incident is well-formed. If no runbook matches the type, or a Host does not exist, a
    warning says so; the incident is opened anyway, and will be escalated.

    Interrupting it only stops following; the incident goes on.
    """
    from firstresponder.cli.commands.open import open_incident

    open_incident(**given)


@main.command(
    exits=_UNTIL_THE_END,
    examples=[
        "kubectl incident watch high-cpu-7xk2p -n prod",
        "kubectl incident watch high-cpu-7xk2p --timeout 30m || page-a-human",
    ],
)
@incident_argument
@timeout_option
@cluster_options
def watch(**given: Any) -> None:
    """Follow an incident until it is over.

    A line for each entry of its timeline (when, what, by whom) and for each change of phase, as it comes. When the
    incident waits for an approval: what is proposed, the command that approves it, and until when. At the end what
    happened and what is left to do. For an incident that is already over, all of that at once.

    Nothing is changed. It reconnects when the connection breaks, and waits up to two minutes for an unavailable API
    server.
    """
    from firstresponder.cli.commands import watch

    watch.watch(**given)


@main.command(examples=["kubectl incident describe high-cpu-7xk2p -n prod"])
@incident_argument
@cluster_options
def describe(**given: Any) -> None:
    """Show an incident in detail.

    The first lines say what is wrong, what is proposed or happened, and what you must do. Then follow the escalation,
    the attempts with their proof, the verification, what was measured, the root cause, what triage found and saw, the
    timeline, follow-ups, the decision packet (first of all these while an answer is waited for) and the conditions.
    """
    from firstresponder.cli.commands import describe

    describe.describe(**given)


@main.command(
    examples=[
        "kubectl incident report high-cpu-7xk2p -n prod",
        "kubectl incident report high-cpu-7xk2p -n prod -o json > report.json",
        "kubectl incident report high-cpu-7xk2p -n prod -o html > report.html",
        "kubectl incident report high-cpu-7xk2p -n prod \\",
        "    --archive incidents-2026-01.jsonl",
    ],
)
@incident_argument
@archive_option("Read the incident in an archive of the operator, and not in the cluster")
@click.option(
    "-o",
    "--output",
    type=click.Choice(["markdown", "json", "html"]),
    default="markdown",
    show_default=True,
    help="The form.",
)
@cluster_options
def report(**given: Any) -> None:
    """Print an incident's report: Markdown for a ticket, JSON for other programs, or HTML to keep.

    Texts of hosts, alerts and people are redacted and cannot act as markup. The JSON has incident_id, service,
    timeline, resolution_time, resolved_by, escalated, follow_up, sli, decision_packet and escalation, and all else
    that the status holds. The page shows what was measured over time; it has no script and fetches nothing.
    """
    from firstresponder.cli.commands import report

    report.report(**given)


@main.command(examples=["kubectl incident explain high-cpu-7xk2p -n prod"])
@incident_argument
@cluster_options
def explain(**given: Any) -> None:
    """Show why an incident was decided as it was.

    Each variable, guard, symptom, hypothesis, precondition, count and method of the pinned runbook revision, in the
    order of evaluation: the expression, the evidence that it saw, and what came out. Then the outcome, and each
    criterion at the last sample of the verification.
    """
    from firstresponder.cli.commands import explain

    explain.explain(**given)


@main.command(
    exits=EXITS | {0: "the same as recorded", 1: "not the same, no such incident, or refused by the API server"},
    examples=["kubectl incident replay high-cpu-7xk2p -n prod"],
)
@incident_argument
@cluster_options
def replay(**given: Any) -> None:
    """Decide an incident again from its stored evidence and its pinned runbook revision.

    Says whether the result is the recorded one: every verdict, the proposed action with its target, counts, methods
    and orders, and the recommendations. If not, it says where it differs, and the exit status is 1.
    """
    from firstresponder.cli.commands import explain

    explain.replay(**given)


@main.command(
    exits=EXITS | {1: "refused by the API server"},
    examples=[
        "kubectl incident stats -n prod",
        "kubectl incident stats --all-namespaces --since 30d --type HighCPU",
        "kubectl incident stats -o json | jq '.escalated_most[0]'",
        "kubectl incident stats --since 365d --archive incidents-2026-01.jsonl \\",
        "    --archive incidents-2026-02.jsonl",
        "# Mark a fix as wrong afterwards, as a human:",
        "kubectl patch incident high-cpu-7xk2p --type=merge \\",
        '    -p \'{"spec":{"fixIncorrect":true}}\'',
    ],
)
@click.option("-A", "--all-namespaces", "everywhere", is_flag=True, help="Count the incidents of all namespaces.")
@click.option(
    "--since", type=Span(), metavar="DURATION", help="Count those detected within this time, for example 30d."
)
@click.option("--type", "kind", metavar="TYPE", shell_complete=suggested("types"), help="Count those of this type.")
@archive_option("Count the incidents of an archive of the operator, too")
@click.option("-o", "--output", type=click.Choice(["json"]), help="Print JSON instead of tables.")
@cluster_options
def stats(**given: Any) -> None:
    """Show how incidents went, by type and by runbook revision.

    Open incidents are counted, and appear in no other figure. Where there is nothing to count, there is a dash
    and never a zero.

    \b
    Resolved     verified as fixed, of those that are over: by a fix (something
                 was done) or by itself (the symptom was not there)
    Escalated    escalated, of those that are over (escalation rate);
                 denied, expired and aborted ones count as well, and all
                 with which a Runbook in mode Observe proposed something
    Wrong fixes  fixes found wrong, of those with a verdict (false-action
                 rate): right is a fix that was verified; wrong is one whose
                 verification failed, that a recurrence showed not to last, or
                 that a human marked by spec.fixIncorrect; an action that
                 failed or whose end is not known has no verdict
    MTTD         from detection to the beginning of triage
    MTTR         from the beginning of triage to the verified end; only resolved
                 incidents have one

    A runbook revision is the content that an incident was pinned to, by the digest; a TriagePlaybook's where the
    incident came no further. Incidents that were deleted are counted only with --archive, each of them once.
    """
    from firstresponder.cli.commands import stats

    stats.stats(**given)
