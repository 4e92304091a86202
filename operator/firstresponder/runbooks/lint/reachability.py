"""Hypotheses that can never win: whatever is seen, something else is evaluated before them and is true too."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from firstresponder.api.runbook import Hypothesis, RunbookSpec, Triage
from firstresponder.expressions.form import NAME, Form
from firstresponder.expressions.logic import Logic
from firstresponder.runbooks.problem import Problem
from firstresponder.runbooks.symbols import compiled, names_in


def hopeless(spec: Triage) -> Iterator[Problem]:
    """Hypotheses that no evidence lets win, each with what it loses to. Raises ExpressionError."""
    names = names_in(spec)
    conditions = {each.name: compiled(each.when, names).form for each in spec.hypotheses}
    guards = {each.name: compiled(each.when, names).form for each in spec.guards}
    variables = {each.name: compiled(each.expression, names).form for each in spec.variables}
    symptom: list[Form] = [(NAME, spec.symptom)] if isinstance(spec, RunbookSpec) else []
    logic = Logic([*conditions.values(), *guards.values()], variables)
    for index, hypothesis in enumerate(spec.hypotheses):
        ahead = [each for each in spec.hypotheses if _is_ahead(each, hypothesis)]
        condition = conditions[hypothesis.name]
        problem = (
            _impossible(logic, condition)
            or _beaten(logic, condition, ahead, conditions)
            or _guarded(logic, condition, guards)
            or _without_symptom(logic, condition, symptom)
            or _beaten_by_all(logic, [*symptom, condition], ahead, conditions, guards)
        )
        if problem is not None:
            yield Problem(f"spec.hypotheses[{index}].when", problem)


def _is_ahead(one: Hypothesis, other: Hypothesis) -> bool:
    """Whether ``other`` cannot win while ``one`` holds: the order of rule 6, and two alike are ambiguous (rule 7)."""
    if one.likelihood != other.likelihood:
        return one.likelihood > other.likelihood
    return one.then.leads_elsewhere(than=other.then) or one.name < other.name


def _impossible(logic: Logic, condition: Form) -> str | None:
    if logic.possible([condition]):
        return None
    return "can never be true, for its parts exclude each other: correct it, or remove the hypothesis"


def _beaten(logic: Logic, condition: Form, ahead: Sequence[Hypothesis], conditions: dict[str, Form]) -> str | None:
    for rival in ahead:
        if logic.possible([condition], [conditions[rival.name]]):
            continue
        same = not logic.possible([conditions[rival.name]], [condition])
        what = "says the same as" if same else "is only true together with"
        return (
            f"{what} that of {rival.name}, whose likelihood of {rival.likelihood} is not lower, so this hypothesis can "
            "never win: distinguish them by what only this one shows, or remove one"
        )
    return None


def _guarded(logic: Logic, condition: Form, guards: dict[str, Form]) -> str | None:
    for name, guard in guards.items():
        if not logic.possible([condition], [guard]):
            same = not logic.possible([guard], [condition])
            what = "says the same as" if same else "is only true together with"
            return (
                f"{what} the guard {name}, which is evaluated first, so this hypothesis can never win: "
                "remove it, or narrow the guard"
            )
    return None


def _without_symptom(logic: Logic, condition: Form, symptom: Sequence[Form]) -> str | None:
    if logic.possible([condition, *symptom]):
        return None
    name = symptom[0][1]
    return f"is never true while the symptom {name} is, and without it no hypothesis is evaluated: correct one of them"


def _beaten_by_all(
    logic: Logic,
    true: Sequence[Form],
    ahead: Sequence[Hypothesis],
    conditions: dict[str, Form],
    guards: dict[str, Form],
) -> str | None:
    if logic.possible(true, [*guards.values(), *(conditions[each.name] for each in ahead)]):
        return None
    names = ", ".join([*guards, *(each.name for each in ahead)])
    return (
        f"is never true unless one of {names} is, which are evaluated first, so this hypothesis can never win: "
        "narrow one of them, or remove it"
    )
