"""The Hosts of a namespace: by name, and by label without a look at each of them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Self

from firstresponder.api.hosts import Host


class Labels:
    """Who has which label; kept as Hosts come, change and go."""

    def __init__(self) -> None:
        self._of: dict[str, Mapping[str, str]] = {}
        self._names: defaultdict[tuple[str, str], set[str]] = defaultdict(set)

    def put(self, name: str, labels: Mapping[str, str]) -> None:
        self.remove(name)
        self._of[name] = dict(labels)
        for label in labels.items():
            self._names[label].add(name)

    def remove(self, name: str) -> None:
        for label in self._of.pop(name, {}).items():
            self._names[label].discard(name)
            if not self._names[label]:
                del self._names[label]

    def names(self, wanted: Mapping[str, str]) -> list[str]:
        """Who has all of these labels, in order. Everybody has all of none."""
        sets = sorted((self._names.get(label, set()) for label in wanted.items()), key=len)
        return sorted(sets[0].intersection(*sets[1:])) if sets else sorted(self._of)


class Inventory(Mapping[str, Host]):
    """Hosts by name. ``labels`` may know more of them, and newer ones."""

    def __init__(self, hosts: Mapping[str, Host], labels: Labels) -> None:
        self._hosts = hosts
        self._labels = labels

    @classmethod
    def of(cls, hosts: Mapping[str, Host]) -> Self:
        labels = Labels()
        for name, host in hosts.items():
            labels.put(name, host.metadata.labels)
        return cls(hosts, labels)

    def labelled(self, wanted: Mapping[str, str]) -> list[Host]:
        """Those that have all of these labels, by name."""
        found = (self._hosts.get(name) for name in self._labels.names(wanted))
        return [host for host in found if host is not None and wanted.items() <= host.metadata.labels.items()]

    def __getitem__(self, name: str) -> Host:
        return self._hosts[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._hosts)

    def __len__(self) -> int:
        return len(self._hosts)
