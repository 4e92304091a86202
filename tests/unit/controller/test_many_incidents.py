"""What thousands of incidents cost the process that hears of them: little memory each, and one summary a change."""

from __future__ import annotations

import json
import tracemalloc
from collections.abc import AsyncIterator
from typing import Any

import pytest

from firstresponder.controller import related
from firstresponder.controller.cache import Body, Cache
from firstresponder.controller.related import RelatedIndex
from firstresponder.controller.stores import IncidentStore
from firstresponder.incident.related import OtherIncident

_PAGE = 200
_MOMENT = "2026-03-14T03:07:00Z"
_STATUS = {
    "phase": "Escalated",
    "observedGeneration": 1,
    "conditions": [{"type": "Closed", "status": "True", "reason": "Escalated", "message": "", "observedGeneration": 1}],
    "timeline": [{"time": _MOMENT, "event": "ActionDelayed", "details": "no answer in time; " * 350}],
    "escalation": {"time": _MOMENT, "reason": "UnknownIncidentType", "message": "no runbook", "to": ["on-call"]},
}
"""7 KB, as it is stored."""


def body(number: int, version: int = 1, **status: Any) -> str:
    """An incident as it comes over the wire."""
    metadata = {
        "name": f"ended-{number}",
        "namespace": "shop",
        "uid": f"7c8f1c5e-6a1b-4c7e-9d0e-{number:012}",
        "generation": 1,
        "resourceVersion": str(version),
        "creationTimestamp": _MOMENT,
    }
    spec = {"type": "HighCPU", "service": "api-gateway"}
    return json.dumps({"metadata": metadata, "spec": spec, "status": _STATUS | status})


async def listed(number: int) -> AsyncIterator[dict[str, Any]]:
    """A list as the API client reads it: each page whole, and dropped when the next one comes."""
    for begin in range(0, number, _PAGE):
        page = [json.loads(body(each)) for each in range(begin, min(begin + _PAGE, number))]
        for item in page:
            yield item


@pytest.fixture
def store() -> IncidentStore:
    cache = Cache()
    RelatedIndex(cache, lambda _: None)
    return IncidentStore(cache, "shop", lambda _: None)


async def test_five_thousand_incidents_of_seven_kilobytes_stay_small(store: IncidentStore) -> None:
    number = 5000
    assert number * len(body(0)) > 35e6
    tracemalloc.start()
    try:
        await store.replace(listed(number))
        await store.replace(listed(number))  # a gap between two watches: both lists are there for a moment
        for each in range(_PAGE):
            store.change("MODIFIED", json.loads(body(each, version=2)))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 20e6


@pytest.mark.parametrize("number", [50, 500])
async def test_a_change_makes_one_summary_however_many_incidents_there_are(
    store: IncidentStore, number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = 0
    summary = related.summary

    def counted(incident: Body) -> OtherIncident:
        nonlocal made
        made += 1
        return summary(incident)

    monkeypatch.setattr(related, "summary", counted)
    await store.replace(listed(number))
    assert made == number
    for version, phase in enumerate(("Triaging", "AwaitingApproval", "Acting", "Verifying", "Resolved"), 2):
        store.change("MODIFIED", json.loads(body(7, version, phase=phase)))
    assert made == number + 5
