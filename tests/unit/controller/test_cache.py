"""The cache: fed by events, healed by lists, and never thrown back by either."""

from __future__ import annotations

from typing import Any

import pytest

from firstresponder.api.hosts import Host
from firstresponder.controller.cache import Cache


def body(name: str, version: int) -> dict[str, Any]:
    return {"metadata": {"name": name, "resourceVersion": str(version)}}


def names(cache: Cache) -> list[str]:
    return [each["metadata"]["name"] for each in cache.all("Host", "ns")]


def replaced(cache: Cache, bodies: list[dict[str, Any]]) -> set[str]:
    with cache.listing() as since:
        return cache.replace("Host", "ns", bodies, since)


def test_objects_of_a_namespace_come_ordered_by_name() -> None:
    cache = Cache()
    cache.put("Host", "ns", body("b", 1))
    cache.put("Host", "ns", body("a", 2))
    cache.put("Host", "other", body("c", 3))
    assert names(cache) == ["a", "b"]
    assert cache.get("Host", "ns", "c") is None


def test_a_deletion_that_no_event_told_of_is_healed_by_a_list() -> None:
    cache = Cache()
    cache.put("Host", "ns", body("gone", 1))
    changed = replaced(cache, [body("there", 2)])
    assert names(cache) == ["there"]
    assert changed == {"gone", "there"}


def test_a_list_that_shows_nothing_new_changes_nothing() -> None:
    cache = Cache()
    cache.put("Host", "ns", body("a", 1))
    assert replaced(cache, [body("a", 1)]) == set()


def test_an_older_event_does_not_throw_back_what_a_list_brought() -> None:
    cache = Cache()
    replaced(cache, [body("a", 100)])
    cache.put("Host", "ns", body("a", 99))
    assert cache.get("Host", "ns", "a") == body("a", 100)


def test_versions_are_compared_as_numbers() -> None:
    cache = Cache()
    cache.put("Host", "ns", body("a", 9))
    cache.put("Host", "ns", body("a", 10))
    assert cache.get("Host", "ns", "a") == body("a", 10)


def test_a_list_does_not_bring_back_what_was_deleted_while_it_was_read() -> None:
    cache = Cache()
    cache.put("Host", "ns", body("a", 1))
    with cache.listing() as since:
        cache.remove("Host", "ns", "a")
        cache.replace("Host", "ns", [body("a", 1)], since)
    assert names(cache) == []


def test_a_list_does_not_take_away_what_came_while_it_was_read() -> None:
    cache = Cache()
    with cache.listing() as since:
        cache.put("Host", "ns", body("new", 5))
        cache.replace("Host", "ns", [], since)
    assert names(cache) == ["new"]


def test_the_next_list_decides_again_about_what_came_during_the_last() -> None:
    cache = Cache()
    with cache.listing() as since:
        cache.put("Host", "ns", body("a", 5))
        cache.replace("Host", "ns", [], since)
    replaced(cache, [])
    assert names(cache) == []


def test_of_two_overlapping_lists_the_older_does_not_undo_what_happened_since() -> None:
    cache = Cache()
    cache.put("Host", "ns", body("a", 1))
    with cache.listing() as older:
        cache.remove("Host", "ns", "a")
        replaced(cache, [])
        cache.replace("Host", "ns", [body("a", 1)], older)
    assert names(cache) == []


def test_nothing_is_remembered_of_changes_once_no_list_is_under_way() -> None:
    cache = Cache()
    with cache.listing():
        cache.put("Host", "ns", body("a", 1))
    cache.put("Host", "ns", body("b", 2))
    assert cache._changed == {}


def host(name: str, address: str, version: int = 1) -> dict[str, Any]:
    keys = [f"ssh-ed25519 {'A' * 68}"]
    metadata = {"name": name, "namespace": "ns", "resourceVersion": str(version)}
    accounts = {"observe": {"user": "fr-observe", "credentialsRef": {"name": "keys"}}}
    return {"metadata": metadata, "spec": {"address": address, "hostKeys": keys, "accounts": accounts}}


def test_what_was_lent_stays_as_it_was_whatever_comes_later() -> None:
    cache = Cache()
    cache.put("Host", "ns", host("a", "192.0.2.1"))
    lent = cache.readable(Host, "ns")
    cache.put("Host", "ns", host("a", "192.0.2.2", 2))
    cache.put("Host", "ns", host("b", "192.0.2.3"))
    assert {name: each.spec.address for name, each in lent.items()} == {"a": "192.0.2.1"}
    assert {name: each.spec.address for name, each in cache.readable(Host, "ns").items()} == {
        "a": "192.0.2.2",
        "b": "192.0.2.3",
    }
    cache.remove("Host", "ns", "a")
    assert [*lent] == ["a"]


def test_an_object_is_read_once_however_often_it_is_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    reads: list[str] = []
    read = Host.model_validate

    def counted(body: dict[str, Any]) -> Host:
        reads.append(body["metadata"]["name"])
        return read(body)

    monkeypatch.setattr(Host, "model_validate", counted)
    cache = Cache()
    for number in range(10):
        cache.put("Host", "ns", host(f"h{number}", "192.0.2.1"))
    for _ in range(3):
        assert cache.readable(Host, "ns")["h3"].name == "h3"
    assert reads == ["h3"]
    cache.put("Host", "ns", host("h3", "192.0.2.9", 2))
    assert cache.readable(Host, "ns")["h3"].spec.address == "192.0.2.9"
    assert reads == ["h3", "h3"]


def test_an_object_that_cannot_be_read_is_left_out() -> None:
    cache = Cache()
    cache.put("Host", "ns", host("good", "192.0.2.1"))
    cache.put("Host", "ns", {"metadata": {"name": "bad", "namespace": "ns", "resourceVersion": "1"}, "spec": {}})
    lent = cache.readable(Host, "ns")
    assert ([*lent], len(lent), "bad" in lent, lent.get("bad")) == (["good"], 1, False, None)
