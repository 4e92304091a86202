"""What a person reads who has to go on: what could not be seen and why, what would have been done, and the way on."""

from __future__ import annotations

from typing import Any

import pytest

from firstresponder.api.incident import Phase
from firstresponder.reporting.report import report_of
from tests.unit.incident.test_related import DETECTED, EARLIER, restarted
from tests.unit.incident.world import World, awaiting_approval, busy, incident, recovered


def escalation(world: World) -> Any:
    found = world.incident.status.escalation
    assert found is not None
    return found


def test_evidence_that_is_missing_is_named_with_probe_host_and_reason() -> None:
    world = World()
    del world.values["processes"]
    world.settle()
    message = escalation(world).message
    assert world.reason == "EvidenceUnavailable"
    assert "Not seen: processes (processes on api-gateway-03): NotReachable: not observed" in message


def test_a_role_that_no_host_plays_is_named_with_what_is_missing() -> None:
    world = World(values=busy())
    world.settle()
    assert world.reason == "HostUnreachable"
    over = escalation(world)
    assert "firstresponder.dev/role=control-node" in over.message
    assert "Create a Host for the role, or give one its labels: `kubectl get hosts -n prod --show-labels`" in (
        over.human_action
    )


def test_what_would_have_been_done_is_told_where_it_cannot_be_proposed() -> None:
    world = World(values=busy())
    world.settle()
    assert "the cause is legitimate-load, for which the runbook has the action scale-out" in escalation(world).message


def test_after_the_expiry_the_command_for_a_new_incident_is_there() -> None:
    world = awaiting_approval(incident=incident(parameters={"cpuThreshold": 90, "window": "5m"}))
    world.pass_time(minutes=31)
    assert world.reason == "ApprovalExpired"
    assert escalation(world).human_action.endswith(
        "To have it triaged again: kubectl incident open --type HighCPU --service api-gateway -n prod "
        "--host target=api-gateway-03 --parameter cpuThreshold=90 --parameter 'window=\"5m\"'"
    )


@pytest.mark.parametrize(("offset", "how"), [(75, "75 s ahead of the operator's"), (-75, "75 s behind the operator's")])
def test_a_clock_that_is_off_is_said_to_be_whose_and_in_which_direction(offset: float, how: str) -> None:
    world = World(clock_offset=offset)
    world.settle()
    assert f"the clock of api-gateway-03 is {how}" in escalation(world).message


def test_the_same_fix_is_proposed_again_when_somebody_says_why_and_the_earlier_one_still_was_wrong() -> None:
    world = World(
        neighbours=(restarted(DETECTED),),
        earlier=EARLIER,
        incident=incident(overrideRecurrence="the deploy of 03:00 was rolled back"),
    )
    world.settle()
    assert world.phase() == Phase.AWAITING_APPROVAL
    [entry] = [each for each in world.incident.status.timeline if each.event == "RecurrenceOverridden"]
    assert "the deploy of 03:00 was rolled back" in (entry.details or "")
    assert [each.relation for each in world.incident.status.related_incidents] == ["Recurrence"]
    assert "MarkIncorrect" in [type(each).__name__ for each in world.effects]


def test_while_it_is_verified_people_see_what_is_met_and_by_when_it_ends() -> None:
    world = awaiting_approval()
    world.review("alice@example.com")
    world.settle()
    world.pass_time(seconds=20)
    happened = report_of(world.incident).headline.happened
    assert "not met: cpu (" in happened
    assert "It has until 2026-03-14 03:23" in happened
    before = world.status_writes
    world.pass_time(minutes=3)
    assert world.status_writes == before, "nothing changed, and it is written again"


def test_a_fix_that_was_marked_as_wrong_no_longer_looks_like_a_good_end() -> None:
    world = awaiting_approval()
    world.review("alice@example.com")
    world.settle()
    world.values = recovered()
    world.pass_time(minutes=7)
    assert world.phase() == Phase.RESOLVED
    world.patch(fix_incorrect=True)
    world.settle()
    headline = report_of(world.incident).headline
    assert "marked as a wrong fix" in headline.happened
    assert headline.to_do.startswith("Find the real cause")


def test_the_command_for_a_new_incident_stands_in_a_line_of_its_own() -> None:
    world = awaiting_approval()
    world.pass_time(minutes=31)
    headline = report_of(world.incident).headline
    assert headline.to_do.endswith("(for on-call) To have it triaged again:")
    assert headline.command == (
        "kubectl incident open --type HighCPU --service api-gateway -n prod --host target=api-gateway-03"
    )
