"""Each line of the log says what it is about, in both formats, and whatever else is worked on at the same time."""

from __future__ import annotations

import asyncio
import json
import logging
from datetime import timedelta

import pytest

from firstresponder import logs
from firstresponder.controller.keys import Key
from firstresponder.workqueue import workers
from firstresponder.workqueue.queue import Queue

_log = logging.getLogger("firstresponder.test")


@pytest.fixture
def text(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level(logging.INFO)
    caplog.handler.setFormatter(logs.formatter("text"))
    return caplog


async def test_what_is_bound_is_shown_behind_the_message_and_before_a_traceback(text: pytest.LogCaptureFixture) -> None:
    logs.bind(namespace="shop", incident="high-cpu-1")
    logs.bind(phase="Triaging")
    try:
        raise RuntimeError("no")
    except RuntimeError:
        _log.exception("it failed")
    first, *_, last = text.text.splitlines()
    assert first.endswith(" ERROR   firstresponder.test: it failed [namespace=shop incident=high-cpu-1 phase=Triaging]")
    assert last == "RuntimeError: no"


def test_a_line_about_nothing_in_particular_has_no_brackets(text: pytest.LogCaptureFixture) -> None:
    _log.info("stopped")
    assert text.text.endswith("firstresponder.test: stopped\n")


async def test_a_line_for_programs_has_each_field_by_its_name(caplog: pytest.LogCaptureFixture) -> None:
    caplog.handler.setFormatter(logs.formatter("json"))
    logs.bind(**Key("Incident", "shop", "high-cpu-1").fields, phase="Triaging")
    _log.warning("it %s", "failed")
    line = json.loads(caplog.text)
    assert line.pop("time").endswith("+00:00")
    assert line == {
        "level": "warning",
        "logger": "firstresponder.test",
        "message": "it failed",
        "namespace": "shop",
        "incident": "high-cpu-1",
        "phase": "Triaging",
    }


def test_a_recurring_duty_is_told_by_its_namespace() -> None:
    assert Key("ApprovalGate", "shop").fields == {"namespace": "shop"}


async def test_keys_that_are_worked_on_at_the_same_time_or_one_after_another_do_not_mix(
    text: pytest.LogCaptureFixture,
) -> None:
    """Nothing unbinds: what ends with a key's work is the task that it is done in."""
    met = asyncio.Barrier(3)

    async def work(key: Key) -> timedelta | None:
        _log.info("begins")
        logs.bind(**key.fields)
        await met.wait()
        _log.info("ends")
        await met.wait()
        return None

    queue: Queue[Key] = Queue()
    running = asyncio.create_task(workers.run(queue, work, workers=2))
    for pair in (("a", "b"), ("c", "d")):
        for name in pair:
            queue.add(Key("Incident", "shop", name))
        await met.wait()
        await met.wait()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    lines = [line.partition("firstresponder.test: ")[2] for line in text.text.splitlines()]
    assert [line for line in lines if line.startswith("begins")] == ["begins"] * 4
    ends = {line for line in lines if line.startswith("ends")}
    assert ends == {f"ends [namespace=shop incident={name}]" for name in "abcd"}
