"""Which incident leaves the cluster first, held to a look at all of them; and what that costs."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any, Self

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firstresponder.incident.retention import Stay, Stays

BEGIN = datetime(2026, 3, 14, tzinfo=UTC)
A, B = ("high-cpu", "sha256:a"), ("high-cpu", "sha256:b")


def ended(number: int, **more: Any) -> Stay:
    """An incident that ended so many hours after the beginning."""
    name = f"incident-{number}"
    closed = BEGIN + timedelta(hours=number)
    return Stay(**{"name": name, "uid": f"uid-of-{name}", "group": A, "closed": closed, **more})


def still_open(name: str, *related: Stay) -> Stay:
    return Stay(name, f"uid-of-{name}", A, None, related=tuple(each.uid for each in related))


def order(stays: Stays) -> list[str]:
    """The names in the order in which they leave."""
    names = []
    while (first := stays.next()) is not None:
        names.append(first.name)
        stays.remove(first.name)
    return names


def test_the_oldest_goes_first_whatever_its_revision() -> None:
    stays = Stays([ended(3), ended(1, group=B), ended(2), ended(4, group=B)])
    assert order(stays) == ["incident-1", "incident-2", "incident-3", "incident-4"]


def test_the_last_of_each_revision_stay() -> None:
    stays = Stays([*(ended(number) for number in range(4)), *(ended(number, group=B) for number in range(10, 13))], 2)
    assert order(stays) == ["incident-0", "incident-1", "incident-10"]


def test_another_number_of_last_ones_counts_at_once() -> None:
    stays = Stays([ended(number) for number in range(4)], 4)
    assert stays.next() is None
    stays.keep_last = 1
    assert order(stays) == ["incident-0", "incident-1", "incident-2"]


@pytest.mark.parametrize("why", [{"kept": True}, {"closed": None}], ids=["kept by a person", "not settled"])
def test_what_stays_does_not_keep_those_behind_it(why: dict[str, Any]) -> None:
    stays = Stays([ended(1, **why), ended(2), ended(3)])
    assert order(stays) == ["incident-2", "incident-3"]


def test_what_a_person_keeps_is_one_of_the_last_as_well() -> None:
    assert order(Stays([ended(1), ended(2), ended(3, kept=True)], 2)) == ["incident-1"]
    assert order(Stays([ended(1, kept=True), ended(2), ended(3)], 2)) == []


def test_an_incident_stays_as_long_as_an_open_one_has_to_do_with_it() -> None:
    old = ended(1)
    stays = Stays([still_open("asking", old), old, still_open("waiting", old)])
    assert stays.next() is None
    stays.put(ended(9, name="asking", uid="uid-of-asking"))
    assert stays.next() == ended(9, name="asking", uid="uid-of-asking")
    stays.remove("waiting")
    assert stays.next() == old


def test_one_that_is_annotated_meanwhile_stays_and_goes_when_that_is_taken_back() -> None:
    stays = Stays([ended(1), ended(2)])
    stays.put(ended(1, kept=True))
    assert stays.next() == ended(2)
    stays.put(ended(1))
    assert stays.next() == ended(1)


def test_another_one_of_the_same_name_is_another_one() -> None:
    stays = Stays([ended(1)])
    stays.put(ended(5, name="incident-1", uid="uid-of-another", group=B))
    assert stays.next() == ended(5, name="incident-1", uid="uid-of-another", group=B)
    stays.remove("incident-1")
    assert stays.next() is None


def by_looking_at_all(incidents: Sequence[Stay], keep_last: int) -> Stay | None:
    """The same, said as simply as can be."""
    needed = {uid for each in incidents for uid in each.related}
    groups: defaultdict[Any, list[Stay]] = defaultdict(list)
    for each in sorted((each for each in incidents if each.closed), key=lambda each: (each.closed, each.name)):
        groups[each.group].append(each)
    free = [
        each
        for group in groups.values()
        for each in group[: max(len(group) - keep_last, 0)]
        if not each.kept and each.uid not in needed
    ]
    return min(free, key=lambda each: (each.closed, each.name), default=None)


NUMBERS = st.integers(0, 9)
STAYS = st.builds(
    lambda number, age, group, closed, kept, related: replace(
        ended(number),
        group=group,
        closed=BEGIN + timedelta(hours=age) if closed else None,
        kept=kept,
        related=() if closed else tuple(f"uid-of-incident-{each}" for each in related),
    ),
    NUMBERS,
    st.integers(0, 3),
    st.sampled_from([A, B, ("", "HighCPU")]),
    st.booleans(),
    st.booleans(),
    st.lists(NUMBERS, max_size=2),
)
CHANGES = st.lists(st.one_of(STAYS, NUMBERS.map(lambda number: f"incident-{number}"), st.integers(0, 3)), max_size=60)


@settings(deadline=None, max_examples=300)
@given(st.integers(0, 3), CHANGES)
def test_it_is_the_one_that_a_look_at_all_finds(keep_last: int, changes: list[Stay | str | int]) -> None:
    stays, incidents = Stays(keep_last=keep_last), dict[str, Stay]()
    for change in changes:
        match change:
            case Stay():
                stays.put(change)
                incidents[change.name] = change
            case str():
                stays.remove(change)
                incidents.pop(change, None)
            case int():
                stays.keep_last = change
        assert stays.next() == by_looking_at_all(list(incidents.values()), stays.keep_last)


class Counted(datetime):
    """A time that counts how often one is compared."""

    compared = 0

    def __lt__(self, other: date) -> bool:
        Counted.compared += 1
        return super().__lt__(other)  # type: ignore[operator]

    def __eq__(self, other: object) -> bool:
        Counted.compared += 1
        return super().__eq__(other)

    __hash__ = datetime.__hash__

    @classmethod
    def after(cls, hours: int) -> Self:
        return cls.fromtimestamp((BEGIN + timedelta(hours=hours)).timestamp(), UTC)


@pytest.mark.parametrize("number", [1_000, 8_000])
def test_what_one_costs_grows_only_with_the_logarithm_of_what_is_there(number: int) -> None:
    """A look at all that are there would be a thousand comparisons, or eight thousand."""
    groups = [("runbook", f"sha256:{each}") for each in range(50)]
    stays = Stays([ended(each, closed=Counted.after(each), group=groups[each % 50]) for each in range(number)], 2)
    Counted.compared = 0
    left = 0
    while left < 500 and (first := stays.next()) is not None:
        stays.remove(first.name)
        left += 1
    assert left == 500
    assert Counted.compared / left < 100
