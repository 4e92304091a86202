"""Every rule of docs/rules.md is shown by tests that name it, and no test names one that is not there."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "rules.md"


def rules() -> dict[int, str]:
    """The page's rules by their numbers."""
    _, *parts = re.split(r"^(\d+)\. ", PAGE.read_text(), flags=re.MULTILINE)
    return {int(number): text for number, text in zip(parts[::2], parts[1::2], strict=True)}


def named(source: str) -> Iterator[tuple[str, tuple[object, ...]]]:
    """Each test that has the marker, and what it names."""
    for test in ast.walk(ast.parse(source)):
        if isinstance(test, ast.FunctionDef | ast.AsyncFunctionDef):
            for decorator in test.decorator_list:
                if isinstance(decorator, ast.Call) and ast.unparse(decorator.func) == "pytest.mark.rule":
                    yield test.name, tuple(ast.literal_eval(each) for each in decorator.args)


def shown() -> dict[object, list[str]]:
    """Rule → the tests that name it."""
    found = defaultdict(list)
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        for test, numbers in named(path.read_text()):
            assert test.startswith("test_"), f"{path}: {test} is no test"
            assert numbers, f"{path}: {test} names no rule"
            for number in numbers:
                found[number].append(f"{path.relative_to(ROOT)}::{test}")
    return found


def test_the_page_counts_the_rules_without_a_gap() -> None:
    assert list(rules()) == list(range(1, 25))


def test_every_rule_is_shown_by_tests_and_none_is_named_that_is_not_there() -> None:
    assert shown().keys() == rules().keys()


def test_every_rule_says_which_code_implements_it() -> None:
    for number, text in rules().items():
        _, code = text.split("Code:")
        paths = re.findall(r"\]\(\.\./(operator/firstresponder/[\w/]+\.py)\)", code)
        assert paths, number
        assert all((ROOT / path).is_file() for path in paths), number


def test_a_marker_is_found_on_tests_of_every_form() -> None:
    source = (
        "@pytest.mark.rule(1, 2)\n@given(x)\ndef test_one(): ...\n"
        "@other\n@pytest.mark.rule(3)\nasync def test_two(): ...\n"
        "class TestMore:\n    @pytest.mark.rule(4)\n    def test_three(self): ...\n"
        "@pytest.mark.quiet\ndef test_four(): ...\n"
    )
    assert sorted(named(source)) == [("test_one", (1, 2)), ("test_three", (4,)), ("test_two", (3,))]
