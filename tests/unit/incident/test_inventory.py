"""Hosts are found by their labels without a look at each of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from hypothesis import given
from hypothesis import strategies as st

from firstresponder.api.hosts import Host
from firstresponder.incident.inventory import Inventory, Labels
from tests.unit.incident.world import host

LABELS = st.dictionaries(st.sampled_from(["role", "service", "site"]), st.sampled_from(["a", "b"]))


@given(st.lists(st.tuples(st.sampled_from(["h1", "h2", "h3", "h4"]), st.none() | LABELS), max_size=20), LABELS)
def test_it_finds_what_a_look_at_each_would_find_whatever_came_and_went(
    changes: list[tuple[str, dict[str, str] | None]], wanted: dict[str, str]
) -> None:
    hosts: dict[str, Host] = {}
    labels = Labels()
    for name, given_labels in changes:
        if given_labels is None:
            hosts.pop(name, None)
            labels.remove(name)
        else:
            hosts[name] = host(name, **given_labels)
            labels.put(name, hosts[name].metadata.labels)
    found = Inventory(hosts, labels).labelled(wanted)
    assert found == [hosts[name] for name in sorted(hosts) if wanted.items() <= hosts[name].metadata.labels.items()]


class Counting(Mapping[str, Host]):
    def __init__(self, hosts: dict[str, Host]) -> None:
        self._hosts = hosts
        self.looks = 0

    def __getitem__(self, name: str) -> Host:
        self.looks += 1
        return self._hosts[name]

    def __iter__(self) -> Iterator[str]:
        raise AssertionError("all of them are looked at")

    def __len__(self) -> int:
        return len(self._hosts)


def test_only_those_that_have_the_labels_are_looked_at() -> None:
    labels = Labels()
    hosts = {f"h-{number}": host(f"h-{number}", role="database" if number == 7 else "web") for number in range(500)}
    for name, each in hosts.items():
        labels.put(name, each.metadata.labels)
    counting = Counting(hosts)
    assert [each.name for each in Inventory(counting, labels).labelled({"role": "database"})] == ["h-7"]
    assert counting.looks == 1


def test_labels_that_know_more_or_newer_hosts_than_there_are_lead_to_none_of_them() -> None:
    labels = Labels()
    labels.put("gone", {"role": "web"})
    labels.put("changed", {"role": "web"})
    assert Inventory({"changed": host("changed", role="other")}, labels).labelled({"role": "web"}) == []
