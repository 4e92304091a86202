"""A real incident as a test case of its runbook: what was seen, redacted, and what it led to.

What is expected is what the evidence decides: that people denied, that a host refused or that a fix failed afterwards
is no matter of the evidence. Hosts have the names and addresses of the runbook's own tests, or stand-ins; one host has
one of them wherever it is named.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address, ip_address

import yaml

from firstresponder.api.base import JSON
from firstresponder.api.incident import Incident
from firstresponder.api.runbook import Case, Expectation, TestHost, Tests, Triage
from firstresponder.incident.decide import DEFAULT_MARGIN
from firstresponder.incident.explain import explain, setting_then
from firstresponder.incident.look import evidence_of, values_of
from firstresponder.incident.rehearse import outcome_of, rehearse
from firstresponder.runbooks.parameters import resolve
from firstresponder.safety import may_be_secret, shown

_DECIDED = ("cause", "action", "runbook", "desired", "methods", "recommend", "escalate", "verify_only")
"""What of an expectation a triage decides; criteria are judged later, on evidence that no status holds."""
_FOR_PEOPLE = {"journal": frozenset({"lines"})}
"""Fields of probes that quote hosts for people, and that no expression should read."""


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
    decided = outcome_of(spec, setting_then(incident, spec), values_of(found), margin)
    redaction = _Redaction.of(incident, spec)
    probes = {each.name: each.probe for each in spec.diagnostics}
    evidence = {
        each.name: redaction.values(each.name, each.values, _FOR_PEOPLE.get(probes[each.name], frozenset()))
        for each in found
        if each.name in probes and each.unavailable is None
    }
    notes = [
        *redaction.left_out,
        *_not_observed(incident, runbook, spec),
        *_overridden(incident, spec),
        *([f"The margin was {margin} points; cases are decided with {DEFAULT_MARGIN}."] * (margin != DEFAULT_MARGIN)),
        *_afterwards(incident),
        *_new_units(spec, redaction.hosts),
    ]
    name = redaction.text(incident.name)
    label = re.sub(r"[^a-z0-9]+", "-", name)[:63].strip("-")
    tests = Tests(
        service=redaction.service,
        hosts=redaction.hosts,
        evidence={label: evidence},
        cases=[Case(name=name, given=label, expect=_expected(decided))],
    )
    (result,) = rehearse(spec.model_copy(update={"tests": tests}))
    return Fixture(runbook, tests, tuple(notes), (*changed, *result.differences))


def fixture_yaml(recorded: Fixture) -> str:
    """The fixture as a person puts it into a file, and what is not in it as comments."""
    tests = recorded.tests.wire()
    for case in tests["cases"]:
        case.pop("with", None)
    comments = [f"# {shown(each, 400)}\n" for each in recorded.notes]
    body = yaml.safe_dump({"tests": tests}, sort_keys=False, allow_unicode=True, width=110)
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
            yield f"Not in it: {diagnostic.name}, which was not looked at: no host had the role {diagnostic.role}."
        elif each.unavailable is not None:
            yield f"Not in it: {diagnostic.name}, which was not observed ({each.unavailable.reason})."


def _overridden(incident: Incident, spec: Triage) -> Iterator[str]:
    defaults = resolve(spec.parameters, {}).text
    for name, value in incident.status.parameters.items():
        if defaults.get(name, value) != value:
            yield f"The parameter {name} was {value}; cases are decided with its default, {defaults[name]}."


def _afterwards(incident: Incident) -> Iterator[str]:
    status = incident.status
    if status.escalation is not None and (status.attempts or status.decision_packet is not None):
        yield f"Not in it: what became of it afterwards, {status.escalation.reason}."


def _new_units(spec: Triage, hosts: Mapping[str, TestHost]) -> Iterator[str]:
    """Guards look at them: among the runbook's own tests the case may be decided otherwise."""
    for role, own in (spec.tests.hosts if spec.tests is not None else {}).items():
        units = set(hosts[role].expected_units) - set(own.expected_units) if role in hosts else ()
        if units:
            named = ", ".join(sorted(units))
            yield f"The host of role {role} in the runbook's own tests does not expect {named}, which this one did."


@dataclass
class _Redaction:
    """Replaces what tells where the incident was, always by the same."""

    service: str
    hosts: dict[str, TestHost]
    left_out: list[str]
    _named: Mapping[str, str]
    """Names and addresses of the incident's hosts, and what stands for each."""
    _units: Mapping[str, str]
    _addresses: dict[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, incident: Incident, spec: Triage) -> _Redaction:
        own = spec.tests.hosts if spec.tests is not None else {}
        service = spec.tests.service if spec.tests is not None else incident.spec.service
        before = incident.spec.service
        units = {before: service, f"{before}.service": f"{service}.service"}
        named: dict[str, str] = {}
        hosts: dict[str, TestHost] = {}
        for number, each in enumerate(incident.status.roles, 1):
            stand_in = own.get(each.role, TestHost(name=f"host-{number}", address=f"192.0.2.{number}"))
            # A machine that plays two roles is still one.
            name, address = named.get(each.name, stand_in.name), named.get(each.address, stand_in.address)
            named |= {each.name: name, each.address: address}
            expected = [units.get(unit, unit) for unit in each.expected_units]
            hosts[each.role] = TestHost(name=name, address=address, expected_units=expected)
        return cls(service, hosts, [], named, units)

    def values(self, diagnostic: str, values: Mapping[str, JSON], for_people: frozenset[str]) -> dict[str, JSON]:
        """The values of one diagnostic; a field of which something may not be kept is left out."""
        kept: dict[str, JSON] = {}
        for name, value in values.items():
            if name in for_people:
                self.left_out.append(f"Not in it: {diagnostic}.{name}, which quotes the host for people.")
                continue
            try:
                kept[name] = self._value(value)
            except _MayBeSecret:
                self.left_out.append(f"Not in it: {diagnostic}.{name}, which may hold a secret or personal data.")
        return kept

    def _value(self, value: JSON) -> JSON:
        match value:
            case str():
                return self.text(value)
            case list():
                return [self._value(each) for each in value]
            case dict():
                if any(isinstance(each, str | int) and may_be_secret(str(each), name) for name, each in value.items()):
                    raise _MayBeSecret
                return {self.text(name): self._value(each) for name, each in value.items()}
        return value

    def text(self, text: str) -> str:
        """Raises _MayBeSecret: what an expression reads is never altered but for whom it names."""
        if may_be_secret(text):
            raise _MayBeSecret
        if text in self._units:
            return self._units[text]
        return _PLACE.sub(self._place, text)

    def _place(self, match: re.Match[str]) -> str:
        word = match[0]
        if word in self._named:
            return self._named[word]
        host = word.partition(".")[0]
        if host in self._named and word.partition(".")[2].rpartition(".")[2] not in _UNIT_ENDINGS:
            return self._named[host]
        if word.count(":") == 1:  # with a port
            return ":".join(_PLACE.sub(self._place, part) for part in word.split(":"))
        try:
            address = ip_address(word)
        except ValueError:
            return word
        if address.is_loopback or address.is_unspecified:
            return word
        first = IPv4Address("198.51.100.1") if address.version == 4 else IPv6Address("2001:db8::1")
        return self._addresses.setdefault(word, str(first + len(self._addresses)))


class _MayBeSecret(Exception):
    """The text holds what could be a secret or personal data."""


_PLACE = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_.:-]*[A-Za-z0-9_])?|::[0-9A-Fa-f:]*")
"""Words that could be a host's name or an address."""
_UNIT_ENDINGS = frozenset({"service", "socket", "scope", "slice", "timer", "mount"})
