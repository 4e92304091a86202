"""A status stays below its limit whatever it is made of, and the outcome of an attempt always finds room in it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firstresponder.api.advice import FollowUp, Recommendation
from firstresponder.api.incident import (
    Attempt,
    AttemptState,
    CriterionResult,
    DiagnosticResult,
    Evidence,
    HypothesisResult,
    IncidentStatus,
    Measurement,
    Phase,
    RelatedIncident,
    TimelineEntry,
    Unavailable,
)
from firstresponder.api.rootcause import RootCause
from firstresponder.incident.budget import ESSENTIAL_LIMIT, LIMIT, essential, head, size, within_budget
from firstresponder.incident.phases.recurrence import with_recurrence
from firstresponder.incident.plan import SendOrder
from tests.unit.incident.test_scale import pool
from tests.unit.incident.world import START, World, awaiting_approval, busy, dry_run, high_cpu

WIDE = "𝕏"  # four bytes, as wide as a character can be
ESCAPED = "<"  # one character, stored as six


def stored(status: IncidentStatus) -> int:
    return size(status.wire())


@pytest.mark.parametrize(
    ("value", "expected"),
    [({"a": 1}, 7), ("é", 4), (WIDE, 6), ("<>&", 20), ('"\\\n', 8), ("\x01", 8), ([1.5, None, True], 15)],
)
def test_a_value_takes_the_bytes_that_it_is_stored_in(value: Any, expected: int) -> None:
    assert size(value) == expected


@given(st.text(), st.integers(16, 100))
def test_the_beginning_of_a_text_takes_no_more_than_it_may_and_as_much_as_it_can(text: str, limit: int) -> None:
    found = head(text, limit)
    assert size(found) - 2 <= limit
    if found != text:
        kept = found.removesuffix("…")
        assert text.startswith(kept)
        assert size(text[: len(kept) + 1] + "…") - 2 > limit
    else:
        assert size(text) - 2 <= limit


def evidence(name: str, text: str = "", **values: Any) -> Evidence:
    return Evidence(
        name=name,
        runbook="high-cpu",
        source="ps",
        role="target",
        host="api-gateway-03",
        observed_time=START,
        values=values,
        excerpt=text[:4096] or None,
        unavailable=Unavailable(reason="TimedOut", message=text[:2048]) if text and not values else None,
    )


def measurements(count: int, values: int = 64) -> list[Measurement]:
    """As many rounds, by default each with all the values that it may hold."""
    seen = {f"{'d' * 61}{number:02}.availableBytes": 2**40 for number in range(values)}
    return [
        Measurement(time=START + timedelta(seconds=second), stage="Verification", runbook="high-cpu", values=seen)
        for second in range(count)
    ]


def acting(**changes: Any) -> World:
    """A scale that was sent, in a world of the biggest preview and evidence that are let in."""
    preview = replace(dry_run(), output=("+x y " * 13_000, *dry_run().output))
    world = awaiting_approval(**pool(preview=preview, **changes))
    world.review("alice@example.com")
    while not world.performed(SendOrder):
        world.step()
    assert world.phase() == Phase.ACTING
    return world


def blown_up(status: IncidentStatus, character: str) -> IncidentStatus:
    """Every list and every word for people as long as the schema has them."""
    text = character * 2048
    (attempt,) = status.attempts
    earlier = attempt.model_copy(update={"state": AttemptState.FAILED, "message": text, "proof": [text] * 64})
    attempts: list[Attempt] = [
        *(earlier.model_copy(update={"id": f"{number:064x}", "ordinal": number}) for number in range(31)),
        attempt,
    ]
    room = ESSENTIAL_LIMIT - essential(status) - 96 * 500
    seen = [
        *status.evidence,
        evidence("big", lines=["x" * 1000] * max(room // 1010, 0)),
        *(evidence(f"blind-{number}", text) for number in range(94 - len(status.evidence))),
    ]
    verdicts = [
        HypothesisResult(name=f"h{number}", runbook="high-cpu", verdict="Unknown", because=text)
        for number in range(96 - len(status.hypotheses))
    ]
    escalation = {
        "reason": "FixFailed",
        "message": text,
        "to": ["on-call"],
        "time": START,
        "diagnostic_results": [DiagnosticResult(name=f"d{number}", result=text) for number in range(192)],
        "attempted_fix": text,
        "verification_result": text,
        "human_action": text,
    }
    verification = {
        "start_time": START,
        "window_seconds": 60,
        "criteria": [
            CriterionResult(name=f"c{number}", require="x" * 4096, holds=False, because=text) for number in range(16)
        ],
    }
    finding = character * 512
    return IncidentStatus.model_validate(
        {
            **dict(status),
            "attempts": attempts,
            "evidence": seen,
            "hypotheses": [*status.hypotheses, *verdicts],
            "conditions": [each.model_copy(update={"message": character * 32768}) for each in status.conditions],
            "timeline": [
                TimelineEntry(time=START, event=f"E{number}", details=text, by=text[:1024]) for number in range(200)
            ],
            "related_incidents": [
                RelatedIncident(name="n" * 200, uid=f"{number:036}", relation="SameCause") for number in range(32)
            ],
            "recommendations": [Recommendation(to=["dba"], text=text)] * 16,
            "follow_ups": [FollowUp(type="Ticket", title=character * 256)] * 16,
            "root_cause": RootCause(evidence=[finding] * 24, stop_conditions=[finding] * 40, summary=finding),
            "escalation": escalation,
            "verification": verification,
            "samples": measurements(64),
        }
    )


@pytest.mark.parametrize("character", ["x", "é", WIDE, ESCAPED])
def test_the_outcome_of_an_attempt_is_written_whatever_else_the_status_holds(character: str) -> None:
    world = acting()
    before = blown_up(world.incident.status, character)
    assert stored(before) > LIMIT
    assert ESSENTIAL_LIMIT - 64 * 1024 < essential(before) <= ESSENTIAL_LIMIT
    world.incident = world.incident.model_copy(update={"status": before})
    world.step()
    after = world.incident.status
    assert after.attempts[-1].state == "Succeeded"
    assert stored(after) <= LIMIT
    assert (after.decision_packet, after.roles, after.parameters) == (
        before.decision_packet,
        before.roles,
        before.parameters,
    )
    assert [each.values for each in after.evidence] == [each.values for each in before.evidence]
    assert [(each.id, each.state) for each in after.attempts[:-1]] == [(a.id, a.state) for a in before.attempts[:-1]]
    assert [(each.name, each.verdict) for each in after.hypotheses] == [(h.name, h.verdict) for h in before.hypotheses]
    assert after.timeline[-1].event == "ActionCompleted"
    assert after.timeline_dropped + len(after.timeline) == 201
    assert after.samples_dropped + len(after.samples) == 64


@pytest.mark.parametrize("character", ["x", ESCAPED])
def test_what_is_cut_once_stays_as_it_is(character: str) -> None:
    once = within_budget(blown_up(acting().incident.status, character))
    assert within_budget(once) == once
    assert IncidentStatus.model_validate(once.wire()).wire() == once.wire()


def test_marking_an_earlier_fix_as_incorrect_keeps_its_status_below_the_limit_too() -> None:
    world = acting()
    status = with_recurrence(blown_up(world.incident.status, "x"), world.incident, "it came again", START)
    assert status.timeline[-1].event == "FixMarkedIncorrect"
    assert stored(status) <= LIMIT


def test_a_status_that_fits_is_left_alone() -> None:
    status = acting().incident.status
    assert within_budget(status) is status


def _sized(status: IncidentStatus, **parts: Any) -> IncidentStatus:
    return status.model_copy(update=parts)


def test_the_least_needed_goes_first() -> None:
    status = acting().incident.status
    long = [TimelineEntry(time=START, event="E", details="x" * 1000) for _ in range(200)]
    excerpts = [evidence(f"e{number}", "x" * 4096, a=1) for number in range(80)]
    cut = within_budget(_sized(status, evidence=excerpts))
    assert [each.excerpt for each in cut.evidence] == [None] * 80
    assert all(each.truncated for each in cut.evidence)
    assert cut.timeline == status.timeline
    proven = [status.attempts[0].model_copy(update={"proof": ["x" * 2000] * 20})] * 6
    cut = within_budget(_sized(status, attempts=proven, timeline=long[:30]))
    assert [len(each.proof) for each in cut.attempts] == [0, 0, 0, 0, 0, 20]
    assert len(cut.timeline) == 30
    cut = within_budget(_sized(status, timeline=long))
    assert (len(cut.timeline), cut.timeline_dropped) == (60, 140)
    assert cut.timeline[0].details == "x" * 1000


def test_of_what_was_measured_the_first_and_the_last_round_are_kept_longest() -> None:
    status = acting().incident.status
    rounds = measurements(64, values=32)
    cut = within_budget(_sized(status, samples=rounds))
    assert stored(cut) <= LIMIT
    assert (len(cut.samples), cut.samples_dropped) == (32, 32)
    assert (cut.samples[0], cut.samples[-1]) == (rounds[0], rounds[-1])


def test_a_packet_that_leaves_no_room_for_the_outcome_is_not_proposed() -> None:
    runbook = high_cpu()
    wanted = runbook["spec"]["verify"]["criteria"]
    long = " || ".join(["processes.hostCpuPercent < 70"] * 120)
    runbook["spec"]["verify"]["criteria"] = [*wanted, *({"name": f"c{n}", "require": long} for n in range(12))]
    values = busy()
    values["oom"]["lines"] = ["x" * 1000] * 30
    values["errors"]["lines"] = ["x" * 1000] * 30
    values["memory"]["more"] = ["x" * 1000] * 30
    world = World(**pool(runbook=runbook, values=values))
    world.preview = replace(dry_run(), output=("+x y " * 13_000, *dry_run().output))
    world.settle()
    assert (world.phase(), world.reason, world.request) == (Phase.ESCALATED, "InvalidRunbook", None)
    assert world.incident.status.escalation is not None
    assert "but a status holds 204800: narrow the diagnostics" in world.incident.status.escalation.message


def test_evidence_is_measured_in_bytes() -> None:
    values = busy()
    values["oom"]["lines"] = [WIDE * 1000] * 9  # 9,000 characters, 36 KB
    values["errors"]["lines"] = ["x" * 1000] * 30
    world = World(**pool(values=values))
    world.settle()
    seen = {each.name: each.unavailable and each.unavailable.reason for each in world.incident.status.evidence}
    assert (seen["oom"], seen["errors"]) == ("TooLarge", None)
