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
from firstresponder.api.runbook import Parameter, Runbook, TriagePlaybook
from firstresponder.cli.by_role import by_role
from firstresponder.cli.commands.watch import follow
from firstresponder.cli.kubectl import Cluster, NoAnswer, Refused
from firstresponder.cli.parameters import parameters_of
from firstresponder.runbooks.parameters import check_value
from firstresponder.runbooks.schema_errors import unknown
from firstresponder.safety.neutralise import neutralise

_MONEY = re.compile(r"([0-9]{1,15}) ?([A-Z]{3})")
_LONGEST_BEGINNING = 40
"""Characters of a type that become the beginning of the name."""


def open_incident(
    kind: str,
    service: str,
    hosts: tuple[str, ...],
    summary: str | None,
    severity: str | None,
    runbook: str | None,
    parameters: tuple[str, ...],
    override_recurrence: str | None,
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
    """Open an incident and follow it, unless asked not to."""
    given = {
        "type": kind,
        "service": service,
        "hosts": [{"role": role, "name": host} for role, host in by_role(hosts).items()],
        "summary": summary,
        "severity": severity,
        "runbookRef": {"name": runbook} if runbook is not None else None,
        "parameters": parameters_of(parameters),
        "overrideRecurrence": override_recurrence,
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
    for find in (_no_runbook, _no_hosts, _no_parameters):
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


def _no_parameters(cluster: Cluster, spec: dict[str, Any]) -> list[str]:
    """What the runbook would refuse of the parameters. A playbook's own count as well as those of what it leads to."""
    if not spec.get("parameters"):
        return []
    runbooks, playbooks = list(cluster.items(Runbook)), list(cluster.items(TriagePlaybook))
    wanted = spec.get("runbookRef", {}).get("name")
    matching = [
        each
        for each in (runbooks if wanted else [*runbooks, *playbooks])
        if (each["metadata"]["name"] == wanted if wanted else spec["type"] in each["spec"]["match"].get("types", []))
    ]
    if len(matching) != 1:
        return []  # said already
    led_to = {each["then"].get("runbook") for each in matching[0]["spec"]["hypotheses"]}
    sources = [*matching, *(each for each in runbooks if each["metadata"]["name"] in led_to)]
    declared = {each["name"]: each for source in sources for each in source["spec"].get("parameters", [])}
    return [problem for name, value in spec["parameters"].items() if (problem := _unfit(declared, name, value))]


def _unfit(declared: dict[str, Any], name: str, value: JSON) -> str | None:
    if name not in declared:
        return f"spec.parameters.{unknown(name, sorted(declared))}"
    try:
        check_value(Parameter.model_validate(declared[name]), value)
    except ValueError as problem:
        return f"spec.parameters.{name}: {_shown(str(problem))}"
    return None


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
