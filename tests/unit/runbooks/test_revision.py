"""A revision is its content: the same content, the same digest, however it was written."""

from __future__ import annotations

import json

from firstresponder.api.incident import RevisionReference
from firstresponder.runbooks.revision import digest_of, holds
from tests.revisions import revision_of


def test_the_order_of_keys_and_the_form_of_numbers_do_not_change_a_revision() -> None:
    assert revision_of("r", {"a": 1, "b": 2.0}) == revision_of("r", {"b": 2, "a": 1.0})


def test_any_change_of_content_changes_name_and_digest() -> None:
    one, other = revision_of("r", {"a": 1}), revision_of("r", {"a": 2})
    assert one.name != other.name
    assert one.digest != other.digest


def test_the_digest_survives_the_way_through_the_api_server() -> None:
    stored = revision_of("r", {"text": "1.0 ≠ 1", "share": 0.4, "many": 1e3})
    assert digest_of(json.loads(json.dumps(stored.data))) == stored.digest


def test_stored_data_without_a_canonical_form_never_holds_what_was_recorded() -> None:
    stored = revision_of("high-cpu", {"parameters": [{"default": 80}]})
    assert holds(stored.data, stored.digest)
    assert not holds({"spec": {"parameters": [{"default": 2**53 + 1}]}}, stored.digest)


def test_a_long_name_that_is_cut_at_a_dot_still_gives_a_name_that_an_object_can_have() -> None:
    revision = revision_of("a" * 199 + "." + "b" * 20, {})
    assert RevisionReference(runbook="a", name=revision.name, digest=revision.digest)
