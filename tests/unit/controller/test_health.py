"""Who is alive and who is ready, asked as the kubelet asks it."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta

import aiohttp
import pytest
from aiohttp import web

from firstresponder.controller import health
from firstresponder.workqueue.queue import Queue


class Clock:
    """A clock that only the test moves."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


Answer = tuple[int, str]


class Asker:
    """Asks the endpoint."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self._session = session

    async def __call__(self, path: str) -> Answer:
        async with self._session.get(path) as answer:
            return answer.status, await answer.text()


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level("INFO")
    return caplog


@asynccontextmanager
async def served(log: pytest.LogCaptureFixture, routes: Mapping[str, health.Handler]) -> AsyncIterator[Asker]:
    task = asyncio.create_task(health.serve(0, routes))
    while not (port := re.search(r"port ([0-9]+)", log.text)):  # noqa: ASYNC110 - turns of the loop, not time
        await asyncio.sleep(0)
    async with aiohttp.ClientSession(f"http://127.0.0.1:{port[1]}") as session:
        yield Asker(session)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_who_has_had_nothing_to_do_for_longer_than_the_bound_is_alive(log: pytest.LogCaptureFixture) -> None:
    clock = Clock()
    queue: Queue[str] = Queue(clock=clock)
    async with served(log, {"/healthz": health.liveness(queue.stalled_seconds)}) as ask:
        queue.add("a")
        assert await queue.take() == "a"
        queue.done("a")
        clock.now = 10 * health.STALLED_SECONDS
        assert (await ask("/healthz"))[0] == 200


async def test_a_standby_with_nothing_but_its_duties_is_alive_for_a_day(log: pytest.LogCaptureFixture) -> None:
    """Nothing of what it hears is put on its queue; it lists again and checks the gate every minute."""
    clock = Clock()
    queue: Queue[str] = Queue(clock=clock)
    async with served(log, {"/healthz": health.liveness(queue.stalled_seconds)}) as ask:
        queue.add("ApprovalGate shop")
        for minute in range(24 * 60):
            clock.now = 60.0 * minute
            queue.done(await queue.take(), again=timedelta(seconds=60))
        clock.now += 59
        assert await ask("/healthz") == (200, "longest work without progress: 0 s\n")


async def test_who_has_one_key_without_progress_for_longer_than_the_bound_is_not_although_others_end(
    log: pytest.LogCaptureFixture,
) -> None:
    clock = Clock()
    queue: Queue[str] = Queue(clock=clock)
    async with served(log, {"/healthz": health.liveness(queue.stalled_seconds)}) as ask:
        queue.add("stuck")
        await queue.take()
        clock.now = health.STALLED_SECONDS - 1
        assert (await ask("/healthz"))[0] == 200
        queue.add("other")
        queue.done(await queue.take())
        clock.now = health.STALLED_SECONDS
        assert await ask("/healthz") == (503, "longest work without progress: 1800 s\n")
        queue.progressed("stuck")
        assert (await ask("/healthz"))[0] == 200


async def test_who_has_a_problem_is_not_ready_and_says_which(log: pytest.LogCaptureFixture) -> None:
    problems = ["approval gate in shop: the binding is gone", "approval gate in web: not tested yet"]
    async with served(log, {"/readyz": health.readiness(lambda: problems)}) as ask:
        assert await ask("/readyz") == (503, "".join(f"{each}\n" for each in problems))
        problems.clear()
        assert await ask("/readyz") == (200, "ready\n")


async def test_whatever_else_is_served_has_a_path_of_its_own(log: pytest.LogCaptureFixture) -> None:
    async def metrics(_: web.Request) -> web.Response:
        return web.Response(text="up 1\n")

    async with served(log, {"/metrics": metrics}) as ask:
        assert await ask("/metrics") == (200, "up 1\n")
        assert (await ask("/healthz"))[0] == 404
