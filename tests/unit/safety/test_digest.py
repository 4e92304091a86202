"""The digest that an approval binds: one form for one meaning, and nothing whose form is in doubt."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firstresponder.safety import canonical, sha256_digest

VALUES = st.recursive(
    st.text() | st.booleans() | st.integers(min_value=-(2**53) + 1, max_value=2**53 - 1),
    lambda each: st.lists(each, max_size=4) | st.dictionaries(st.text(), each, max_size=4),
)


def test_keys_are_sorted_and_nothing_is_spaced() -> None:
    assert canonical({"b": [1, True, "x"], "a": {}}) == b'{"a":{},"b":[1,true,"x"]}'


def test_keys_are_sorted_by_utf_16_code_units_as_rfc_8785_asks() -> None:
    assert canonical({"\ufb33": 1, "\U0001f600": 2}) == '{"\U0001f600":2,"\ufb33":1}'.encode()


def test_the_digest_is_sha256_of_the_canonical_form() -> None:
    assert sha256_digest({"a": 1}) == "sha256:" + hashlib.sha256(b'{"a":1}').hexdigest()


def test_true_and_one_have_different_digests() -> None:
    assert sha256_digest({"a": True}) != sha256_digest({"a": 1})


def test_a_tuple_is_a_list() -> None:
    assert canonical(("a", ("b",))) == b'["a",["b"]]'


@given(VALUES)
def test_the_order_in_which_a_map_was_filled_never_matters(value: Any) -> None:
    assert canonical(value) == canonical(_refilled(value))


def _refilled(value: Any) -> Any:
    match value:
        case dict():
            return {key: _refilled(value[key]) for key in reversed(list(value))}
        case list():
            return [_refilled(each) for each in value]
    return value


@pytest.mark.parametrize(
    ("value", "path"),
    [
        ({"orders": [{"timeout": 1.5}]}, r"value\.orders\[0\]\.timeout is 1\.5"),
        ({"a": 1.0}, r"value\.a is 1\.0"),
        ({"a": float("nan")}, r"value\.a is nan"),
        ({"a": {"b": None}}, r"value\.a\.b is None"),
        (None, "value is None"),
        ([2**53], r"value\[0\] is 9007199254740992, beyond"),
        ({"a": b"x"}, r"value\.a is b'x'"),
        ({1: "x"}, "value has the key 1: keys are strings"),
        ({"a": "\ud800"}, r"value\.a holds half a surrogate pair"),
        ({"\ud800": "a"}, "holds half a surrogate pair"),
        ({"a": {1, 2}}, r"value\.a is \{1, 2\} \(set\)"),
    ],
)
def test_what_has_no_canonical_form_is_refused_by_its_path(value: Any, path: str) -> None:
    with pytest.raises(ValueError, match=path):
        canonical(value)
