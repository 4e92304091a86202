"""What of an incident's body decides how long it stays."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from firstresponder.api.incident import KEEP, Phase
from firstresponder.controller.related import kept
from firstresponder.incident.retention import Stay

RUNBOOK = {"runbook": "high-cpu", "name": "high-cpu-1", "digest": "sha256:a"}
PLAYBOOK = {"runbook": "service-down", "name": "service-down-1", "digest": "sha256:b"}
CLOSED = {"type": "Closed", "status": "True", "lastTransitionTime": "2026-03-14T03:07:12Z"}


def stay(status: dict[str, Any] | None = None, **metadata: Any) -> Stay:
    known = {"name": "a", "uid": "uid-of-a", "generation": 1, "resourceVersion": "1"}
    body = {"metadata": {**known, **metadata}, "spec": {"type": "HighCPU", "service": "api-gateway"}}
    found: Stay = kept({**body, "status": status} if status is not None else body)["stay"]
    return found


def ended(**more: Any) -> dict[str, Any]:
    return {"phase": "Resolved", "observedGeneration": 1, "conditions": [CLOSED], **more}


def test_an_incident_that_nobody_has_looked_at_stays() -> None:
    assert stay() == Stay("a", "uid-of-a", ("", "HighCPU"), None)


@pytest.mark.parametrize(
    ("refs", "group"),
    [
        ({"runbookRevisionRef": RUNBOOK, "playbookRevisionRef": PLAYBOOK}, ("high-cpu", "sha256:a")),
        ({"playbookRevisionRef": PLAYBOOK}, ("service-down", "sha256:b")),
        ({}, ("", "HighCPU")),
    ],
    ids=["a runbook", "a playbook that came no further", "neither"],
)
def test_it_belongs_to_the_revision_that_statistics_count_it_for(refs: dict[str, Any], group: tuple[str, str]) -> None:
    assert stay(ended(**refs)).group == group


def test_its_age_is_that_of_its_end() -> None:
    assert stay(ended()).closed == datetime(2026, 3, 14, 3, 7, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("status", "metadata"),
    [(ended(conditions=[]), {}), (ended(), {"generation": 2}), ({"phase": "Acting"}, {})],
    ids=["not closed", "changed since", "open"],
)
def test_one_for_which_something_can_follow_has_no_end(status: dict[str, Any], metadata: dict[str, Any]) -> None:
    assert stay(status, **metadata).closed is None


@pytest.mark.parametrize(
    ("metadata", "is_kept"),
    [
        ({"annotations": {KEEP: "true"}}, True),
        ({"annotations": {KEEP: ""}}, True),
        ({"annotations": {KEEP: "false"}}, False),
        ({"annotations": {"note": "x"}}, False),
        ({"annotations": None}, False),
        ({"deletionTimestamp": "2026-03-14T03:07:12Z"}, True),
    ],
)
def test_a_person_keeps_it_or_it_goes_already(metadata: dict[str, Any], *, is_kept: bool) -> None:
    assert stay(ended(), **metadata).kept is is_kept


@pytest.mark.parametrize("phase", Phase)
def test_only_an_open_one_holds_others_back(phase: Phase) -> None:
    links = [{"name": "b", "uid": "uid-of-b", "relation": "SameCause"}]
    related = stay({"phase": phase.value, "relatedIncidents": links}).related
    assert related == (() if phase in {Phase.RESOLVED, Phase.ESCALATED} else ("uid-of-b",))
