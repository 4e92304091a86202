"""What every value passes before it is stored, judged or shown."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firstresponder.safety import LEFT_OUT, REDACTED, has_withheld, publishable, redact

JSON = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


@pytest.mark.parametrize("character", ["\x7f", "\x85", "\x9b", "\x1b", "\x00", "\u202e", "\u200b"])
def test_no_character_that_a_terminal_or_yaml_obeys_is_left_in_a_key_or_a_value(character: str) -> None:
    value = {"a": f"x{character}y", f"k{character}": [f"{character}"], "deep": {"list": [{"b": character}]}}
    assert character not in json.dumps(publishable(value), ensure_ascii=False)


@given(JSON)
def test_publishing_twice_changes_nothing_more_and_no_control_character_is_left(value: Any) -> None:
    once = publishable({"value": value})
    assert publishable(once) == once
    text = json.dumps(once, ensure_ascii=False)
    assert not any(ord(each) < 0x20 or 0x7F <= ord(each) <= 0x9F for each in text)


@pytest.mark.parametrize("number", [4111111111111111, 4000000000006, 5555555555554444, 2.5e12, 6011000990139424])
def test_a_number_is_a_quantity_and_no_card(number: float) -> None:
    assert publishable({"bytes": number}) == {"bytes": number}
    assert publishable({"bytes": str(int(number))}) == {"bytes": str(int(number))}


@pytest.mark.parametrize(
    "text",
    [
        "card 4111111111111111",
        "card_number=4111111111111111",
        '{"pan": "5555555555554444"}',
        "4111 1111 1111 1111",
        "4111-1111-1111-1111",
        "3782 822463 10005",
        "payment with 4111111111111111 was refused",
    ],
)
def test_a_card_is_one_by_its_groups_its_name_or_the_words_around_it(text: str) -> None:
    assert REDACTED in redact(text)


@pytest.mark.parametrize(
    "text",
    [
        "cpu  4111111 1111 111111 4111111111111111 5555555555554444 0 0 0 0 0",
        "cpu0 4000 0000 0000 0002 4111 1111 1111 1111 0 0",
        "used 4000000000006 of 6000000000007 bytes",
        "4111111111111111",
    ],
)
def test_the_columns_of_a_table_are_no_card(text: str) -> None:
    assert redact(text) == text


def test_what_is_withheld_leaves_a_mark_wherever_it_was() -> None:
    for value in ({"token": "abc"}, ["alice@example.com"], {"deep": [{"password": 5}]}, {"huge": 2**60}):
        assert has_withheld(publishable(value)), value
    assert not has_withheld(publishable({"fine": [1, "two", True]}))
    assert publishable({"huge": 2**60}) == {"huge": LEFT_OUT}
