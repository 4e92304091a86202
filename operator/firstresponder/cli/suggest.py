"""Words that a shell may complete a command line with, from the cluster: quickly, or not at all.

Each function is a ``shell_complete`` of click. Whatever goes wrong there are no suggestions, and nothing is said: a
person is in the middle of typing.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import click
import yaml
from click.shell_completion import CompletionItem

from firstresponder.api.approvalrequest import SELFTEST_NAME, ApprovalRequest
from firstresponder.api.base import Resource, is_true_in
from firstresponder.api.hosts import Host
from firstresponder.api.incident import Incident
from firstresponder.api.runbook import Runbook, TriagePlaybook
from firstresponder.cli.kubectl import Cluster, kubeconfig_files
from firstresponder.cli.options import Complete

_TIMEOUTS = (1.0, 2.0)
"""Seconds to connect and to wait for an answer."""

Words = Iterable[tuple[str, str]]
"""A word, and what it is in a few words."""


def _from_cluster(find: Callable[[Cluster], Words]) -> Complete:
    def complete(ctx: click.Context, _: click.Parameter, incomplete: str) -> list[CompletionItem]:
        given = (ctx.params.get(each) for each in ("kubeconfig", "context", "namespace"))
        try:
            words = dict(find(Cluster.connect(*given, timeouts=_TIMEOUTS)))
        except Exception:
            return []
        return [CompletionItem(word, help=words[word] or None) for word in sorted(words) if word.startswith(incomplete)]

    return complete


@_from_cluster
def incidents(cluster: Cluster) -> Words:
    for each in cluster.items(Incident):
        phase = each.get("status", {}).get("phase", "Pending")
        yield _name(each), f"{phase}: {each['spec']['type']} of {each['spec']['service']}"


@_from_cluster
def requests(cluster: Cluster) -> Words:
    """The requests that can still be answered."""
    for each in cluster.items(ApprovalRequest):
        if _name(each) != SELFTEST_NAME and not is_true_in(each, "Closed"):
            yield _name(each), f"{each['spec']['actionClass']} for incident {each['spec']['incidentRef']['name']}"


@_from_cluster
def types(cluster: Cluster) -> Words:
    """The types that a runbook or a playbook is for."""
    for kind in (Runbook, TriagePlaybook):
        for each in cluster.items(kind):
            yield from ((name, _name(each)) for name in each["spec"]["match"].get("types", []))


@_from_cluster
def services(cluster: Cluster) -> Words:
    """Services that incidents were about, and units that hosts are expected to run."""
    for each in cluster.items(Incident):
        yield each["spec"]["service"], ""
    for each in cluster.items(Host):
        for unit in each["spec"].get("expectedUnits", []):
            if unit.endswith(".service"):
                yield unit.removesuffix(".service"), f"on {_name(each)}"


@_from_cluster
def runbooks(cluster: Cluster) -> Words:
    return _names(cluster, Runbook)


@_from_cluster
def _hosts(cluster: Cluster) -> Words:
    return ((_name(each), each["spec"]["address"]) for each in cluster.items(Host))


def hosts(ctx: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Hosts by name, also after a role as in ``database=``."""
    role, equals, begun = incomplete.rpartition("=")
    return [CompletionItem(f"{role}{equals}{each.value}", help=each.help) for each in _hosts(ctx, parameter, begun)]


@_from_cluster
def namespaces(cluster: Cluster) -> Words:
    return ((name, "") for name in cluster.namespaces())


def contexts(ctx: click.Context, _: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """The contexts of the kubeconfig."""
    names: set[str] = set()
    for file in kubeconfig_files(ctx.params.get("kubeconfig")).split(os.pathsep):
        try:
            content: Any = yaml.safe_load(Path(file).expanduser().read_text())
            names |= {str(each["name"]) for each in content.get("contexts") or []}
        except Exception:  # noqa: S112 - see above
            continue
    return [CompletionItem(name) for name in sorted(names) if name.startswith(incomplete)]


def _names(cluster: Cluster, kind: type[Resource]) -> Iterator[tuple[str, str]]:
    return ((_name(each), "") for each in cluster.items(kind))


def _name(each: dict[str, Any]) -> str:
    name: str = each["metadata"]["name"]
    return name
