"""What an author reads whose expression was refused: never the words of a parser."""

from __future__ import annotations

import pytest

from firstresponder.expressions import ExpressionError, compile_condition
from firstresponder.expressions.complaint import FUNCTIONS, MACROS


def said(source: str) -> str:
    with pytest.raises(ExpressionError) as refused:
        compile_condition(source, {"a", "b", "items", "now"})
    return refused.value.message


@pytest.mark.parametrize(
    ("source", "advice"),
    [
        ("a.x = 1", "write == to compare"),
        ("a.x === 1", "write == to compare"),
        ("a.x !== 1", "write != to ask whether two values differ"),
        ("a.x <> 1", "write != to ask whether two values differ"),
        ("a.x => 1", "write >= for at least"),
        ("a.x =< 1", "write <= for at most"),
        ("a.x =~ 'b'", "write value.matches('pattern')"),
        ("a.x and b.x", "write && for and"),
        ("a.x AND b.x", "write && for and"),
        ("a.x & b.x", "write && for and"),
        ("a.x or b.x", "write || for or"),
        ("a.x | b.x", "write || for or"),
        ("not a.x", "write ! for not"),
        ("a.x not in ['b']", "write !(value in list)"),
        ("a.x is true", "write == to compare"),
        ("a.x == True", "write true or false"),
        ("a.x == None", "what was not seen is unknown"),
        ("$(a.x) > 1.0", "$(…) is for texts and arguments"),
        ("a.x == “b”", "a text stands in plain quotes"),
        ("a.x ≥ 1.0", "write <=, >= or !="),
        ("a.x ?? 1.0", "there is no value in place of one that is missing"),
        ("if a.x then b.x", "write condition ? one : other"),
        ("items.any(p, p.x)", "write list.exists(entry, condition)"),
        ("items.every(p, p.x)", "write list.all(entry, condition)"),
        ("len(items) > 1", "write size(list)"),
        ("items.includes('b')", "write value in list"),
        ("a.x.toLowerCase() == 'b'", "write text.lowerAscii()"),
        ("1.0 < a.x < 3.0", "write a < b && b < c"),
        ("a.x == 'b", "the text that begins with 'b has no end"),
        ('a.x == "b', 'the text that begins with "b has no end'),
        ("a.x &&", "it ends too early"),
        ("a.x[0", "it ends too early: ']' is missing"),
        ("!a.x!", "! cannot stand here"),
        ("foo(a.x)", "there is no function foo: functions are all, bool"),
        ("a.x.startWith('b')", "there is no function startWith: did you mean startsWith?"),
        ("math.flor(a.x) > 1.0", "there is no function math.flor: did you mean math.floor?"),
        ("now() > 1.0", "now is a value, not a function: write it without brackets"),
        ("nwo > 1.0", "nwo is not known here: did you mean now?"),
    ],
)
def test_a_word_of_another_language_is_answered_with_that_of_this_one(source: str, advice: str) -> None:
    message = said(source)
    assert advice in message
    assert not any(
        word in message for word in ("Syntax error", "token recognition", "mismatched", "extraneous", "<EOF>")
    )


@pytest.mark.parametrize("source", ["a.x == 'this and that'", "a.x == 'b = c'", 'a.x == "not $(b)"', "a.x == 'True'"])
def test_what_stands_in_quotes_is_never_taken_for_code(source: str) -> None:
    compile_condition(source, {"a"})
    assert "write" not in said(f"{source} !")


def test_no_suggestion_is_the_word_itself() -> None:
    for source in ("now()", "now(1.0) == 2.0", "a()", "nowx > 1.0"):
        word = source.partition("(")[0].partition(" ")[0]
        assert f"did you mean {word}?" not in said(source)


@pytest.mark.parametrize("function", [*FUNCTIONS, *MACROS])
def test_every_function_that_is_named_exists(function: str) -> None:
    """With no, one, two or three arguments, or on a value: at least one of these compiles."""
    forms = [f"{function}({', '.join(['a.x'] * count)})" for count in (1, 2, 3)]
    forms += [f"a.x.{function}({', '.join(['b.x'] * count)})" for count in range(3)]
    forms += [
        f"a.x.{function}(p, p.y)",
        f"a.x.{function}(1, 2)",
        "a.x.replace('b', '')" if function == "replace" else "",
    ]
    problems = []
    for form in filter(None, forms):
        try:
            compile_condition(f"{form} == b.y", {"a", "b"})
        except ExpressionError as error:
            problems.append(error.message)
        else:
            return
    raise AssertionError(problems)
