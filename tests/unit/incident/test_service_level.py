"""The service level record of an incident says the truth at every end, and is the same however often it is marked."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from firstresponder.api.incident import Phase, ServiceLevel
from firstresponder.api.reasons import EscalationReason
from firstresponder.incident.phases.recurrence import with_recurrence
from firstresponder.incident.plan import SendOrder
from tests.unit.incident import test_scale
from tests.unit.incident.test_reasons import COMES_TO, without_help
from tests.unit.incident.world import START, World, awaiting_approval, incident, recovered, restarted


def record(world: World) -> ServiceLevel:
    sli = world.incident.status.sli
    assert sli is not None
    return sli


def fixed() -> World:
    world = restarted()
    world.values = recovered()
    world.pass_time(minutes=6)
    assert world.phase() == Phase.RESOLVED
    return world


def self_recovered() -> World:
    world = World(values=recovered())
    world.settle()
    world.pass_time(minutes=6)
    assert world.phase() == Phase.RESOLVED
    return world


def never_ran() -> World:
    world = awaiting_approval()
    world.review("alice@example.com")
    while not world.incident.status.attempts:
        world.step()
    world.patch(abort=True)
    world.settle()
    assert (world.reason, world.runs) == ("Aborted", [])
    return world


def refused() -> World:
    world = awaiting_approval()
    world.review("alice@example.com")
    world.answer_to_order = world.finished(65)
    world.settle()
    assert world.reason == "ActionFailed"
    return world


@pytest.mark.parametrize(("end", "correct"), [(fixed, True), (self_recovered, None)])
def test_a_resolved_incident_has_all_times_and_the_spans_between_them(
    end: Callable[[], World], *, correct: bool | None
) -> None:
    sli = record(end())
    assert sli.start_time == START
    assert sli.resolution_time is not None
    assert sli.mttd_seconds == int((sli.start_time - sli.detection_time).total_seconds()) == 48
    assert sli.mttr_seconds == int((sli.resolution_time - sli.start_time).total_seconds()) > 300
    assert (sli.escalated, sli.fix_correct) == (False, correct)


def test_no_time_is_negative_where_the_clock_was_set_back() -> None:
    world = restarted()
    sli = record(world).model_copy(update={"start_time": START + timedelta(days=1)})
    world.incident = world.incident.model_copy(update={"status": world.incident.status.model_copy(update={"sli": sli})})
    world.values = recovered()
    world.pass_time(minutes=6)
    assert (world.phase(), record(world).mttr_seconds) == (Phase.RESOLVED, 0)


@pytest.mark.parametrize("reason", sorted(set(EscalationReason)))
def test_an_escalated_incident_is_never_resolved_and_its_fix_is_wrong_only_if_it_did_not_help(
    reason: EscalationReason,
) -> None:
    world = COMES_TO[reason]()
    world.settle()
    world.pass_time(minutes=5)
    sli = record(world)
    assert (world.phase(), sli.escalated) == (Phase.ESCALATED, True)
    assert (sli.resolution_time, sli.mttr_seconds) == (None, None)
    assert (sli.start_time, sli.mttd_seconds) == (START, 48)
    assert sli.fix_correct is (False if reason == "FixFailed" else None)


def test_a_failed_fix_is_escalated_while_the_way_back_is_still_on_offer() -> None:
    world = test_scale.offered()
    assert world.phase() == Phase.AWAITING_APPROVAL
    assert (record(world).escalated, record(world).fix_correct) == (True, False)


@pytest.mark.parametrize("verdict", ["Approved", "Denied"])
def test_whatever_becomes_of_the_way_back_the_fix_stays_wrong(verdict: str) -> None:
    world = test_scale.offered()
    world.review("alice@example.com", verdict)
    world.settle()
    assert world.phase() == Phase.ESCALATED
    sli = record(world)
    assert (sli.escalated, sli.fix_correct, sli.resolution_time) == (True, False, None)


def marks(world: World) -> int:
    return [each.event for each in world.incident.status.timeline].count("FixMarkedIncorrect")


def acting() -> World:
    world = awaiting_approval()
    world.review("alice@example.com")
    while not world.performed(SendOrder):
        world.step()
    return world


@pytest.mark.parametrize("marked_in", [acting, restarted])
def test_a_mark_made_before_the_end_is_counted_at_the_end(marked_in: Callable[[], World]) -> None:
    world = marked_in()
    world.patch(fix_incorrect=True)
    world.values = recovered()
    world.pass_time(minutes=6)
    assert world.phase() == Phase.RESOLVED
    assert (record(world).fix_correct, marks(world)) == (False, 1)


def aborted_in_verification() -> World:
    world = restarted()
    world.patch(abort=True)
    world.settle()
    assert world.reason == "Aborted"
    assert record(world).fix_correct is None
    return world


@pytest.mark.parametrize("end", [fixed, aborted_in_verification, COMES_TO[EscalationReason.INDETERMINATE]])
def test_a_mark_made_afterwards_is_counted_once(end: Callable[[], World]) -> None:
    world = end()
    world.settle()
    world.patch(fix_incorrect=True)
    world.settle()
    writes = world.status_writes
    world.settle()
    assert (record(world).fix_correct, marks(world)) == (False, 1)
    assert world.status_writes == writes
    assert world.incident.status.observed_generation == world.incident.metadata.generation


@pytest.mark.parametrize("end", [never_ran, refused, self_recovered, COMES_TO[EscalationReason.APPROVAL_DENIED]])
def test_where_nothing_was_done_a_mark_is_not_counted(end: Callable[[], World]) -> None:
    world = end()
    world.settle()
    world.patch(fix_incorrect=True)
    world.settle()
    assert (record(world).fix_correct, marks(world)) == (None, 0)
    assert world.incident.status.observed_generation == world.incident.metadata.generation


def test_a_fix_that_is_known_to_be_wrong_is_not_marked_again() -> None:
    world = without_help()
    world.patch(fix_incorrect=True)
    world.settle()
    assert (record(world).fix_correct, marks(world)) == (False, 0)


@pytest.mark.rule(23)
@pytest.mark.parametrize("first", ["a person", "a recurrence"])
def test_a_recurrence_and_a_person_s_mark_count_as_one(first: str) -> None:
    world = fixed()

    def recur(world: World) -> None:
        status = with_recurrence(world.incident.status, incident(), "it came again", START + timedelta(minutes=20))
        world.incident = world.incident.model_copy(update={"status": status})

    def mark(world: World) -> None:
        world.patch(fix_incorrect=True)
        world.settle()

    steps: list[Any] = [mark, recur] if first == "a person" else [recur, mark]
    for step in steps:
        step(world)
    assert (record(world).fix_correct, marks(world)) == (False, 1)
