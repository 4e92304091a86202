"""Text of others: nothing in it is obeyed by a terminal and nothing in it is invisible."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firstresponder.safety import neutralise, shown


@pytest.mark.parametrize(
    ("text", "visible"),
    [
        ("\x1b[31mred\x1b[0m", r"\x1b[31mred\x1b[0m"),
        ("\x1b]0;title\x07", r"\x1b]0;title\x07"),
        ("a\r\nb\tc", r"a\r\nb\tc"),
        ("\x9b31m", r"\x9b31m"),
        ("abc\u202etxt.exe", r"abc\u202etxt.exe"),
        ("pay\u200bpal", r"pay\u200bpal"),
        ("a\u2028b", r"a\u2028b"),
        ("\ufeffa", r"\ufeffa"),
        ("tag\U000e0041", r"tag\U000e0041"),
        ("selector\U000e0101", r"selector\U000e0101"),
        ("filler\u3164", r"filler\u3164"),
        ("half\ud800", r"half\ud800"),
        ("nul\x00", r"nul\x00"),
        ("zoë 漢字 😀", "zoë 漢字 😀"),
    ],
)
def test_a_character_that_could_do_or_hide_something_is_written_out(text: str, visible: str) -> None:
    assert neutralise(text, 100) == visible


def test_line_feeds_stay_only_when_lines_are_asked_for() -> None:
    assert neutralise("a\n\tb\rc", 100, lines=True) == "a\n\tb\\rc"


def test_text_at_the_limit_is_whole_and_text_beyond_it_ends_in_an_ellipsis() -> None:
    assert neutralise("abcde", 5) == "abcde"
    assert neutralise("abcdef", 5) == "abcd…"
    assert neutralise("a\x1b\x1b", 5) == "a\\x1…"


@given(st.text(alphabet=st.characters(), max_size=60), st.integers(min_value=1, max_value=40))
def test_the_result_fits_and_is_plain_whatever_comes_in(text: str, limit: int) -> None:
    result = neutralise(text, limit)
    assert len(result) <= limit
    assert not any(unicodedata.category(each) in {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"} for each in result)


def test_shown_text_is_redacted_before_it_is_cut() -> None:
    assert shown("mail to alice@example.com", 14) == "mail to [reda…"
    assert shown("password=hunter2\x1b[0m", 100) == "password=[redacted]"
