"""Identical questions of one host: asked once, and never answered by what was seen too early."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest

from firstresponder.api.command import CommandOutput
from firstresponder.api.ledger import HostInfo
from firstresponder.hosts import single_flight
from firstresponder.hosts.errors import HostError, HostUnreachable
from firstresponder.hosts.observe import TOGETHER, Command
from firstresponder.hosts.pool import SshPool
from firstresponder.hosts.single_flight import Answer, SingleFlight
from firstresponder.hosts.target import SshTarget

NOW = datetime(2026, 3, 14, 3, 7, tzinfo=UTC)
TARGET = SshTarget("web-1", "192.0.2.1", 22, ("ssh-ed25519 AAAA",), "fr-observe", "key")
INFO = HostInfo("a" * 32, "b" * 36, 100, 1773457620.5, (), version=2)
LINES = "machine=" + "a" * 32 + "\nboot=11111111-2222-3333-4444-555555555555\nuptime=1\ntime=1.5\nactions=\nversion=2\n"
FREE, DF = Command(("free",), 10, 1000), Command(("df",), 10, 1000)


class Pool:
    """A host that answers when it is let; ``asked`` are the requests."""

    def __init__(self, failure: HostError | None = None) -> None:
        self.asked: list[bytes] = []
        self.begun, self.let = asyncio.Event(), asyncio.Event()
        self.let.set()
        self._failure = failure

    async def run(
        self,
        target: SshTarget,  # noqa: ARG002 - there is one
        stdin: bytes,
        *,
        received: Callable[[bytes], None] | None = None,
        **_: Any,
    ) -> CommandOutput:
        self.asked.append(stdin)
        self.begun.set()
        await self.let.wait()
        if self._failure is not None:
            raise self._failure
        if received is None:
            return CommandOutput(LINES.encode() if stdin == b"info\n" else b"alone", b"", 0)
        for number in range(stdin.count(b"\nrun ")):
            received(b"result %d 0 no 1 0\n%d" % (number, number))
        return CommandOutput(b"", b"", 0)


def flight(pool: Pool) -> SingleFlight:
    return SingleFlight(cast(SshPool, pool), lambda: NOW + timedelta(seconds=len(pool.asked)))


def moment() -> float:
    return asyncio.get_running_loop().time()


async def outputs(
    asking: SingleFlight,
    commands: Sequence[Command],
    since: float = 0.0,
    target: SshTarget = TARGET,
    info: HostInfo = INFO,
) -> list[Answer[CommandOutput]]:
    return list(await asyncio.gather(*(each.answer() for each in asking.run(target, info, commands, since))))


async def test_the_same_question_is_asked_once_however_many_ask_it() -> None:
    pool = Pool()
    asking = flight(pool)
    answers = await asyncio.gather(*(outputs(asking, [FREE]) for _ in range(50)), outputs(asking, [FREE]))
    assert len(pool.asked) == 1
    assert {answer.time for (answer,) in answers} == {NOW + timedelta(seconds=1)}
    infos = await asyncio.gather(*(asking.info(TARGET, 0.0).answer() for _ in range(50)))
    assert pool.asked[1:] == [b"info\n"]
    assert len({id(each) for each in infos}) == 1


async def test_a_diagnostic_is_shared_out_of_a_request_for_several() -> None:
    pool = Pool()
    asking = flight(pool)
    both, one = await asyncio.gather(outputs(asking, [FREE, DF]), outputs(asking, [DF]))
    assert pool.asked == [b"together\nrun 10 1000 1\nfree\nrun 10 1000 1\ndf\n"]
    assert (one, both[1].value.stdout) == (both[1:], b"1")


@pytest.mark.parametrize(
    ("other", "target"),
    [
        (replace(FREE, argv=("free", "-b")), TARGET),
        (replace(FREE, timeout=20), TARGET),
        (replace(FREE, max_output=2000), TARGET),
        (FREE, replace(TARGET, address="192.0.2.2")),
        (FREE, replace(TARGET, user="another")),
        (FREE, replace(TARGET, private_key="another")),
        (FREE, replace(TARGET, host_keys=("ssh-ed25519 BBBB",))),
        (FREE, replace(TARGET, name="web-2")),
    ],
    ids=["argv", "timeout", "max_output", "address", "user", "private_key", "host_keys", "name"],
)
async def test_only_what_is_identical_in_all_is_shared(other: Command, target: SshTarget) -> None:
    pool = Pool()
    asking = flight(pool)
    await asyncio.gather(outputs(asking, [FREE]), outputs(asking, [other], target=target))
    assert len(pool.asked) == 2


async def test_what_began_before_it_counts_is_asked_again() -> None:
    pool = Pool()
    asking, earlier = flight(pool), moment()
    await outputs(asking, [FREE], earlier)
    await asyncio.sleep(0.001)
    await outputs(asking, [FREE], earlier)
    assert len(pool.asked) == 1
    later = moment()
    (answer,) = await outputs(asking, [FREE], later)
    assert (len(pool.asked), answer.time) == (2, NOW + timedelta(seconds=2))
    await outputs(asking, [FREE], later)
    assert len(pool.asked) == 2, "the newest is joined"


async def test_what_is_begun_but_not_answered_is_not_joined_either_by_who_began_later() -> None:
    pool = Pool()
    asking = flight(pool)
    pool.let.clear()
    first = asyncio.create_task(outputs(asking, [FREE]))
    await pool.begun.wait()
    second = asyncio.create_task(outputs(asking, [FREE], moment()))
    await asyncio.sleep(0.001)
    pool.let.set()
    await asyncio.gather(first, second)
    assert len(pool.asked) == 2


async def test_nothing_is_shared_beyond_the_window(monkeypatch: pytest.MonkeyPatch) -> None:
    pool = Pool()
    asking = flight(pool)
    monkeypatch.setattr(single_flight, "SHARED_SECONDS", 0.0)
    await outputs(asking, [FREE])
    await outputs(asking, [FREE])
    assert len(pool.asked) == 2


async def test_what_failed_is_shared_as_failed() -> None:
    pool = Pool(HostUnreachable("NoRoute", "no way there"))
    asking = flight(pool)
    asked = [*asking.run(TARGET, INFO, [FREE, DF], 0.0), *asking.run(TARGET, INFO, [FREE], 0.0)]
    answers = await asyncio.gather(*(each.answer() for each in asked), return_exceptions=True)
    assert [str(each) for each in answers] == ["NoRoute: no way there"] * 3
    assert len(pool.asked) == 1


async def test_who_gives_up_takes_the_answer_from_nobody() -> None:
    pool = Pool()
    asking = flight(pool)
    pool.let.clear()
    impatient, patient = (asyncio.create_task(outputs(asking, [FREE])) for _ in range(2))
    await pool.begun.wait()
    impatient.cancel()
    pool.let.set()
    assert (await patient)[0].value.stdout == b"alone"
    assert len(pool.asked) == 1


async def test_a_host_with_an_older_program_is_asked_one_by_one() -> None:
    pool = Pool()
    await outputs(flight(pool), [FREE, DF], info=replace(INFO, version=1))
    assert pool.asked == [b"run 10\nfree\n", b"run 10\ndf\n"]


async def test_what_the_host_confines_otherwise_stays_apart() -> None:
    pool = Pool()
    disk = Command(("/",), 10, 1000, request="disk")
    await outputs(flight(pool), [disk, FREE, DF])
    assert sorted(request.split(b"\n")[0] for request in pool.asked) == [b"disk 10", b"together"]


async def test_more_than_one_request_takes_are_several() -> None:
    pool = Pool()
    commands = [replace(FREE, timeout=10 + n) for n in range(TOGETHER + 2)]
    await outputs(flight(pool), commands)
    assert [request.count(b"\nrun ") for request in pool.asked] == [TOGETHER, 2]
    pool = Pool()
    await outputs(flight(pool), [replace(FREE, argv=("echo", str(n) + "x" * 15000)) for n in range(5)])
    assert [len(request) <= 65536 for request in pool.asked] == [True, True]
    assert [request.count(b"\n") for request in pool.asked] == [1 + 4 * 3, 2 + 1]
