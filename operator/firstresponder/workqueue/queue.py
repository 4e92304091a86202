"""The queue: keys in at any time, keys out as they become due, each with one worker at a time.

What is added is only a hint that a key wants to be looked at. A key that is added while it is worked on is taken once
more afterwards, so nothing that happened meanwhile is missed; added many times, it is taken once. Keys that are due
take turns, so that the many of one cause do not delay the few of others.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Generic, TypeVar

from firstresponder.workqueue.observer import Observer
from firstresponder.workqueue.rotation import Lane, Rotation
from firstresponder.workqueue.schedule import Schedule

K = TypeVar("K")

_PLACES = 32
"""Keys of one lane that are worked on at once: enough for a storm of one cause to share what it asks for."""


@dataclass
class _Turn:
    """One work on a key: when it began, and from when on it should have been heard of again."""

    lane: Lane
    start: float
    silent_since: float


class Queue(Generic[K]):
    """Whoever takes a key says :meth:`done` or :meth:`retry` at the end, and nobody else gets it before.

    ``lane`` says what a key takes its turns for; without it each has a lane of its own.
    """

    def __init__(
        self,
        observer: Observer[K] | None = None,
        clock: Callable[[], float] = time.monotonic,
        lane: Callable[[K], Lane] = lambda key: Lane("", str(key)),
    ) -> None:
        self._observer: Observer[K] = observer or Observer()
        self._clock = clock
        self._lane = lane
        self._schedule: Schedule[K] = Schedule()
        self._rotation: Rotation[K] = Rotation(_PLACES)
        self._due: dict[K, float] = {}
        """The keys that wait for their turn, and since when."""
        self._turns: dict[K, _Turn] = {}
        self._changed = asyncio.Event()

    def add(self, key: K) -> None:
        """Look at the key as soon as possible."""
        self.add_after(key, timedelta())

    def add_after(self, key: K, delay: timedelta) -> None:
        self._observer.added(key)
        if key in self._due:
            return  # it is looked at before that
        self._schedule.add(key, self._clock() + delay.total_seconds())
        self._changed.set()

    async def take(self) -> K:
        """The key whose turn it is, as soon as there is one that is due and that nobody works on."""
        while True:
            now = self._clock()
            self._line_up(now)
            if self._rotation:
                key, lane = self._rotation.take()
                self._turns[key] = _Turn(lane, now, now)
                self._observer.taken(key, now - self._due.pop(key))
                return key
            due = self._schedule.next_due()
            self._changed.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(None if due is None else due - now):
                    await self._changed.wait()

    def _line_up(self, now: float) -> None:
        """Give every key that has become due its place among those that wait for their turn."""
        while (due := self._schedule.next_due()) is not None and (key := self._schedule.take(now)) is not None:
            self._due[key] = due
            self._rotation.add(key, self._lane(key))

    def done(self, key: K, again: timedelta | None = None) -> None:
        """The work on the key went well; ``again`` says after how long to check again without a hint."""
        now = self._clock()
        self._schedule.done(key, None if again is None else now + again.total_seconds())
        self._end(key, now)

    def retry(self, key: K, error: Exception) -> None:
        """The work on the key failed: it comes back, each time in a row after twice as long."""
        now = self._clock()
        due = self._schedule.retry(key, now)
        self._observer.retried(key, error, due - now)
        self._end(key, now)

    def progressed(self, key: K, silent: float = 0.0) -> None:
        """The work on the key goes on; what it does next may give no sign for ``silent`` seconds."""
        self._turns[key].silent_since = self._clock() + silent

    def depth(self) -> int:
        """How many keys are due and wait for their turn."""
        self._line_up(self._clock())
        return len(self._due)

    def oldest_seconds(self) -> float:
        """For how long the one that waits longest has waited; 0 when none waits."""
        now = self._clock()
        self._line_up(now)
        return now - min(self._due.values(), default=now)

    def stalled_seconds(self) -> float:
        """For how long a key has been worked on without progress, the longest of all; 0 when none is worked on."""
        now = self._clock()
        return max([0.0, *(now - turn.silent_since for turn in self._turns.values())])

    def _end(self, key: K, now: float) -> None:
        turn = self._turns.pop(key)
        self._rotation.done(turn.lane)
        self._observer.done(key, now - turn.start)
        self._changed.set()
