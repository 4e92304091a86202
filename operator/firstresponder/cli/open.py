"""``kubectl incident open``: a person reports an incident and sees what becomes of it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime
from typing import Any

import click
import yaml

from firstresponder.api.base import API_VERSION, JSON, aware, format_time
from firstresponder.api.hosts import Host
from firstresponder.api.runbook import Runbook, TriagePlaybook
from firstresponder.cli import suggest
from firstresponder.cli.by_role import by_role
from firstresponder.cli.cluster import Cluster, NoAnswer, Refused
from firstresponder.cli.manual import Manual
from firstresponder.cli.options import cluster_options, timeout_option
from firstresponder.cli.parameters import parameters_of
from firstresponder.cli.watch import EXITS, follow
from firstresponder.safety.neutralise import neutralise

_MONEY = re.compile(r"([0-9]{1,15}) ?([A-Z]{3})")
_LONGEST_BEGINNING = 40
"""Characters of a type that become the beginning of the name."""


@click.command(
    "open",
    cls=Manual,
    exits=EXITS | {0: "the incident is resolved; with --no-watch, --dry-run or -o: it was created, or could be"},
    examples=[
        "kubectl incident open --type HighCPU --service api-gateway \\",
        "    --host api-gateway-03 --summary 'CPU above 90 % for 5m' -n prod",
        "kubectl incident open --type HighCPU --service api-gateway \\",
        "    --host api-gateway-03 --host control-node=control-1 \\",
        "    --parameter cpuThreshold=90 --severity Critical --no-watch",
    ],
)
@click.option("--type", "kind", required=True, metavar="TYPE", shell_complete=suggest.types, help="What is wrong.")
@click.option(
    "--service", required=True, metavar="NAME", shell_complete=suggest.services, help="Which service suffers."
)
@click.option(
    "--host", "hosts", multiple=True, metavar="[ROLE=]NAME", shell_complete=suggest.hosts,
    help="A Host and its role, which is target unless given; repeatable. Roles left out are found by the runbook.",
)  # fmt: skip
@click.option("--summary", metavar="TEXT", help="What is wrong, in one sentence.")
@click.option(
    "--severity", type=click.Choice(["Critical", "Warning", "Info"]), help="How bad it is.  [default: Warning]"
)
@click.option(
    "--runbook", metavar="NAME", shell_complete=suggest.runbooks,
    help="The Runbook to use; otherwise the only one that matches the type.",
)  # fmt: skip
@click.option(
    "--parameter", "parameters", multiple=True, metavar="NAME=VALUE",
    help="Overrides a parameter of the runbook, within its bounds; repeatable. "
    "The value is a YAML scalar: 90 is a number, '\"90\"' a text.",
)  # fmt: skip
@click.option(
    "--detection-time", metavar="TIME", help="When it was noticed, as in 2026-03-14T03:07:12Z; otherwise now."
)
@click.option("--customers", type=click.IntRange(min=0), metavar="N", help="How many customers are affected.")
@click.option("--revenue-loss", metavar="MONEY", help="What is lost in an hour, as in 5000EUR.")
@click.option("--name", metavar="NAME", help="The incident's name; otherwise one that begins with its type.")
@click.option("--no-watch", is_flag=True, help="Print the incident's name and do not follow it.")
@timeout_option
@click.option("--dry-run", is_flag=True, help="Let the API server check it and change nothing.")
@click.option(
    "-o", "--output", type=click.Choice(["name", "yaml", "json"]),
    help="Print what was created (or would be) in this form, and do not follow it.",
)  # fmt: skip
@cluster_options
def open_incident(
    kind: str,
    service: str,
    hosts: tuple[str, ...],
    summary: str | None,
    severity: str | None,
    runbook: str | None,
    parameters: tuple[str, ...],
    detection_time: str | None,
    customers: int | None,
    revenue_loss: str | None,
    name: str | None,
    no_watch: bool,
    timeout: float | None,
    dry_run: bool,
    output: str | None,
    kubeconfig: str | None,
    context: str | None,
    namespace: str | None,
) -> None:
    """Open an incident and follow it until it is over.

    What kubectl apply of an Incident would do, and then what kubectl incident watch does. The API server judges
    whether the incident is well-formed, in its own words. Where no runbook is for the type, or a Host is not there,
    a warning says so; the incident is opened all the same, and will be handed to a human.

    Interrupting it stops nothing but the following.
    """
    given = {
        "type": kind,
        "service": service,
        "hosts": [{"role": role, "name": host} for role, host in by_role(hosts).items()],
        "summary": summary,
        "severity": severity,
        "runbookRef": {"name": runbook} if runbook is not None else None,
        "parameters": parameters_of(parameters),
        "detectionTime": _moment(detection_time),
        "impact": _impact(customers, revenue_loss),
    }
    spec = {field: value for field, value in given.items() if value not in (None, {}, [])}
    cluster = Cluster.connect(kubeconfig, context, namespace)
    for warning in _doubts(cluster, spec):
        click.echo(f"Warning: {warning}", err=True)
    created = _created(cluster, name or _kebab(kind), spec, generate=name is None, dry_run=dry_run)
    if output is not None:
        click.echo(_printed(created, output).encode())  # UTF-8 whatever the locale says, as JSON demands
    elif no_watch or dry_run:
        click.echo(created["metadata"]["name"] + (" (server dry run)" if dry_run else ""))
    else:
        click.echo(f"incident.firstresponder.dev/{created['metadata']['name']} created")
        follow(cluster, created["metadata"]["name"], timeout)


def _moment(text: str | None) -> str | None:
    if text is None:
        return None
    try:
        return format_time(aware(datetime.fromisoformat(text)))
    except ValueError:
        raise click.BadParameter(
            f"{text!r} is not a time with its zone, as in 2026-03-14T03:07:12Z", param_hint="--detection-time"
        ) from None


def _impact(customers: int | None, revenue_loss: str | None) -> dict[str, JSON]:
    impact: dict[str, JSON] = {} if customers is None else {"customers": customers}
    if revenue_loss is not None:
        if (money := _MONEY.fullmatch(revenue_loss)) is None:
            raise click.BadParameter(
                f"{revenue_loss!r} is not a whole amount with its currency, as in 5000EUR", param_hint="--revenue-loss"
            )
        impact["revenueLossPerHour"] = {"amount": int(money[1]), "currency": money[2]}
    return impact


def _doubts(cluster: Cluster, spec: dict[str, Any]) -> Iterator[str]:
    """What will keep the operator from handling it, as far as the caller may read that."""
    for find in (_no_runbook, _no_hosts):
        with suppress(NoAnswer, Refused):
            yield from find(cluster, spec)


def _no_runbook(cluster: Cluster, spec: dict[str, Any]) -> list[str]:
    runbooks = list(cluster.items(Runbook))
    if (wanted := spec.get("runbookRef")) is not None:
        known = {each["metadata"]["name"] for each in runbooks}
        return [] if wanted["name"] in known else [f"there is no Runbook {_shown(wanted['name'])}"]
    match: dict[str, int] = {}
    for each in [*runbooks, *cluster.items(TriagePlaybook)]:
        for kind in each["spec"]["match"].get("types", []):
            match[kind] = match.get(kind, 0) + 1
    if match.get(spec["type"], 0) > 1:
        return [f"several runbooks are for the type {_shown(spec['type'])}: choose one with --runbook"]
    if spec["type"] in match:
        return []
    known_types = f"those with one are {', '.join(sorted(match))}" if match else "there are none"
    return [f"no Runbook and no TriagePlaybook is for the type {_shown(spec['type'])}; {known_types}"]


def _no_hosts(cluster: Cluster, spec: dict[str, Any]) -> list[str]:
    wanted = [each["name"] for each in spec.get("hosts", [])]
    known = {each["metadata"]["name"] for each in cluster.items(Host)} if wanted else set()
    return [f"there is no Host {_shown(name)}" for name in wanted if name not in known]


def _shown(text: str) -> str:
    return neutralise(text, 256)


def _kebab(kind: str) -> str:
    """``HighCPU`` → ``high-cpu``."""
    words = re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+", kind)
    return "-".join(words).lower()[:_LONGEST_BEGINNING].rstrip("-") or "incident"


def _created(cluster: Cluster, name: str, spec: JSON, *, generate: bool, dry_run: bool) -> dict[str, Any]:
    metadata = {"generateName": f"{name}-"} if generate else {"name": name}
    incident = {"apiVersion": API_VERSION, "kind": "Incident", "metadata": metadata, "spec": spec}
    try:
        return cluster.create(incident, dry_run=dry_run)
    except (NoAnswer, KeyboardInterrupt) as problem:
        why = problem.message if isinstance(problem, NoAnswer) else "interrupted"
        look = cluster.command("get", "incidents")
        raise NoAnswer(f"{why}. Whether the incident was opened is not known; look: {look}") from None


def _printed(incident: dict[str, Any], form: str) -> str:
    incident["metadata"].pop("managedFields", None)
    match form:
        case "name":
            return f"incident.firstresponder.dev/{incident['metadata']['name']}"
        case "json":
            return json.dumps(incident, indent=4, ensure_ascii=False)
        case _:
            text: str = yaml.safe_dump(incident, sort_keys=True, allow_unicode=True)
            return text.rstrip("\n")
