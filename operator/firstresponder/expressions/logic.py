"""What conditions say about each other: whether any evidence could make some of them true and others false.

What a condition compares takes every place that the comparisons can tell apart (below, at and above each constant);
whatever else it asks is true or false. So ``x > 90.0`` is known to be false wherever ``x > 80.0`` is, and
``a || b`` wherever ``b || a`` is. What is not seen is only that two different questions have to do with each other:
then evidence counts as possible, and nothing is said against a condition.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from firstresponder.expressions.form import ALL, ANY, AT_MOST, CONSTANT, EQUAL, LESS, NAME, NOT, Form, negation

_MOST_STEPS, _MOST_QUESTIONS = 5000, 64
"""Judgements for one runbook, and questions answered for one of them; whatever needs more counts as possible."""

Cases = dict[Form, Any]
"""What is compared or asked, and the case that it is taken to be."""


class Logic:
    """The conditions of one runbook; ``variables`` are the forms that its named conditions stand for."""

    def __init__(self, conditions: Sequence[Form], variables: Mapping[str, Form]) -> None:
        self._variables = variables
        self._constants: dict[Form, set[Any]] = {}
        self._steps = 0
        for form in (*conditions, *variables.values()):
            self._note_constants(form)

    def possible(self, true: Sequence[Form], false: Sequence[Form] = ()) -> bool:
        """Whether some evidence could make all of ``true`` true and all of ``false`` false; also if nobody can tell."""
        return self._search((ALL, *true, *(negation(each) for each in false)), {})

    def _search(self, form: Form, cases: Cases) -> bool:
        """Kleene's logic: what is decided by some of the questions needs no answer to the others."""
        self._steps += 1
        if self._steps > _MOST_STEPS or len(cases) > _MOST_QUESTIONS:
            return True
        open_: list[Form] = []
        verdict = self._verdict(form, cases, open_, {})
        if verdict is not None:
            return verdict
        question = open_[0]
        return any(self._search(form, {**cases, question: case}) for case in self._cases_of(question))

    def _verdict(self, form: Form, cases: Cases, open_: list[Form], known: dict[str, bool | None]) -> bool | None:
        """True, false, or None where it depends on the questions that are added to ``open_``."""
        kind = form[0]
        if kind in (ALL, ANY):
            decisive = kind == ANY
            verdicts = []
            for each in form[1:]:
                verdicts.append(self._verdict(each, cases, open_, known))
                if verdicts[-1] is decisive:
                    return decisive
            return None if None in verdicts else not decisive
        if kind == NOT:
            inner = self._verdict(form[1], cases, open_, known)
            return None if inner is None else not inner
        if kind == CONSTANT and form[1] == "bool":
            return bool(form[2])
        if kind == NAME and form[1] in self._variables:
            if form[1] not in known:
                known[form[1]] = self._verdict(self._variables[form[1]], cases, open_, known)
            return known[form[1]]
        question, place = self._asked(form)
        if question not in cases:
            open_.append(question)
            return None
        return _holds(kind, cases[question], place)

    def _note_constants(self, form: Form) -> None:
        if form[0] in (ALL, ANY, NOT):
            for each in form[1:]:
                self._note_constants(each)
        elif (found := _against_constant(form)) is not None:
            question, constant, _ = found
            self._constants.setdefault(question, set()).add(constant)

    def _asked(self, form: Form) -> tuple[Form, Any]:
        """The question behind a condition, and the case of it that the condition is about."""
        if (found := _against_constant(form)) is not None:
            question, constant, turned = found
            return question, (2 * sorted(self._constants[question]).index(constant) + 1, turned)
        if form[0] in (LESS, AT_MOST, EQUAL):
            first, second = sorted(form[1:], key=repr)
            return ("order", first, second), (0, form[1] != first)
        return ("whether", form), None

    def _cases_of(self, question: Form) -> Sequence[Any]:
        match question[0]:
            case "place":
                return range(2 * len(self._constants[question]) + 1)
            case "order":
                return (-1, 0, 1)
            case _:
                return (True, False)


def _against_constant(form: Form) -> tuple[Form, Any, bool] | None:
    """What is compared with a constant of one type, the constant, and whether it stands on the left."""
    if form[0] not in (LESS, AT_MOST, EQUAL):
        return None
    for constant, other, turned in ((form[2], form[1], False), (form[1], form[2], True)):
        if constant[0] == CONSTANT and other[0] != CONSTANT and constant[1] in ("double", "string"):
            return ("place", constant[1], other), constant[2], turned
    return None


def _holds(kind: str, case: Any, place: Any) -> bool:
    """Whether a condition holds where its question has this case."""
    if place is None:
        return bool(case)
    position, turned = place
    one, other = (position, case) if turned else (case, position)
    match kind:
        case "<":
            return bool(one < other)
        case "<=":
            return bool(one <= other)
        case _:
            return bool(one == other)
