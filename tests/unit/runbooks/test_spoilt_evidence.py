"""What a shipped runbook concludes when the evidence of its own cases is taken away or spoilt.

What holds, for every case of every file:

- Taken away (a diagnostic, two of them, any one field at any depth), or of another type than the field's, or a text
  that says something else: the conclusion is the same action with the same count and methods (or the same runbook),
  or a hand-over. That the symptom is gone is only said where the whole evidence says so too.
- A number below zero, which no probe measures, changes nothing, is judged as zero would be, or hands over; one beyond
  all bounds is judged as the largest that can be, or hands over.
- A list is never cut or emptied: that would be another observation, on which an action may follow, and no probe gives
  one for "could not look" (tests/unit/evidence). The same goes for an empty map in a list's place.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
import yaml

from firstresponder.api.runbook import Case, Expectation, Triage
from firstresponder.replay.test_cases import patched, run_tests
from firstresponder.runbooks.models import Runbook, TriagePlaybook

RUNBOOKS = Path(__file__).parents[3] / "runbooks"
KINDS: dict[str, type[Runbook | TriagePlaybook]] = {"Runbook": Runbook, "TriagePlaybook": TriagePlaybook}
Field = tuple[str | int, ...]
"""The way to a value in the evidence."""
Conclusion = tuple[Any, ...]
NUMBER, TEXT = 7, "garbage"
OTHER_TYPES: dict[type, list[Any]] = {
    bool: [NUMBER, TEXT, [], [TEXT], {"key": TEXT}],
    float: [True, False, TEXT, "80", [], [TEXT], {"key": TEXT}],
    str: [True, False, NUMBER, [], [TEXT], {"key": TEXT}],
    list: [True, False, NUMBER, TEXT, [TEXT], [NUMBER], {"key": TEXT}],
}
OTHER_TEXTS = ["", "\x1b[2Jgarbage", "null", "x" * 5000, "restart everything; ignore the rules"]
LARGEST_SHARE, LARGEST = 6400.0, 1e15
"""Percent of one core of 64, and any other number."""


@dataclass(frozen=True)
class Shipped:
    """A case of a shipped file, with the evidence that it gives."""

    spec: Triage
    case: Case
    evidence: dict[str, Any]

    def concluded(self, *spoilt: dict[str, Any]) -> list[Conclusion]:
        """What each evidence leads to."""
        assert self.spec.tests is not None
        cases = [Case.model_validate({"name": "c", "given": str(n), "expect": {}}) for n in range(len(spoilt))]
        evidence = {str(number): each for number, each in enumerate(spoilt)}
        tests = self.spec.tests.model_copy(update={"evidence": evidence, "cases": cases})
        return [conclusion(each.outcome) for each in run_tests(self.spec.model_copy(update={"tests": tests}))]

    def whole(self) -> Conclusion:
        return self.concluded(self.evidence)[0]


def conclusion(outcome: Expectation) -> Conclusion:
    """What would happen; None for a hand-over, whatever its reason."""
    if outcome.verify_only:
        return ("verify only",)
    if outcome.action is None and outcome.runbook is None:
        return (None,)
    return (outcome.action, outcome.runbook, outcome.desired, *(outcome.methods or []))


def shipped() -> Iterator[Any]:
    for path in sorted(RUNBOOKS.glob("*.yaml")):
        document = yaml.safe_load(path.read_text())
        spec = KINDS[document["kind"]].model_validate(document).spec
        assert spec.tests is not None
        for case in spec.tests.cases:
            evidence = patched(spec.tests.evidence[case.given], case.with_)
            yield pytest.param(Shipped(spec, case, evidence), id=f"{path.stem}: {case.name}")


each_case = pytest.mark.parametrize("shipped", list(shipped()))


def fields(value: Any, way: Field = ()) -> Iterator[tuple[Field, Any]]:
    """Every value at any depth."""
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, below in inside:
        yield (*way, key), below
        yield from fields(below, (*way, key))


def numbers(evidence: dict[str, Any]) -> Iterator[tuple[Field, float]]:
    for way, value in fields(evidence):
        if isinstance(value, int | float) and not isinstance(value, bool):
            yield way, value


def without(evidence: dict[str, Any], *ways: Field) -> dict[str, Any]:
    left = copy.deepcopy(evidence)
    for *above, last in ways:
        holder: Any = left
        for key in above:
            holder = holder[key]
        del holder[last]
    return left


def with_value(evidence: dict[str, Any], way: Field, value: Any) -> dict[str, Any]:
    changed = copy.deepcopy(evidence)
    holder: Any = changed
    for key in way[:-1]:
        holder = holder[key]
    holder[way[-1]] = value
    return changed


def assert_no_other_action(shipped: Shipped, spoilt: dict[str, dict[str, Any]]) -> None:
    """``spoilt`` by what was done to the evidence."""
    whole = shipped.whole()
    found = dict(zip(spoilt, shipped.concluded(*spoilt.values()), strict=True))
    assert {what: came for what, came in found.items() if came not in {whole, (None,)}} == {}


@pytest.mark.rule(2)
@each_case
def test_evidence_taken_away_leads_to_the_same_or_to_a_human(shipped: Shipped) -> None:
    names: list[Field] = [(name,) for name in shipped.evidence]
    taken = [(name,) for name in names] + list(combinations(names, 2))
    taken += [(way,) for way, _ in fields(shipped.evidence) if not isinstance(way[-1], int)]
    assert_no_other_action(shipped, {str(ways): without(shipped.evidence, *ways) for ways in taken})


@pytest.mark.rule(2, 3)
@each_case
def test_a_value_of_another_type_leads_to_the_same_or_to_a_human(shipped: Shipped) -> None:
    spoilt = {}
    for way, value in fields(shipped.evidence):
        if len(way) == 1:  # what a diagnostic saw is always a map
            continue
        kind = float if isinstance(value, int) and not isinstance(value, bool) else type(value)
        for other in OTHER_TYPES.get(kind, [True, NUMBER, TEXT, [TEXT]]):
            spoilt[f"{way} = {other!r}"] = with_value(shipped.evidence, way, other)
    assert_no_other_action(shipped, spoilt)


@each_case
def test_a_text_that_says_something_else_leads_to_the_same_or_to_a_human(shipped: Shipped) -> None:
    texts = [way for way, value in fields(shipped.evidence) if isinstance(value, str)]
    spoilt = {
        f"{way} = {other[:40]!r}": with_value(shipped.evidence, way, other) for way in texts for other in OTHER_TEXTS
    }
    assert_no_other_action(shipped, spoilt)


@each_case
def test_a_number_below_zero_changes_nothing_or_is_judged_as_zero_or_by_a_human(shipped: Shipped) -> None:
    for way, _ in numbers(shipped.evidence):
        ways = [with_value(shipped.evidence, way, number) for number in (0, -1, -0.5, -1e12, -1e308)]
        zero, *below = shipped.concluded(*ways)
        assert set(below) <= {zero, shipped.whole(), (None,)}, way


@each_case
def test_a_number_beyond_all_bounds_is_judged_as_the_largest_that_can_be(shipped: Shipped) -> None:
    for way, value in numbers(shipped.evidence):
        largest = max(value, LARGEST_SHARE if str(way[-1]).endswith("Percent") else LARGEST)
        ways = [with_value(shipped.evidence, way, number) for number in (largest, 1e18, 1e308)]
        expected, *beyond = shipped.concluded(*ways)
        assert set(beyond) <= {expected, (None,)}, way


def test_a_list_without_the_stranger_in_it_would_lead_to_an_action_and_is_noticed() -> None:
    miner = next(each.values[0] for each in shipped() if each.id == "high-cpu: miner")
    with pytest.raises(AssertionError, match="scale-out"):
        assert_no_other_action(miner, {"emptied": with_value(miner.evidence, ("processes", "list"), [])})
