"""Which entries of a list an expression came out by."""

from __future__ import annotations

from typing import Any

import pytest

from firstresponder.expressions import Scope, compile_expression, witnesses

OWN = {"pid": 1.0, "unit": "api.service", "cpu": 190.0}
STRANGER = {"pid": 2.0, "unit": "", "cpu": 90.0}
QUIET = {"pid": 3.0, "unit": "session-3.scope", "cpu": 1.0}
NAMES = {"processes", "units", "expected", "high"}


def found(source: str, **values: Any) -> dict[str, list[Any]]:
    known = {"processes": {"list": [OWN, STRANGER, QUIET]}, "expected": ["api.service"], "high": True, **values}
    return witnesses(compile_expression(source, NAMES), Scope(known))


@pytest.mark.parametrize(
    "source",
    [
        "processes.list.exists(p, p.cpu > 20.0 && !(p.unit in expected))",
        "processes.list.exists_one(p, p.cpu > 20.0 && p.unit == '')",
        "!processes.list.all(p, p.cpu < 20.0 || p.unit in expected)",
        "processes.list.all(p, p.cpu < 20.0 || p.unit in expected)",
        "processes.list.filter(p, p.cpu > 20.0 && p.unit == '').size() > 0",
        "high && processes.list.exists(p, p.cpu > 20.0 && p.unit == '')",
        "processes.list.exists(p, p.cpu > 20.0 && p.unit == '') || processes.list.exists(p, p.pid == 9.0)",
    ],
)
def test_the_entries_that_satisfied_it_are_found(source: str) -> None:
    assert found(source) == {"processes.list": [STRANGER]}


def test_of_two_lists_each_has_its_own() -> None:
    source = "processes.list.exists(p, p.unit == '') || units.list.exists(u, u.cpu > 20.0)"
    assert found(source, units={"list": [OWN, QUIET]}) == {"processes.list": [STRANGER], "units.list": [OWN]}


def test_of_two_lists_of_which_both_are_needed_each_has_its_own() -> None:
    source = "processes.list.exists(p, p.unit == '') && units.list.exists(u, u.cpu > 20.0)"
    assert found(source, units={"list": [OWN, QUIET]}) == {"processes.list": [STRANGER], "units.list": [OWN]}


@pytest.mark.parametrize(
    "source",
    [
        "processes.list.exists(p, p.cpu > 500.0)",  # refuted
        "processes.list.exists(p, p.nothing > 500.0)",  # unknown
        "high",
        "high || processes.list.exists(p, p.unit == '')",  # true whatever the list holds
        "processes.list.size() > 2",  # only together
    ],
)
def test_where_no_entry_made_the_difference_there_is_none(source: str) -> None:
    assert found(source) == {}
