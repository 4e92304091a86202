"""A real incident as a test case of its runbook: what was seen, redacted, and what it led to.

What is expected is what the evidence decides: that people denied, that a host refused or that a fix failed afterwards
is no matter of the evidence. Hosts have the names and addresses of the runbook's own tests, or stand-ins; one host has
one of them wherever it is named.
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

import yaml

from firstresponder.api.base import JSON
from firstresponder.api.diagnostics import Diagnostic
from firstresponder.api.incident import Incident
from firstresponder.api.runbook import Case, Expectation, TestHost, Tests, Triage
from firstresponder.evidence.catalogue import PROBES
from firstresponder.incident.decision.decide import DEFAULT_MARGIN
from firstresponder.incident.decision.observations import evidence_of, values_of
from firstresponder.replay.anonymise import Places
from firstresponder.replay.explain import explain, setting_then
from firstresponder.replay.test_cases import outcome_of, run_tests
from firstresponder.runbooks.evidence_paths import paths_judged
from firstresponder.runbooks.parameters import resolve
from firstresponder.safety import may_be_secret, shown

_DECIDED = ("cause", "action", "runbook", "desired", "methods", "recommend", "escalate", "verify_only")
"""What of an expectation a triage decides; criteria are evaluated later, on evidence that no status holds."""
_TEXTS = ("string", "hostname", "path")
"""Types of parameters whose value could reveal anything."""


@dataclass(frozen=True)
class Fixture:
    """What can be put under ``spec.tests`` of the runbook."""

    runbook: str
    tests: Tests
    notes: tuple[str, ...]
    """What of the incident is not in it, and why; what else whoever puts it into a file has to know."""
    differences: tuple[str, ...]
    """Where it does not decide as the incident was decided; none when it does."""


def fixture(incident: Incident, runbook: str, spec: Triage) -> Fixture:
    """The incident as a test case of the revision that it pinned. Raises NotDecided where it ended before triage."""
    status = incident.status
    changed = [f"recorded otherwise: {each}" for each in explain(incident, runbook, spec).differences]
    found = evidence_of(status, runbook)
    margin = DEFAULT_MARGIN if status.margin_points is None else status.margin_points
    seen = values_of(found)
    decided = outcome_of(spec, setting_then(incident, spec), seen, seen, margin)
    redaction = _Redaction(incident, spec)
    diagnostics, judged = {each.name: each for each in spec.diagnostics}, paths_judged(spec)
    evidence = {
        each.name: redaction.values(diagnostics[each.name], each.values, judged[each.name])
        for each in found
        if each.name in diagnostics and each.unavailable is None
    }
    notes = [
        *redaction.left_out,
        *_not_observed(incident, runbook, spec),
        *_overridden(incident, spec),
        *([f"The margin was {margin} points; cases are decided with {DEFAULT_MARGIN}."] * (margin != DEFAULT_MARGIN)),
        *_afterwards(incident),
        *_new_units(spec, redaction.hosts),
    ]
    name = "recorded" if may_be_secret(incident.name) else redaction.places.hidden(incident.name)
    label = re.sub(r"[^a-z0-9]+", "-", name)[:63].strip("-")
    tests = Tests(
        service=redaction.service,
        hosts=redaction.hosts,
        evidence={label: evidence},
        cases=[Case(name=name, given=label, expect=_expected(decided))],
    )
    (result,) = run_tests(spec.model_copy(update={"tests": tests}))
    return Fixture(runbook, tests, tuple(notes), (*changed, *result.differences))


def fixture_yaml(recorded: Fixture) -> str:
    """The fixture as a person puts it into a file, and what is not in it as comments."""
    tests = recorded.tests.wire()
    for case in tests["cases"]:
        case.pop("with", None)
    comments = [f"# {shown(each, 400)}\n" for each in recorded.notes]
    body = yaml.dump({"tests": tests}, Dumper=_Dumper, sort_keys=False, width=110)
    return f"# For spec of {recorded.runbook}.\n{''.join(comments)}{body}"


def _expected(decided: Expectation) -> Expectation:
    """What was decided, without what says nothing."""
    given = {name: getattr(decided, name) for name in _DECIDED}
    return Expectation.model_validate({name: value for name, value in given.items() if value not in (None, [])})


def _not_observed(incident: Incident, runbook: str, spec: Triage) -> Iterator[str]:
    seen = {each.name: each for each in evidence_of(incident.status, runbook)}
    for diagnostic in spec.diagnostics:
        each = seen.get(diagnostic.name)
        if each is None:
            yield f"Not in it: {diagnostic.name}, which was not observed: no host had the role {diagnostic.role}."
        elif each.unavailable is not None:
            yield f"Not in it: {diagnostic.name}, which was not observed ({each.unavailable.reason})."


def _overridden(incident: Incident, spec: Triage) -> Iterator[str]:
    defaults, then = resolve(spec.parameters, {}).text, incident.status.parameters
    for each in spec.parameters:
        default = defaults[each.name]
        if (value := then.get(each.name, default)) != default:
            was = "another one" if each.type in _TEXTS else value
            yield f"The parameter {each.name} was {was}; cases are decided with its default, {default}."


def _afterwards(incident: Incident) -> Iterator[str]:
    status = incident.status
    if status.escalation is not None and (status.attempts or status.decision_packet is not None):
        yield f"Not in it: how it ended afterwards, {status.escalation.reason}."


def _new_units(spec: Triage, hosts: Mapping[str, TestHost]) -> Iterator[str]:
    """Guards look at them: among the runbook's own tests the case may be decided otherwise."""
    for role, own in (spec.tests.hosts if spec.tests is not None else {}).items():
        units = set(hosts[role].expected_units) - set(own.expected_units) if role in hosts else ()
        if units:
            named = ", ".join(sorted(units))
            yield f"The host of role {role} in the runbook's own tests does not expect {named}, which this one did."


