"""Test cases that could not be decided, or that expect what the runbook does not have."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import Any

from firstresponder.actions.catalogue import methods_of
from firstresponder.api.base import JSON
from firstresponder.api.runbook import Expectation, RunbookSpec, Tests, Triage
from firstresponder.evidence.catalogue import PROBES
from firstresponder.evidence.field import value_problem
from firstresponder.evidence.probe import Probe
from firstresponder.runbooks.problem import Problem


def evidence_problems(spec: Triage) -> Iterator[Problem]:
    """Evidence that no diagnostic gives, and names that the runbook does not have."""
    if spec.tests is None:
        return
    tests, path = spec.tests, "spec.tests"
    yield from _unknown(f"{path}.hosts", tests.hosts, {role.name for role in spec.roles}, "spec.roles")
    for name, evidence in tests.evidence.items():
        yield from _evidence(spec, f"{path}.evidence.{name}", evidence)
    yield from _cases(spec, tests)


def _cases(spec: Triage, tests: Tests) -> Iterator[Problem]:
    lines: dict[str, int] = {}
    for index, case in enumerate(tests.cases):
        path = f"spec.tests.cases[{index}]"
        if case.name in lines:
            yield Problem(f"{path}.name", f"{case.name} is the name of cases[{lines[case.name]}] too: use another one")
        lines.setdefault(case.name, index)
        if case.given not in tests.evidence:
            known = ", ".join(tests.evidence) or "none"
            yield Problem(f"{path}.given", f"{case.given} is not among spec.tests.evidence ({known})")
        patch = {name: {} if values is None else values for name, values in case.with_.items()}  # null takes it away
        yield from _evidence(spec, f"{path}.with", patch)
        yield from _expected(spec, f"{path}.expect", case.expect)


def _evidence(spec: Triage, path: str, evidence: dict[str, Any]) -> Iterator[Problem]:
    probes = {diagnostic.name: PROBES[diagnostic.probe] for diagnostic in spec.diagnostics}
    yield from _unknown(path, evidence, probes, "spec.diagnostics")
    for name, values in evidence.items():
        if name in probes and not isinstance(values, dict):
            yield Problem(f"{path}.{name}", "is no map: write each field that was seen, with its value")
        elif name in probes:
            yield from _values(f"{path}.{name}", values, probes[name])


def _values(path: str, values: dict[str, Any], probe: Probe[Any]) -> Iterator[Problem]:
    """Fields that the probe does not have, and values that it could not give: a test of them would show nothing."""
    yield from _unknown(path, values, probe.fields, f"the fields of {probe.name}")
    for name, value in values.items():
        if name in probe.fields and value is not None:
            found = value_problem(probe.fields[name], _without_nulls(value), f"{path}.{name}")
            if found is not None:
                where, problem = found
                yield Problem(where, f"{problem} in what {probe.name} gives")


def _without_nulls(value: JSON) -> JSON:
    """The value without members that are null, which take evidence away in a merge patch."""
    if isinstance(value, dict):
        return {name: _without_nulls(each) for name, each in value.items() if each is not None}
    return [_without_nulls(each) for each in value] if isinstance(value, list) else value


def _expected(spec: Triage, path: str, expect: Expectation) -> Iterator[Problem]:
    if not expect.wire():
        yield Problem(path, "expects nothing, so it could not fail: write what must come out")
    named: dict[str, tuple[Sequence[str | None], set[str], str]] = {
        "cause": ([expect.cause], {each.name for each in spec.hypotheses}, "spec.hypotheses")
    }
    if isinstance(spec, RunbookSpec):
        ways = [found for action in spec.actions if (found := methods_of(action)) is not None]
        methods = {method.name for each in ways for method in each.methods}
        named |= {
            "action": ([expect.action], {each.name for each in spec.actions}, "spec.actions"),
            "methods": (expect.methods or [], methods, "the methods of spec.actions"),
            "unmet": (expect.unmet or [], {each.name for each in spec.verify.criteria}, "spec.verify.criteria"),
            "failed": ([expect.failed], {each.name for each in spec.verify.fail_when}, "spec.verify.failWhen"),
        }
    for field, (names, known, where) in named.items():
        for name in names:
            if name is not None and name not in known:
                yield Problem(f"{path}.{field}", f"{name} is not among {where} ({', '.join(sorted(known)) or 'none'})")


def _unknown(path: str, names: Collection[str], known: Collection[str], where: str) -> Iterator[Problem]:
    for name in names:
        if name not in known:
            yield Problem(f"{path}.{name}", f"{name} is not among {where} ({', '.join(sorted(known))})")
