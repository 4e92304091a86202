"""Which ended incident is the next to leave the cluster: the oldest that is neither among the last of its runbook
revision, nor missed by an open incident, nor kept by a person.

Nothing looks through all incidents: each change costs the logarithm of what is there.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from heapq import heapify, heappop, heappush

Group = tuple[str, str]
"""A runbook and its revision's digest; nothing and the incident's type where there was no runbook."""
_End = tuple[datetime, str]
"""When an incident ended, and its name."""
_STALE = 64
"""Stale entries of the heap that are left alone, however few groups there are."""


@dataclass(frozen=True, slots=True)
class Stay:
    """What of an incident decides how long it stays."""

    name: str
    uid: str
    group: Group
    closed: datetime | None
    """When it was closed; None as long as something can follow for it."""
    kept: bool = False
    """Whether a person keeps it, or it is being deleted already."""
    related: tuple[str, ...] = ()
    """The uids of the incidents that it waits for or has to do with, while it is open."""


class Stays:
    """The incidents of a namespace by how long they stay; kept as events come."""

    def __init__(self, incidents: Iterable[Stay] = (), keep_last: int = 0) -> None:
        self._keep_last = keep_last
        self._by_name: dict[str, Stay] = {}
        self._by_uid: dict[str, Stay] = {}
        self._related: defaultdict[str, set[str]] = defaultdict(set)
        """The names of the open incidents that have to do with one, by its uid."""
        self._groups: dict[Group, _Ends] = {}
        self._offered: dict[Group, _End] = {}
        """The oldest of each group that may go, where one may."""
        self._heap: list[tuple[_End, Group]] = []
        """What was offered; an entry that is no longer on offer stays until it comes up, or until most are."""
        for incident in incidents:
            self.put(incident)

    @property
    def keep_last(self) -> int:
        """How many of each group stay."""
        return self._keep_last

    @keep_last.setter
    def keep_last(self, number: int) -> None:
        if number != self._keep_last:
            self._keep_last = number
            for group in self._groups:
                self._offer(group)

    def put(self, incident: Stay) -> None:
        """The incident is there, and as it is now."""
        self.remove(incident.name)
        self._by_name[incident.name] = self._by_uid[incident.uid] = incident
        if incident.closed is not None:
            ends = self._groups.setdefault(incident.group, _Ends())
            ends.add((incident.closed, incident.name), free=self._is_free(incident))
            self._offer(incident.group)
        for uid in incident.related:
            self._related[uid].add(incident.name)
            self._look_again(uid)

    def remove(self, name: str) -> None:
        """There is no incident of that name any more."""
        incident = self._by_name.pop(name, None)
        if incident is None:
            return
        del self._by_uid[incident.uid]
        if incident.closed is not None:
            self._groups[incident.group].discard((incident.closed, name))
            self._offer(incident.group)
            if not self._groups[incident.group]:
                del self._groups[incident.group]
        for uid in incident.related:
            self._related[uid].discard(name)
            if not self._related[uid]:
                del self._related[uid]
            self._look_again(uid)

    def named(self, name: str) -> Stay | None:
        return self._by_name.get(name)

    def next(self) -> Stay | None:
        """The incident that goes first, however long it still stays; None where all stay."""
        while self._heap:
            end, group = self._heap[0]
            if self._offered.get(group) == end:
                return self._by_name[end[1]]
            heappop(self._heap)
        return None

    def _is_free(self, incident: Stay) -> bool:
        return not incident.kept and incident.uid not in self._related

    def _look_again(self, uid: str) -> None:
        """Somebody has begun, or ceased, to have to do with the incident."""
        incident = self._by_uid.get(uid)
        if incident is not None and incident.closed is not None:
            end = incident.closed, incident.name
            self._groups[incident.group].discard(end)
            self._groups[incident.group].add(end, free=self._is_free(incident))
            self._offer(incident.group)

    def _offer(self, group: Group) -> None:
        first = self._groups[group].first(self._keep_last)
        if first is None:
            self._offered.pop(group, None)
        elif first != self._offered.get(group):
            self._offered[group] = first
            heappush(self._heap, (first, group))
            if len(self._heap) > 2 * len(self._offered) + _STALE:
                self._heap = [(end, each) for each, end in self._offered.items()]
                heapify(self._heap)


class _Ends:
    """When the incidents of a group ended, oldest first."""

    def __init__(self) -> None:
        self._all: list[_End] = []
        self._free: list[_End] = []
        """Those that nobody keeps or needs."""

    def __bool__(self) -> bool:
        return bool(self._all)

    def add(self, end: _End, *, free: bool) -> None:
        insort(self._all, end)
        if free:
            insort(self._free, end)

    def discard(self, end: _End) -> None:
        for ends in (self._all, self._free):
            place = bisect_left(ends, end)
            if ends[place : place + 1] == [end]:
                del ends[place]

    def first(self, keep_last: int) -> _End | None:
        """The oldest that is free and not among the last."""
        beyond = len(self._all) - keep_last
        if beyond <= 0 or not self._free or self._free[0] > self._all[beyond - 1]:
            return None
        return self._free[0]
