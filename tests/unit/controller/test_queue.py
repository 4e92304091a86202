"""The keyed queue: one worker a key, no hint lost, back-off; the schedule by its own moments, without a clock."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from datetime import timedelta

from firstresponder.controller.queue import Queue, Schedule


def test_a_key_added_many_times_is_taken_once() -> None:
    schedule: Schedule[str] = Schedule()
    for _ in range(3):
        schedule.add("a", 0)
    assert schedule.take(0) == "a"
    schedule.finish("a", None)
    assert schedule.take(0) is None


def test_a_key_is_not_taken_before_it_is_due() -> None:
    schedule: Schedule[str] = Schedule()
    schedule.add("a", 10)
    assert schedule.take(9.9) is None
    assert schedule.next_due() == 10
    assert schedule.take(10) == "a"


def test_the_earlier_of_two_moments_counts() -> None:
    schedule: Schedule[str] = Schedule()
    schedule.add("a", 10)
    schedule.add("a", 3)
    schedule.add("a", 20)
    assert schedule.next_due() == 3


def test_what_has_been_due_longest_comes_first() -> None:
    schedule: Schedule[str] = Schedule()
    schedule.add("late", 2)
    schedule.add("early", 1)
    assert [schedule.take(5), schedule.take(5)] == ["early", "late"]


def test_a_key_that_is_worked_on_is_not_taken_again_until_it_is_finished() -> None:
    schedule: Schedule[str] = Schedule()
    schedule.add("a", 0)
    schedule.take(0)
    schedule.add("a", 0)
    assert schedule.take(1) is None
    assert schedule.next_due() is None
    schedule.finish("a", None)
    assert schedule.take(1) == "a"


def test_a_hint_during_the_work_is_earlier_than_the_moment_that_the_work_asked_for() -> None:
    schedule: Schedule[str] = Schedule()
    schedule.add("a", 0)
    schedule.take(0)
    schedule.add("a", 1)
    schedule.finish("a", 100)
    assert schedule.take(1) == "a"


def test_a_failing_key_comes_back_later_and_later_up_to_a_limit() -> None:
    schedule: Schedule[str] = Schedule()
    schedule.add("a", 0)
    delays = []
    now = 0.0
    for _ in range(8):
        assert schedule.take(now) == "a"
        due = schedule.fail("a", now)
        delays.append(due - now)
        now = due
    assert delays == [0.5, 1.0, 2.0, 4.0, 8.0, 15.0, 15.0, 15.0]


def test_a_success_ends_the_back_off() -> None:
    schedule: Schedule[str] = Schedule()
    for _ in range(3):
        schedule.add("a", 0)
        schedule.take(100)
        schedule.fail("a", 0)
    assert schedule.take(100) == "a"
    schedule.finish("a", None)
    schedule.add("a", 100)
    schedule.take(100)
    assert schedule.fail("a", 100) == 100.5


def test_a_hint_that_came_during_a_failed_work_does_not_defeat_the_back_off() -> None:
    schedule: Schedule[str] = Schedule()
    schedule.add("a", 0)
    schedule.take(0)
    schedule.add("a", 0)
    schedule.fail("a", 0)
    assert schedule.take(0.4) is None
    assert schedule.take(0.5) == "a"


class Clock:
    """A clock that only the test moves."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@asynccontextmanager
async def running(queue: Queue[str]) -> AsyncIterator[None]:
    task = asyncio.create_task(queue.run())
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

    queue: Queue[str] = Queue(work, workers=8)
    async with running(queue):
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

    queue: Queue[str] = Queue(work, workers=2)
    async with running(queue):
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

    queue: Queue[str] = Queue(work, workers=1, clock=clock)
    async with running(queue):
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

    queue: Queue[str] = Queue(work, workers=1, clock=clock)
    async with running(queue):
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

    queue: Queue[str] = Queue(work, workers=1)
    async with running(queue):
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

    queue: Queue[str] = Queue(work, workers=1)
    async with running(queue):
        queue.add("a")
        await begun.wait()
    assert ended == ["a"]


async def test_the_end_of_work_is_known_whether_it_went_well_or_not() -> None:
    clock = Clock()

    async def work(_: str) -> timedelta | None:
        clock.now += 7
        raise RuntimeError("no")

    queue: Queue[str] = Queue(work, workers=1, clock=clock)
    async with running(queue):
        assert queue.last_end == 0
        queue.add("a")
        await until(lambda: queue.last_end == 7)
