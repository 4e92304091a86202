"""Workers for the keys of a queue."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import TypeVar

from firstresponder.workqueue.queue import Queue

K = TypeVar("K")


async def run(queue: Queue[K], work: Callable[[K], Awaitable[timedelta | None]], *, workers: int) -> None:
    """Work until cancelled, at most ``workers`` keys at once; then what is running is cancelled too and waited for.

    ``work`` looks at one key, in a task (and a context) of its own, and returns after how long to check again, or None.
    Whatever it raises is reported to the queue, and the key comes back with a back-off.
    """
    free = asyncio.Semaphore(workers)

    async def turn(key: K) -> None:
        try:
            again = await work(key)
        except Exception as error:  # whatever one key meets, the others go on
            queue.retry(key, error)
        else:
            queue.done(key, again)
        finally:
            free.release()

    async with asyncio.TaskGroup() as turns:
        while True:
            await free.acquire()
            key = await queue.take()
            turns.create_task(turn(key), name=str(key))
