"""Texts of others in Markdown: whatever they say, they are text, and all of it is there."""

from __future__ import annotations

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from firstresponder.safety import neutralise
from firstresponder.safety.markdown import code, fenced, items, prose, table

GITHUB = MarkdownIt("commonmark").enable(["table", "strikethrough"])
SIGNS = st.text("ab1 .`*_#[]()<>|~&$\\!@:;/-+=\"'{}?,^%\n\t\x1b\u202eé", min_size=1, max_size=24)
PIECES = ["@bob", "#1", "fixes", "<b>", "`", "``", "|", "\\\\|", "\\", "[x](y)", "1.", "-", "---", "http://x.y"]
WORDS = st.lists(st.sampled_from(PIECES), max_size=8).map(" ".join)
TEXTS = SIGNS | WORDS


def inline(markdown: str) -> list[Token]:
    """What the one paragraph holds."""
    opened, content, closed = GITHUB.parse(markdown)
    assert (opened.type, closed.type) == ("paragraph_open", "paragraph_close")
    return content.children or []


def seen(tokens: list[Token]) -> str:
    """What a reader sees, if it is nothing but text and code."""
    assert {each.type for each in tokens} <= {"text", "text_special", "code_inline"}, tokens
    return "".join(each.content for each in tokens)


def one_line(text: str) -> str:
    return neutralise(" ".join(text.split()), 1000)


@given(TEXTS)
@example("1) x")
@example("&amp; &#35;")
@example("a\\")
def test_prose_reads_as_the_text_and_nothing_else(text: str) -> None:
    said = one_line(text)
    assert seen(inline(prose(said))) == (said or "–")


@given(TEXTS)
def test_code_is_one_span_with_the_text_in_it(text: str) -> None:
    (span, *others) = inline(f"{code(text)} end")
    assert [each.content for each in others] == ([] if not text.strip() else [" end"])
    said = neutralise(text, 1000) if text.strip() else "– end"
    assert span.content == said


@given(TEXTS, TEXTS)
def test_a_table_has_the_cells_that_it_was_given(one: str, other: str) -> None:
    tokens = GITHUB.parse(table(("A", "B"), [(prose(one_line(one)), code(other))]))
    first, second = (token for token, before in zip(tokens[1:], tokens, strict=False) if before.type == "td_open")
    assert seen(first.children or []) == (one_line(one) or "–")
    # GFM has no way to write a backslash right before a pipe in code.
    said = re.sub(r"(?<!\\)((?:\\\\)*)\\\|", r"\1|", neutralise(other, 1000)) if other.strip() else "–"
    assert seen(second.children or []).strip() == said.strip()


@given(st.text("a`~\n #", max_size=24))
def test_nothing_ends_a_block_but_its_own_fence(text: str) -> None:
    (block,) = GITHUB.parse(fenced(text, "sh"))
    assert (block.type, block.info) == ("fence", "sh")
    assert block.content == f"{text.rstrip(chr(10))}\n"


@given(TEXTS)
def test_an_item_is_one_item(text: str) -> None:
    tokens = GITHUB.parse(items(("Said", prose(one_line(text))), ("As code", code(text))))
    assert [token.type for token in tokens].count("list_item_open") == 2
    assert len(tokens) == 12


@pytest.mark.parametrize("text", ["@bob", "team@x", "#12", "fixes #12", "!7", "GH-3", ":tada:", "0a1b2c3d4e"])
def test_what_would_become_a_reference_stands_in_code(text: str) -> None:
    word = text.rpartition(" ")[2].rstrip(":")
    assert re.search(rf"`{re.escape(word)}`", prose(text))
