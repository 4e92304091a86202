"""Arguments of diagnostics: their templates filled in, and whether any host would be asked with them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

from firstresponder.api.base import ApiModel
from firstresponder.api.diagnostics import Diagnostic
from firstresponder.api.runbook import Triage
from firstresponder.evidence.catalogue import PROBES
from firstresponder.evidence.probe import Context, Unobserved
from firstresponder.expressions import ExpressionError, Scope, TemplateError, render_argument, resolve_variables
from firstresponder.runbooks.names import compiled, free_of_evidence, names_in
from firstresponder.runbooks.parameters import InvalidParameter, resolve
from firstresponder.runbooks.problem import Problem

_SERVICE, _ADDRESS = "service", "192.0.2.1"
"""What stands for the incident's; the address is one for documentation (RFC 5737)."""


def rendered(arguments: ApiModel, scope: Scope, allowed: frozenset[str]) -> ApiModel:
    """The arguments with their templates filled in. Raises TemplateError."""

    def fill(value: Any) -> Any:
        if isinstance(value, list):
            return [fill(each) for each in value]
        return render_argument(value, scope, allowed) if isinstance(value, str) and "$(" in value else value

    return arguments.model_copy(update={name: fill(value) for name, value in arguments})


def unusable(spec: Triage, looks: Iterable[tuple[str, Diagnostic]]) -> Iterator[Problem]:
    """Diagnostics that their probe refuses to ask a host for, as one that could change something.

    ``looks`` are diagnostics and the fields where they stand. Templates become what the defaults of the parameters
    make of them; what another value makes is judged when an incident has it.
    """
    try:
        scope, allowed = _typical(spec), free_of_evidence(spec)
    except (InvalidParameter, ExpressionError):  # reported where it stands; what has no template can be judged
        scope, allowed = Scope(), frozenset()
    for path, diagnostic in looks:
        probe = PROBES[diagnostic.probe]
        try:
            arguments = rendered(diagnostic.arguments, scope, allowed)
            probe.argv(arguments, Context(now=0, timeout=probe.timeout))
        except Unobserved as refused:
            filled = "" if arguments == diagnostic.arguments else " (with the defaults of its parameters)"
            field, message = _field_of(diagnostic, refused.message)
            yield Problem(f"{path}.{diagnostic.probe}{field}", f"{message}{filled}")
        except TemplateError:
            continue  # reported where the template stands, or known only to an incident


def _typical(spec: Triage) -> Scope:
    """What arguments could see in an incident. Raises InvalidParameter, ExpressionError."""
    hosts = {role.name: {"name": role.name, "address": _ADDRESS} for role in spec.roles}
    names = names_in(spec)
    variables = [(each.name, compiled(each.expression, names)) for each in spec.variables]
    known = {**resolve(spec.parameters, {}).values, "service": _SERVICE, "hosts": hosts}
    return resolve_variables(variables, Scope(known))


def _field_of(diagnostic: Diagnostic, message: str) -> tuple[str, str]:
    """The argument that a probe's message begins with, as a path below the probe, and the rest of the message."""
    fields = {info.alias or name for name, info in type(diagnostic.arguments).model_fields.items()}
    found = re.match(r"(([A-Za-z]+)[A-Za-z0-9.\[\]]*): ", message)
    if found is None or found[2] not in fields:
        return "", message
    return f".{found[1]}", message[found.end() :]
