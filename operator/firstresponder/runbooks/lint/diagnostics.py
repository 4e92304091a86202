"""Diagnostics and experiments: each of one probe, with arguments and patterns that can be used."""

from __future__ import annotations

from collections.abc import Iterator

from firstresponder.api.diagnostics import Diagnostic
from firstresponder.api.runbook import RunbookSpec, Triage
from firstresponder.evidence.catalogue import PROBES
from firstresponder.evidence.probe import Context, Unobserved
from firstresponder.expressions import ExpressionError, Scope, TemplateError, resolve_variables
from firstresponder.runbooks.arguments import rendered
from firstresponder.runbooks.parameters import InvalidParameter, resolve
from firstresponder.runbooks.problem import Problem
from firstresponder.runbooks.regular_expressions import pattern_problem
from firstresponder.runbooks.symbols import compiled, free_of_evidence, names_in

_SERVICE, _ADDRESS = "service", "192.0.2.1"
"""What stands for the incident's; the address is one for documentation (RFC 5737)."""


def looks(spec: Triage) -> Iterator[tuple[str, Diagnostic]]:
    """Field path of everything that is observed: diagnostics, and the debugger's experiments."""
    for index, diagnostic in enumerate(spec.diagnostics):
        yield f"spec.diagnostics[{index}]", diagnostic
    for index, experiment in enumerate(experiments(spec)):
        yield f"spec.experiments[{index}]", experiment


def experiments(spec: Triage) -> list[Diagnostic]:
    """What the debugger may observe."""
    return spec.experiments if isinstance(spec, RunbookSpec) else []


def malformed(spec: Triage) -> Iterator[Problem]:
    """Each of exactly one probe."""
    for path, diagnostic in looks(spec):
        if len(diagnostic.given) != 1:
            given = ", ".join(diagnostic.given) or "none"
            yield Problem(path, f"give exactly one probe (given: {given})")


def patterns(spec: Triage) -> Iterator[Problem]:
    """Patterns that can be used, before anything is matched with them."""
    for path, diagnostic in looks(spec):
        written = PROBES[diagnostic.probe].patterns(diagnostic.arguments)
        for field, pattern in written.items():
            if message := pattern_problem(pattern):
                yield Problem(f"{path}.{diagnostic.probe}.{field}", message)


def refused(spec: Triage) -> Iterator[Problem]:
    """Diagnostics that their probe refuses to ask a host for, as one that could change something.

    Templates become what the defaults of the parameters make of them; what another value makes is checked when an
    incident has it.
    """
    try:
        scope, allowed = _typical(spec), free_of_evidence(spec)
    except (InvalidParameter, ExpressionError):  # reported where it stands; what has no template can be checked
        scope, allowed = Scope(), frozenset()
    for path, diagnostic in looks(spec):
        probe = PROBES[diagnostic.probe]
        try:
            arguments = rendered(diagnostic.arguments, scope, allowed)
            probe.argv(arguments, Context(now=0, timeout=probe.timeout))
        except Unobserved as why:
            filled = "" if arguments == diagnostic.arguments else " (with the defaults of its parameters)"
            field = f".{why.argument}" if why.argument else ""
            yield Problem(f"{path}.{diagnostic.probe}{field}", f"{why.problem}{filled}")
        except TemplateError:
            continue  # reported where the template stands, or known only to an incident


def _typical(spec: Triage) -> Scope:
    """What arguments could see in an incident. Raises InvalidParameter, ExpressionError."""
    hosts = {role.name: {"name": role.name, "address": _ADDRESS} for role in spec.roles}
    names = names_in(spec)
    variables = [(each.name, compiled(each.expression, names)) for each in spec.variables]
    known = {**resolve(spec.parameters, {}).values, "service": _SERVICE, "hosts": hosts}
    return resolve_variables(variables, Scope(known))
