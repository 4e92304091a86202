"""What to observe: the diagnostics of a runbook as probes of hosts, arguments rendered without evidence."""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from firstresponder.actions.action import Companion
from firstresponder.actions.catalogue import TYPES
from firstresponder.api.base import duration_seconds
from firstresponder.api.diagnostics import Diagnostic
from firstresponder.api.hosts import Host
from firstresponder.api.incident import Evidence, IncidentStatus, Unavailable
from firstresponder.api.ledger import Moment
from firstresponder.api.runbook import RunbookSpec, Triage
from firstresponder.evidence.catalogue import PROBES
from firstresponder.expressions import MissingValue, Scope, TemplateError
from firstresponder.incident.budget import size
from firstresponder.incident.decision.decide import EvaluationInputs, scope_of
from firstresponder.incident.plan import Observe, ProbeRequest
from firstresponder.runbooks.arguments import rendered
from firstresponder.runbooks.symbols import free_of_evidence

_ONE_VALUE, _ALL_VALUES = 32 * 1024, 112 * 1024
"""Bytes that the value of one diagnostic, and all together, may take; a packet has to fit in addition."""


def evaluation_inputs(service: str, parameters: Mapping[str, Any], hosts: Mapping[str, Host]) -> EvaluationInputs:
    """What expressions may know before anything is observed."""
    known = {
        role: {"name": host.name, "address": host.spec.address, "expectedUnits": list(host.spec.expected_units)}
        for role, host in hosts.items()
    }
    return EvaluationInputs(service, parameters, known)


def observe(
    runbook: str,
    spec: Triage,
    inputs: EvaluationInputs,
    hosts: Mapping[str, Host],
    *,
    not_before: Moment | None = None,
    only: frozenset[str] | None = None,
    also: Collection[str] = (),
) -> Observe:
    """One round: every diagnostic (or ``only`` those named) on the host of its role, in parallel.

    Hosts that could be acted on, or those that ``also`` names alongside ``only`` some diagnostics, are asked who they
    are too. Roles without a host are left unobserved, and so is what needs such a host's name or address. Raises
    TemplateError when an argument needs what is not known or may not be used.
    """
    scope, allowed = scope_of(spec, inputs, {}), free_of_evidence(spec)
    empty = {role.name for role in spec.roles} - hosts.keys()
    probes = []
    for diagnostic in spec.diagnostics:
        if diagnostic.role in empty or (only is not None and diagnostic.name not in only):
            continue
        try:
            probes.append(_request(diagnostic, hosts, scope, allowed, not_before))
        except MissingValue as missing:
            if _role_of(missing.path) not in empty:
                raise
    asked = set(also)
    if only is None and isinstance(spec, RunbookSpec):
        asked |= {hosts[action.role].name for action in spec.actions if action.role in hosts}
        probes += [
            companion_request(companion, action.role, hosts[action.role].name, scope, allowed)
            for action in spec.actions
            if action.role in hosts
            for companion in TYPES[action.type].companions(action)
        ]
    return _round(runbook, probes, asked)


def companion_request(
    companion: Companion, role: str, host: str, scope: Scope, allowed: frozenset[str], timeout: float | None = None
) -> ProbeRequest:
    """What the host is asked for a diagnostic that an action brings with it."""
    arguments = PROBES[companion.probe].arguments.model_validate(companion.arguments)
    return ProbeRequest(companion.name, role, host, companion.probe, rendered(arguments, scope, allowed), timeout)


def experiments_of(
    runbook: str, spec: Triage, inputs: EvaluationInputs, hosts: Mapping[str, Host], names: Collection[str]
) -> Observe:
    """Those of the runbook's experiments that are named and can be asked for; nothing else can."""
    scope, allowed = scope_of(spec, inputs, {}), free_of_evidence(spec)
    probes = []
    for experiment in spec.experiments if isinstance(spec, RunbookSpec) else []:
        if experiment.name in names and experiment.role in hosts:
            with contextlib.suppress(TemplateError):  # an argument is not known: nothing is seen, and nothing stops
                probes.append(_request(experiment, hosts, scope, allowed))
    return _round(runbook, probes)


