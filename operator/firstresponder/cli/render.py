"""``kubectl runbook render``: a Runbook as a Markdown page that a human can follow by hand."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import click

from firstresponder.api.base import JSON, ObjectName, ServiceName, fits
from firstresponder.api.hosts import Address, Host
from firstresponder.api.runbook import Runbook, TriagePlaybook
from firstresponder.cli.by_role import by_role
from firstresponder.cli.files import files_argument, print_findings, read_files
from firstresponder.cli.manual import Manual
from firstresponder.cli.parameters import parameters_of
from firstresponder.runbooks.lint import KNOWLEDGE
from firstresponder.runbooks.manifest import Manifest, judge
from firstresponder.runbooks.page import Known, Unusable, occasion_of, page
from firstresponder.runbooks.parameters import InvalidParameter

_KINDS: Mapping[str, type[Runbook | TriagePlaybook]] = {"Runbook": Runbook, "TriagePlaybook": TriagePlaybook}


@click.command(
    cls=Manual,
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
@click.option("--service", metavar="NAME", help="The service that suffers.")
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
def render(files: tuple[str, ...], service: str | None, hosts: tuple[str, ...], parameters: tuple[str, ...]) -> None:
    """Print a Runbook as a page to follow by hand.

    The page is Markdown and has the steps and the criteria of the operator: what to look at on which host, with
    commands to copy and how to read what they print; guards, symptom and causes in the order of judgement; for each
    action who has to agree, the preview, the commands and the way back; how the end is verified; and whom to tell where
    the page ends.

    It is made for the service and the hosts that are given. Without any, it is an example with those of the Runbook's
    own tests. Hosts may be among the files, as kubectl get hosts -o yaml prints them. A host that a role needs and
    nobody named stands there in capitals. Parameters that are not given have their defaults.

    It needs no cluster and asks no host.
    """
    manifests, unreadable = read_files(files)
    judged = judge(manifests)
    if problems := [*unreadable, *(finding for _, found in judged for finding in found)]:
        print_findings(problems)
        sys.exit(1)
    runbooks = [manifest for manifest, _ in judged if manifest.kind in KNOWLEDGE]
    if not runbooks:
        raise click.UsageError("there is no Runbook and no TriagePlaybook in these files")
    assigned = _assigned(hosts, [each for each in manifests if each.kind == "Host"])
    values = parameters_of(parameters)
    if service is not None:
        _require(ServiceName, service, "--service", "the name of a service, as in api-gateway")
    pages = (_page(each, service, assigned, values) for each in runbooks)
    click.echo("\n".join(pages).encode(), nl=False)


def _page(manifest: Manifest, service: str | None, hosts: Mapping[str, Known], values: Mapping[str, JSON]) -> str:
    runbook = _KINDS[manifest.kind].model_validate(manifest.content)
    try:
        return page(runbook, occasion_of(runbook.spec, service, hosts, values))
    except (Unusable, InvalidParameter) as problem:
        raise click.UsageError(f"{manifest.name}: {problem}") from None


def _host(manifest: Manifest) -> Known:
    spec = Host.model_validate(manifest.content).spec
    return Known(manifest.name, spec.address, spec.expected_units)


def _assigned(given: Sequence[str], known: Sequence[Manifest]) -> dict[str, Known]:
    """Role → host. ``known`` are the Hosts among the files."""
    assigned: dict[str, Known] = {}
    for role, said in by_role(given).items():
        name, *address = said.split("=", 1)
        _require(ObjectName, name, "--host", "the name of a Host: write NAME, ROLE=NAME or ROLE=NAME=ADDRESS")
        found = [_host(each) for each in known if each.name == name]
        if len(found) > 1:
            places = ", ".join(each.namespace or "none" for each in known if each.name == name)
            text = f"there are several Hosts {name} in these files (namespaces: {places}): give those of one namespace"
            raise click.BadParameter(text, param_hint="--host")
        assigned[role] = found[0] if found else Known(name, name)
        if address:
            _require(Address, address[0], "--host", "a DNS name or an IP address")
            assigned[role] = replace(assigned[role], address=address[0])
    return assigned


def _require(kind: Any, text: str, option: str, what: str) -> None:
    """Raise BadParameter unless the text is what the API takes: it will stand in commands that people copy."""
    if not fits(kind, text):
        raise click.BadParameter(f"{text!r} is not {what}", param_hint=option)
