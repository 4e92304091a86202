"""What to look at: the diagnostics of a runbook as probes of hosts, arguments rendered without evidence."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from firstresponder.actions.catalogue import TYPES
from firstresponder.api.base import ApiModel, duration_seconds
from firstresponder.api.hosts import Host
from firstresponder.api.incident import Evidence, IncidentStatus, Unavailable
from firstresponder.api.runbook import RunbookSpec, Triage
from firstresponder.expressions import Scope, render_argument
from firstresponder.incident.decide import Setting, scope_of
from firstresponder.incident.plan import Observe, ProbeRequest
from firstresponder.runbooks.names import compiled, free_of_evidence, names_in

_ONE_VALUE, _ALL_VALUES = 32 * 1024, 160 * 1024
"""Bytes of JSON that one diagnostic, and all together, may take; a status stays below 256 KiB."""


def setting_of(service: str, parameters: Mapping[str, Any], hosts: Mapping[str, Host]) -> Setting:
    """What expressions may know before anything is observed."""
    known = {
        role: {"name": host.name, "address": host.spec.address, "expectedUnits": list(host.spec.expected_units)}
        for role, host in hosts.items()
    }
    return Setting(service, parameters, known)


def _rendered(arguments: ApiModel, scope: Scope, allowed: frozenset[str]) -> ApiModel:
    """The arguments with their templates filled in. Raises TemplateError."""

    def rendered(value: Any) -> Any:
        if isinstance(value, list):
            return [rendered(each) for each in value]
        return render_argument(value, scope, allowed) if isinstance(value, str) and "$(" in value else value

    return arguments.model_copy(update={name: rendered(value) for name, value in arguments})


def observe(
    runbook: str,
    spec: Triage,
    setting: Setting,
    hosts: Mapping[str, Host],
    *,
    not_before: float | None = None,
    only: frozenset[str] | None = None,
    also: Collection[str] = (),
) -> Observe:
    """One round: every diagnostic (or ``only`` those named) on the host of its role, in parallel.

    Hosts that could be acted on, or those that ``also`` names beside ``only`` some diagnostics, are asked who they are
    too. Roles without a host are left unobserved. Raises TemplateError when an argument needs what is not known or
    may not be used.
    """
    scope, allowed = scope_of(spec, setting, {}), free_of_evidence(spec)
    probes = [
        ProbeRequest(
            name=diagnostic.name,
            role=diagnostic.role,
            host=hosts[diagnostic.role].name,
            probe=diagnostic.probe,
            arguments=_rendered(diagnostic.arguments, scope, allowed),
            timeout=duration_seconds(diagnostic.timeout) if diagnostic.timeout else None,
            not_before=not_before,
        )
        for diagnostic in spec.diagnostics
        if diagnostic.role in hosts and (only is None or diagnostic.name in only)
    ]
    asked = {probe.host for probe in probes} | set(also)
    if only is None and isinstance(spec, RunbookSpec):
        asked |= {hosts[action.role].name for action in spec.actions if action.role in hosts}
        probes += [
            ProbeRequest(
                name=companion.name,
                role=action.role,
                host=hosts[action.role].name,
                probe=companion.probe,
                arguments=_rendered(companion.arguments, scope, allowed),
                timeout=None,
            )
            for action in spec.actions
            if action.role in hosts
            for companion in TYPES[action.type].companions(action)
        ]
    return Observe(runbook, tuple(probes), tuple(sorted(asked)))


def diagnostics_behind(spec: Triage, expressions: Iterable[str]) -> frozenset[str]:
    """The diagnostics that these expressions rest on, directly or through variables."""
    names = names_in(spec)
    variables = {variable.name: variable.expression for variable in spec.variables}
    wanted = list(expressions)
    found: set[str] = set()
    while wanted:
        for name in compiled(wanted.pop(), names).names - found:
            found.add(name)
            if name in variables:
                wanted.append(variables[name])
    return frozenset(found & {diagnostic.name for diagnostic in spec.diagnostics})


def bounded(evidence: Sequence[Evidence], beside: Sequence[Evidence] = ()) -> tuple[Evidence, ...]:
    """The evidence as far as an incident's status can hold it ``beside`` what it holds already.

    What an expression reads is never cut: a value that is too big, alone or together with the others, counts as
    not observed. The biggest go first, so the same evidence always loses the same values.
    """
    sizes = {each.name: len(json.dumps(each.values)) for each in evidence}
    total = sum(sizes.values()) + sum(len(json.dumps(each.values)) for each in beside)
    dropped = set()
    for name in sorted(sizes, key=lambda each: (-sizes[each], each)):
        if sizes[name] <= _ONE_VALUE and total <= _ALL_VALUES:
            break
        dropped.add(name)
        total -= sizes[name]

    def without(each: Evidence) -> Evidence:
        message = f"{sizes[each.name]} bytes are more than the status can hold; narrow the diagnostic"
        why = Unavailable(reason="TooLarge", message=message)
        return each.model_copy(update={"values": {}, "unavailable": why})

    return tuple(without(each) if each.name in dropped else each for each in evidence)


def evidence_of(status: IncidentStatus, runbook: str) -> list[Evidence]:
    """What one runbook's triage saw, without that of the playbook which led to it."""
    return [each for each in status.evidence if each.runbook == runbook]


def values_of(evidence: Sequence[Evidence]) -> dict[str, dict[str, Any]]:
    """Diagnostic name → what it saw, for those that saw anything."""
    return {each.name: each.values for each in evidence if each.unavailable is None}
