"""The decision: what the evidence says, by the rules, and nothing else.

The same evidence gives the same decision: no clock, no order of diagnostics, no randomness. Unknown is never
true and never false; it escalates.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from firstresponder.api.advice import Recommendation
from firstresponder.api.base import JSON
from firstresponder.api.incident import HypothesisResult
from firstresponder.api.reasons import EscalationReason
from firstresponder.api.runbook import (
    Action,
    Guard,
    Hypothesis,
    Outcome,
    RunbookSpec,
    Triage,
)
from firstresponder.expressions import (
    Expression,
    Scope,
    Verdict,
    render_text,
    resolve_variables,
    witnesses,
)
from firstresponder.runbooks.symbols import compiled, diagnostics_behind, expressions_behind, names_in
from firstresponder.safety.values import format_value

DEFAULT_MARGIN = 20
"""Points of likelihood by which the winner must lead, unless the EscalationPolicy says otherwise."""


@dataclass(frozen=True)
class EvaluationInputs:
    """What is known before anything is observed."""

    service: str
    parameters: Mapping[str, JSON]
    hosts: Mapping[str, Mapping[str, JSON]]
    """Role → name, address, expectedUnits."""


@dataclass(frozen=True)
class Proposed:
    """A hypothesis won, and this action follows from it."""

    hypothesis: Hypothesis
    action: Action


@dataclass(frozen=True)
class Delegate:
    """A playbook's hypothesis won, and this runbook goes on."""

    hypothesis: Hypothesis
    runbook: str


@dataclass(frozen=True)
class SelfRecovered:
    """The symptom is gone: act on nothing, verify only."""


@dataclass(frozen=True)
class Escalate:
    """A human must decide."""

    reason: EscalationReason
    message: str
    to: tuple[str, ...] = ()
    human_action: str | None = None
    hypothesis: Hypothesis | None = None
    recommendations: tuple[Recommendation, ...] = ()
    about: tuple[str, ...] = ()
    """The expressions that could not be evaluated, where that is why."""


Conclusion = Proposed | Delegate | SelfRecovered | Escalate


@dataclass(frozen=True)
class Decision:
    """The conclusion, and the verdict on everything that was evaluated on the way to it."""

    conclusion: Conclusion
    verdicts: tuple[HypothesisResult, ...]
    recommendations: tuple[Recommendation, ...] = ()


def scope_of(
    spec: Triage,
    inputs: EvaluationInputs,
    evidence: Mapping[str, Mapping[str, JSON]],
    baseline: Mapping[str, Mapping[str, JSON]] | None = None,
) -> Scope:
    """What expressions see. A diagnostic that was not observed is an empty map (rule 2)."""
    known = {**inputs.parameters, "service": inputs.service, "hosts": dict(inputs.hosts)}
    observed = {diagnostic.name: dict(evidence.get(diagnostic.name, {})) for diagnostic in spec.diagnostics}
    names = names_in(spec)
    variables = [(variable.name, compiled(variable.expression, names)) for variable in spec.variables]
    return resolve_variables(variables, Scope({**known, **observed, "baseline": dict(baseline or {})}))


def verdict_on(
    spec: Triage, scope: Scope, name: str, kind: str, source: str, likelihood: int | None = None
) -> HypothesisResult:
    """One expression evaluated: Holds, Refuted or Unknown, with the reason."""
    expression = compiled(source, names_in(spec))
    verdict = expression.verdict(scope)
    words = {Verdict.TRUE: "Holds", Verdict.FALSE: "Refuted", Verdict.UNKNOWN: "Unknown"}
    because = _because(spec, scope, source, expression, verdict)
    return HypothesisResult.model_validate(
        {
            "name": name,
            "kind": kind,
            "likelihood": likelihood,
            "verdict": words[verdict],
            "because": because[:2048],
        }
    )


def explain_expression(spec: Triage, scope: Scope, source: str) -> str:
    """What an expression read, or what it could not; with the errors that the diagnostics behind it came back with, for
    what a failed request does not answer is not known."""
    expression = compiled(source, names_in(spec))
    explanation = expression.explain(scope)
    if expression.verdict(scope) is not Verdict.UNKNOWN:
        return explanation
    names = sorted(diagnostics_behind(spec, [source]))
    errors = [(name, scope.lookup(f"{name}.error")) for name in names]
    seen = [f"{name}.error = {format_value(error, _SHORT)}" for name, error in errors if error is not None]
    return "; ".join([explanation, *seen])


_MOST_WITNESSES, _WITNESS_LENGTH, _SHORT = 4, 400, 64