def observe_alongside(
    runbook: str,
    spec: Triage,
    inputs: EvaluationInputs,
    hosts: Mapping[str, Host],
    not_before: Moment | None,
    needed: Collection[str],
    seen: Collection[str],
) -> Observe:
    """What can be measured alongside the ``needed`` diagnostics, on their hosts alone, of what triage has ``seen``."""
    scope, allowed = scope_of(spec, inputs, {}), free_of_evidence(spec)
    there = [each for each in spec.diagnostics if each.role in hosts]
    asked = {_host_of(each, hosts) for each in there if each.name in needed}
    probes = []
    for each in there:
        extra = each.name in seen and each.name not in needed and _host_of(each, hosts) in asked
        if extra and PROBES[each.probe].measures:
            with contextlib.suppress(TemplateError):  # an argument is not known: nothing is seen, and nothing stops
                probes.append(_request(each, hosts, scope, allowed, not_before))
    return _round(runbook, probes)


def _role_of(path: str) -> str | None:
    """``database`` of ``hosts.database.address``."""
    root, _, rest = path.partition(".")
    return rest.partition(".")[0] if root == "hosts" else None


def _host_of(diagnostic: Diagnostic, hosts: Mapping[str, Host]) -> str | None:
    """The Host's name; None when the operator looks itself."""
    by_operator = PROBES[diagnostic.probe].by_operator(diagnostic.arguments)
    return None if by_operator else hosts[diagnostic.role].name


def _request(
    diagnostic: Diagnostic,
    hosts: Mapping[str, Host],
    scope: Scope,
    allowed: frozenset[str],
    not_before: Moment | None = None,
) -> ProbeRequest:
    """The diagnostic with its arguments rendered. Raises TemplateError."""
    return ProbeRequest(
        name=diagnostic.name,
        role=diagnostic.role,
        host=_host_of(diagnostic, hosts),
        probe=diagnostic.probe,
        arguments=rendered(diagnostic.arguments, scope, allowed),
        timeout=duration_seconds(diagnostic.timeout) if diagnostic.timeout else None,
        not_before=not_before,
    )


def _round(runbook: str, probes: Sequence[ProbeRequest], also: Collection[str] = ()) -> Observe:
    asked = {each.host for each in probes if each.host is not None} | set(also)
    return Observe(runbook, tuple(probes), tuple(sorted(asked)))


def bound_evidence(evidence: Sequence[Evidence], alongside: Sequence[Evidence] = ()) -> tuple[Evidence, ...]:
    """The evidence as far as an incident's status can hold it ``alongside`` what it holds already.

    What an expression reads is never cut: a value that is too big, alone or together with the others, counts as
    not observed. The biggest go first, so the same evidence always loses the same values.
    """
    sizes = {each.name: size(each.values) for each in evidence}
    total = sum(sizes.values()) + sum(size(each.values) for each in alongside)
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
    """What one runbook's triage saw, without that of the playbook that chose it."""
    return [each for each in status.evidence if each.runbook == runbook]


def describe_unseen(evidence: Sequence[Evidence]) -> tuple[str, ...]:
    """The diagnostics that saw nothing, for people, those of one host with one reason together: ``errors (journal on
    api-03), oom (journal on api-03): ConnectionLost: …``."""
    found: dict[tuple[str, str], list[str]] = {}
    for each in evidence:
        if each.unavailable is not None and not each.experiment:
            where = f"on {each.host}" if each.host is not None else "from the operator"
            found.setdefault((where, f"{each.unavailable.reason}: {each.unavailable.message}"), []).append(
                f"{each.name} ({each.source} {where})"
            )
    return tuple(f"{', '.join(names)}: {why}" for (_, why), names in found.items())


def values_of(evidence: Sequence[Evidence]) -> dict[str, dict[str, Any]]:
    """Diagnostic name → what it saw, for those that saw anything. What an experiment saw decides nothing."""
    return {each.name: each.values for each in evidence if each.unavailable is None and not each.experiment}
