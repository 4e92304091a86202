"""Candidates for one Lease on a clock of their own: who leads, who takes over and when, who has lost it.

Hours pass here in a moment, so times can be asserted: they are those of the loop's own clock and no other.
"""

from __future__ import annotations

import asyncio
import itertools
import random
import selectors
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any, NoReturn, cast

import pytest

from firstresponder.kube.client import Body, Client
from firstresponder.kube.election import Election
from firstresponder.kube.errors import AlreadyExists, Conflict, Forbidden, NotFound, Unreachable
from firstresponder.kube.lease import RENEW_DEADLINE


class Loop(asyncio.SelectorEventLoop):
    """Never waits: where all tasks wait, its clock is set to when the first goes on."""

    def __init__(self) -> None:
        self.now = 1000.0
        super().__init__(_Instant(self))

    def time(self) -> float:
        return self.now


class _Instant(selectors.SelectSelector):
    def __init__(self, loop: Loop) -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        found = super().select(0)
        if not found:
            self._loop.now += timeout or 0
        return found


def play(scene: Callable[[], Coroutine[Any, Any, None]]) -> None:
    with asyncio.Runner(loop_factory=Loop) as runner:
        runner.run(scene())


def now() -> float:
    return asyncio.get_running_loop().time()


class Leases:
    """One Lease as an API server keeps it."""

    def __init__(self) -> None:
        self.stored: dict[str, Any] | None = None
        self.writes: list[tuple[float, str | None]] = []
        """When, and who held it then."""
        self.away = False
        self.forbidden = False
        self.answers_lost = 0
        """So many writes are done without an answer."""
        self._versions = itertools.count(1)

    async def get(self, path: str) -> Any:
        await self._arrive()
        if self.stored is None:
            raise NotFound(404, "NotFound", path)
        return self.stored

    async def create(self, path: str, body: Body) -> Any:
        await self._arrive()
        if self.stored is not None:
            raise AlreadyExists(409, "AlreadyExists", path)
        return self._store(body["metadata"], body["spec"])

    async def merge(self, path: str, patch: Body) -> Any:
        await self._arrive()
        if self.stored is None:
            raise NotFound(404, "NotFound", path)
        if patch["metadata"]["resourceVersion"] != self.stored["metadata"]["resourceVersion"]:
            raise Conflict(409, "Conflict", path)
        return self._store({}, patch["spec"])

    def _store(self, metadata: Body, spec: Body) -> Any:
        before = self.stored or {"metadata": {}, "spec": {}}
        self.stored = {
            "metadata": {**before["metadata"], **metadata, "resourceVersion": str(next(self._versions))},
            "spec": {**before["spec"], **spec},
        }
        self.writes.append((now(), self.holder))
        if self.answers_lost:
            self.answers_lost -= 1
            raise Unreachable("the answer was lost")
        return self.stored

    async def _arrive(self) -> None:
        await asyncio.sleep(0.01)
        if self.forbidden:
            raise Forbidden(403, "Forbidden", "leases is forbidden")
        if self.away:
            await asyncio.sleep(30)
            raise Unreachable("no answer")

    @property
    def holder(self) -> str | None:
        return self.stored["spec"].get("holderIdentity") if self.stored is not None else None


class Ended(Exception):
    """The process would be gone."""


class Candidate:
    """A replica: when it led, and why no more."""

    def __init__(self, leases: Leases, name: str) -> None:
        self.election = Election(cast(Client, leases), "first-responder", "operator", name, self._end)
        self.led: float | None = None
        self.lost: tuple[float, str] | None = None
        self._running = asyncio.create_task(self._run())

    async def _run(self) -> None:
        with suppress(Ended):
            await self.election.win()
            self.led = now()
            await self.election.hold()

    def _end(self, reason: str) -> NoReturn:
        self.lost = self.lost or (now(), reason)
        self._running.cancel()
        raise Ended

    def die(self) -> None:
        """As by SIGKILL."""
        self._running.cancel()
        if self.election._deadline is not None:
            self.election._deadline.cancel()

    async def stop(self) -> None:
        """As by SIGTERM."""
        self._running.cancel()
        await asyncio.gather(self._running, return_exceptions=True)
        await self.election.release()

    async def leads(self) -> float:
        while self.led is None:
            assert not self._running.done(), self._running.exception()
            await asyncio.sleep(0.01)
        return self.led


async def pair(leases: Leases) -> tuple[Candidate, Candidate]:
    """One that leads, and another that has stood by for a while."""
    first = Candidate(leases, "first")
    await first.leads()
    second = Candidate(leases, "second")
    await asyncio.sleep(random.uniform(3, 6))  # noqa: S311
    assert second.led is None
    return first, second


def test_a_single_one_leads_at_once() -> None:
    async def scene() -> None:
        start = now()
        assert await Candidate(Leases(), "only").leads() - start < 0.1

    play(scene)


def test_of_many_that_start_at_once_one_leads_for_an_hour_without_a_break() -> None:
    async def scene() -> None:
        leases = Leases()
        candidates = [Candidate(leases, f"pod-{number}") for number in range(5)]
        await asyncio.sleep(3600)
        assert [each.led is not None for each in candidates].count(True) == 1
        assert len({holder for _, holder in leases.writes}) == 1
        moments = [moment for moment, _ in leases.writes]
        assert max(after - before for before, after in itertools.pairwise(moments)) < 2.1
        assert all(each.lost is None for each in candidates)

    play(scene)


