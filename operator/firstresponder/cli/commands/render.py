"""``kubectl runbook render``: a Runbook as a Markdown page that a human can follow by hand."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import click

from firstresponder.api.base import JSON, ObjectName, ServiceName, fits
from firstresponder.api.hosts import Address, Host
from firstresponder.cli.by_role import by_role
from firstresponder.cli.files import print_findings, read_files
from firstresponder.cli.parameters import parameters_of
from firstresponder.runbooks.manifest import Manifest, judge
from firstresponder.runbooks.models import RUNBOOK_SPECS, Runbook, TriagePlaybook
from firstresponder.runbooks.page import KnownHost, Unusable, page, render_context
from firstresponder.runbooks.parameters import InvalidParameter

_KINDS: Mapping[str, type[Runbook | TriagePlaybook]] = {"Runbook": Runbook, "TriagePlaybook": TriagePlaybook}


def render(files: tuple[str, ...], service: str | None, hosts: tuple[str, ...], parameters: tuple[str, ...]) -> None:
    """Print a Runbook as a page to follow by hand."""
    manifests, unreadable = read_files(files)
    judged = judge(manifests)
    if problems := [*unreadable, *(finding for _, found in judged for finding in found)]:
        print_findings(problems)
        sys.exit(1)
    runbooks = [manifest for manifest, _ in judged if manifest.kind in RUNBOOK_SPECS]
    if not runbooks:
        raise click.UsageError("there is no Runbook and no TriagePlaybook in these files")
    assigned = _assigned(hosts, [each for each in manifests if each.kind == "Host"])
    values = parameters_of(parameters)
    if service is not None:
        _require(ServiceName, service, "--service", "the name of a service, as in api-gateway")
    pages = (_page(each, service, assigned, values) for each in runbooks)
    click.echo("\n".join(pages).encode(), nl=False)


def _page(manifest: Manifest, service: str | None, hosts: Mapping[str, KnownHost], values: Mapping[str, JSON]) -> str:
    runbook = _KINDS[manifest.kind].model_validate(manifest.content)
    try:
        return page(runbook, render_context(runbook.spec, service, hosts, values))
    except (Unusable, InvalidParameter) as problem:
        raise click.UsageError(f"{manifest.name}: {problem}") from None


def _host(manifest: Manifest) -> KnownHost:
    spec = Host.model_validate(manifest.content).spec
    return KnownHost(manifest.name, spec.address, spec.expected_units)


def _assigned(given: Sequence[str], known: Sequence[Manifest]) -> dict[str, KnownHost]:
    """Role → host. ``known`` are the Hosts among the files."""
    assigned: dict[str, KnownHost] = {}
    for role, said in by_role(given).items():
        name, *address = said.split("=", 1)
        _require(ObjectName, name, "--host", "the name of a Host: write NAME, ROLE=NAME or ROLE=NAME=ADDRESS")
        found = [_host(each) for each in known if each.name == name]
        if len(found) > 1:
            places = ", ".join(each.namespace or "none" for each in known if each.name == name)
            text = f"there are several Hosts {name} in these files (namespaces: {places}): give those of one namespace"
            raise click.BadParameter(text, param_hint="--host")
        assigned[role] = found[0] if found else KnownHost(name, name)
        if address:
            _require(Address, address[0], "--host", "a DNS name or an IP address")
            assigned[role] = replace(assigned[role], address=address[0])
    return assigned


def _require(kind: Any, text: str, option: str, what: str) -> None:
    """Raise BadParameter unless the text is what the API takes: it will stand in commands that people copy."""
    if not fits(kind, text):
        raise click.BadParameter(f"{text!r} is not {what}", param_hint=option)
