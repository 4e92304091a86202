"""What a page is made for: a service, its hosts and the parameters; and the runbook's texts with these filled in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from firstresponder.api.base import JSON, duration_seconds
from firstresponder.api.diagnostics import Diagnostic
from firstresponder.api.runbook import Triage
from firstresponder.evidence.catalogue import PROBES
from firstresponder.evidence.manual_steps import Asked, command_line
from firstresponder.evidence.probe import Context, Unobserved
from firstresponder.expressions import Scope, TemplateError, fill, render_argument, render_text, resolve_variables
from firstresponder.runbooks.arguments import rendered
from firstresponder.runbooks.parameters import ResolvedParameters, resolve
from firstresponder.runbooks.symbols import compiled, free_of_evidence, names_in
from firstresponder.safety import neutralise
from firstresponder.safety.markdown import prose, quoted

_LONGEST = 8192


class Unusable(ValueError):
    """A value with which the runbook cannot be followed; the message names it and says what to do."""


@dataclass(frozen=True)
class KnownHost:
    """A host as far as whoever asks for the page knows it."""

    name: str
    address: str
    expected_units: Sequence[str] | None = None
    """None where they are not known."""


@dataclass(frozen=True, eq=False)
class RenderContext:
    """Made by :func:`render_context`."""

    spec: Triage
    service: str
    hosts: Mapping[str, KnownHost]
    """By role. A role whose host is not known has its own name in capitals for name and address."""
    unknown: frozenset[str]
    """The roles whose host is not known."""
    parameters: ResolvedParameters

    @cached_property
    def scope(self) -> Scope:
        """All that is known before anything is observed."""
        hosts = {role: _described(host) for role, host in self.hosts.items()}
        names = names_in(self.spec)
        variables = [(each.name, compiled(each.expression, names)) for each in self.spec.variables]
        known = {**self.parameters.values, "service": self.service, "hosts": hosts}
        return resolve_variables(variables, Scope(known))

    @cached_property
    def _values(self) -> Mapping[str, JSON]:
        """The values of dotted paths, without those that are only stand-ins."""
        values: dict[str, JSON] = {"service": self.service, **self.parameters.values}
        for role in self.hosts.keys() - self.unknown:
            values |= {f"hosts.{role}.{name}": value for name, value in _described(self.hosts[role]).items()}
        free = [variable.name for variable in self.spec.variables if variable.name in self._free]
        return values | {name: value for name in free if (value := self.scope.lookup(name)) is not None}

    @cached_property
    def _free(self) -> frozenset[str]:
        return free_of_evidence(self.spec)

    def expression(self, source: str) -> str:
        """The expression with what is known written into it."""
        return fill(source, self._values, names_in(self.spec))

    def text(self, template: str) -> str:
        """The template as Markdown; what has to be seen first is named, as code."""
        return prose(render_text(neutralise(" ".join(template.split()), _LONGEST), self.scope, quoted))

    def argument(self, template: str) -> str:
        """The template as an argument of a command. Raises Unusable."""
        try:
            argument = render_argument(template, self.scope, self._free)
        except TemplateError as error:
            raise Unusable(str(error)) from None
        if not argument.isprintable():  # a terminal that it is pasted into would obey it
            raise Unusable(f"{argument!r} holds control or invisible characters")
        return argument

    def commands(self, diagnostic: Diagnostic, *, verifying: bool) -> str:
        """What a person runs to see what the diagnostic sees. Raises Unusable."""
        probe = PROBES[diagnostic.probe]
        timeout = duration_seconds(diagnostic.timeout) if diagnostic.timeout else probe.timeout
        try:
            arguments = self._arguments(diagnostic)
            if probe.manual_steps.commands is not None:
                return probe.manual_steps.commands(arguments, Asked(timeout, verifying))
            return command_line(probe.argv(arguments, Context(now=0, timeout=timeout)))
        except (Unobserved, TemplateError) as error:
            raise Unusable(f"diagnostic {diagnostic.name}: {getattr(error, 'message', error)}") from None

    def fields(self, diagnostic: Diagnostic) -> Mapping[str, str]:
        """How each field is read from what these commands print: Markdown."""
        return PROBES[diagnostic.probe].manual_steps.fields(self._arguments(diagnostic))

    def _arguments(self, diagnostic: Diagnostic) -> Any:
        return rendered(diagnostic.arguments, self.scope, self._free)


def render_context(
    spec: Triage,
    service: str | None = None,
    hosts: Mapping[str, KnownHost] | None = None,
    parameters: Mapping[str, JSON] | None = None,
) -> RenderContext:
    """The occasion. Where neither a service nor a host is given, both are those of the runbook's own tests.

    Raises Unusable, and InvalidParameter for a parameter that is unknown or out of bounds.
    """
    tests = spec.tests
    # An address of the tests alongside a host that is meant would be looked at by somebody.
    known = dict(hosts or {}) if hosts or service else _of_tests(spec)
    service = service or (tests.service if tests is not None else None)
    if service is None:
        raise Unusable("the runbook has no tests that would name a service: give one")
    roles = [role.name for role in spec.roles]
    if strange := sorted(known.keys() - set(roles)):
        raise Unusable(f"{strange[0]} is not a role of this runbook (it has: {', '.join(roles)})")
    unknown = frozenset(roles) - known.keys()
    stand_ins = {role: KnownHost(role.upper(), role.upper()) for role in unknown}
    return RenderContext(spec, service, {**known, **stand_ins}, unknown, resolve(spec.parameters, parameters or {}))


def _described(host: KnownHost) -> dict[str, JSON]:
    described: dict[str, JSON] = {"name": host.name, "address": host.address}
    return described if host.expected_units is None else {**described, "expectedUnits": list(host.expected_units)}


def _of_tests(spec: Triage) -> dict[str, KnownHost]:
    hosts = spec.tests.hosts if spec.tests is not None else {}
    return {role: KnownHost(host.name, host.address, host.expected_units) for role, host in hosts.items()}