class _Redaction:
    """Replaces what reveals where the incident was, and leaves out what else may not be published."""

    def __init__(self, incident: Incident, spec: Triage) -> None:
        tests, roles = spec.tests, incident.status.roles
        own = tests.hosts if tests is not None else {}
        self.service = tests.service if tests is not None else incident.spec.service
        self.left_out: list[str] = []
        stand_ins: dict[str, TestHost] = {}
        for number, each in enumerate(roles, 1):
            stand_in = own.get(each.role, TestHost(name=f"host-{number}", address=f"192.0.2.{number}"))
            stand_ins.setdefault(each.name, stand_in)  # a machine that plays two roles is still one
        places = ((each.name, stand_ins[each.name].name) for each in roles)
        addresses = ((each.address, stand_ins[each.name].address) for each in roles)
        self.places = Places((incident.spec.service, self.service), (*places, *addresses))
        self.hosts = {
            each.role: stand_ins[each.name].model_copy(
                update={"expected_units": list(map(self.places.hidden, each.expected_units))}
            )
            for each in roles
        }

    def values(self, diagnostic: Diagnostic, values: Mapping[str, JSON], judged: Collection[str]) -> dict[str, JSON]:
        """The values of one diagnostic; ``judged`` are the paths below it that decisions rest on."""
        kept: dict[str, JSON] = {}
        for name, value in values.items():
            what = f"{diagnostic.name}.{name}"
            quoted = name in PROBES[diagnostic.probe].quoted
            part = _part({name: value}, judged).get(name) if quoted else value
            if value and part != value:
                self.left_out.append(f"Not in it: what no condition reads of {what}, which quotes others.")
            if part is None:
                continue
            try:
                kept[name] = self._value(part)
            except _MayBeSecret:
                self.left_out.append(f"Not in it: {what}, which may hold a secret or personal data.")
        return kept

    def _value(self, value: JSON) -> JSON:
        match value:
            case str():
                return self.text(value)
            case list() | dict() if may_be_secret(yaml.safe_dump(value, width=math.inf)):
                raise _MayBeSecret  # for what the keys and names alongside it say
            case list():
                return [self._value(each) for each in value]
            case dict():
                return {self.text(name): self._value(each) for name, each in value.items()}
        return value

    def text(self, text: str) -> str:
        """Raises _MayBeSecret: what an expression reads is never altered but for whom it names."""
        if may_be_secret(text):
            raise _MayBeSecret
        return self.places.hidden(text)


def _part(value: dict[str, JSON], paths: Collection[str]) -> dict[str, JSON]:
    """What the dotted paths lead to, and nothing else."""
    part: dict[str, JSON] = {}
    for name, each in value.items():
        below = [path.removeprefix(f"{name}.") for path in paths if path.startswith(f"{name}.")]
        if name in paths:
            part[name] = each
        elif isinstance(each, dict) and (inner := _part(each, below)):
            part[name] = inner
    return part


class _MayBeSecret(Exception):
    """The text holds what could be a secret or personal data."""


class _Dumper(yaml.SafeDumper):
    """Quotes what another reader of YAML would take for a number or a boolean: 1e3, 08, y."""


def _written(dumper: yaml.SafeDumper, text: str) -> yaml.Node:
    style = '"' if re.match(r"[-+.]*[0-9]|[yYnN]$", text) else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style)


_Dumper.add_representer(str, _written)
