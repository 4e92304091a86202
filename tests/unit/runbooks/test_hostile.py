"""A content that is made to exhaust whoever judges it is judged: the operator lints whatever anybody applies."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from firstresponder.expressions import TOO_COSTLY
from firstresponder.runbooks.lint import lint
from tests.unit.runbooks.refused import GOOD

MOST = 61
"""Variables beside the symptom, and so many that none is left over."""


def runbook(expressions: list[str], when: str) -> dict[str, Any]:
    """One with the variables ``v0``, ``v1`` and so on."""
    spec: dict[str, Any] = yaml.safe_load(GOOD)["spec"]
    spec["variables"] += [{"name": f"v{index}", "expression": each} for index, each in enumerate(expressions)]
    spec["hypotheses"][0]["when"] = when
    return spec


def nested(inner: str, number: int) -> str:
    """``((inner && …) || …)``, with other evidence in each layer."""
    for layer in range(12):
        inner = f"(({inner} && load.json.a{number}{layer}) || load.json.b{number}{layer})"
    return inner


CHAIN = [f"(v{index} && load.json.a{index}) || (v{index} && load.json.b{index})" for index in range(MOST)]
WAYS = {
    "twice each variable before it": runbook(["disk.usedPercent > 1.0", *CHAIN], f"v{MOST}"),
    "variables in variables, each deeply nested": runbook(
        ["disk.usedPercent > 1.0", *(nested(f"v{index}", index) for index in range(MOST))], f"v{MOST}"
    ),
    "a text that doubles": runbook(
        [f"'{'a' * 4000}'", *(" + ".join([f"v{index}"] * 20) for index in range(MOST))], f"v{MOST} == 'a'"
    ),
    "a list that doubles": runbook(
        ["[1.0]", *(f"[{', '.join([f'v{index}'] * 20)}]" for index in range(MOST))], f"v{MOST} == []"
    ),
    "as many comparisons as fit": runbook(
        [], " && ".join(f"(load.json.a{n} == 1.0 || load.json.b{n} > 2.0)" for n in range(80))
    ),
}


@pytest.mark.parametrize("way", WAYS)
def test_lint_comes_to_an_end(way: str) -> None:
    assert lint("Runbook", WAYS[way]) == []


ONES = f"[{', '.join(['1'] * 99)}]"


@pytest.mark.parametrize(
    ("variables", "when", "field"),
    [
        (
            [f"{ONES}.all(a, {ONES}.all(b, !'{'ab' * 1200}'.matches('(a|b)*(a|b)*(a|b)*c')))"],
            "v0",
            "spec.variables[1].expression",
        ),
        (
            [ONES, " + ".join(["v0"] * 20), " + ".join(["v1"] * 12), f"{ONES}.map(a, {ONES}.map(b, v2))"],
            "size(v3) > 1",
            "spec.variables[4].expression",
        ),
        (
            ["[1.0]"],
            f"{ONES}.exists(a, {ONES}.exists(b, '{'a' * 1000}'.matches('(a?){{500}}a{{400}}')))",
            "spec.hypotheses[0].when",
        ),
    ],
    ids=["time", "memory", "in a condition"],
)
def test_what_takes_too_much_whatever_is_seen_is_refused_with_its_field(
    variables: list[str], when: str, field: str
) -> None:
    problems = lint("Runbook", runbook(variables, when))
    assert [each.message for each in problems if each.field == field] == [TOO_COSTLY]
