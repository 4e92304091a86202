"""Runbooks as incidents see them: each judged by itself, whatever it holds."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest

from firstresponder.controller.cache import Cache
from firstresponder.controller.runbook_catalogue import RunbookCatalogue
from firstresponder.kube.errors import Conflict
from firstresponder.runbooks.judgement import Judgement, judge
from tests.unit.controller.judging import judge_here
from tests.unit.incident.world import high_cpu


def body(name: str, spec: dict[str, Any], generation: int = 1) -> dict[str, Any]:
    metadata = {
        "name": name,
        "namespace": "shop",
        "uid": name,
        "generation": generation,
        "resourceVersion": str(generation),
    }
    return {"metadata": metadata, "spec": spec}


class SlowJudge:
    """Answers when it is let go."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.go = asyncio.Event()

    async def __call__(self, kind: str, spec: Mapping[str, Any]) -> Judgement:
        self.asked.append(spec["match"]["types"][0])
        await self.go.wait()
        return judge(kind, spec)


def named(type_: str) -> dict[str, Any]:
    spec: dict[str, Any] = high_cpu()["spec"]
    return {**spec, "match": {"types": [type_]}}


async def test_a_runbook_that_has_no_digest_is_refused_and_leaves_the_others_usable() -> None:
    cache = Cache()
    broken = high_cpu()["spec"]
    # The API server keeps such an integer; canonical JSON (RFC 8785) has no form for it.
    broken["tests"]["evidence"]["busy"]["memory"]["availableBytes"] = 2**53 + 1
    cache.put("Runbook", "shop", body("broken", broken))
    cache.put("Runbook", "shop", body("high-cpu", high_cpu()["spec"]))
    refused, usable = await RunbookCatalogue(cache, judge_here).entries("Runbook", "shop", lambda *_: True)
    assert refused.revision is None
    assert "cannot be evaluated" in refused.problem
    assert usable.revision is not None


async def test_an_incident_does_not_wait_for_the_judgement_of_a_runbook_that_is_for_others() -> None:
    cache, slow = Cache(), SlowJudge()
    cache.put("Runbook", "shop", body("other", named("Other")))
    catalogue = RunbookCatalogue(cache, slow)
    (entry,) = await catalogue.entries("Runbook", "shop", lambda _, match: match.is_for("Mine", None))
    assert (entry.revision, slow.asked) == (None, [])


async def test_a_content_is_judged_once_however_many_incidents_wait_for_it() -> None:
    cache, slow = Cache(), SlowJudge()
    cache.put("Runbook", "shop", body("mine", named("Mine")))
    catalogue = RunbookCatalogue(cache, slow)
    waiting = [asyncio.create_task(catalogue.entries("Runbook", "shop", lambda *_: True)) for _ in range(3)]
    await asyncio.sleep(0)
    waiting[0].cancel()  # one that is stopped takes nothing from the others
    slow.go.set()
    first, *others = await asyncio.gather(*waiting, return_exceptions=True)
    assert isinstance(first, asyncio.CancelledError)
    assert all(not isinstance(each, BaseException) and each[0].revision is not None for each in others)
    assert slow.asked == ["Mine"]


async def test_a_content_that_was_replaced_before_its_turn_takes_no_turn() -> None:
    slow, catalogue = SlowJudge(), None
    catalogue = RunbookCatalogue(Cache(), slow)
    first = asyncio.create_task(catalogue.judge("Runbook", body("first", named("First"))))
    await asyncio.sleep(0.01)
    versions = [
        asyncio.create_task(catalogue.judge("Runbook", body("mine", named(f"Mine{number}"), number)))
        for number in (1, 2, 3)
    ]
    await asyncio.sleep(0.01)
    slow.go.set()
    await first
    *replaced, newest = await asyncio.gather(*versions, return_exceptions=True)
    assert all(isinstance(each, Conflict) for each in replaced)
    assert isinstance(newest, Judgement)
    assert slow.asked == ["First", "Mine3"]


async def test_what_kept_a_content_from_being_judged_is_not_taken_for_a_judgement() -> None:
    answers: list[Any] = [OSError("no process can be started"), Judgement("sha256:abc")]

    async def judge_(*_: Any) -> Judgement:
        answer = answers.pop(0)
        if isinstance(answer, OSError):
            raise answer
        return answer  # type: ignore[no-any-return]

    catalogue = RunbookCatalogue(Cache(), judge_)
    with pytest.raises(OSError, match="no process"):
        await catalogue.judge("Runbook", body("mine", named("Mine")))
    assert (await catalogue.judge("Runbook", body("mine", named("Mine")))).digest == "sha256:abc"
