"""A symptom that is not there in triage: watched, and believed only as far as it was seen."""

from __future__ import annotations

from datetime import timedelta

import pytest

from firstresponder.api.incident import Phase
from firstresponder.incident.plan import Event
from tests.unit.incident.world import World, leak, recovered


def watched() -> World:
    """The alert fired, and what it is about was not there when it was looked for."""
    world = World(values=recovered())
    world.settle()
    assert world.phase() == Phase.VERIFYING
    return world


@pytest.mark.rule(5)
def test_a_symptom_that_comes_back_while_it_is_watched_is_triaged_again_and_acted_on() -> None:
    world = watched()
    world.pass_time(minutes=2)
    world.values = leak()
    world.pass_time(minutes=1)
    status = world.incident.status
    assert (world.phase(), status.symptom_returned) == (Phase.AWAITING_APPROVAL, 1)
    assert status.verification is None
    assert "SymptomReturned" in [each.event for each in status.timeline]
    assert any(isinstance(each, Event) and "became true while it was watched" in each.message for each in world.events)


def too_quiet() -> World:
    """The symptom is that too little is said, in words that a journal holds of the last ten minutes."""
    world = World(values=recovered() | {"errors": {"count": 9, "mostRepeated": 1}})
    world.runbook["spec"]["variables"].append({"name": "quiet", "expression": "errors.count < 3"})
    world.runbook["spec"]["symptom"] = "quiet"
    world.runbook["spec"]["verify"]["criteria"] = [{"name": "healthy", "require": "health.status == 200"}]
    world.later["errors"] = {"count": 0, "mostRepeated": 0}  # since triage, which was a moment ago
    world.settle()
    assert world.phase() == Phase.VERIFYING
    return world


@pytest.mark.rule(5)
def test_a_symptom_of_few_messages_is_not_back_because_a_watch_has_only_begun_to_read() -> None:
    world = too_quiet()
    world.pass_time(minutes=7)
    assert (world.phase(), world.incident.status.symptom_returned) == (Phase.RESOLVED, 0)


@pytest.mark.rule(5)
def test_a_symptom_of_few_messages_is_back_once_the_whole_journal_says_so() -> None:
    world = too_quiet()
    world.pass_time(minutes=2)
    world.values["errors"], world.now = {"count": 0, "mostRepeated": 0}, world.now + timedelta(seconds=30)
    while world.phase() == Phase.VERIFYING:
        world.step()
    assert (world.phase(), world.incident.status.symptom_returned) == (Phase.TRIAGING, 1)


@pytest.mark.rule(5)
def test_a_symptom_that_seems_back_and_cannot_be_seen_is_for_a_human_at_once() -> None:
    world = too_quiet()
    world.values["errors"] = {}
    world.pass_time(minutes=1)
    assert (world.phase(), world.reason, world.runs) == (Phase.ESCALATED, "EvidenceUnavailable", [])


@pytest.mark.rule(5)
def test_a_symptom_that_comes_and_goes_is_for_a_human_and_not_triaged_for_ever() -> None:
    world = watched()
    for _ in range(4):
        world.values, world.now = leak(), world.now + timedelta(seconds=30)
        while world.phase() == Phase.VERIFYING:
            world.step()
        world.values = recovered()
        world.settle()
    assert (world.phase(), world.reason, world.runs) == (Phase.ESCALATED, "NotRecovered", [])
    assert world.incident.status.escalation is not None
    assert "comes and goes: it returned 4 times" in world.incident.status.escalation.message


@pytest.mark.rule(5)
def test_nothing_is_resolved_while_nobody_knows_whether_the_symptom_is_there() -> None:
    world = watched()
    del world.values["processes"]
    world.pass_time(minutes=16)
    assert (world.phase(), world.reason) == (Phase.ESCALATED, "VerificationUnavailable")


@pytest.mark.rule(5)
def test_a_service_that_is_unwell_at_the_first_looks_did_not_recover_and_is_told_at_once() -> None:
    world = watched()
    world.values["health"] = {"ok": False, "status": 503}
    world.pass_time(minutes=1)
    assert (world.phase(), world.reason) == (Phase.ESCALATED, "NotRecovered")
    escalation = world.incident.status.escalation
    assert escalation is not None
    assert escalation.message == (
        "the symptom cpuShort is not there, and yet at two samples in a row (03:08:10Z and 03:08:25Z) the service was "
        "unwell: healthy (health.json.status is not known, health.status = 503)"
    )
    assert "went away" not in escalation.message + escalation.human_action


@pytest.mark.rule(5)
def test_one_bad_look_at_the_beginning_is_not_yet_a_service_that_is_unwell() -> None:
    world = watched()
    world.values["health"] = {"ok": False, "status": 503}
    world.pass_time(seconds=12)
    world.values = recovered()
    world.pass_time(minutes=7)
    assert world.phase() == Phase.RESOLVED


@pytest.mark.rule(5)
def test_who_is_told_that_it_is_over_hears_what_was_seen_and_no_recovery() -> None:
    world = watched()
    world.pass_time(minutes=7)
    assert world.phase() == Phase.RESOLVED
    assert world.incident.status.verification is not None
    assert "symptom-absent" in [each.name for each in world.incident.status.verification.criteria]
    [resolved] = [each for each in world.incident.status.timeline if each.event == "Resolved"]
    assert resolved.details == "the symptom is not there, and all criteria held for 5m"


@pytest.mark.rule(5)
def test_a_criterion_of_the_runbook_that_has_the_same_name_is_judged_as_well() -> None:
    world = World(values=recovered() | {"health": {"ok": False, "status": 503}})
    world.runbook["spec"]["verify"]["criteria"].append({"name": "symptom-absent", "require": "health.ok"})
    world.settle()
    world.pass_time(minutes=7)
    assert world.reason == "NotRecovered"
