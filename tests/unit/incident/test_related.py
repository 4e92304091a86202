"""Two incidents in each other's way: the same cause is fixed once, and a fix that did not last is not tried again."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from firstresponder.api.base import ObjectMeta
from firstresponder.api.incident import Incident, Phase
from firstresponder.controller.related import summary
from firstresponder.incident.phases.recurrence import with_recurrence
from firstresponder.incident.plan import Consume, MarkIncorrect, Observe, Rest, Wait
from firstresponder.incident.related import Fix, OtherIncident
from tests.unit.incident.world import START, World, awaiting_approval, high_cpu, host, incident, recovered

FIX = Fix("high-cpu", "restart", "api-gateway.service", host().spec.host_keys[0])
DETECTED = datetime.fromisoformat("2026-03-14T03:07:12Z")
COOLDOWN = timedelta(minutes=30)
"""Of the action restart in high-cpu."""


EARLIER = Incident.model_validate(
    {
        "metadata": {"name": "high-cpu-0", "namespace": "shop", "uid": "uid-of-the-other"},
        "spec": {"type": "HighCPU", "service": "api-gateway"},
        "status": {"phase": "Resolved", "sli": {"detectionTime": "2026-03-14T03:00:00Z", "fixCorrect": True}},
    }
)


def other(phase: Phase, fix: Fix | None = FIX, **more: Any) -> OtherIncident:
    return OtherIncident("high-cpu-0", "uid-of-the-other", phase, fix, **more)


def restarted(ended: datetime, **more: Any) -> OtherIncident:
    return other(Phase.RESOLVED, ended=ended, succeeded=True, fix_correct=True, **more)


@pytest.mark.parametrize("phase", [Phase.AWAITING_APPROVAL, Phase.ACTING, Phase.VERIFYING])
def test_an_incident_whose_fix_is_asked_for_already_is_linked_and_waits(phase: Phase) -> None:
    world = World(neighbours=(other(phase),))
    plan = world.settle()
    assert world.phase() == Phase.TRIAGING
    assert world.request is None
    assert plan.next == Rest()
    (link,) = world.incident.status.related_incidents
    assert (link.name, link.uid, link.relation) == ("high-cpu-0", "uid-of-the-other", "SameCause")
    assert [event.reason for event in world.events] == ["SameCause"]


def asking_the_same(world: World, phase: Phase = Phase.TRIAGING, **more: Any) -> OtherIncident:
    """An older incident with the revision, service, hosts and parameters of the world's own."""
    twin = World()
    twin.step()
    twin.step()
    assert twin.phase() == Phase.TRIAGING
    body = twin.incident.model_dump(by_alias=True, mode="json", exclude_none=True)
    body["metadata"] |= {"name": "high-cpu-0", "uid": "uid-of-the-other", "creationTimestamp": "2026-03-14T03:00:00Z"}
    return replace(summary(body), phase=phase, **more)


@pytest.mark.rule(23)
def test_an_incident_like_an_older_one_is_linked_before_it_is_triaged() -> None:
    world = World()
    world.neighbours = (asking_the_same(world),)
    plan = world.settle()
    assert (world.phase(), plan.next, world.performed(Observe)) == (Phase.TRIAGING, Rest(), [])
    (link,) = world.incident.status.related_incidents
    assert (link.name, link.relation) == ("high-cpu-0", "SameCause")
    assert "high-cpu-0 is like this one" in world.events[-1].message


@pytest.mark.parametrize(
    "other",
    [{"question": "another"}, {"created": datetime(2026, 3, 14, 4, 0, tzinfo=UTC)}, {"waits_for": ("uid-x",)}],
    ids=["another question", "a younger one", "one that waits itself"],
)
def test_an_incident_is_triaged_where_no_older_one_asks_the_same(other: dict[str, Any]) -> None:
    world = World()
    world.neighbours = (asking_the_same(world, **other),)
    world.settle()
    assert world.phase() == Phase.AWAITING_APPROVAL


@pytest.mark.rule(23)
def test_once_the_older_one_has_ended_the_others_are_triaged_and_wait_for_no_other_like_them() -> None:
    world = World()
    first = asking_the_same(world)
    world.neighbours = (first,)
    world.settle()
    ended = replace(first, phase=Phase.ESCALATED)
    second = replace(first, name="high-cpu-2", uid="uid-of-a-second")
    world.neighbours = (ended, second)
    world.settle()
    assert world.phase() == Phase.AWAITING_APPROVAL


def test_waiting_costs_neither_writes_nor_looks_at_the_host() -> None:
    world = World(neighbours=(other(Phase.AWAITING_APPROVAL),))
    world.settle()
    writes, looks = world.status_writes, len(world.performed(Observe))
    world.pass_time(minutes=10)
    assert (world.status_writes, len(world.performed(Observe))) == (writes, looks)


def test_when_the_other_was_fixed_the_waiting_one_is_triaged_afresh_and_ends_without_acting() -> None:
    world = World(neighbours=(other(Phase.ACTING),))
    world.settle()
    world.neighbours = (restarted(world.now),)
    world.values = recovered()
    world.pass_time(minutes=7)
    assert world.phase() == Phase.RESOLVED
    assert world.incident.status.attempts == []


def test_when_the_other_was_denied_the_waiting_one_asks_by_itself() -> None:
    world = World(neighbours=(other(Phase.VERIFYING),))
    world.settle()
    world.neighbours = (other(Phase.ESCALATED),)
    world.pass_time(minutes=1)
    assert world.phase() == Phase.AWAITING_APPROVAL


