"""Verification that is kept from seeing, or is stopped: what is known is kept, and nothing more is claimed."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from firstresponder.api.incident import Phase
from tests.unit.incident.test_scale import scaled_out
from tests.unit.incident.world import World, host, recovered, restarted


@pytest.mark.rule(16)
def test_a_fix_whose_host_cannot_be_reached_afterwards_is_not_called_wrong() -> None:
    world = restarted()
    world.unreachable = {"api-gateway-03": "ConnectionRefused: sshd does not answer"}
    world.pass_time(minutes=16)
    status = world.incident.status
    assert status.escalation is not None
    assert (world.reason, status.escalation.to) == ("VerificationUnavailable", ["on-call"])
    assert status.sli is not None
    assert status.sli.fix_correct is None
    for word in ("cpu", "processes (processes on api-gateway-03)", "sshd does not answer"):
        assert word in status.escalation.message
    assert "did not help" not in status.escalation.human_action
    assert status.verification is not None
    assert status.verification.result == "Unavailable"
    assert status.verification.samples > 10


@pytest.mark.rule(16)
def test_a_service_that_is_seen_to_be_unwell_failed_though_something_else_is_unseen() -> None:
    world = restarted()
    del world.values["errors"]
    world.values["health"] = {"ok": False, "status": 503}
    world.pass_time(minutes=16)
    assert world.reason == "FixFailed"


@pytest.mark.rule(16)
def test_a_health_check_that_nothing_answers_was_seen_and_failed() -> None:
    world = restarted()
    world.values = recovered() | {"health": {"ok": False, "error": "ConnectionFailed"}}
    world.pass_time(minutes=16)
    assert world.reason == "FixFailed"


@pytest.mark.rule(16)
def test_an_operator_that_forgot_its_samples_looks_once_more_before_it_says_that_nobody_looked() -> None:
    world = restarted()
    world.pass_time(minutes=14, seconds=50)
    world.restart_operator()
    world.pass_time(minutes=1)
    assert world.reason == "FixFailed"


@pytest.mark.rule(16)
def test_no_rollback_is_offered_for_a_fix_of_which_nobody_knows_whether_it_helped() -> None:
    world = scaled_out()
    world.unreachable = dict.fromkeys(world.hosts, "no route to host")
    world.pass_time(minutes=16)
    assert (world.phase(), world.reason, len(world.runs)) == (Phase.ESCALATED, "VerificationUnavailable", 1)


def abort(world: World) -> None:
    world.patch(abort=True)


def lose_the_revision(world: World) -> None:
    world.revision_problem = "gone"


def lose_the_host(world: World) -> None:
    world.hosts = {}


def change_the_host(world: World) -> None:
    other = host()
    spec = other.spec.model_copy(update={"host_keys": ["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5DDDDD"]})
    world.hosts = {"api-gateway-03": other.model_copy(update={"spec": spec})}


@pytest.mark.parametrize("end", [abort, lose_the_revision, lose_the_host, change_the_host])
def test_verification_that_is_stopped_keeps_what_it_saw(end: Callable[[World], None]) -> None:
    world = restarted()
    world.pass_time(minutes=3)
    end(world)
    world.pass_time(minutes=1)
    verification = world.incident.status.verification
    assert world.phase() == Phase.ESCALATED
    assert verification is not None
    assert (verification.result, verification.samples > 5) == ("Stopped", True)
    assert {each.name: each.holds for each in verification.criteria}["cpu"] is False
    escalation = world.incident.status.escalation
    assert escalation is not None
    assert "cpu" in (escalation.verification_result or "")
    assert "no sample was taken" not in (escalation.verification_result or "")
