"""What is said of conditions without evidence is so with every evidence."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firstresponder.expressions import Scope, Verdict, compile_condition, compile_expression, resolve_variables
from firstresponder.expressions.form import Form
from firstresponder.expressions.logic import Logic

NAMES = {"a", "b", "big"}
VARIABLES = {"big": "a.x > 5.0 && b.y"}


def form(source: str) -> Form:
    return compile_condition(source, NAMES).form


def possible(true: list[str], false: list[str] | None = None) -> bool:
    forms = [form(each) for each in (*true, *(false or []))]
    variables = {name: form(source) for name, source in VARIABLES.items()}
    return Logic(forms, variables).possible(forms[: len(true)], forms[len(true) :])


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("a.x>1.0&&b.y", "( b.y )  &&\n(a.x > 1.0)"),
        ("a.x > 1.0 || (b.y || a.z)", "(a.z || a.x > 1.0) || b.y"),
        ("a.x > 1.0", "1 < a.x"),
        ("a.x >= 1.0", "!(a.x < 1.0)"),
        ("a.x == 1.0", "1 == a.x"),
        ("a.x != b.x", "!(b.x == a.x)"),
        ("!(a.y && b.y)", "!b.y || !a.y"),
        ("(a.x > 1.0) == true", "a.x > 1.0"),
        ("(a.x > 1.0) == false", "a.x <= 1.0"),
        ("a.y && a.y", "a.y"),
        ("a['y']", "a.y"),
        ("a.x > -1.0", "-1 < a.x"),
        ("a.list.exists(p, p.u == b.u)", "a.list.exists(each, each.u == b.u)"),
        ("size(a.list) > 2", "a.list.size() > 2"),
    ],
)
def test_conditions_that_are_only_written_differently_have_one_form(one: str, other: str) -> None:
    assert form(one) == form(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("a.x > 1.0", "a.x >= 1.0"),
        ("a.x > 1.0", "a.x < 1.0"),
        ("a.x > 1.0 && b.y", "a.x > 1.0 || b.y"),
        ("a.s == 'x'", "a.s == 'y'"),
        ("a.s == b'x'", "a.s == b'y'"),
        ("a.x / b.x > 1.0", "b.x / a.x > 1.0"),
        ("a.list.exists(p, p.u == b.u)", "a.list.all(p, p.u == b.u)"),
        ("a.l.exists(p, p.l.exists(q, q == p))", "a.l.exists(p, p.l.exists(q, q == q))"),
        ("a.l.exists(p, p.exists(p, p.exists(q, p == q)))", "a.l.exists(p, p.exists(p, p.exists(q, q == q)))"),
        ("a.y ? a.z : b.z", "a.y ? b.z : a.z"),
        ("a.x in [1.0, 2.0]", "a.x in [1.0, 3.0]"),
        ("a.y == true", "a.y"),  # of a text the one is false, the other unknown
        ("!(a.x / b.x > 1.0)", "a.x / b.x <= 1.0"),  # of 0.0 / 0.0 the one is true, the other false
    ],
)
def test_conditions_that_mean_something_else_have_another_form(one: str, other: str) -> None:
    assert form(one) != form(other)


@pytest.mark.parametrize(
    ("true", "false"),
    [
        (["a.x > 90.0"], ["a.x > 80.0"]),
        (["a.x == 90.0"], ["a.x >= 90.0"]),
        (["a.x > 90.0", "a.x < 80.0"], []),
        (["a.s == 'x'"], ["a.s != 'y'"]),
        (["a.x > b.x", "a.x == b.x"], []),
        (["a.x > b.x"], ["b.x <= a.x"]),
        (["a.y && b.y"], ["b.y"]),
        (["a.y"], ["a.y || b.y"]),
        (["(a.y && b.y) || (a.y && b.z)"], ["a.y && (b.y || b.z)"]),
        (["big"], ["a.x > 5.0"]),
        (["big", "a.x < 4.0"], []),
        (["a.x > 5.0", "b.y"], ["big"]),
        (["a.y"], ["a.y == true"]),
        (["a.y == true", "a.y == false"], []),
        (["a.y == false"], ["!a.y"]),
        (["big == true"], ["big"]),
        (["a.x / b.x > 3.0"], ["a.x / b.x > 2.0"]),
    ],
)
def test_what_no_evidence_can_bring_about_is_seen(true: list[str], false: list[str]) -> None:
    assert not possible(true, false)


@pytest.mark.parametrize(
    ("true", "false"),
    [
        (["a.x > 80.0"], ["a.x > 90.0"]),
        (["a.x >= 90.0"], ["a.x > 90.0"]),
        (["a.s != 'x'", "a.s != 'y'"], []),
        (["a.x > 3.0", "a.x < 4.0"], []),
        (["a.x >= b.x"], ["a.x > b.x"]),
        (["a.x > 5.0"], ["big"]),
        (["a.s == 'x'"], ["b.s == 'x'"]),
        (["a.y != true"], ["a.y == false"]),  # a text
        (["!(a.x / b.x > 1.0)"], ["a.x / b.x <= 1.0"]),  # zero by zero
        (["a.x / b.x != 1.0"], ["a.x / b.x < 1.0", "a.x / b.x > 1.0"]),
    ],
)
def test_what_some_evidence_could_bring_about_is_possible(true: list[str], false: list[str]) -> None:
    assert possible(true, false)


def test_a_runbook_too_large_to_be_judged_is_given_the_benefit_of_the_doubt() -> None:
    many = " && ".join(f"(a.x{n} != b.x{n} || a.y{n} != b.y{n})" for n in range(90))
    assert possible([many, "a.z && !a.z"])


def test_variables_that_rest_on_each_other_too_deeply_to_be_judged_are_given_the_benefit_of_the_doubt() -> None:
    deep: Form = ("name", "v0")
    variables: dict[str, Form] = {"v0": form("a.y")}
    for number in range(1, 2000):
        variables[f"v{number}"], deep = deep, ("name", f"v{number}")
    assert Logic([deep], variables).possible([deep], [deep])


ATOMS = st.sampled_from(
    [
        *("a.x > 1.0", "a.x >= 1.0", "a.x < 2.0", "2 <= a.x", "a.x == 1.0", "a.x != 2.0", "a.x > b.x", "b.x == a.x"),
        *(
            "a.y",
            "b.y",
            "a.y == false",
            "a.y != true",
            "a.x / b.x > 1.0",
            "a.x / b.x <= 1.0",
            "a.s == 'm'",
            "a.s < 'm'",
            "a.s != b.s",
            "big",
            "big == true",
            "true",
        ),
    ]
)
CONDITIONS = st.recursive(
    ATOMS,
    lambda inner: st.one_of(
        inner.map(lambda one: f"!({one})"),
        st.tuples(inner, inner).map(lambda two: f"({two[0]}) && ({two[1]})"),
        st.tuples(inner, inner).map(lambda two: f"({two[0]}) || ({two[1]})"),
    ),
    max_leaves=5,
)
FACTS: list[tuple[str, str, list[Any]]] = [
    ("a", "x", [None, 0, 0.5, 1, 1.5, 2, 7]),
    ("b", "x", [None, 0, 1, 7]),
    ("a", "y", [None, True, False, "m"]),
    ("b", "y", [None, True, False]),
    ("a", "s", [None, "k", "m", "z", 3]),
]


def every_evidence() -> list[Scope]:
    variables = [(name, compile_expression(source, NAMES)) for name, source in VARIABLES.items()]
    scopes = []
    for values in itertools.product(*(values for _, _, values in FACTS)):
        seen: dict[str, dict[str, Any]] = {"a": {}, "b": {"s": "k"}}
        for (diagnostic, field, _), value in zip(FACTS, values, strict=True):
            seen[diagnostic][field] = value
        scopes.append(resolve_variables(variables, Scope(seen)))
    return scopes


MUCH_EVIDENCE = every_evidence()[::7]


@given(CONDITIONS, CONDITIONS)
def test_what_is_called_impossible_never_happens(one: str, other: str) -> None:
    if possible([one], [other]):
        return
    first, second = compile_condition(one, NAMES), compile_condition(other, NAMES)
    for scope in MUCH_EVIDENCE:
        assert (first.verdict(scope), second.verdict(scope)) != (Verdict.TRUE, Verdict.FALSE)


@given(CONDITIONS)
def test_a_condition_and_its_form_turned_around_twice_have_one_verdict(source: str) -> None:
    turned = f"!(!({source}))"
    assert form(source) == form(turned)
    one, other = compile_condition(source, NAMES), compile_condition(turned, NAMES)
    assert all(one.verdict(scope) == other.verdict(scope) for scope in MUCH_EVIDENCE)
