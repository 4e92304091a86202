"""What holds for every runbook and every evidence: the decision core against rules 4 to 9 written down once more.

The runbooks are made up by hypothesis, of conditions with ``!``, ``&&``, ``||``, a number and fields that may not be
known. The judge here is Kleene's three-valued logic and the rules' text, and shares no code with ``decide``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from firstresponder.incident.decision.decide import (
    Decision,
    Escalate,
    EvaluationInputs,
    Proposed,
    SelfRecovered,
    check_preconditions,
    decide,
    scope_of,
)
from firstresponder.runbooks.models import RunbookSpec
from tests.unit.incident.test_decide import ACTION
from tests.unit.incident.world import PARAMETERS, high_cpu, leak

FIELDS = ("one.a", "one.b", "two.a", "two.b")
LEVELS = ("one.n", "two.n")
MARGIN = 20
SETTING = EvaluationInputs("api", {}, {"target": {"name": "h"}})


@dataclass(frozen=True)
class Condition:
    """A condition as CEL has it, and what it comes to: true, false, or None for unknown."""

    text: str
    operator: str
    parts: tuple[Condition, ...] = ()

    def value(self, evidence: dict[str, Any]) -> bool | None:
        match self.operator:
            case "field":
                known: bool | None = evidence.get(self.text)
                return known
            case "level":
                level = evidence.get(self.text.partition(" ")[0])
                return None if level is None else level > 5
            case "not":
                inside = self.parts[0].value(evidence)
                return None if inside is None else not inside
        decisive = self.operator == "or"
        values = [part.value(evidence) for part in self.parts]
        if decisive in values:
            return decisive
        return None if None in values else not decisive


def negated(part: Condition) -> Condition:
    return Condition(f"!({part.text})", "not", (part,))


def joined(sign: str, *parts: Condition) -> Condition:
    return Condition(f" {sign} ".join(f"({part.text})" for part in parts), {"&&": "and", "||": "or"}[sign], parts)


def combined(parts: st.SearchStrategy[Condition]) -> st.SearchStrategy[Condition]:
    return st.one_of(
        parts.map(negated),
        st.tuples(parts, parts).map(lambda two: joined("&&", *two)),
        st.tuples(parts, parts).map(lambda two: joined("||", *two)),
    )


atoms = st.sampled_from(
    [Condition(name, "field") for name in FIELDS] + [Condition(f"{name} > 5.0", "level") for name in LEVELS]
)
THERE = negated(joined("&&", Condition("one.a", "field"), negated(Condition("one.a", "field"))))
"""True as soon as one.a is known."""
conditions = st.recursive(atoms, combined, max_leaves=4)
evidence = st.fixed_dictionaries(
    {},
    optional={
        **{name: st.booleans() for name in FIELDS},
        **{name: st.sampled_from([4.0, 5.0, 5.1]) for name in LEVELS},
    },
)


@dataclass(frozen=True)
class Made:
    """A runbook of two diagnostics, with what its conditions mean."""

    guards: tuple[Condition, ...]
    symptom: Condition
    hypotheses: tuple[tuple[Condition, int, str], ...]
    """Condition, likelihood and action."""
    precondition: Condition

    def spec(self, order: Sequence[int] = ()) -> RunbookSpec:
        """The runbook; ``order`` rearranges guards, hypotheses and diagnostics."""
        guards = [
            {
                "name": f"guard-{index}",
                "when": guard.text,
                "then": {"escalate": {"reason": "SecurityIncident", "humanAction": f"Judge {index}."}},
            }
            for index, guard in enumerate(self.guards)
        ]
        hypotheses = [
            {
                "name": f"cause-{index}",
                "likelihood": likelihood,
                "when": when.text,
                "rootCause": {"summary": "x"},
                "then": {"action": action},
            }
            for index, (when, likelihood, action) in enumerate(self.hypotheses)
        ]
        precondition = {"name": "ready", "require": self.precondition.text}
        return RunbookSpec.model_validate(
            {
                "match": {"types": ["Test"]},
                "roles": [{"name": "target"}],
                "diagnostics": _rearranged([{"name": name, "memory": {}} for name in ("one", "two")], order),
                "variables": [{"name": "sick", "expression": self.symptom.text}],
                "symptom": "sick",
                "guards": _rearranged(guards, order),
                "hypotheses": _rearranged(hypotheses, order),
                "otherwise": {"escalate": {"reason": "UnknownRootCause", "humanAction": "Look."}},
                "actions": [{"name": each, **ACTION, "preconditions": [precondition]} for each in ("fix", "mend")],
                "verify": {
                    "window": "1m",
                    "timeout": "5m",
                    "criteria": [{"name": "well", "require": "!sick"}],
                    "onFailure": {"escalate": {"reason": "FixFailed", "humanAction": "Look."}},
                },
            }
        )


def _rearranged(entries: list[dict[str, Any]], order: Sequence[int]) -> list[dict[str, Any]]:
    keys = dict(enumerate(order))
    return [entry for _, entry in sorted(enumerate(entries), key=lambda pair: keys.get(pair[0], pair[0]))]


# Close to each other, or the margin would hardly ever matter; and a symptom that is often there.
likelihoods = st.sampled_from([0, 30, 39, 40, 41, 50, 59, 60, 61, 100])
made = st.builds(
    Made,
    guards=st.lists(conditions, max_size=2).map(tuple),
    symptom=st.one_of(st.just(THERE), conditions),
    hypotheses=st.lists(
        st.tuples(conditions, likelihoods, st.sampled_from(["fix", "mend"])), min_size=1, max_size=4
    ).map(tuple),
    precondition=conditions,
)


def decided(runbook: RunbookSpec, known: dict[str, Any]) -> Decision:
    values: dict[str, dict[str, Any]] = {}
    for path, value in known.items():
        name, _, field = path.partition(".")
        values.setdefault(name, {})[field] = value
    return decide(runbook, scope_of(runbook, SETTING, values), MARGIN)


def by_the_rules(runbook: Made, known: dict[str, Any]) -> str:
    """Rules 4 to 9, word by word: the reason of a hand-over, ``recovered``, or the action."""
    guards = [guard.value(known) for guard in runbook.guards]
    if True in guards:
        return "SecurityIncident"
    if None in guards:
        return "EvidenceUnavailable"
    symptom = runbook.symptom.value(known)
    if symptom is not True:
        return "recovered" if symptom is False else "EvidenceUnavailable"
    judged = [(when.value(known), likelihood, action) for when, likelihood, action in runbook.hypotheses]
    holding = [(likelihood, action) for value, likelihood, action in judged if value is True]
    unknown = [likelihood for value, likelihood, _ in judged if value is None]
    if not holding:
        return "EvidenceUnavailable" if unknown else "UnknownRootCause"
    top = max(likelihood for likelihood, _ in holding)
    near = {action for likelihood, action in holding if top - likelihood < MARGIN}
    if len(near) > 1:
        return "AmbiguousRootCause"
    if any(likelihood > top - MARGIN for likelihood in unknown):
        return "EvidenceUnavailable"
    return near.pop()


def outcome(decision: Decision) -> str:
    match decision.conclusion:
        case Escalate():
            return decision.conclusion.reason.value
        case SelfRecovered():
            return "recovered"
        case Proposed():
            return decision.conclusion.action.name
        case _:
            raise AssertionError(decision.conclusion)


@pytest.mark.rule(4, 5, 6, 7, 8, 9)
@settings(max_examples=400, deadline=None)
@given(made, evidence)
def test_every_decision_is_what_the_rules_say(runbook: Made, known: dict[str, Any]) -> None:
    assert outcome(decided(runbook.spec(), known)) == by_the_rules(runbook, known)


@pytest.mark.rule(5, 6)
@settings(max_examples=300, deadline=None)
@given(made, evidence)
def test_there_is_no_action_without_a_hypothesis_that_holds(runbook: Made, known: dict[str, Any]) -> None:
    decision = decided(runbook.spec(), known)
    verdicts = {(each.kind, each.name): each.verdict for each in decision.verdicts}
    conclusion = decision.conclusion
    if isinstance(conclusion, Proposed):
        assert verdicts["Hypothesis", conclusion.hypothesis.name] == "Holds"
        assert verdicts["Symptom", "sick"] == "Holds"
        assert {said for (kind, _), said in verdicts.items() if kind == "Guard"} <= {"Refuted"}


@pytest.mark.rule(4, 5, 8)
@settings(max_examples=300, deadline=None)
@given(made, evidence)
def test_unknown_never_acts(runbook: Made, known: dict[str, Any]) -> None:
    decision = decided(runbook.spec(), known)
    if not isinstance(decision.conclusion, Proposed):
        return
    winner = decision.conclusion.hypothesis
    blind = [each for each in decision.verdicts if each.verdict == "Unknown"]
    assert all(each.kind == "Hypothesis" and (each.likelihood or 0) <= winner.likelihood - MARGIN for each in blind)
    number = int(winner.name.removeprefix("cause-"))
    assert runbook.hypotheses[number][0].value(known) is True


@pytest.mark.rule(4, 5)
@settings(max_examples=100, deadline=None)
@given(made)
def test_nothing_at_all_is_known_and_nothing_is_done(runbook: Made) -> None:
    assert outcome(decided(runbook.spec(), {})) == "EvidenceUnavailable"


@pytest.mark.rule(6)
@settings(max_examples=300, deadline=None)
@given(made, evidence, st.permutations(range(4)))
def test_the_order_of_diagnostics_hypotheses_and_guards_in_the_file_does_not_matter(
    runbook: Made, known: dict[str, Any], order: list[int]
) -> None:
    assert decided(runbook.spec(order), known) == decided(runbook.spec(), known)


@pytest.mark.rule(2)
@settings(max_examples=400, deadline=None)
@given(made, evidence, st.sets(st.sampled_from([*FIELDS, *LEVELS])))
def test_what_is_done_on_less_evidence_is_done_on_more(runbook: Made, known: dict[str, Any], taken: set[str]) -> None:
    """So taking evidence away never turns a hand-over, a recovery or another action into an action, without any
    exception: a verdict that is true or false stays so when more is known, and what was unknown was too unlikely to
    count. The other way round it does happen: an action becomes a hand-over, and a guard that held may become
    unknown."""
    less = decided(runbook.spec(), {name: value for name, value in known.items() if name not in taken})
    if isinstance(less.conclusion, Proposed):
        more = decided(runbook.spec(), known)
        assert isinstance(more.conclusion, Proposed)
        assert more.conclusion == less.conclusion


@pytest.mark.rule(10)
@settings(max_examples=200, deadline=None)
@given(made, evidence, st.sets(st.sampled_from([*FIELDS, *LEVELS])))
def test_a_precondition_that_is_met_on_less_evidence_is_met_on_more(
    runbook: Made, known: dict[str, Any], taken: set[str]
) -> None:
    spec = runbook.spec()

    def refused(paths: dict[str, Any]) -> Escalate | None:
        values: dict[str, dict[str, Any]] = {}
        for path, value in paths.items():
            name, _, field = path.partition(".")
            values.setdefault(name, {})[field] = value
        return check_preconditions(spec, spec.actions[0], scope_of(spec, SETTING, values))

    assert (refused(known) is None) == (runbook.precondition.value(known) is True)
    if refused({name: value for name, value in known.items() if name not in taken}) is None:
        assert refused(known) is None


@pytest.mark.rule(7)
@settings(max_examples=200, deadline=None)
@given(st.integers(0, 100), st.integers(0, 100), st.integers(0, 50))
def test_two_that_hold_are_ambiguous_exactly_below_the_margin(one: int, other: int, margin: int) -> None:
    holds = Condition("one.a", "field")
    runbook = Made((), holds, ((holds, one, "fix"), (holds, other, "mend")), holds).spec()
    decision = decide(runbook, scope_of(runbook, SETTING, {"one": {"a": True}}), margin)
    assert (outcome(decision) == "AmbiguousRootCause") == (abs(one - other) < margin)


def _paths(values: dict[str, dict[str, Any]]) -> list[tuple[str, str]]:
    return [(name, field) for name, found in sorted(values.items()) for field in sorted(found)]


@settings(max_examples=200, deadline=None)
@given(
    st.sets(st.sampled_from(_paths(leak()))),
    st.sets(st.sampled_from(_paths(leak()))),
    st.sampled_from([0.0, 80.0, 80.1, 97.5]),
    st.sampled_from([0, 1, 3, 9]),
)
def test_of_the_shipped_runbook_too(
    taken: set[tuple[str, str]], more_taken: set[tuple[str, str]], cpu: float, errors: int
) -> None:
    assume(more_taken)
    runbook = RunbookSpec.model_validate(high_cpu()["spec"])
    parameters = PARAMETERS
    inputs = EvaluationInputs(
        "api-gateway", parameters, {"target": {"name": "h", "expectedUnits": ["api-gateway.service"]}}
    )
    values = leak()
    values["processes"] |= {"hostCpuPercent": cpu, "notIdlePercent": cpu}
    values["errors"] = {"count": errors, "mostRepeated": errors}
    values["oom"]["count"] = errors

    def seen(gone: set[tuple[str, str]]) -> Decision:
        left = {
            name: {field: value for field, value in found.items() if (name, field) not in gone}
            for name, found in values.items()
        }
        return decide(runbook, scope_of(runbook, inputs, left))

    more, less = seen(taken), seen(taken | more_taken)
    if isinstance(less.conclusion, Proposed):
        assert less.conclusion == more.conclusion
