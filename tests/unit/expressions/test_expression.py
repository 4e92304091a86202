"""Expressions: refused in words for their author, and three-valued about the world."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firstresponder.expressions import (
    RESERVED_NAMES,
    ExpressionError,
    Result,
    Scope,
    Verdict,
    compile_condition,
    compile_expression,
    resolve_variables,
)

NAMES = ("processes", "errors", "memory", "hosts", "service", "threshold", "a", "b", "x")
GUARD = "processes.list.exists(p, !p.kernelThread && p.cpuPercent > 20 && !(p.unit in hosts.target.expectedUnits))"


def verdict(source: str, values: dict[str, Any] | None = None) -> Verdict:
    return compile_condition(source, NAMES).verdict(Scope(values))


def explain(source: str, values: dict[str, Any]) -> str:
    return compile_condition(source, NAMES).explain(Scope(values))


# What an expression reads


@pytest.mark.parametrize(
    ("source", "references"),
    [
        ("processes.top.unit == service + '.service'", {"processes.top.unit", "service"}),
        (GUARD, {"processes.list", "hosts.target.expectedUnits"}),
        ("a.all(x, x.y == b.x)", {"a", "b.x"}),
        ("a.exists(p, p.q.exists(r, r.s == p.t && x.z))", {"a", "x.z"}),
        ("a.map(x, x.y).exists(z, z == x.q)", {"a", "x.q"}),
        ("a[b.c].d == 1.0", {"a", "b.c"}),
        ("{'k': [a.b], b.c: 1.0}.size() > 0", {"a.b", "b.c"}),
        ("math.floor(a.b / 2.0) > 1.0", {"a.b"}),
        ("a.b ? b.c : x.y", {"a.b", "b.c", "x.y"}),
        ("type(a.b) == double", {"a.b"}),
        (".a.b > 1.0", {"a.b"}),
        ("a.b.startsWith('x')", {"a.b"}),
        ("1 + 1 == 2", set()),
    ],
)
def test_the_references_are_the_paths_that_the_expression_reads(source: str, references: set[str]) -> None:
    expression = compile_expression(source, NAMES)
    assert expression.references == references
    assert expression.names == {path.partition(".")[0] for path in references}


# What is refused


@pytest.mark.parametrize(
    ("source", "message", "position"),
    [
        ("erors.count > 0", "erors is not known here: did you mean errors\\? known names are a, b, errors", (1, 6)),
        ("a.b > 1 &&\n  frobnicate(b)", "there is no function frobnicate", (2, 13)),
        ("a.b >", "it ends too early", (1, 6)),
        ("a.b == 'x", "has no end: close it with the same quote", (1, 8)),
        ("1 + 'a' == 'b'", r"\+ cannot be applied to \(int, string\)", (1, 3)),
        ("has(a.b)", r"has\(\) turns evidence that is not known into false", (1, 1)),
        ("a.exists(p, has(p.q))", r"has\(\) turns evidence", (1, 13)),
        ("a.b.replace('-', '__') == 'x'", r"replace\(\) must be given two texts .* not longer", (1, 5)),
        ("a.b.replace('', '-') == 'x'", r"replace\(\) must be given two texts", (1, 5)),
        ("a.l.exists(p, p.replace(a.b, '') == 'x')", r"replace\(\) must be given two texts", (1, 17)),
        ("a.b + 2 > 1", r"\+ cannot combine an integer with evidence.* write 2\.0 for 2", (1, 5)),
        ("a.b > 1 &&\n b.c * (1 + 1) > 2", r"\* cannot combine an integer", (2, 6)),
        ("a.b * 2 > 2.0", r"> cannot be applied to \(int, double\); write 2.0 for 2", (1, 9)),
        ("", "empty", None),
        ("  \n", "empty", None),
        ("a.b > 1 \u202e", "control or invisible character", None),
        ("a\0", "control or invisible character", None),
        ("(" * 100 + "a.b" + ")" * 100, "nested too deeply", None),
        ("a.b > 1" + " " * 4096, "longer than 4096 characters", None),
    ],
)
def test_what_cannot_be_used_is_refused_in_words(source: str, message: str, position: tuple[int, int] | None) -> None:
    with pytest.raises(ExpressionError, match=message) as refused:
        compile_expression(source, NAMES)
    assert refused.value.position == position


def test_an_expression_of_4096_characters_is_allowed() -> None:
    source = "a.b > 1".ljust(4096)
    assert compile_expression(source, NAMES).source == source


@pytest.mark.parametrize("source", ["1", "a.b + 1.0", "service.replace('-', '_')", "[a.b]"])
def test_a_condition_that_cannot_be_true_or_false_is_refused(source: str) -> None:
    compile_expression(source, NAMES)
    with pytest.raises(ExpressionError, match="not true or false"):
        compile_condition(source, NAMES)


@pytest.mark.parametrize("source", ["'count' in errors", "size(errors) == 0", "errors == {}", "errors['count'] > 0"])
def test_a_diagnostic_without_a_field_is_refused(source: str) -> None:
    compile_condition(source, NAMES)
    with pytest.raises(ExpressionError, match="errors is a diagnostic: name one of its fields"):
        compile_condition(source, NAMES, evidence={"errors"})


@pytest.mark.parametrize("name", ["double", "in", "math", "list"])
def test_a_reserved_name_is_refused(name: str) -> None:
    assert name in RESERVED_NAMES
    with pytest.raises(ValueError, match=f"{name}: reserved"):
        compile_expression("true", [name])


def test_integers_that_are_no_evidence_can_be_added() -> None:
    assert verdict("size(a.lines) + 1 > 2", {"a": {"lines": ["x", "y"]}}) is Verdict.TRUE


def test_a_value_larger_than_any_evidence_is_not_known() -> None:
    scope = Scope({"a": {"text": "x" * 40_000, "list": [["x"] * 99] * 400}})
    for source in ("a.text + a.text", "a.list", "{'x': a.list}"):
        result = compile_expression(source, NAMES).evaluate(scope)
        assert result == Result(because="the result has more than 65536 characters and entries")
    assert compile_expression("a.text", NAMES).evaluate(scope).known


# Three values


@pytest.mark.rule(2, 3)
@pytest.mark.parametrize(
    ("source", "values", "expected"),
    [
        ("a.b > 1", {"a": {"b": 2}}, Verdict.TRUE),
        ("a.b > 1", {"a": {"b": 1}}, Verdict.FALSE),
        ("a.b > 1", {"a": {}}, Verdict.UNKNOWN),
        ("a.b > 1", {}, Verdict.UNKNOWN),
        ("a.b > 1", {"a": {"b": None}}, Verdict.UNKNOWN),
        ("a.b > 1", {"a": {"b": "2"}}, Verdict.UNKNOWN),
        ("a.b", {"a": {"b": 1}}, Verdict.UNKNOWN),
        ("a.b", {"a": {"b": "true"}}, Verdict.UNKNOWN),
        ("!a.b", {"a": {}}, Verdict.UNKNOWN),
        ("a.b || true", {"a": {}}, Verdict.TRUE),
        ("a.b && false", {"a": {}}, Verdict.FALSE),
        ("a.b || false", {"a": {}}, Verdict.UNKNOWN),
        ("a.b != 'x'", {"a": {"b": None}}, Verdict.UNKNOWN),
        ("!(a.b > 80.0)", {"a": {"b": math.nan}}, Verdict.UNKNOWN),
        ("a.b > 80.0", {"a": {"b": math.inf}}, Verdict.UNKNOWN),
        ("a.b > 80.0", {"a": {"b": 10**400}}, Verdict.UNKNOWN),
        ("a.b == 'x'", {"a": {"b": "\ud800"}}, Verdict.UNKNOWN),
        ("size(a.b + a.b) > 1", {"a": {"b": "x" * 60_000}}, Verdict.TRUE),
        ("a.b.all(p, p > 1)", {"a": {"b": [2, None]}}, Verdict.UNKNOWN),
        ("1.0 / a.b > 1.0", {"a": {"b": 0}}, Verdict.TRUE),
        ("a.b * threshold > 8.5", {"a": {"b": 10}, "threshold": 0.9}, Verdict.TRUE),
        ("a.all(p, a.all(q, a.all(r, r > 0)))", {"a": [1.0] * 300}, Verdict.UNKNOWN),
    ],
)
def test_missing_and_unusable_evidence_is_neither_true_nor_false(
    source: str, values: dict[str, Any], expected: Verdict
) -> None:
    assert verdict(source, values) is expected


@pytest.mark.rule(3)
@pytest.mark.parametrize(
    "source", ["1.0 / a.b", "null", "b'x'", "[1.0, null]", "duration('1s')", "{1: 'x'}", "0.0 / 0.0"]
)
def test_a_value_that_evidence_cannot_have_is_unknown(source: str) -> None:
    result = compile_expression(source, NAMES).evaluate(Scope({"a": {"b": 0}}))
    assert not result.known
    assert "is not a value that can be used" in result.because


def test_a_guard_sees_a_process_of_an_unexpected_unit() -> None:
    busy = {"kernelThread": False, "cpuPercent": 150}
    hosts = {"target": {"expectedUnits": ["api-gateway.service"]}}

    def seen(*processes: dict[str, Any]) -> Verdict:
        return verdict(GUARD, {"processes": {"list": list(processes)}, "hosts": hosts})

    assert seen({**busy, "unit": "api-gateway.service"}) is Verdict.FALSE
    assert seen({**busy, "unit": "session-3.scope"}) is Verdict.TRUE
    assert seen({**busy, "unit": ""}) is Verdict.TRUE
    assert seen(busy) is Verdict.UNKNOWN
    assert seen(busy, {**busy, "unit": "x.service"}) is Verdict.TRUE
    assert seen({**busy, "kernelThread": True}) is Verdict.FALSE


@pytest.mark.rule(3)
@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.integers() | st.text(st.characters()),
        lambda each: st.lists(each, max_size=3) | st.dictionaries(st.text(max_size=3), each, max_size=3),
        max_leaves=8,
    )
)
def test_whatever_the_evidence_the_verdict_is_one_of_three_and_explained(value: Any) -> None:
    scope = Scope({"a": {"b": value}})
    for source in ("a.b > 1.0", "a.b == 'x'", "a.b.exists(p, p == 1.0)", "!a.b", "a.b"):
        condition = compile_condition(source, NAMES)
        assert condition.verdict(scope) in Verdict
        assert condition.explain(scope)


# Reasons


def test_the_reason_names_what_is_not_known() -> None:
    assert explain("errors.count > 0 || memory.free > 1", {"errors": {}, "memory": {"free": 0}}) == (
        "not known: errors.count"
    )
    assert explain("a.exists(p, p.q)", {"a": [{}]}) == "not known: q of an entry"


def test_the_reason_of_a_verdict_shows_the_values_that_were_read() -> None:
    values = {"errors": {"count": 12.0}, "threshold": 3}
    assert explain("errors.count > threshold", values) == "errors.count = 12, threshold = 3"
    assert explain("errors.count > 3 || memory.free > 1", values) == "errors.count = 12, memory.free is not known"


def test_a_value_in_a_reason_is_harmless_and_without_secrets() -> None:
    assert explain("a.b == 'x'", {"a": {"b": "\x1b[0m password=hunter2"}}) == r"a.b = \x1b[0m password=[redacted]"


def test_the_reason_of_a_value_that_is_no_boolean_says_so() -> None:
    assert explain("a.b", {"a": {"b": 1}}) == "the result 1 is neither true nor false"


def test_the_reason_of_a_wrong_type_speaks_of_the_evaluation() -> None:
    assert explain("a.b > 1", {"a": {"b": "2"}}).startswith("cannot be evaluated: ")


# Constants and variables


@pytest.mark.parametrize(
    ("source", "constant"),
    [
        ("false", Verdict.FALSE),
        ("1 > 2", Verdict.FALSE),
        ("false && a.b", Verdict.FALSE),
        ("true || a.b", Verdict.TRUE),
        ("1 / 0 > 1", Verdict.UNKNOWN),
        ("a.b > 1", None),
        ("a.b || false", None),
    ],
)
def test_a_condition_that_no_evidence_can_change_is_known_as_constant(source: str, constant: Verdict | None) -> None:
    assert compile_condition(source, NAMES).constant is constant


@pytest.mark.rule(3)
def test_variables_see_those_before_them_and_one_that_errors_stays_unset() -> None:
    names = {"errors", "first", "second", "third", "group", "service"}
    sources = {
        "first": "errors.count > 3",
        "second": "!first",
        "third": "errors.missing > 3",
        "group": "service.replace('-', '_')",
    }
    variables = [(name, compile_expression(source, names)) for name, source in sources.items()]
    scope = resolve_variables(variables, Scope({"errors": {"count": 5}, "service": "api-gateway"}))
    assert scope.lookup("first") is True
    assert scope.lookup("second") is False
    assert scope.lookup("group") == "api_gateway"
    assert "third" not in scope.names
    assert compile_condition("third || first", names).verdict(scope) is Verdict.TRUE
    assert compile_condition("third || second", names).verdict(scope) is Verdict.UNKNOWN


def test_a_number_of_an_expression_is_a_double_in_the_next_one() -> None:
    names = {"a", "n"}
    scope = resolve_variables([("n", compile_expression("size(a)", names))], Scope({"a": [1, 2]}))
    assert compile_condition("n + 0.5 == 2.5", names).verdict(scope) is Verdict.TRUE


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("a.x < 80", [("a.x", "<", 80.0)]),
        ("a.x <= 80.5", [("a.x", "<=", 80.5)]),
        ("80 > a.x", [("a.x", "<", 80.0)]),
        ("-1 <= a.x", [("a.x", ">=", -1.0)]),
        ("a.x == 0", [("a.x", "==", 0.0)]),
        ("a.x < p", [("a.x", "<", "p"), ("p", ">", "a.x")]),
        ("!(a.x > 1.0) && b.y.z >= 2.0", [("a.x", ">", 1.0), ("b.y.z", ">=", 2.0)]),
        ("a.x < p * 2.0", []),
        ("a.s == 'x'", []),
        ("a.l.all(i, i.x < 2.0)", []),
        ("a.l.all(i, i.x < p)", []),
        ("a.x != 1.0", []),
    ],
)
def test_what_is_compared_with_what_is_found_from_either_side(
    source: str, found: list[tuple[str, str, object]]
) -> None:
    expression = compile_expression(source, {"a", "b", "p"})
    assert [(each.path, each.operator, each.against) for each in expression.comparisons] == found
