"""What conditions say about each other: whether any evidence could make some of them true and others false.

What a condition compares takes every place that the comparisons can distinguish (below, at and above each constant);
whatever else it asks is true or false; and what the language lets be neither (a result that is no number, a text where
``== true`` is asked) may be that too. So ``x > 90.0`` is known to be false wherever ``x > 80.0`` is, and
``a || b`` wherever ``b || a`` is. What is not seen is only that two different questions have to do with each other:
then evidence counts as possible, and nothing is said against a condition.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from firstresponder.expressions.form import (
    ALL,
    ANY,
    AT_MOST,
    CONDITIONS,
    CONSTANT,
    EQUAL,
    LESS,
    NAME,
    NOT,
    Form,
    is_orderly,
    negation,
)

_MOST_WORK = 200_000
"""Parts of conditions that are looked at for one runbook (one of the catalogue needs some hundreds); whatever needs
more counts as possible."""

Cases = dict[Form, Any]
"""What is compared or asked, and the case that it is taken to be."""


class Logic:
    """The conditions of one runbook; ``variables`` are the forms that its named conditions stand for."""

    def __init__(self, conditions: Sequence[Form], variables: Mapping[str, Form]) -> None:
        self._variables = variables
        self._work = 0
        constants: dict[Form, set[Any]] = {}
        for form in (*conditions, *variables.values()):
            _note_constants(form, constants)
        self._with_a_boolean = frozenset(constants) - frozenset(each for each in constants if each[0] == "place")
        """What is compared with true or false, and so may be neither."""
        self._places: dict[Form, dict[Any, int]] = {
            question: {constant: 2 * index + 1 for index, constant in enumerate(sorted(each))}
            for question, each in constants.items()
            if question[0] == "place"
        }
        """Each constant's place among those that one thing is compared with; between them are the even places."""

    def possible(self, true: Sequence[Form], false: Sequence[Form] = ()) -> bool:
        """Whether some evidence could make all of ``true`` true and all of ``false`` false; also if that is not
        known."""
        try:
            return self._search((ALL, *true, *(negation(each) for each in false)), {})
        except (_TooMuchWork, RecursionError):
            return True

    def _search(self, form: Form, cases: Cases) -> bool:
        """Kleene's logic: what is decided by some of the questions needs no answer to the others."""
        open_: list[Form] = []
        verdict = self._verdict(form, cases, open_, {})
        if verdict is not None:
            return verdict
        if not open_:  # it asks whether something is true that is neither true nor false
            return False
        question = open_[0]
        return any(self._search(form, {**cases, question: case}) for case in self._cases_of(question))

    def _verdict(self, form: Form, cases: Cases, open_: list[Form], known: dict[str, bool | None]) -> bool | None:
        """True, false, or None where it depends on the questions that are added to ``open_``, or is neither."""
        self._work += 1
        if self._work > _MOST_WORK:
            raise _TooMuchWork
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
        question, asked = self._asked(form)
        if kind == EQUAL and question[0] == "whether" and self._is_boolean(question[1]):
            inner = self._verdict(question[1], cases, open_, known)
            return None if inner is None else inner is asked
        if question not in cases:
            open_.append(question)
            return None
        return _holds(kind, cases[question], asked)

    def _is_boolean(self, form: Form) -> bool:
        """Whether its value, where it has one, is true or false."""
        return form[0] in CONDITIONS or (
            form[0] == NAME and self._is_boolean(self._variables.get(form[1], (CONSTANT,)))
        )

    def _asked(self, form: Form) -> tuple[Form, Any]:
        """The question behind a condition, and the case of it that the condition is about."""
        if (found := _against_constant(form)) is not None:
            question, constant, turned = found
            return question, constant if question[0] == "whether" else (self._places[question][constant], turned)
        if form[0] in (LESS, AT_MOST, EQUAL):
            first, second = sorted(form[1:], key=repr)
            return ("order", first, second), (0, form[1] != first)
        return ("whether", form), None

    def _cases_of(self, question: Form) -> Sequence[Any]:
        """The cases of a question; None is that of what is neither, such as 0.0 / 0.0 or a text compared with true."""
        match question:
            case ("place", _, operand):
                places = range(2 * len(self._places[question]) + 1)
                return places if is_orderly(operand) else (*places, None)
            case ("order", one, other):
                return (-1, 0, 1) if is_orderly(one) and is_orderly(other) else (-1, 0, 1, None)
            case _:
                return (True, False, None) if question in self._with_a_boolean else (True, False)


class _TooMuchWork(Exception):
    """It cannot be decided in reasonable time."""


def _note_constants(form: Form, constants: dict[Form, set[Any]]) -> None:
    if form[0] in (ALL, ANY, NOT):
        for each in form[1:]:
            _note_constants(each, constants)
    elif (found := _against_constant(form)) is not None:
        question, constant, _ = found
        constants.setdefault(question, set()).add(constant)


def _against_constant(form: Form) -> tuple[Form, Any, bool] | None:
    """The question what is compared with a constant, the constant, and whether it stands on the left."""
    if form[0] not in (LESS, AT_MOST, EQUAL):
        return None
    for constant, other, turned in ((form[2], form[1], False), (form[1], form[2], True)):
        if constant[0] != CONSTANT or other[0] == CONSTANT:
            continue
        if constant[1] in ("double", "string"):
            return ("place", constant[1], other), constant[2], turned
        if constant[1] == "bool" and form[0] == EQUAL:
            return ("whether", other), constant[2], turned
    return None


def _holds(kind: str, case: Any, asked: Any) -> bool | None:
    """Whether a condition holds where its question has this case; None where it is neither true nor false."""
    if not isinstance(asked, tuple):
        return case is asked if kind == EQUAL else case
    if case is None:
        return False
    place, turned = asked
    one, other = (place, case) if turned else (case, place)
    match kind:
        case "<":
            return bool(one < other)
        case "<=":
            return bool(one <= other)
        case _:
            return bool(one == other)
