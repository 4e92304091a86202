"""No evaluation takes more than a bounded time and memory, whatever the expression and the evidence."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firstresponder.expressions import MAX_COST, TOO_COSTLY, ExpressionError, Scope, compile_expression
from firstresponder.expressions.size import measured

ONES = f"[{','.join(['1'] * 99)}]"
NAMES = {
    "few": [1.0, 2.0, 3.0],
    "texts": ["ab", "cde"],
    "text": "abc,def",
    "number": 4.0,
    "table": {"a": [1.0], "b": []},
}


def lists(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    pairs = st.tuples(inner, inner)
    return st.one_of(
        pairs.map(lambda p: f"({p[0]} + {p[1]})"),
        pairs.map(lambda p: f"[{p[0]}, {p[1]}]"),
        pairs.map(lambda p: f"{p[0]}.map(e, {p[1]})"),
        pairs.map(lambda p: f"{p[0]}.map(e, e + {p[1]})"),
        pairs.map(lambda p: f"{p[0]}.filter(e, size({p[1]}) > 1)"),
        pairs.map(lambda p: f"(size({p[0]}) > 2 ? {p[0]} : {p[1]})"),
        pairs.map(lambda p: f"{p[0]}.join(string({p[1]}))"),
        inner.map(lambda one: f"{one}.split('')"),
        inner.map(lambda one: f"'%s-%s'.format([{one}, {one}])"),
        inner.map(lambda one: f"strings.quote({one})"),
        inner.map(lambda one: f"{one}.upperAscii()"),
        inner.map(lambda one: f"{{'k': {one}}}"),
        inner.map(lambda one: f"{one}[0]"),
    )


EXPRESSIONS = st.recursive(st.sampled_from([*NAMES, "table.a", "'x,y'", "[1.0, 2.0]"]), lists, max_leaves=8)


@given(EXPRESSIONS)
@settings(max_examples=300, deadline=None)
def test_what_an_evaluation_gives_is_never_larger_than_it_was_held_for(source: str) -> None:
    try:
        expression = compile_expression(source, NAMES)
    except ExpressionError:
        return
    scope = Scope(NAMES)
    result = expression.evaluate(scope)
    if result.known:
        assert measured(Scope({"result": result.value}).lookup("result")).total <= expression.cost(scope)


@pytest.mark.parametrize(
    "source",
    [
        f"{ONES}.all(a, {ONES}.all(b, !'{'ab' * 1200}'.matches('(a|b)*(a|b)*(a|b)*c')))",
        f"{ONES}.map(a, {ONES}.map(b, [1, 1, 1, 1].map(c, '{'x' * 2000}')))",
        f"{ONES}.map(a, {ONES}.map(b, {ONES}.map(c, 1)))",
        f"{ONES}.map(a, {ONES}).map(a, {ONES}.exists(b, a.exists(c, c == b && '{'x' * 1000}'.contains('y'))))",
        f"{ONES}.all(a, '{'a' * 1000}'.matches('(a?){{500}}a{{400}}'))",
    ],
    ids=["a pattern", "a text many times", "three levels", "a list of lists", "a large pattern"],
)
def test_what_would_exhaust_the_operator_is_not_evaluated(source: str) -> None:
    expression = compile_expression(source, ())
    assert expression.cost(Scope()) > MAX_COST
    assert expression.evaluate(Scope()).because == TOO_COSTLY


LARGE = {
    "numbers": [1.0] * 9_000,  # within the library's own budget of iterations
    "text": "a" * 32_000,
    "deep": [["a" * 100] * 100] * 100,
}


@pytest.mark.parametrize(
    "source",
    [
        "size(numbers.map(n, n)) > 1",
        "numbers.all(n, text.contains(text))",
        "deep.map(d, deep.map(e, deep)) == deep.map(d, deep.map(e, deep))",
        "[text, text, text].map(t, t.split('').map(c, text)) == []",
        "numbers.all(n, text.matches(text))",
    ],
)
def test_evidence_that_would_exhaust_the_operator_makes_an_expression_unknown(source: str) -> None:
    assert compile_expression(source, LARGE).evaluate(Scope(LARGE)).because == TOO_COSTLY


@pytest.mark.parametrize(
    "source",
    [
        "numbers.all(n, n > 0.5)",
        "deep.exists(d, d.exists(t, t.startsWith('a')))",
        "text.contains('b') || true",
        "deep.map(d, size(d)) != []",
        "text.matches('(GET|POST) /[a-z/]+ 5[0-9]{2}') || true",
        "numbers.exists_one(n, n == 2.0) || true",
    ],
)
def test_what_runbooks_ask_of_large_evidence_is_evaluated(source: str) -> None:
    assert compile_expression(source, LARGE).evaluate(Scope(LARGE)).value is True


BUSY_HOST = {
    "processes": [
        {"names": [f"worker-{number}.service"], "cpuPercent": 0.5, "command": "java " + "-Dsome.option=value " * 12}
        for number in range(1000)
    ],
    "expected": [f"service-{number}.service" for number in range(60)],
}


@pytest.mark.parametrize(
    "source",
    [
        "processes.exists(p, p.cpuPercent > 20.0 && !p.names.exists(n, n in expected))",
        "processes.filter(p, !p.names.exists(n, n in expected)).exists(p, p.cpuPercent > 20.0)",
        "!processes.all(p, p.names.all(n, n.startsWith('worker')))",
    ],
)
def test_what_is_asked_of_one_field_costs_that_field_and_not_the_longest_beside_it(source: str) -> None:
    assert compile_expression(source, BUSY_HOST).evaluate(Scope(BUSY_HOST)).value is False


@pytest.mark.parametrize(
    "source",
    [
        " + ".join(["1"] * 1000),
        "!" * 2000 + "true",
        "-" * 2000 + "1",
        " ? true : ".join(["true"] * 300) + " ? true : false",
        "x" + ".a" * 2000,
        "[" * 1000 + "]" * 1000,
    ],
)
def test_a_deep_expression_is_usable_or_refused_in_words(source: str) -> None:
    try:
        compile_expression(source, {"x"}).evaluate(Scope())
    except ExpressionError as error:
        assert error.message


@pytest.mark.parametrize(
    "source", ["google.protobuf.Int64Value{value: 1} == 1", "{'a': google.protobuf.Struct{}} == {}"]
)
def test_a_message_of_protocol_buffers_is_refused_with_its_place(source: str) -> None:
    with pytest.raises(ExpressionError, match="write the plain value") as refused:
        compile_expression(source, ())
    assert refused.value.position is not None
