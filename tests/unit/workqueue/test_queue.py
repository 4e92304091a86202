"""The queue and its workers: one worker a key, no hint lost, back-off, and what it tells of itself."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from datetime import timedelta

from firstresponder.workqueue import workers
from firstresponder.workqueue.observer import Observer
from firstresponder.workqueue.queue import Queue


class Clock:
    """A clock that only the test moves."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@asynccontextmanager
async def running(
    queue: Queue[str], work: Callable[[str], Awaitable[timedelta | None]], at_once: int = 1
) -> AsyncIterator[None]:
    task = asyncio.create_task(workers.run(queue, work, workers=at_once))
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def until(condition: Callable[[], bool]) -> None:
    """Let the queue's tasks run until something is so; the test's own time-out is the only limit."""
    while not condition():  # noqa: ASYNC110 - turns of the loop, not time
        await asyncio.sleep(0)


async def test_one_key_is_never_worked_on_twice_at_a_time_and_no_hint_is_lost() -> None:
    active = 0
    most = 0
    turns = 0
    gate = asyncio.Event()

    async def work(_: str) -> timedelta | None:
        nonlocal active, most, turns
        active += 1
        most = max(most, active)
        turns += 1
        await gate.wait()
        active -= 1
        return None

    queue: Queue[str] = Queue()
    async with running(queue, work, 8):
        queue.add("a")
        await until(lambda: active == 1)
        for _ in range(5):
            queue.add("a")
        gate.set()
        await until(lambda: turns == 2 and active == 0)
        for _ in range(20):
            await asyncio.sleep(0)
    assert (most, turns) == (1, 2)


async def test_different_keys_are_worked_on_side_by_side_up_to_the_number_of_workers() -> None:
    active: set[str] = set()
    gate = asyncio.Event()

    async def work(key: str) -> timedelta | None:
        active.add(key)
        await gate.wait()
        active.discard(key)
        return None

    queue: Queue[str] = Queue()
    async with running(queue, work, 2):
        for key in "abc":
            queue.add(key)
        await until(lambda: len(active) == 2)
        for _ in range(20):
            await asyncio.sleep(0)
        assert active == {"a", "b"}
        gate.set()
        await until(lambda: not active)


async def test_a_key_that_fails_does_not_stop_the_others_and_comes_back() -> None:
    clock = Clock()
    seen: list[str] = []

    async def work(key: str) -> timedelta | None:
        seen.append(key)
        if key == "bad" and seen.count("bad") == 1:
            raise RuntimeError("the first time")
        return None

    queue: Queue[str] = Queue(clock=clock)
    async with running(queue, work):
        queue.add("bad")
        await until(lambda: seen == ["bad"])
        queue.add("good")
        await until(lambda: seen == ["bad", "good"])
        clock.now = 0.5
        queue.add("good")
        await until(lambda: seen.count("bad") == 2)


async def test_work_is_repeated_after_the_time_that_it_asked_for() -> None:
    clock = Clock()
    turns = 0

    async def work(_: str) -> timedelta | None:
        nonlocal turns
        turns += 1
        return timedelta(seconds=60)

    queue: Queue[str] = Queue(clock=clock)
    async with running(queue, work):
        queue.add("a")
        await until(lambda: turns == 1)
        clock.now = 60.0
        queue.add("wake")  # the event loop's own timer follows real time, which a test does not wait for
        await until(lambda: turns == 3)


async def test_the_loop_wakes_by_itself_when_a_key_becomes_due() -> None:
    turns = 0

    async def work(_: str) -> timedelta | None:
        nonlocal turns
        turns += 1
        return None

    queue: Queue[str] = Queue()
    async with running(queue, work):
        queue.add_after("a", timedelta(milliseconds=20))
        await until(lambda: turns == 1)


async def test_stopping_ends_what_is_being_worked_on() -> None:
    ended: list[str] = []
    begun = asyncio.Event()

    async def work(key: str) -> timedelta | None:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(key)
        return None

    queue: Queue[str] = Queue()
    async with running(queue, work):
        queue.add("a")
        await begun.wait()
    assert ended == ["a"]


class Told(Observer[str]):
    """What a queue told, in order."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def added(self, key: str) -> None:
        self.lines.append(f"{key} added")

    def taken(self, key: str, waited: float) -> None:
        self.lines.append(f"{key} taken, waited {waited:g}")

    def done(self, key: str, worked: float) -> None:
        self.lines.append(f"{key} done, worked {worked:g}")

    def retried(self, key: str, error: Exception, delay: float) -> None:
        self.lines.append(f"{key} retried for {error}, in {delay:g}")


async def test_whoever_observes_it_hears_of_each_key_how_long_it_waited_and_how_long_it_took() -> None:
    clock, told = Clock(), Told()
    queue = Queue(told, clock)
    queue.add_after("a", timedelta(seconds=2))
    clock.now = 5
    assert await queue.take() == "a"
    clock.now = 9
    queue.done("a", timedelta(seconds=1))
    clock.now = 10
    assert await queue.take() == "a"
    queue.retry("a", RuntimeError("no"))
    assert told.lines == [
        "a added",
        "a taken, waited 3",
        "a done, worked 4",
        "a taken, waited 0",
        "a retried for no, in 0.5",
        "a done, worked 0",
    ]


async def test_it_stands_still_for_as_long_as_the_work_that_has_made_no_progress_for_longest() -> None:
    clock = Clock()
    queue: Queue[str] = Queue(clock=clock)
    queue.add("a")
    clock.now = 1000
    assert queue.stalled_seconds() == 0
    await queue.take()
    queue.add("b")
    clock.now = 1010
    await queue.take()
    clock.now = 1015
    assert queue.stalled_seconds() == 15
    queue.progressed("a")
    assert queue.stalled_seconds() == 5
    queue.retry("b", RuntimeError("no"))
    assert queue.stalled_seconds() == 0
    clock.now = 1020
    assert queue.stalled_seconds() == 5
    queue.done("a")
    assert queue.stalled_seconds() == 0


async def test_work_that_said_how_long_it_will_be_silent_stands_still_only_after_that() -> None:
    clock = Clock()
    queue: Queue[str] = Queue(clock=clock)
    queue.add("a")
    await queue.take()
    queue.progressed("a", 3600)
    assert queue.stalled_seconds() == 0
    clock.now = 3600
    assert queue.stalled_seconds() == 0
    clock.now = 3605
    assert queue.stalled_seconds() == 5


async def test_it_tells_how_many_wait_for_their_turn_and_for_how_long() -> None:
    clock = Clock()
    queue: Queue[str] = Queue(clock=clock)
    assert (queue.depth(), queue.oldest_seconds()) == (0, 0.0)
    queue.add("first")
    queue.add_after("later", timedelta(seconds=10))
    clock.now = 4.0
    queue.add("second")
    assert (queue.depth(), queue.oldest_seconds()) == (2, 4.0)
    assert await queue.take() == "first"
    clock.now = 12.0
    assert (queue.depth(), queue.oldest_seconds()) == (2, 8.0), "the one that became due, and the second"