@pytest.mark.parametrize("seed", range(20))
def test_one_that_is_stopped_is_followed_within_two_seconds(seed: int) -> None:
    async def scene() -> None:
        random.seed(seed)
        first, second = await pair(Leases())
        await first.stop()
        end = now()
        assert await second.leads() - end <= 2.05
        assert first.lost is None

    play(scene)


@pytest.mark.parametrize("seed", range(20))
def test_one_that_is_killed_is_followed_after_its_lease_and_within_17_seconds(seed: int) -> None:
    async def scene() -> None:
        random.seed(seed)
        leases = Leases()
        first, second = await pair(leases)
        first.die()
        end, renewed = now(), leases.writes[-1][0]
        led = await second.leads()
        assert led - end <= 17.1
        assert led - renewed >= 15

    play(scene)


def test_one_that_cannot_renew_ends_before_the_other_leads() -> None:
    async def scene() -> None:
        leases = Leases()
        first, second = await pair(leases)
        leases.away = True
        renewed = leases.writes[-1][0]
        await asyncio.sleep(11)
        assert first.lost is not None
        moment, reason = first.lost
        assert moment - renewed <= RENEW_DEADLINE
        assert reason == "the Lease was not renewed for 10 s"
        leases.away = False
        assert await second.leads() > moment

    play(scene)


def test_an_api_server_that_is_away_for_some_seconds_changes_nothing() -> None:
    async def scene() -> None:
        leases = Leases()
        first, second = await pair(leases)
        leases.away = True
        await asyncio.sleep(3)
        leases.away = False
        await asyncio.sleep(60)
        assert (first.lost, second.led) == (None, None)

    play(scene)


def test_an_answer_that_is_lost_changes_nothing() -> None:
    async def scene() -> None:
        leases = Leases()
        leases.answers_lost = 1  # to the write that takes it
        first, second = await pair(leases)
        leases.answers_lost = 2
        await asyncio.sleep(60)
        assert (first.lost, second.led, leases.holder) == (None, None, "first")

    play(scene)


def test_an_answer_to_its_release_that_is_lost_keeps_nobody_waiting() -> None:
    async def scene() -> None:
        leases = Leases()
        first, second = await pair(leases)
        leases.answers_lost = 1
        await first.stop()
        end = now()
        assert await second.leads() - end <= 2.05

    play(scene)


def test_one_that_is_stopped_before_it_knows_that_it_leads_gives_it_back_too() -> None:
    async def scene() -> None:
        leases = Leases()
        leases.answers_lost = 1
        only = Candidate(leases, "only")
        await asyncio.sleep(1)
        assert (leases.holder, only.led) == ("only", None)
        await only.stop()
        assert leases.holder == ""

    play(scene)


@pytest.mark.parametrize(
    ("harm", "reason"),
    [
        ({"holderIdentity": "third"}, "the Lease is held by third"),
        ({"holderIdentity": ""}, "the Lease was released by somebody"),
        (None, "the Lease was deleted"),
    ],
    ids=["taken", "released", "deleted"],
)
def test_whose_lease_was_taken_away_notices_at_its_next_renewal(harm: dict[str, str] | None, reason: str) -> None:
    async def scene() -> None:
        leases = Leases()
        first = Candidate(leases, "first")
        await first.leads()
        if harm is None:
            leases.stored = None
        else:
            leases._store({}, harm)
        await asyncio.sleep(2.1)
        assert first.lost is not None
        assert first.lost[1] == reason

    play(scene)


def test_in_a_process_that_was_frozen_nothing_goes_on_before_its_end() -> None:
    """All timers are long due when it goes on, those of the work before that of the Lease."""

    async def scene() -> None:
        done: list[str] = []
        candidate = Candidate(Leases(), "frozen")
        await candidate.leads()

        async def work() -> None:
            while True:
                await asyncio.sleep(0.5)
                done.append("lost" if candidate.lost else "worked")

        working = asyncio.create_task(work())
        await asyncio.sleep(5.25)  # the work waits too
        done.clear()
        cast(Loop, asyncio.get_running_loop()).now += 20
        await asyncio.sleep(5)
        assert set(done) == {"lost"}
        working.cancel()

    play(scene)


def test_a_lease_without_the_right_to_it_is_asked_for_a_minute() -> None:
    async def scene() -> None:
        leases, start = Leases(), now()
        leases.forbidden = True
        candidate = Candidate(leases, "only")
        with pytest.raises(Forbidden):
            await candidate._running
        assert 60 < now() - start < 65

    play(scene)


def test_who_stands_by_says_who_leads_once(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")

    async def scene() -> None:
        first, second = await pair(Leases())
        await asyncio.sleep(100)
        await first.stop()
        await second.leads()

    play(scene)
    assert [record.getMessage() for record in caplog.records] == [
        "leading as first",
        "standing by: first leads",
        "Lease operator is released",
        "leading as second",
    ]
