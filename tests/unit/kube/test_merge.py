"""Merge patches: applied by RFC 7396 to what was before, they give what is to be."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firstresponder.kube.merge import merge_patch

# No null within a map: a merge patch cannot write one, and our models leave out what is absent.
_values = st.recursive(
    st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=2), inner, max_size=3),
    max_leaves=12,
)
_maps = st.dictionaries(st.text(max_size=2), _values, max_size=4)


def apply(target: Any, patch: Any) -> Any:
    """RFC 7396, section 2."""
    if not isinstance(patch, dict):
        return patch
    result = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = apply(result.get(key), value)
    return result


@given(_maps, _maps)
def test_the_patch_makes_one_of_the_other(before: dict[str, Any], after: dict[str, Any]) -> None:
    assert apply(before, merge_patch(before, after)) == after


@given(_maps)
def test_no_change_is_an_empty_patch(value: dict[str, Any]) -> None:
    assert merge_patch(value, value) == {}


@pytest.mark.parametrize(
    ("before", "after", "patch"),
    [
        ({"a": 1}, {}, {"a": None}),
        ({"a": {"b": 1, "c": 2}}, {"a": {"b": 1}}, {"a": {"c": None}}),
        ({"a": [1, 2]}, {"a": [2]}, {"a": [2]}),
        ({"a": 1}, {"a": True}, {"a": True}),
        ({"a": {"b": 1}}, {"a": {"b": 1}, "d": 2}, {"d": 2}),
    ],
)
def test_the_patch_says_only_what_differs(before: dict[str, Any], after: dict[str, Any], patch: Any) -> None:
    found = merge_patch(before, after)
    assert found == patch
    assert [type(each) for each in found.values()] == [type(each) for each in patch.values()]
