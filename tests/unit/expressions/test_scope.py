"""A scope holds what is known and nothing that could be mistaken for it."""

from __future__ import annotations

import math

import pytest

from firstresponder.expressions import Scope


def test_numbers_become_doubles_and_booleans_stay() -> None:
    scope = Scope({"a": {"n": 3, "yes": True, "list": [1, {"m": 2}]}})
    assert scope.lookup("a") == {"n": 3.0, "yes": True, "list": [1.0, {"m": 2.0}]}
    assert isinstance(scope.lookup("a.n"), float)
    assert scope.lookup("a.yes") is True


@pytest.mark.rule(2)
def test_what_is_not_known_is_absent() -> None:
    scope = Scope({"a": {"null": None, "nan": math.nan, "half": "\ud800", "list": [1, None], "left": 1}, "b": None})
    assert scope.lookup("a") == {"left": 1.0}
    assert scope.names == {"a"}


def test_a_path_that_leads_nowhere_is_none() -> None:
    scope = Scope({"a": {"b": 1}})
    assert scope.lookup("a.c") is None
    assert scope.lookup("a.b.c") is None
    assert scope.lookup("c") is None


def test_nesting_beyond_the_limit_is_not_known() -> None:
    deep: dict[str, object] = {"end": 1}
    for _ in range(100):
        deep = {"a": deep}
    scope = Scope({"a": deep, "b": 1})
    assert scope.lookup("b") == 1.0
    assert scope.lookup(".".join(["a"] * 40)) is None


def test_binding_makes_a_new_scope_and_leaves_the_old_one() -> None:
    before = Scope({"a": 1})
    after = before.bind("b", "x").bind("c", None)
    assert after.names == {"a", "b"}
    assert before.names == {"a"}


def test_the_values_that_it_was_made_from_can_change_without_it() -> None:
    values = {"a": {"b": 1}}
    scope = Scope(values)
    values["a"]["b"] = 2
    assert scope.lookup("a.b") == 1.0


def test_a_value_that_json_does_not_have_is_a_mistake_of_the_caller() -> None:
    with pytest.raises(TypeError, match="is not a value that JSON has"):
        Scope({"a": object()})