def _because(spec: Triage, scope: Scope, source: str, expression: Expression, verdict: Verdict) -> str:
    """Why it came out so. Where it holds by some entries of a list, also through a variable, these are named."""
    if verdict is not Verdict.TRUE:
        return explain_expression(spec, scope, source)
    found: dict[str, list[JSON]] = {}
    for each in expressions_behind(spec, [source]):
        for path, entries in witnesses(each, scope).items():
            kept = found.setdefault(path, [])
            kept += [entry for entry in entries if entry not in kept]
    lists_shown = []
    for path, entries in sorted(found.items()):
        shown = ", ".join(format_value(entry, _WITNESS_LENGTH) for entry in entries[:_MOST_WITNESSES])
        more = f" and {len(entries) - _MOST_WITNESSES} more" if len(entries) > _MOST_WITNESSES else ""
        lists_shown.append(f"{path} has {shown}{more}")
    # Another list that it reads says nothing about why, and is long.
    lists = {path for path in expression.references if isinstance(scope.lookup(path), list)} if lists_shown else set()
    bare = {path for path in lists if path.partition(".")[0] != "hosts"}
    return "; ".join(filter(None, (*lists_shown, expression.read(scope, without={*found, *bare}))))


def _follow(spec: Triage, scope: Scope, outcome: Outcome, hypothesis: Hypothesis | None, otherwise: str) -> Conclusion:
    """The conclusion that an outcome stands for."""
    if outcome.escalate is not None:
        return Escalate(
            outcome.escalate.reason,
            otherwise,
            tuple(outcome.escalate.to or spec.escalate_to),
            render_text(outcome.escalate.human_action, scope),
            hypothesis,
            recommendations_of(outcome, scope),
        )
    if outcome.runbook is not None and hypothesis is not None:
        return Delegate(hypothesis, outcome.runbook)
    actions = spec.actions if isinstance(spec, RunbookSpec) else []
    action = next((each for each in actions if each.name == outcome.action), None)
    if action is None or hypothesis is None:
        return Escalate(EscalationReason.INVALID_RUNBOOK, f"the runbook has no action named {outcome.action}")
    return Proposed(hypothesis, action)


def evaluate_guards(spec: Triage, scope: Scope) -> tuple[Conclusion | None, tuple[HypothesisResult, ...]]:
    """Rule 4: what follows from the guards, None when all are refuted; and the verdict on each."""
    # By name: the order in the file never matters.
    ordered = sorted(spec.guards, key=lambda each: each.name)
    verdicts = tuple(verdict_on(spec, scope, guard.name, "Guard", guard.when) for guard in ordered)
    if held := [(guard, result) for guard, result in zip(ordered, verdicts, strict=True) if result.verdict == "Holds"]:
        return _guard_outcome(spec, scope, held), verdicts
    if blind := next((result for result in verdicts if result.verdict == "Unknown"), None):
        message = f"guard {blind.name} cannot be evaluated: {blind.because}"
        about = tuple(guard.when for guard in ordered if guard.name == blind.name)
        return Escalate(EscalationReason.EVIDENCE_UNAVAILABLE, message, about=about), verdicts
    return None, verdicts


def decide(spec: Triage, scope: Scope, margin: int = DEFAULT_MARGIN) -> Decision:
    """Rules 4 to 9: guards, symptom, hypotheses ranked with the margin."""
    stopped, verdicts = evaluate_guards(spec, scope)
    if stopped is not None:
        return _decision(stopped, verdicts)

    if isinstance(spec, RunbookSpec):
        symptom = verdict_on(spec, scope, spec.symptom, "Symptom", spec.symptom)
        verdicts = (*verdicts, symptom)
        if symptom.verdict == "Refuted":
            return Decision(SelfRecovered(), verdicts)
        if symptom.verdict == "Unknown":
            message = f"the symptom {spec.symptom} cannot be evaluated: {symptom.because}"
            over = Escalate(EscalationReason.EVIDENCE_UNAVAILABLE, message, about=(spec.symptom,))
            return Decision(over, verdicts)

    ranked = sorted(spec.hypotheses, key=lambda each: (-each.likelihood, each.name))
    results = [verdict_on(spec, scope, each.name, "Hypothesis", each.when, each.likelihood) for each in ranked]
    verdicts = (*verdicts, *results)
    weighed = list(zip(ranked, results, strict=True))
    holding = [hypothesis for hypothesis, result in weighed if result.verdict == "Holds"]
    unknown = [(hypothesis, result) for hypothesis, result in weighed if result.verdict == "Unknown"]
    if not holding:
        return _decision(_nothing_holds(spec, scope, unknown), verdicts)
    winner = holding[0]
    floor = winner.likelihood - margin
    rivals = [each for each in holding[1:] if each.likelihood > floor and each.then.leads_elsewhere(than=winner.then)]
    if rivals:
        return Decision(_ambiguous(winner, rivals, margin), verdicts)
    if hidden := next(((h, r) for h, r in unknown if h.likelihood > floor), None):
        message = f"{winner.name} holds, but {hidden[0].name} cannot be evaluated: {hidden[1].because}"
        over = Escalate(EscalationReason.EVIDENCE_UNAVAILABLE, message, about=(hidden[0].when,))
        return Decision(over, verdicts)
    otherwise = f"the cause is {winner.name}, which the runbook leaves to people"
    conclusion = _follow(spec, scope, winner.then, winner, otherwise)
    return Decision(conclusion, verdicts, recommendations_of(winner.then, scope))


