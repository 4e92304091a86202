"""The keyed queue: which key is looked at when, each by one worker at a time.

Edges are only hints here. A key that is added while it is worked on is worked on once more afterwards, so nothing
that happened meanwhile is missed; added many times, it is worked on once. What fails comes back later and later.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Generic, TypeVar

from firstresponder.safety import shown

K = TypeVar("K")

_FIRST_RETRY = 0.5
_LAST_RETRY = 15.0
"""Seconds. An incident must go on soon after an outage, and a thousand of them must not prolong it."""

_log = logging.getLogger(__name__)


class Schedule(Generic[K]):
    """When each key is due. No clock of its own: moments are seconds that only grow."""

    def __init__(self) -> None:
        self._due: dict[K, float] = {}
        self._running: set[K] = set()
        self._failures: dict[K, int] = {}

    def add(self, key: K, due: float) -> None:
        """The key is to be worked on at ``due``, or earlier if that was said before."""
        self._due[key] = min(due, self._due.get(key, due))

    def take(self, now: float) -> K | None:
        """The key that has been due longest and is not being worked on; it then is, until :meth:`finish`."""
        ready = [key for key, due in self._due.items() if due <= now and key not in self._running]
        if not ready:
            return None
        key = min(ready, key=self._due.__getitem__)
        del self._due[key]
        self._running.add(key)
        return key

    def finish(self, key: K, due: float | None) -> None:
        """The work on a key is done; ``due`` says when to come back without a hint."""
        self._running.discard(key)
        self._failures.pop(key, None)
        if due is not None:
            self.add(key, due)

    def fail(self, key: K, now: float) -> float:
        """The work on a key failed: it comes back after twice the time of before. Returns that moment."""
        self._running.discard(key)
        failures = self._failures.get(key, 0)
        self._failures[key] = failures + 1
        due = now + min(_FIRST_RETRY * 2.0 ** min(failures, 16), _LAST_RETRY)
        # Hints must not defeat the back-off, or a watched object that keeps changing is retried without pause.
        self._due[key] = due
        return due

    def next_due(self) -> float | None:
        """When the next key can be taken at the earliest; None if only hints or ends can bring one."""
        return min((due for key, due in self._due.items() if key not in self._running), default=None)


class Queue(Generic[K]):
    """Workers for the keys of a schedule.

    ``work`` looks at one key and returns after how long to look again, or None. An exception of its is logged and
    the key comes back with a back-off.
    """

    def __init__(
        self,
        work: Callable[[K], Awaitable[timedelta | None]],
        *,
        workers: int,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._work = work
        self._workers = workers
        self._clock = clock
        self._schedule: Schedule[K] = Schedule()
        self._changed = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self.last_end = clock()
        """When work on a key last ended, well or not."""

    def add(self, key: K) -> None:
        """Look at the key as soon as possible."""
        self.add_after(key, timedelta())

    def add_after(self, key: K, delay: timedelta) -> None:
        self._schedule.add(key, self._clock() + delay.total_seconds())
        self._changed.set()

    async def run(self) -> None:
        """Work until cancelled; then what is running is cancelled too and waited for."""
        try:
            while True:
                self._changed.clear()
                while len(self._tasks) < self._workers and (key := self._schedule.take(self._clock())) is not None:
                    task = asyncio.create_task(self._turn(key), name=str(key))
                    self._tasks.add(task)
                    task.add_done_callback(self._ended)
                await self._pause()
        finally:
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _pause(self) -> None:
        """Until a key may be taken: something is added, or ends, or becomes due while a worker is free."""
        due = self._schedule.next_due() if len(self._tasks) < self._workers else None
        try:
            async with asyncio.timeout(None if due is None else max(due - self._clock(), 0)):
                await self._changed.wait()
        except TimeoutError:
            pass

    async def _turn(self, key: K) -> None:
        try:
            again = await self._work(key)
        except Exception as error:  # whatever one key meets, the others go on
            _log.warning("%s: %s: %s", key, type(error).__name__, shown(str(error), 1000), exc_info=_is_bug(error))
            self._schedule.fail(key, self._clock())
        else:
            self._schedule.finish(key, None if again is None else self._clock() + again.total_seconds())

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self.last_end = self._clock()
        self._changed.set()


def _is_bug(error: Exception) -> bool:
    """Whether a traceback helps: not for what the outside world does."""
    return type(error).__module__.split(".")[:2] not in (["firstresponder", "kube"], ["firstresponder", "hosts"])