def test_a_waiting_incident_can_be_stopped() -> None:
    world = World(neighbours=(other(Phase.AWAITING_APPROVAL),))
    world.settle()
    world.patch(abort=True)
    world.settle()
    assert world.reason == "Aborted"


@pytest.mark.rule(23)
@pytest.mark.parametrize(
    "fix",
    [
        replace(FIX, runbook="memory-leak"),
        replace(FIX, action="scale-out"),
        replace(FIX, target="payroll.service"),
        replace(FIX, host_key="ssh-ed25519 AAAAanother"),
        None,
    ],
)
def test_another_fix_is_in_nobodys_way(fix: Fix | None) -> None:
    asking, done = other(Phase.AWAITING_APPROVAL, fix), other(Phase.RESOLVED, fix, ended=DETECTED, succeeded=True)
    world = World(neighbours=(asking, done))
    world.settle()
    assert world.phase() == Phase.AWAITING_APPROVAL
    assert world.incident.status.related_incidents == []


@pytest.mark.rule(23)
@pytest.mark.parametrize(
    ("ended", "recurs"),
    [
        (DETECTED - COOLDOWN + timedelta(seconds=1), True),
        (DETECTED - COOLDOWN, False),
        (DETECTED + timedelta(seconds=30), True),
    ],
    ids=["just within the cooldown", "just after it", "noticed before the other's end"],
)
def test_the_same_fix_within_its_cooldown_is_a_recurrence(ended: datetime, *, recurs: bool) -> None:
    world = World(neighbours=(restarted(ended),), earlier=EARLIER)
    world.settle()
    assert (world.reason == "Recurrence") is recurs
    if not recurs:
        return
    (mark,) = world.performed(MarkIncorrect)
    assert isinstance(mark, MarkIncorrect)
    assert (mark.earlier.name, mark.earlier.metadata.uid) == ("high-cpu-0", "uid-of-the-other")
    assert mark.status.sli is not None
    assert mark.status.sli.fix_correct is False
    (link,) = world.incident.status.related_incidents
    assert link.relation == "Recurrence"
    assert world.request is None
    assert world.incident.status.root_cause is not None


def test_a_fix_that_is_known_to_be_wrong_is_not_marked_again() -> None:
    earlier = replace(restarted(DETECTED), fix_correct=False)
    world = World(neighbours=(earlier,))
    world.settle()
    assert world.reason == "Recurrence"
    assert world.performed(MarkIncorrect) == []


def test_what_never_ran_is_no_reason_to_hold_back() -> None:
    world = World(neighbours=(other(Phase.ESCALATED, ended=None),))
    world.settle()
    assert world.phase() == Phase.AWAITING_APPROVAL


@pytest.mark.rule(23)
def test_a_self_recovered_incident_is_not_held_up_by_a_recent_fix() -> None:
    world = World(values=recovered(), neighbours=(restarted(DETECTED),))
    world.settle()
    assert world.phase() == Phase.VERIFYING


def test_an_approved_incident_lets_another_end_its_action_on_the_same_machine_first() -> None:
    world = awaiting_approval()
    world.review("alice@example.com")
    elsewhere = replace(FIX, host_key="ssh-ed25519 AAAAanother")
    world.neighbours = (other(Phase.ACTING, replace(FIX, runbook="disk-full", action="free-disk-space")),)
    plan = world.settle()
    assert (world.phase(), world.performed(Consume)) == (Phase.AWAITING_APPROVAL, [])
    assert isinstance(plan.next, Wait)
    world.neighbours = (other(Phase.ACTING, elsewhere),)
    world.settle()
    assert len(world.runs) == 1


def test_an_approval_that_expires_while_another_acts_is_not_acted_on() -> None:
    world = awaiting_approval()
    world.review("alice@example.com")
    world.neighbours = (other(Phase.ACTING, replace(FIX, runbook="disk-full")),)
    world.pass_time(minutes=31)
    assert (world.reason, world.runs) == ("ApprovalExpired", [])


@pytest.mark.rule(23)
def test_the_earlier_incident_says_that_its_fix_did_not_last_and_says_it_once() -> None:
    world = awaiting_approval()
    world.review("alice@example.com")
    world.settle()
    world.values = recovered()
    world.pass_time(minutes=6)
    again = incident()
    status = with_recurrence(world.incident.status, again, "Incident high-cpu-1 came within the cooldown", START)
    assert status.sli is not None
    assert status.sli.fix_correct is False
    assert status.related_incidents[-1].relation == "Recurrence"
    assert status.timeline[-1].event == "FixMarkedIncorrect"
    assert with_recurrence(status, again, "again", START) == status


@pytest.mark.rule(23)
def test_the_cooldown_is_the_actions_own() -> None:
    runbook = high_cpu()
    runbook["spec"]["actions"][0]["cooldown"] = "10m"
    world = World(runbook=runbook, neighbours=(restarted(DETECTED - timedelta(minutes=20)),))
    world.settle()
    assert world.phase() == Phase.AWAITING_APPROVAL


@pytest.mark.parametrize(
    "earlier", [None, EARLIER.model_copy(update={"metadata": ObjectMeta(name="high-cpu-0", uid="u")})]
)
def test_an_incident_that_is_gone_needs_no_mark_and_holds_nothing_up(earlier: Incident | None) -> None:
    world = World(neighbours=(restarted(DETECTED),), earlier=earlier)
    world.settle()
    assert world.reason == "Recurrence"
    assert world.performed(MarkIncorrect) == []
