"""What the log tells of the queue, the API client and the SSH pool."""

from __future__ import annotations

import inspect
import logging
from typing import Any

import pytest

from firstresponder.controller.keys import Key
from firstresponder.controller.observer import LogObserver, Observers
from firstresponder.hosts import pool
from firstresponder.kube import client
from firstresponder.kube.errors import ApiError
from firstresponder.workqueue import observer

KEY = Key("Host", "shop", "web-1")


@pytest.mark.parametrize(
    ("error", "has_traceback"),
    [(ApiError(500, "InternalError", "password=hunter2"), False), (KeyError("password=hunter2"), True)],
    ids=["of the outside world", "of our own"],
)
def test_failed_work_is_a_warning_without_secrets_and_with_a_traceback_for_what_is_a_bug(
    caplog: pytest.LogCaptureFixture, error: Exception, *, has_traceback: bool
) -> None:
    LogObserver().retried(KEY, error, 0.5)
    (record,) = caplog.records
    assert record.levelname == "WARNING"
    assert record.getMessage().startswith(f"Host shop/web-1: {type(error).__name__}: ")
    assert record.getMessage().endswith("; again in 0.5 s")
    assert "hunter2" not in record.getMessage()
    assert bool(record.exc_info) == has_traceback


def test_what_went_well_is_told_to_those_who_search_for_a_fault(caplog: pytest.LogCaptureFixture) -> None:
    observer = LogObserver()
    with caplog.at_level(logging.DEBUG):
        observer.added(KEY)
        observer.taken(KEY, 0.1)
        observer.done(KEY, 1.5)
        observer.requested("patch", "incidents/status", 200, 0.012)
        observer.requested("get", "incidents", None, 30.0)
        observer.asked("web-1", "connect", "ConnectionRefused", 0.25)
    assert {record.levelname for record in caplog.records} == {"DEBUG"}
    assert [record.getMessage() for record in caplog.records] == [
        "Host shop/web-1: worked on for 1.500 s",
        "API server: patch incidents/status: 200 in 0.012 s",
        "API server: get incidents: no answer in 30.000 s",
        "SSH: connect web-1: ConnectionRefused in 0.250 s",
    ]


def test_of_several_each_hears_everything() -> None:
    heard: list[tuple[str, ...]] = []

    class Heard(LogObserver):
        def __init__(self, name: str) -> None:
            self._name = name

        def __getattribute__(self, name: str) -> Any:
            if name.startswith("_"):
                return super().__getattribute__(name)
            return lambda *given: heard.append((self._name, name, *map(str, given)))

    kinds = (observer.Observer, client.Observer, pool.Observer)
    methods = [name for kind in kinds for name in vars(kind) if not name.startswith("_")]
    several = Observers(Heard("one"), Heard("two"))
    for name in methods:
        count = len(inspect.signature(getattr(several, name)).parameters)
        getattr(several, name)(*"abcd"[:count])
    assert {each[:2] for each in heard} == {(who, name) for who in ("one", "two") for name in methods}
    assert all("".join(given) == "abcd"[: len(given)] for _, _, *given in heard)
