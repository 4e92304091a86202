"""What was withheld, and everything that it was a part of: no question about it has an answer."""

from __future__ import annotations

from typing import Any

import pytest

from firstresponder.expressions import Scope, compile_condition
from firstresponder.expressions.expression import Verdict
from firstresponder.expressions.scope import resolve_variables
from firstresponder.safety import publishable

SEEN: dict[str, Any] = {
    "status": "degraded",
    "lastError": "token=abcdef",
    "queue": {"waiting": 7},
    "workers": [{"name": "a", "error": "password=x"}, {"name": "b"}],
    "mails": ["alice@example.com", "fine"],
}


def verdict(source: str, json: Any = SEEN) -> Verdict:
    scope = Scope({"health": publishable({"json": json})})
    return compile_condition(source, {"health"}).verdict(scope)


@pytest.mark.parametrize(
    "source",
    [
        "!('lastError' in health.json)",
        "'lastError' in health.json",
        "'other' in health.json",
        "size(health.json) == 0",
        "size(health.json) != 0",
        "health.json != {}",
        "health.json == {}",
        "health.json == {'status': 'degraded'}",
        "health.json.all(k, k != 'lastError')",
        "health.json.exists(k, k == 'lastError')",
        "health.json.exists_one(k, k == 'status')",
        "health.json.map(k, k).size() == 4",
        "health.json.filter(k, k == 'lastError').size() == 0",
        "health.json.lastError == ''",
        "health.json.lastError != 'x'",
        "health.json['lastError'] == ''",
        "string(health.json.lastError) == ''",
        "size(health.json.lastError) == 0",
        "health.json.lastError.startsWith('x')",
        "!health.json.lastError.contains('x')",
        "size(health.json.mails) == 1",
        "health.json.mails == ['fine']",
        "'x' in health.json.mails",
        "!('x' in health.json.mails)",
        "health.json.mails.all(m, m == 'fine')",
        "health.json.workers.all(w, !('error' in w))",
        "health.json.workers.exists(w, w == {'name': 'a'})",
        "health.json.workers == [{'name': 'a'}, {'name': 'b'}]",
        "health == {}",
        "(true ? health.json : health.json) == {}",
        "[health.json] == [{}]",
        "{'a': health.json} == {'a': {}}",
    ],
)
def test_a_question_about_what_was_withheld_or_what_it_was_left_out_of_is_unknown(source: str) -> None:
    assert verdict(source) is Verdict.UNKNOWN


@pytest.mark.parametrize(
    "source",
    [
        "health.json.status == 'degraded'",
        "health.json.queue.waiting > 5.0",
        "health.json.queue == {'waiting': 7.0}",
        "size(health.json.queue) == 1",
        "'waiting' in health.json.queue",
        "health.json.workers.exists(w, w.name == 'b')",
        "size(health.json.workers) == 2",
    ],
)
def test_what_was_seen_whole_still_has_its_answer(source: str) -> None:
    assert verdict(source) is Verdict.TRUE


@pytest.mark.parametrize(
    "source", ["'lastError' in health.json", "health.json == {'status': 'up'}", "size(health.json) == 1"]
)
def test_where_nothing_was_withheld_the_same_questions_have_answers(source: str) -> None:
    assert verdict(source, {"status": "up"}) in {Verdict.TRUE, Verdict.FALSE}


def test_a_variable_that_stands_for_an_incomplete_map_keeps_it_incomplete() -> None:
    scope = Scope({"health": publishable({"json": SEEN})})
    body = compile_condition("health.json", {"health"})
    scope = resolve_variables([("body", body)], scope)
    for source in ("size(body) == 0", "!('lastError' in body)", "body == {}"):
        assert compile_condition(source, {"health", "body"}).verdict(scope) is Verdict.UNKNOWN, source


def test_people_read_that_a_part_is_withheld() -> None:
    expression = compile_condition("!('lastError' in health.json)", {"health"})
    assert "a part is withheld" in expression.explain(Scope({"health": publishable({"json": SEEN})}))
