"""``kubectl runbook``: what authors of Runbooks need while they write them."""

from __future__ import annotations

from typing import Any

import click

from firstresponder.cli.manual import EXITS, ManualGroup
from firstresponder.cli.options import cluster_options, files_argument, incident_argument


@click.group(
    "kubectl runbook",
    cls=ManualGroup,
    exits={0: "done", 1: "problems, or a case that came out otherwise", 2: "wrong usage"},
    examples=[
        "kubectl runbook lint runbooks/",
        "kubectl runbook test runbooks/high-cpu.yaml",
        "kubectl runbook render runbooks/high-cpu.yaml > high-cpu.md",
        "kubectl runbook record high-cpu-7xk2p -n prod",
    ],
)
def main() -> None:
    """Write Runbooks and TriagePlaybooks that are known to work.

    Each command has a page of its own: kubectl runbook COMMAND --help.
    """


@main.command(
    exits={
        0: "no problem",
        1: "problems, each in a line of its own on the standard output",
        2: "wrong usage, or a file that is not there",
    },
    examples=[
        "kubectl runbook lint runbooks/high-cpu.yaml",
        "kubectl runbook lint runbooks/ deploy/watched-namespace/",
    ],
)
@files_argument
def lint(**given: Any) -> None:
    """Report every problem of Runbooks and TriagePlaybooks.

    Each problem is a line FILE:LINE:COLUMN: FIELD: MESSAGE, which editors and continuous integration understand. The
    line is the field's, or where the field is missing, that of the field around it. What is refused here would be
    refused by the API server or by the operator too (condition Ready=False).

    Incidents, Hosts, ActionClasses and EscalationPolicies are checked against their schema; objects of other
    APIs are skipped and named. Where Runbooks are given together, no two of them may match the same incident; where
    Runbooks or ActionClasses are given, those that the others name must be among them.

    It needs no cluster.
    """
    from firstresponder.cli.commands import lint

    lint.lint(**given)


@main.command(
    "test",
    exits={
        0: "every case came out as expected",
        1: "a case came out otherwise, a Runbook has no case, or a file has a problem",
        2: "wrong usage, or a file that is not there",
    },
    examples=[
        "kubectl runbook test runbooks/high-cpu.yaml",
        "kubectl runbook test runbooks/ -o junit > report.xml",
        "kubectl runbook test runbooks/ -o json | jq '.[] | select(.passed | not)'",
    ],
)
@files_argument
@click.option(
    "-o",
    "--output",
    type=click.Choice(["table", "junit", "json"]),
    default="table",
    show_default=True,
    help="A table for people, JUnit XML for continuous integration, or JSON.",
)
def test(**given: Any) -> None:
    """Run the test cases of Runbooks and TriagePlaybooks.

    A case is recorded evidence (spec.tests.evidence, changed by its merge patch) and the expected result: a cause, an
    action, a reason to escalate, criteria that are unmet. It is decided by the same code that decides an incident,
    with the parameters' defaults, and takes no time. Only the fields that a case expects are compared.

    A Runbook that lint refuses is not tested, and one without cases fails.

    It needs no cluster and asks no host.
    """
    from firstresponder.cli.commands import run_tests

    run_tests.test(**given)


@main.command(
    exits={
        0: "done",
        1: "a file has a problem",
        2: "wrong usage, a value that the Runbook does not take, or a file that is not there",
    },
    examples=[
        "kubectl runbook render runbooks/high-cpu.yaml > high-cpu.md",
        "kubectl runbook render runbooks/high-cpu.yaml --service=checkout \\",
        "  --host=target=checkout-07=10.0.0.17 --parameter=cpuThreshold=90",
        "kubectl runbook render runbooks/high-cpu.yaml - --host=target=checkout-07",
    ],
)
@files_argument
@click.option("--service", metavar="NAME", help="The affected service.")
@click.option(
    "--host",
    "hosts",
    metavar="[ROLE=]NAME[=ADDRESS]",
    multiple=True,
    help="The host of a role, which is target unless given; an address needs the role too. "
    "Address and expected units of a Host that is in the files are taken from there; "
    "otherwise the name is the address where none is given.",
)
@click.option(
    "--parameter", "parameters", metavar="NAME=VALUE", multiple=True, help="A parameter, within the Runbook's bounds."
)
def render(**given: Any) -> None:
    """Print a Runbook as a page to follow by hand.

    The page is Markdown and has the steps and the criteria of the operator: what to observe on which host, with
    commands to copy and how to read what they print; guards, symptom and causes in the order of evaluation; for each
    action its approval, the preview, the commands and the rollback; how the end is verified; and to whom to
    escalate.

    It is made for the service and the hosts that are given. Without any, it is an example with those of the Runbook's
    own tests. Hosts may be among the files, as kubectl get hosts -o yaml prints them. A host that a role needs and
    that was not given appears in capitals. Parameters that are not given have their defaults.

    It needs no cluster and asks no host.
    """
    from firstresponder.cli.commands import render

    render.render(**given)


@main.command(
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
def record(**given: Any) -> None:
    """Make a test case out of a real incident.

    Prints YAML for spec.tests of the Runbook (or of the TriagePlaybook, if the incident ended with that): the service,
    the hosts as expressions saw them, what the diagnostics saw in triage, and a case with what was decided. Where the
    Runbook has tests already, put the evidence and the case among them; the names of its own service and hosts stand
    for the incident's. A decision that was wrong becomes a case that fails once its expect is corrected.

    It is redacted: hosts and addresses are replaced, each always by the same name; values that may hold a secret or
    personal data are left out; of what others wrote (answers, logs, what commands print) only what a condition reads is
    kept. Comments say what is not in it. Read it before you publish it: names of programs, units and
    folders are kept, and other hosts are known by their address or domain only.

    The case is decided at once by the revision that the incident pinned, with the parameters' defaults. If the result
    differs from what was recorded, the differences are printed on the standard error.
    """
    from firstresponder.cli.commands import record

    record.record(**given)