def _decision(conclusion: Conclusion, verdicts: tuple[HypothesisResult, ...]) -> Decision:
    """A decision in which no hypothesis won."""
    recommendations = conclusion.recommendations if isinstance(conclusion, Escalate) else ()
    return Decision(conclusion, verdicts, recommendations)


def _guard_outcome(spec: Triage, scope: Scope, held: Sequence[tuple[Guard, HypothesisResult]]) -> Conclusion:
    """Rule 4. Of several guards the first gives the reason, and everybody that they name is notified of all."""
    first, *others = (
        _follow(spec, scope, guard.then, None, f"guard {guard.name} is true: {result.because}")
        for guard, result in held
    )
    for other in others:
        if isinstance(first, Escalate) and isinstance(other, Escalate):
            first = replace(
                first,
                message=f"{first.message}; {other.reason}: {other.message}",
                to=tuple(dict.fromkeys(first.to + other.to)),
                human_action=" ".join(filter(None, (first.human_action, other.human_action))),
            )
    return first


def _ambiguous(winner: Hypothesis, rivals: Sequence[Hypothesis], margin: int) -> Escalate:
    held = ", ".join(f"{each.name} ({each.likelihood}) → {_leads_to(each.then)}" for each in (winner, *rivals))
    text = f"{1 + len(rivals)} hypotheses hold, less than {margin} points apart: {held}"
    return Escalate(EscalationReason.AMBIGUOUS_ROOT_CAUSE, text)


def _leads_to(outcome: Outcome) -> str:
    if outcome.escalate is not None:
        return f"a human ({outcome.escalate.reason})"
    return f"runbook {outcome.runbook}" if outcome.runbook is not None else f"action {outcome.action}"


def _nothing_holds(spec: Triage, scope: Scope, unknown: Sequence[tuple[Hypothesis, HypothesisResult]]) -> Conclusion:
    """Rule 9: refuted everything is a finding; not knowing something is not."""
    if unknown:
        blind = "; ".join(f"{hypothesis.name}: {result.because}" for hypothesis, result in unknown)
        return Escalate(
            EscalationReason.EVIDENCE_UNAVAILABLE,
            f"no hypothesis holds, but not all can be evaluated: {blind}",
            about=tuple(hypothesis.when for hypothesis, _ in unknown),
        )
    names = ", ".join(each.name for each in sorted(spec.hypotheses, key=lambda each: (-each.likelihood, each.name)))
    return _follow(spec, scope, spec.otherwise, None, f"every hypothesis was refuted: {names}")


def recommendations_of(outcome: Outcome, scope: Scope) -> tuple[Recommendation, ...]:
    """What is recommended to people along with an outcome, in words."""
    return tuple(
        each.model_copy(update={"text": render_text(each.text, scope)[:2048]}) for each in outcome.recommendations
    )


def judge_preconditions(spec: RunbookSpec, action: Action, scope: Scope) -> tuple[HypothesisResult, ...]:
    """The verdict on each precondition of an action."""
    return tuple(
        verdict_on(spec, scope, precondition.name, "Precondition", precondition.require)
        for precondition in action.preconditions
    )


def check_preconditions(spec: RunbookSpec, action: Action, scope: Scope) -> Escalate | None:
    """Rule 10: a precondition that is not true escalates, and never falls through to the next hypothesis."""
    for precondition, result in zip(action.preconditions, judge_preconditions(spec, action, scope), strict=True):
        if result.verdict == "Holds":
            continue
        state = "is false" if result.verdict == "Refuted" else "cannot be evaluated"
        message = f"precondition {precondition.name} {state}: {result.because}"
        about = (precondition.require,) if result.verdict == "Unknown" else ()
        if precondition.otherwise is not None:
            over = _follow(spec, scope, precondition.otherwise, None, message)
            if isinstance(over, Escalate):
                return replace(over, about=about)
        return Escalate(EscalationReason.PRECONDITION_FAILED, message, about=about)
    return None


def guard_now(spec: RunbookSpec, scope: Scope) -> Escalate | None:
    """Why nothing may be done any more, on what was just seen: the outcome of the guard that became true, or that one
    cannot be evaluated; None when all are false."""
    stopped, _ = evaluate_guards(spec, scope)
    if stopped is None:
        return None
    assert isinstance(stopped, Escalate)  # noqa: S101 - a guard leads to a human or to nothing
    if stopped.reason == EscalationReason.EVIDENCE_UNAVAILABLE:
        return Escalate(EscalationReason.PACKET_SUPERSEDED, stopped.message, about=stopped.about)
    return replace(stopped, message=f"{stopped.message}; it became true after the packet was made")


def values_behind(spec: Triage, scope: Scope, source: str) -> str:
    """What was seen of all that an expression rests on, also through variables."""
    seen = {each.name for each in spec.diagnostics}
    paths = {path for each in expressions_behind(spec, [source]) for path in each.references}
    values = {path: scope.lookup(path) for path in sorted(paths) if path.partition(".")[0] in seen}
    return ", ".join(f"{path} = {format_value(value, _SHORT)}" for path, value in values.items() if value is not None)[
        :1000
    ]
