"""One question of many who ask it: identical requests to the same account of the same host, within a second.

A storm is many incidents of one host at one moment, and each looks at the same things. What is shared is one question:
who the host is, or a single diagnostic, known by its bytes, also when it was sent in one request with others. Whoever
asks says since when an observation counts, and joins a question only if its observation began then or later, and less
than a second ago. A triage says when its incident was read, so no incident gets evidence from before it was detected.
A look before acting says when it began, so nothing counts that was observed before. A verification says when it began
or, later, a moment after its last look. An observation is held to begin when its request is handed to the connection,
which is never later than it begins on the host.

What failed is shared as failed. Whoever gives up waiting takes the answer from nobody. Nothing is kept beyond that
second: an answer is no cache.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, TypeVar

from firstresponder.api.command import CommandOutput
from firstresponder.api.ledger import HostInfo
from firstresponder.hosts import observe
from firstresponder.hosts.observe import Command
from firstresponder.hosts.pool import SshPool
from firstresponder.hosts.target import SshTarget

SHARED_SECONDS = 1.0

T = TypeVar("T")


@dataclass(frozen=True)
class Answer(Generic[T]):
    """What came of a question, and when it arrived by the operator's clock."""

    time: datetime
    value: T


@dataclass(frozen=True)
class Question(Generic[T]):
    """What a host was asked, by whoever came first, and when by the event loop's clock."""

    began: float
    future: asyncio.Future[Answer[T]]

    async def answer(self) -> Answer[T]:
        """Raises what came instead of an answer. Whoever gives up waiting leaves the others theirs."""
        return await asyncio.shield(self.future)


class SingleFlight:
    """Asks hosts. A moment is one of the event loop's clock."""

    def __init__(self, pool: SshPool, now: Callable[[], datetime]) -> None:
        self._pool = pool
        self._now = now
        self._questions: OrderedDict[tuple[str, SshTarget, bytes, int], Question[Any]] = OrderedDict()
        """Those of the last second, the oldest first."""
        self._asking: set[asyncio.Task[None]] = set()

    def info(self, target: SshTarget, since: float) -> Question[HostInfo]:
        """Who the host is, observed since that moment. Its answer raises what ``observe.info`` does."""
        question, new = self._question(target, b"info\n", 0, since)
        if new:

            async def ask() -> None:
                self._resolve(question, await observe.info(self._pool, target))

            self._ask(ask(), [question])
        return question

    def run(
        self, target: SshTarget, info: HostInfo, commands: Sequence[Command], since: float
    ) -> list[Question[CommandOutput]]:
        """Run diagnostics, each observed since that moment: those that may share a confinement by one request.

        Each answer raises what ``observe.run_diagnostic`` does. Raises ValueError for one that cannot be sent.
        """
        found = [self._question(target, command.text, command.max_output, since) for command in commands]
        new = [(command, question) for command, (question, is_new) in zip(commands, found, strict=True) if is_new]
        for batch in _batches(info, new):
            self._ask(self._run(target, batch), [question for _, question in batch])
        return [question for question, _ in found]

    async def _run(self, target: SshTarget, batch: Sequence[tuple[Command, Question[CommandOutput]]]) -> None:
        if len(batch) > 1:
            await observe.run_together(
                self._pool,
                target,
                [command for command, _ in batch],
                lambda number, output: self._resolve(batch[number][1], output),
            )
            return
        ((command, question),) = batch
        output = await observe.run_diagnostic(
            self._pool, target, command.argv, command.timeout, command.max_output, request=command.request
        )
        self._resolve(question, output)

    def _question(self, target: SshTarget, request: bytes, limit: int, since: float) -> tuple[Question[Any], bool]:
        """The question to wait for, and whether it is a new one, which the caller has to ask."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        while self._questions and began - next(iter(self._questions.values())).began >= SHARED_SECONDS:
            self._questions.popitem(last=False)
        key = (target.name, target, request, limit)
        known = self._questions.get(key)
        if known is not None and known.began >= since:
            return known, False
        question = self._questions[key] = Question(began, loop.create_future())
        self._questions.move_to_end(key)
        question.future.add_done_callback(_retrieve)
        return question, True

    def _resolve(self, question: Question[T], value: T) -> None:
        question.future.set_result(Answer(self._now(), value))

    def _ask(self, asking: Awaitable[None], questions: Sequence[Question[Any]]) -> None:
        async def ask() -> None:
            try:
                await asking
            except Exception as problem:
                for question in questions:
                    if not question.future.done():
                        question.future.set_exception(problem)

        task = asyncio.create_task(ask())
        self._asking.add(task)  # the event loop itself keeps no task alive
        task.add_done_callback(self._asking.discard)


def _batches(
    info: HostInfo, asked: Sequence[tuple[Command, Question[CommandOutput]]]
) -> Iterator[list[tuple[Command, Question[CommandOutput]]]]:
    """What is sent in one request each."""
    batch: list[tuple[Command, Question[CommandOutput]]] = []
    room = observe.TOGETHER_BYTES
    for command, question in asked:
        if not observe.can_share(info, command):
            yield [(command, question)]
            continue
        size = len(command.part) + len("together\n")
        if batch and (len(batch) == observe.TOGETHER or size > room):
            yield batch
            batch, room = [], observe.TOGETHER_BYTES
        batch.append((command, question))
        room -= size
    if batch:
        yield batch


def _retrieve(answer: asyncio.Future[Any]) -> None:
    """Whoever wanted it may have given up: then its failure is nobody's."""
    if not answer.cancelled():
        answer.exception()
