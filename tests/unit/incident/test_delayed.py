"""An order that could not be sent, or a host that could not be asked about it: reported at once, and ended truly."""

from __future__ import annotations

from datetime import timedelta

import pytest

from firstresponder.api.base import condition
from firstresponder.api.incident import Phase
from firstresponder.api.ledger import LedgerAnswer, LedgerState
from firstresponder.incident.plan import Seal, SendOrder
from tests.unit.incident.world import OTHER_BOOT, World, awaiting_approval

REFUSED = "AuthenticationFailed: fr-act@api-gateway-03: Permission denied"
LATER = "AuthenticationFailed: fr-act@api-gateway-03: the host refused this key less than 60 s ago"


def barred(error: str = REFUSED, *, uptime: int = 5001) -> LedgerAnswer:
    """What the observing account is told of an order that nothing is known of, while the acting one cannot log in."""
    world = World()
    return LedgerAnswer(state=LedgerState.ABSENT, boot=world.boot, uptime=uptime, error=error)


def approved(answer: LedgerAnswer) -> World:
    world = awaiting_approval()
    world.ledger = answer
    world.review("alice@example.com")
    world.settle()
    assert world.phase() == Phase.ACTING
    return world


def not_after(world: World) -> int:
    packet = world.incident.status.decision_packet
    assert packet is not None
    return packet.bound.orders[0].not_after_uptime


def test_the_first_error_is_reported_at_once_with_what_is_known_and_what_to_do() -> None:
    world = approved(barred())
    (event,) = [each for each in world.events if each.reason == "ActionDelayed"]
    assert event.warning
    assert f"has not begun on api-gateway-03: {REFUSED}. It is tried again until " in event.message
    assert "Mend the acting account" in event.message
    acted = condition(world.incident.status.conditions, "Acted")
    assert acted is not None
    assert (acted.status, acted.reason, acted.message) == ("Unknown", "Delayed", event.message)
    assert [each.details for each in world.incident.status.timeline if each.event == "ActionDelayed"] == [event.message]
    assert world.incident.status.attempts[0].first_error == REFUSED
    assert world.performed(SendOrder) == []


def test_later_errors_stand_beside_the_first_and_are_not_reported_one_by_one() -> None:
    world = approved(barred())
    for error in (LATER, LATER, REFUSED, LATER):
        world.ledger = barred(error)
        world.pass_time(seconds=4)
    (attempt,) = world.incident.status.attempts
    assert (attempt.first_error, attempt.last_error) == (REFUSED, LATER)
    assert [each.reason for each in world.events].count("ActionDelayed") == 1


def test_once_the_account_works_again_the_order_is_sent_and_runs() -> None:
    world = approved(barred())
    world.ledger = None
    world.pass_time(seconds=10)
    assert (world.phase(), len(world.runs)) == (Phase.VERIFYING, 1)


def test_an_order_that_is_known_to_run_is_no_longer_called_delayed() -> None:
    world = approved(LedgerAnswer(error="ConnectionLost: the answer was lost on the way"))
    world.ledger = LedgerAnswer(state=LedgerState.RUNNING, boot=world.boot)
    world.pass_time(seconds=4)
    acted = condition(world.incident.status.conditions, "Acted")
    assert acted is not None
    assert (acted.reason, acted.message) == ("Acting", "restart runs on api-gateway-03")


def test_when_by_its_own_uptime_the_host_would_refuse_it_by_now_it_never_ran() -> None:
    world = approved(barred())
    world.ledger = barred(LATER, uptime=not_after(world))
    world.pass_time(seconds=4)
    (attempt,) = world.incident.status.attempts
    assert (attempt.state, attempt.reason, world.reason) == ("Failed", "NeverRan", "ActionFailed")
    assert attempt.message == f"never ran: it expired before it could begin; at first it could not be sent: {REFUSED}"
    assert world.performed(Seal) == []


@pytest.mark.parametrize("hours", [1, 48])
def test_that_nothing_is_known_of_it_before_then_is_not_taken_for_never_ran(hours: int) -> None:
    world = approved(barred())
    world.ledger = barred(LATER, uptime=not_after(world) - 1)
    world.now += timedelta(hours=hours)
    world.pass_time(seconds=4)
    assert world.incident.status.attempts[0].state == "Started"


def test_in_another_boot_its_absence_says_nothing() -> None:
    world = approved(barred())
    world.ledger = LedgerAnswer(state=LedgerState.ABSENT, boot=OTHER_BOOT, uptime=10**9, error=LATER)
    world.pass_time(seconds=4)
    assert (world.reason, world.incident.status.attempts[0].reason) == ("Indeterminate", "HostRebooted")


def test_what_the_observing_account_is_told_of_its_end_is_its_end() -> None:
    world = approved(barred())
    world.ledger = world.finished(0, uptime=5009, error=LATER)
    world.pass_time(seconds=4)
    assert world.incident.status.attempts[0].state == "Succeeded"


def test_a_host_that_says_nothing_is_reported_at_once_and_the_first_error_outlives_the_last() -> None:
    world = approved(LedgerAnswer(error="HostKeyMismatch: another key"))
    assert [each.reason for each in world.events].count("ActionDelayed") == 1
    world.ledger = LedgerAnswer(error="TimedOut: no answer")
    world.pass_time(hours=2)
    assert world.reason == "Indeterminate"
    assert world.incident.status.escalation is not None
    text = "the host gave no usable answer in time: HostKeyMismatch: another key; lately: TimedOut: no answer"
    assert text in world.incident.status.escalation.message


def test_an_abort_while_it_cannot_be_sealed_ends_as_soon_as_it_can_be_known() -> None:
    world = approved(barred())
    world.patch(abort=True)
    world.pass_time(seconds=4)
    assert world.incident.status.attempts[0].state == "Started"
    world.ledger = barred(LATER, uptime=not_after(world))
    world.pass_time(seconds=4)
    assert (world.reason, world.incident.status.attempts[0].reason) == ("Aborted", "NeverRan")
