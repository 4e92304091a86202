"""The rules of a decision, on a runbook small enough to see through."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firstresponder.actions.catalogue import scaling_of
from firstresponder.expressions import Scope
from firstresponder.incident.approval.recheck import no_longer_holds
from firstresponder.incident.decision.amount import Planned, current_count, desired_count
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
from tests.unit.incident.world import PARAMETERS, high_cpu, leak

ACTION = {
    "restartUnit": {"unit": "$(service).service"},
    "risk": {},
    "rollback": {"plan": "STOP"},
    "approval": {"prompt": "Restart?"},
}


def hypothesis(name: str, likelihood: int, when: str, action: str | None = None) -> dict[str, Any]:
    return {
        "name": name,
        "likelihood": likelihood,
        "when": when,
        "rootCause": {"summary": name},
        "then": {"action": action or f"do-{name}"},
    }


def spec(*hypotheses: dict[str, Any], **more: Any) -> RunbookSpec:
    """A runbook with one diagnostic (memory) and one action a hypothesis."""
    actions = sorted({each["then"]["action"] for each in hypotheses if "action" in each["then"]})
    return RunbookSpec.model_validate(
        {
            "match": {"types": ["Test"]},
            "roles": [{"name": "target"}],
            "diagnostics": [{"name": "m", "memory": {}}],
            "variables": [{"name": "sick", "expression": "m.sick"}],
            "symptom": "sick",
            "hypotheses": list(hypotheses),
            "otherwise": {"escalate": {"reason": "UnknownRootCause", "humanAction": "Look."}},
            "actions": [{"name": name, **ACTION} for name in actions],
            "verify": {
                "window": "1m",
                "timeout": "5m",
                "criteria": [{"name": "well", "require": "!m.sick"}],
                "onFailure": {"escalate": {"reason": "FixFailed", "humanAction": "Look."}},
            },
            **more,
        }
    )


def decided(runbook: RunbookSpec, margin: int = 20, **evidence: Any) -> Decision:
    inputs = EvaluationInputs("api", {}, {"target": {"name": "h"}})
    return decide(runbook, scope_of(runbook, inputs, {"m": {"sick": True, **evidence}}), margin)


def reason(decision: Decision) -> str | None:
    return decision.conclusion.reason.value if isinstance(decision.conclusion, Escalate) else None


def winner(decision: Decision) -> str | None:
    return decision.conclusion.hypothesis.name if isinstance(decision.conclusion, Proposed) else None


GUARD = {
    "name": "stranger",
    "when": "m.stranger",
    "then": {"escalate": {"reason": "SecurityIncident", "to": ["security"], "humanAction": "Judge."}},
}


@pytest.mark.rule(4)
def test_a_guard_that_is_true_is_followed_and_nothing_else_is_judged() -> None:
    decision = decided(spec(hypothesis("a", 90, "true"), guards=[GUARD]), stranger=True)
    assert reason(decision) == "SecurityIncident"
    assert [verdict.name for verdict in decision.verdicts] == ["stranger"]


@pytest.mark.rule(4)
def test_of_several_guards_that_are_true_all_are_told_whatever_their_order() -> None:
    data = {
        "name": "corruption",
        "when": "m.corrupt",
        "then": {"escalate": {"reason": "ManualActionRequired", "to": ["dba"], "humanAction": "Ask a DBA."}},
    }
    decisions = [
        decided(spec(hypothesis("a", 90, "true"), guards=guards), stranger=True, corrupt=True)
        for guards in ([GUARD, data], [data, GUARD])
    ]
    assert decisions[0] == decisions[1]
    over = decisions[0].conclusion
    assert isinstance(over, Escalate)
    assert (over.reason, over.to) == ("ManualActionRequired", ("dba", "security"))
    assert over.human_action == "Ask a DBA. Judge."
    assert "SecurityIncident: guard stranger is true: m.stranger = true" in over.message


@pytest.mark.rule(4)
def test_a_guard_that_is_unknown_hands_over_even_when_a_hypothesis_holds() -> None:
    assert reason(decided(spec(hypothesis("a", 90, "m.sick"), guards=[GUARD]))) == "EvidenceUnavailable"


@pytest.mark.rule(5)
def test_a_symptom_that_is_false_means_self_recovered() -> None:
    assert isinstance(decided(spec(hypothesis("a", 90, "m.x")), sick=False).conclusion, SelfRecovered)


@pytest.mark.rule(5)
def test_a_symptom_that_is_unknown_hands_over() -> None:
    runbook = spec(hypothesis("a", 90, "true"))
    decision = decide(runbook, scope_of(runbook, EvaluationInputs("api", {}, {}), {}))
    assert reason(decision) == "EvidenceUnavailable"


@pytest.mark.rule(6)
def test_the_likeliest_holding_hypothesis_wins_wherever_it_stands_in_the_file() -> None:
    one, other = hypothesis("a", 40, "m.sick"), hypothesis("b", 80, "m.sick")
    assert winner(decided(spec(one, other))) == winner(decided(spec(other, one))) == "b"


@pytest.mark.rule(7)
@pytest.mark.parametrize(
    ("likelihoods", "expected"),
    [((60, 39), None), ((60, 40), None), ((60, 41), "AmbiguousRootCause"), ((60, 60), "AmbiguousRootCause")],
)
def test_less_than_twenty_points_apart_is_ambiguous_and_exactly_twenty_is_not(
    likelihoods: tuple[int, int], expected: str | None
) -> None:
    first, second = likelihoods
    decision = decided(spec(hypothesis("a", first, "m.sick"), hypothesis("b", second, "m.sick")))
    assert reason(decision) == expected


@pytest.mark.rule(7)
def test_two_close_hypotheses_with_the_same_action_are_not_ambiguous() -> None:
    decision = decided(spec(hypothesis("a", 60, "m.sick", "same"), hypothesis("b", 55, "m.sick", "same")))
    assert winner(decision) == "a"


@pytest.mark.rule(7)
def test_the_margin_of_the_policy_counts() -> None:
    runbook = spec(hypothesis("a", 60, "m.sick"), hypothesis("b", 55, "m.sick"))
    assert winner(decided(runbook, margin=5)) == "a"
    assert reason(decided(runbook, margin=6)) == "AmbiguousRootCause"


@pytest.mark.rule(8)
@pytest.mark.parametrize(
    ("likelihood", "expected"), [(39, None), (40, None), (41, "EvidenceUnavailable"), (95, "EvidenceUnavailable")]
)
def test_an_unknown_hypothesis_above_the_margin_hides_the_truth(likelihood: int, expected: str | None) -> None:
    decision = decided(spec(hypothesis("a", 60, "m.sick"), hypothesis("b", likelihood, "m.nobody > 1.0")))
    assert reason(decision) == expected


@pytest.mark.rule(9)
def test_none_holding_and_some_unknown_is_not_a_refutation() -> None:
    runbook = spec(hypothesis("a", 60, "!m.sick"), hypothesis("b", 10, "m.nobody > 1.0"))
    assert reason(decided(runbook)) == "EvidenceUnavailable"


@pytest.mark.rule(9)
def test_all_refuted_follows_otherwise() -> None:
    assert reason(decided(spec(hypothesis("a", 60, "!m.sick")))) == "UnknownRootCause"


def test_every_verdict_says_what_it_saw() -> None:
    decision = decided(spec(hypothesis("a", 60, "m.free < 10.0")), free=3)
    assert [v.because for v in decision.verdicts if v.name == "a"] == ["m.free = 3"]


@pytest.mark.rule(10)
def test_a_failed_precondition_hands_over_and_never_falls_through() -> None:
    runbook = spec(hypothesis("a", 60, "m.sick"), hypothesis("b", 10, "m.sick"))
    action = runbook.actions[0].model_validate(
        {"name": "x", **ACTION, "preconditions": [{"name": "loaded", "require": "m.loaded"}]}
    )
    assert check_preconditions(runbook, action, Scope({"m": {"loaded": True}})) is None
    for value in ({"loaded": False}, {}):
        refused = check_preconditions(runbook, action, Scope({"m": value}))
        assert refused is not None
        assert refused.reason == "PreconditionFailed"


@pytest.mark.rule(14)
@pytest.mark.parametrize(("now", "word"), [({"sick": False}, "sick"), ({"sick": True, "x": False}, "a"), ({}, "sick")])
def test_just_before_acting_everything_must_still_be_true(now: dict[str, Any], word: str) -> None:
    runbook = spec(hypothesis("a", 60, "m.x"))
    scope = scope_of(runbook, EvaluationInputs("api", {}, {}), {"m": now})
    problem = no_longer_holds(runbook, runbook.actions[0], runbook.hypotheses[0], scope, Planned())
    assert problem is not None
    assert (problem.reason, problem.message.startswith(word)) == ("PacketSuperseded", True)


@pytest.mark.rule(11)
@pytest.mark.parametrize(
    ("count", "maximum", "expected"),
    [(4, 8, 6), (6, 8, 8), (7, 8, "CapacityLimit"), (4.5, 8, "CapacityLimit"), (4, None, "EvidenceUnavailable")],
)
def test_a_desired_count_is_whole_and_within_bounds_and_never_clamped(
    count: float, maximum: int | None, expected: int | str
) -> None:
    runbook = RunbookSpec.model_validate(high_cpu()["spec"])
    action = next(each for each in runbook.actions if scaling_of(each) is not None)
    scope = Scope({"replicas": {"count": count, "max": maximum}})
    desired = desired_count(runbook, action, scope)
    assert (desired if isinstance(desired, int) else desired.reason.value) == expected


@pytest.mark.rule(11)
@pytest.mark.parametrize(
    ("count", "expected"),
    [(4, 4), (0, 0), (4.5, "EvidenceUnavailable"), (-1, "EvidenceUnavailable"), (None, "EvidenceUnavailable")],
)
def test_a_current_count_is_a_whole_number_of_instances_or_not_known(count: float | None, expected: int | str) -> None:
    runbook = RunbookSpec.model_validate(high_cpu()["spec"])
    action = next(each for each in runbook.actions if scaling_of(each) is not None)
    current = current_count(runbook, action, Scope({"replicas": {"count": count}}))
    assert (current if isinstance(current, int) else current.reason.value) == expected


@pytest.mark.rule(2)
@given(taken=st.sets(st.sampled_from(["processes", "errors", "oom", "memory", "health"])))
def test_evidence_taken_away_never_leads_to_another_action(taken: set[str]) -> None:
    runbook = RunbookSpec.model_validate(high_cpu()["spec"])
    target = {"name": "h", "expectedUnits": ["api-gateway.service"]}
    inputs = EvaluationInputs(
        "api-gateway",
        PARAMETERS,
        {"target": target},
    )
    evidence = {name: values for name, values in leak().items() if name not in taken}
    conclusion = decide(runbook, scope_of(runbook, inputs, evidence)).conclusion
    if isinstance(conclusion, Proposed):
        assert conclusion.action.name == "restart"
    if "processes" in taken:
        assert isinstance(conclusion, Escalate)


@pytest.mark.rule(1)
@given(order=st.permutations(list(leak())))
def test_the_order_of_diagnostics_does_not_matter(order: list[str]) -> None:
    runbook = RunbookSpec.model_validate(high_cpu()["spec"])
    inputs = EvaluationInputs("api-gateway", PARAMETERS, {})
    values = leak()
    one = decide(runbook, scope_of(runbook, inputs, values))
    other = decide(runbook, scope_of(runbook, inputs, {name: values[name] for name in order}))
    assert one == other
