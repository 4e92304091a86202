"""Whose turn it is among the keys that are due: groups in turn, and in each group its lanes in turn.

A lane is what one cause can fill with keys, such as a host whose incidents all wait for it; a group holds the lanes
that belong together, such as a namespace. However many keys a lane has, one of another lane is taken after at most one
of each, and a lane has only so many places at once: what is stuck there leaves the others to the rest.
"""

from __future__ import annotations

from collections import OrderedDict, defaultdict, deque
from typing import Generic, NamedTuple, TypeVar

K = TypeVar("K")


class Lane(NamedTuple):
    """What a key is counted for."""

    group: str
    name: str


class Rotation(Generic[K]):
    """Each key is added once, taken, and then done. Nothing here looks through all keys, lanes or groups."""

    def __init__(self, places: int) -> None:
        self._places = places
        """Keys of one lane that are worked on at once."""
        self._keys: defaultdict[Lane, deque[K]] = defaultdict(deque)
        self._taken: defaultdict[Lane, int] = defaultdict(int)
        self._turns: OrderedDict[str, OrderedDict[Lane, None]] = OrderedDict()
        """The lanes that have both a key and a place, by their groups; the next one first."""

    def __bool__(self) -> bool:
        """Whether a key can be taken."""
        return bool(self._turns)

    def add(self, key: K, lane: Lane) -> None:
        self._keys[lane].append(key)
        self._offer(lane)

    def take(self) -> tuple[K, Lane]:
        """The key whose turn it is, and its lane. Raises KeyError when there is none."""
        group, lanes = self._turns.popitem(last=False)
        lane, _ = lanes.popitem(last=False)
        if lanes:
            self._turns[group] = lanes
        key = self._keys[lane].popleft()
        self._taken[lane] += 1
        self._offer(lane)
        return key, lane

    def done(self, lane: Lane) -> None:
        """The work on a key of the lane has ended."""
        self._taken[lane] -= 1
        self._offer(lane)

    def _offer(self, lane: Lane) -> None:
        if not self._taken[lane]:
            del self._taken[lane]
        if not self._keys[lane]:
            del self._keys[lane]
        elif self._taken.get(lane, 0) < self._places:
            self._turns.setdefault(lane.group, OrderedDict()).setdefault(lane)
