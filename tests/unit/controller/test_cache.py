"""The cache: fed by events, healed by lists, and never thrown back by either."""

from __future__ import annotations

from typing import Any

from firstresponder.controller.cache import Cache


def body(name: str, version: int) -> dict[str, Any]:
    return {"metadata": {"name": name, "resourceVersion": str(version)}}


def names(cache: Cache) -> list[str]:
    return [each["metadata"]["name"] for each in cache.all("Host", "ns")]


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
    changed = cache.replace("Host", "ns", [body("there", 2)], cache.mark())
    assert names(cache) == ["there"]
    assert changed == {"gone", "there"}


def test_a_list_that_shows_nothing_new_changes_nothing() -> None:
    cache = Cache()
    cache.put("Host", "ns", body("a", 1))
    assert cache.replace("Host", "ns", [body("a", 1)], cache.mark()) == set()


def test_an_older_event_does_not_throw_back_what_a_list_brought() -> None:
    cache = Cache()
    cache.replace("Host", "ns", [body("a", 100)], cache.mark())
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
    since = cache.mark()
    cache.remove("Host", "ns", "a")
    cache.replace("Host", "ns", [body("a", 1)], since)
    assert names(cache) == []


def test_a_list_does_not_take_away_what_came_while_it_was_read() -> None:
    cache = Cache()
    since = cache.mark()
    cache.put("Host", "ns", body("new", 5))
    cache.replace("Host", "ns", [], since)
    assert names(cache) == ["new"]


def test_the_next_list_decides_again_about_what_came_during_the_last() -> None:
    cache = Cache()
    since = cache.mark()
    cache.put("Host", "ns", body("a", 5))
    cache.replace("Host", "ns", [], since)
    cache.replace("Host", "ns", [], cache.mark())
    assert names(cache) == []


def test_of_two_overlapping_lists_the_older_does_not_undo_what_happened_since() -> None:
    cache = Cache()
    cache.put("Host", "ns", body("a", 1))
    older = cache.mark()
    cache.remove("Host", "ns", "a")
    cache.replace("Host", "ns", [], cache.mark())
    cache.replace("Host", "ns", [body("a", 1)], older)
    assert names(cache) == []
