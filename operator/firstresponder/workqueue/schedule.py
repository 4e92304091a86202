"""When each key is due. No clock: moments are seconds that only grow, given by the caller."""

from __future__ import annotations

import itertools
from heapq import heapify, heappop, heappush
from typing import Generic, NamedTuple, TypeVar

K = TypeVar("K")

_FIRST_RETRY = 0.5
_LAST_RETRY = 15.0
"""Seconds. Work must go on soon after an outage, and a thousand failing keys must not prolong it."""
_STALE = 64
"""Stale entries of the heap that are left alone, however few keys there are."""


class _Entry(NamedTuple, Generic[K]):
    """A key that waits. Entries are ordered by moment, those of one moment by age; keys are never compared."""

    due: float
    number: int
    key: K


class Schedule(Generic[K]):
    """The keys that wait, those that are worked on, and how often each has failed in a row.

    Nothing here looks through all keys: the next one is on top of a heap. An entry that another one has replaced stays
    in the heap until it comes up, or until more than half of them are stale.
    """

    def __init__(self) -> None:
        self._waiting: dict[K, _Entry[K]] = {}
        self._heap: list[_Entry[K]] = []  # of the waiting, only those that may be taken: nobody works on them
        self._running: set[K] = set()
        self._failures: dict[K, int] = {}
        self._numbers = itertools.count()

    def add(self, key: K, due: float) -> None:
        """The key is to be worked on at ``due``, or earlier if that was said before."""
        known = self._waiting.get(key)
        if known is None or due < known.due:
            self._put(key, due)

    def next_due(self) -> float | None:
        """When the next key can be taken at the earliest; None if only :meth:`add` or the end of work can bring one."""
        while self._heap and self._is_stale(self._heap[0]):
            heappop(self._heap)
        return self._heap[0].due if self._heap else None

    def take(self, now: float) -> K | None:
        """The key that has been due longest and is not being worked on; it then is, until done or tried again."""
        due = self.next_due()
        if due is None or due > now:
            return None
        key = heappop(self._heap).key
        del self._waiting[key]
        self._running.add(key)
        return key

    def done(self, key: K, due: float | None) -> None:
        """The work on a key went well; ``due`` says when to come back without being added."""
        self._failures.pop(key, None)
        if due is not None:
            self.add(key, due)
        self._release(key)

    def retry(self, key: K, now: float) -> float:
        """The work on a key failed: it comes back after twice the time of before. Returns that moment."""
        failures = self._failures.get(key, 0)
        self._failures[key] = failures + 1
        due = now + min(_FIRST_RETRY * 2.0 ** min(failures, 16), _LAST_RETRY)
        # Hints must not defeat the back-off, or a watched object that keeps changing is retried without pause.
        self._put(key, due)
        self._release(key)
        return due

    def _put(self, key: K, due: float) -> None:
        entry = self._waiting[key] = _Entry(due, next(self._numbers), key)
        if key not in self._running:
            self._push(entry)

    def _release(self, key: K) -> None:
        self._running.discard(key)
        if key in self._waiting:
            self._push(self._waiting[key])

    def _push(self, entry: _Entry[K]) -> None:
        heappush(self._heap, entry)
        if len(self._heap) > 2 * len(self._waiting) + _STALE:
            self._heap = [each for each in self._heap if not self._is_stale(each)]
            heapify(self._heap)

    def _is_stale(self, entry: _Entry[K]) -> bool:
        return self._waiting.get(entry.key) is not entry
