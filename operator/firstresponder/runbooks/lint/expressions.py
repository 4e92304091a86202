"""Expressions: they can be evaluated, they can come out one way or the other, and something can follow from them."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from firstresponder.actions.catalogue import methods_of, scaling_of
from firstresponder.api.runbook import RunbookSpec, Triage
from firstresponder.expressions import (
    MAX_COST,
    TOO_COSTLY,
    Expression,
    ExpressionError,
    Scope,
    Verdict,
    compile_condition,
    compile_expression,
)
from firstresponder.expressions.form import NAME
from firstresponder.runbooks.kinds import Kinds, kinds_of
from firstresponder.runbooks.lint import reachability
from firstresponder.runbooks.lint.contradictions import contradictions, no_condition
from firstresponder.runbooks.problem import Problem
from firstresponder.runbooks.symbols import compiled, expressions_behind, names_in


def unusable(spec: Triage) -> Iterator[Problem]:
    """What cannot be evaluated, or says nothing whatever is seen."""
    names = names_in(spec)
    evidence = {diagnostic.name for diagnostic in spec.diagnostics} | {"baseline"}
    known, kinds = names - {variable.name for variable in spec.variables}, known_kinds(spec)
    for index, variable in enumerate(spec.variables):
        try:
            expression = compile_expression(variable.expression, known, evidence)
        except ExpressionError as error:
            yield Problem(f"spec.variables[{index}].expression", str(error))
        else:
            yield from _contradictions(kinds, f"spec.variables[{index}].expression", expression)
        known |= {variable.name}
    for path, source in _conditions(spec):
        try:
            expression = compile_condition(source, names, evidence)
        except ExpressionError as error:
            yield Problem(path, str(error))
            continue
        if expression.constant is not None and expression.constant is not Verdict.UNKNOWN:
            yield Problem(
                path, f"is always {expression.constant.value}, whatever the evidence: correct it, or remove it"
            )
        yield from _contradictions(kinds, path, expression)
        if kinds is not None and (problem := no_condition(kinds, expression.form)):
            yield Problem(path, problem)
    if isinstance(spec, RunbookSpec) and kinds is not None and (problem := no_condition(kinds, (NAME, spec.symptom))):
        yield Problem("spec.symptom", problem)
    for path, source in _numbers(spec):
        try:
            expression = compile_expression(source, names, evidence)
        except ExpressionError as error:
            yield Problem(path, str(error))
        else:
            yield from _contradictions(kinds, path, expression)


def costs(spec: Triage) -> Iterator[Problem]:
    """Expressions that take too much before any evidence is in them; what evidence adds is seen when it is there."""
    names, scope = names_in(spec), Scope()
    for index, variable in enumerate(spec.variables):
        with contextlib.suppress(ExpressionError):  # reported where the expression stands
            expression = compiled(variable.expression, names)
            if expression.cost(scope) > MAX_COST:
                yield Problem(f"spec.variables[{index}].expression", TOO_COSTLY)
            scope = scope.bind(variable.name, expression.evaluate(scope).value)
    for path, source in (*_conditions(spec), *_numbers(spec)):
        with contextlib.suppress(ExpressionError):
            if compiled(source, names).cost(scope) > MAX_COST:
                yield Problem(path, TOO_COSTLY)


def baselines(spec: Triage) -> Iterator[Problem]:
    """What triage saw is the baseline of verification; in triage itself nothing is known of it."""
    symptom = [("spec.symptom", spec.symptom)] if isinstance(spec, RunbookSpec) else []
    for path, source in (*symptom, *_conditions(spec), *_numbers(spec)):
        with contextlib.suppress(ExpressionError):  # reported where the expression stands
            if not path.startswith("spec.verify.") and _rests_on_baseline(spec, source):
                yield Problem(path, "rests on baseline, which is known in spec.verify only: name the evidence itself")


def _rests_on_baseline(spec: Triage, source: str) -> bool:
    return any("baseline" in expression.names for expression in expressions_behind(spec, [source]))


def hopeless(spec: Triage) -> list[Problem]:
    """Hypotheses that no evidence lets win."""
    with contextlib.suppress(ExpressionError):  # reported where the expression stands
        return list(reachability.hopeless(spec))
    return []


def known_kinds(spec: Triage) -> Kinds | None:
    """What the names of the runbook are; None where a variable cannot be compiled, which is reported there."""
    with contextlib.suppress(ExpressionError):
        return kinds_of(spec)
    return None


def _conditions(spec: Triage) -> Iterator[tuple[str, str]]:
    """Field path and source of every expression that must be true or false."""
    for index, guard in enumerate(spec.guards):
        yield f"spec.guards[{index}].when", guard.when
    for index, hypothesis in enumerate(spec.hypotheses):
        yield f"spec.hypotheses[{index}].when", hypothesis.when
    if isinstance(spec, RunbookSpec):
        for index, action in enumerate(spec.actions):
            for number, precondition in enumerate(action.preconditions):
                yield f"spec.actions[{index}].preconditions[{number}].require", precondition.require
            if (ways := methods_of(action)) is not None:
                for number, method in enumerate(ways.methods):
                    yield f"spec.actions[{index}].{action.type}[{number}].when", method.when
                yield f"spec.actions[{index}].until", ways.until
        for index, criterion in enumerate(spec.verify.criteria):
            yield f"spec.verify.criteria[{index}].require", criterion.require
        for index, failure in enumerate(spec.verify.fail_when):
            yield f"spec.verify.failWhen[{index}].when", failure.when


def _numbers(spec: Triage) -> Iterator[tuple[str, str]]:
    """Field path and source of every expression that gives a number of instances."""
    for index, action in enumerate(spec.actions if isinstance(spec, RunbookSpec) else ()):
        if (scaling := scaling_of(action)) is not None:
            for field, source in scaling.numbers.items():
                yield f"spec.actions[{index}].{action.type}.{field}", source


def _contradictions(kinds: Kinds | None, path: str, expression: Expression) -> Iterator[Problem]:
    if kinds is not None:
        yield from (Problem(path, each) for each in dict.fromkeys(contradictions(kinds, expression.form)))
