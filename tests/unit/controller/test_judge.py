"""The process that judges: a real one, given what exhausts whoever judges it."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from firstresponder.controller import judge_process
from firstresponder.controller.judge import Judge
from tests.unit.incident.world import high_cpu

GOOD: dict[str, Any] = high_cpu()["spec"]


@pytest.fixture
async def judge() -> AsyncIterator[Judge]:
    made = Judge()
    yield made
    await made.close()


async def test_a_good_content_has_a_digest_and_a_bad_one_says_what_is_wrong(judge: Judge) -> None:
    assert ((await judge("Runbook", GOOD)).digest or "").startswith("sha256:")
    bad = await judge("Runbook", {**GOOD, "symptom": "noSuchVariable"})
    assert bad.digest is None
    assert bad.problem.startswith("spec.symptom: ")


async def test_one_that_was_killed_is_replaced(judge: Judge) -> None:
    await judge("Runbook", GOOD)
    os.kill(process_of(judge), signal.SIGKILL)
    assert (await judge("Runbook", GOOD)).digest is not None


async def test_one_that_is_killed_while_it_judges_is_asked_again_in_a_new_process(judge: Judge) -> None:
    await judge("Runbook", GOOD)
    first = process_of(judge)
    os.kill(first, signal.SIGSTOP)
    asked = asyncio.create_task(judge("Runbook", GOOD))
    await asyncio.sleep(0.05)
    os.kill(first, signal.SIGKILL)
    assert (await asked).digest is not None
    assert process_of(judge) != first


@pytest.mark.parametrize(("number", "told"), [(signal.SIGXCPU, "takes more than 3 s"), (signal.SIGSEGV, "512 MiB")])
async def test_a_content_that_ends_every_process_is_refused(judge: Judge, number: signal.Signals, told: str) -> None:
    await judge("Runbook", GOOD)
    stop = asyncio.create_task(_end_whatever_judges(judge, number))
    try:
        refused = await judge("Runbook", GOOD)
    finally:
        stop.cancel()
    assert refused.digest is None
    assert told in refused.problem
    await asyncio.gather(stop, return_exceptions=True)
    assert (await judge("Runbook", GOOD)).digest is not None  # and the next one is not


async def _end_whatever_judges(judge: Judge, number: signal.Signals) -> None:
    last = process_of(judge)
    os.kill(last, number)
    while True:
        await asyncio.sleep(0)
        if judge._process is not None and judge._process.pid != last:
            last = judge._process.pid
            os.kill(last, number)


async def test_the_process_limits_itself(judge: Judge) -> None:
    await judge("Runbook", GOOD)
    lines = about(judge, "limits").decode().splitlines()
    limits = {line[:26].strip(): line[26:].split()[0] for line in lines}
    assert limits["Max address space"] == str(judge_process.MEMORY)
    assert 0 < int(limits["Max cpu time"]) <= judge_process.CPU_SECONDS + 5


async def test_it_is_given_nothing_that_opens_a_door(judge: Judge, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBECONFIG", "/secret")
    await judge("Runbook", GOOD)
    assert b"/secret" not in about(judge, "environ")


def process_of(judge: Judge) -> int:
    assert judge._process is not None
    return judge._process.pid


def about(judge: Judge, what: str) -> bytes:
    return Path(f"/proc/{process_of(judge)}/{what}").read_bytes()
