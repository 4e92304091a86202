"""Several orders under one approval: each begins only after the one before, and only while it is needed (rule 15)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from firstresponder.api.base import condition
from firstresponder.api.incident import AttemptState, Phase
from firstresponder.api.ledger import attempt_id
from firstresponder.incident.facts import Gate
from firstresponder.incident.plan import Consume, Observe, SendOrder
from tests.unit.incident.world import OTHER_BOOT, World, approved, awaiting_approval, disk_full, full, host

Change = Callable[[World], object]


def waiting() -> World:
    return awaiting_approval(runbook=disk_full(), values=full())


def approved_cleaning() -> World:
    return approved(runbook=disk_full(), values=full())


def after_the_first() -> World:
    """The first of two orders succeeded, and nothing was looked at since."""
    world = approved_cleaning()
    while not any(each.state == "Succeeded" for each in world.incident.status.attempts):
        world.step()
    assert world.phase() == Phase.ACTING
    return world


def events(world: World) -> list[str]:
    return [entry.event for entry in world.incident.status.timeline]


@pytest.mark.rule(15)
def test_the_packet_holds_an_order_for_each_method_that_is_called_for_and_no_other() -> None:
    packet = waiting().incident.status.decision_packet
    assert packet is not None
    assert packet.bound.proposed_action.methods == ["journald-vacuum", "logrotate-force"]
    assert [(order.action, order.arguments, order.attempt) for order in packet.bound.orders] == [
        ("journal-vacuum", ["604800"], 1),
        ("logrotate", ["/etc/logrotate.conf"], 2),
    ]
    assert packet.bound.until == "disk.usedPercent < 80"
    names = [each.name for each in packet.bound.preconditions]
    assert names == ["stranger", "symptom", "full", "journald-vacuum", "logrotate-force"]


@pytest.mark.rule(15)
@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda v: v["logs"].update(sharePercent=10.0), "PreconditionFailed"),
        (lambda v: v.pop("temp"), "EvidenceUnavailable"),
    ],
    ids=["none is needed", "one cannot be evaluated"],
)
def test_methods_that_are_not_called_for_or_unknown_lead_to_a_human(
    change: Callable[[dict[str, dict[str, object]]], object], reason: str
) -> None:
    values = full()
    change(values)
    world = World(runbook=disk_full(), values=values)
    world.settle()
    assert (world.reason, world.request) == (reason, None)


def test_a_target_that_is_met_already_proposes_nothing() -> None:
    runbook = disk_full()
    runbook["spec"]["actions"][0]["until"] = "disk.usedPercent < 99"
    world = World(runbook=runbook, values=full())
    world.settle()
    assert (world.reason, world.request) == ("PreconditionFailed", None)


def test_nobody_is_asked_for_what_the_host_could_not_claim() -> None:
    world = World(runbook=disk_full(), values=full(), no_order="/var is on a full file system: free some (df /var)")
    world.settle()
    assert (world.reason, world.request) == ("PreconditionFailed", None)
    assert world.incident.status.escalation is not None
    text = "api-gateway-03 cannot take an order: /var is on a full file system: free some (df /var)"
    assert text in world.incident.status.escalation.message


def test_what_the_host_can_no_longer_claim_is_not_begun() -> None:
    world = approved_cleaning()
    world.no_order = "/var is on a full file system"
    world.settle()
    assert (world.reason, world.runs, world.performed(Consume)) == ("PacketSuperseded", [], [])


@pytest.mark.rule(15)
def test_all_ids_are_consumed_once_and_each_order_starts_after_the_one_before_succeeded() -> None:
    world = approved_cleaning()
    states = []
    for _ in range(60):
        world.step()
        states.append([each.state.value for each in world.incident.status.attempts])
        if world.phase() == Phase.VERIFYING:
            break
    assert [each for n, each in enumerate(states) if n == 0 or each != states[n - 1]] == [
        [],
        ["Started"],
        ["Succeeded"],
        ["Succeeded", "Started"],
        ["Succeeded", "Succeeded"],
    ]
    packet = world.incident.status.decision_packet
    assert packet is not None
    ids = [attempt_id(order.text(packet.digest)) for order in packet.bound.orders]
    assert world.runs == ids
    assert [each.attempt_ids for each in world.performed(Consume) if isinstance(each, Consume)] == [tuple(ids)]
    assert [each.method for each in world.incident.status.attempts] == ["journald-vacuum", "logrotate-force"]


@pytest.mark.rule(15)
def test_everything_is_observed_afresh_between_two_orders() -> None:
    world = after_the_first()
    before = len(world.performed(Observe))
    world.settle()
    looks = world.performed(Observe)[before:]
    assert len(looks) == 1
    assert isinstance(looks[0], Observe)
    assert {probe.name for probe in looks[0].probes} == {"disk", "strangers"}
    assert looks[0].hosts == ("api-gateway-03",)


@pytest.mark.rule(15, 16)
def test_a_target_that_is_met_skips_the_rest_and_is_verified_from_the_end_of_the_last_order() -> None:
    world = after_the_first()
    ended = world.incident.status.attempts[0].completion_time
    world.now += timedelta(seconds=30)
    world.values["disk"]["usedPercent"] = 60.0
    world.settle()
    assert world.phase() == Phase.VERIFYING
    assert len(world.runs) == 1
    skipped = [entry.details for entry in world.incident.status.timeline if entry.event == "ActionSkipped"]
    assert len(skipped) == 1
    assert "logrotate-force" in skipped[0]
    world.pass_time(minutes=3)
    assert world.phase() == Phase.RESOLVED
    assert world.incident.status.verification is not None
    assert world.incident.status.verification.start_time == ended


@pytest.mark.rule(15)
@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda w: w.values.pop("disk"), "EvidenceUnavailable"),
        (lambda w: w.values["strangers"].update(hostCpuPercent=100.0), "SecurityIncident"),
        (lambda w: w.values.pop("strangers"), "EvidenceUnavailable"),
        (lambda w: w.patch(abort=True), "Aborted"),
        (lambda w: setattr(w, "boot", OTHER_BOOT), "PacketSuperseded"),
        (lambda w: w.unreachable.update({"api-gateway-03": "timed out"}), "EvidenceUnavailable"),
        (lambda w: w.review("dana@example.com", "Denied"), "PacketSuperseded"),
        (lambda w: setattr(w, "request", None), "PacketSuperseded"),
        (lambda w: setattr(w, "gate", Gate(safe=False, message="the binding is gone")), "PacketSuperseded"),
        (lambda w: setattr(w, "now", w.now + timedelta(minutes=31)), "ApprovalExpired"),
        (lambda w: setattr(w, "revision_problem", "its data does not match its digest"), "InvalidRunbook"),
        (
            lambda w: w.hosts.update(
                {"api-gateway-03": host().model_copy(update={"spec": _with_another_key(host().spec)})}
            ),
            "PacketSuperseded",
        ),
    ],
    ids=[
        "until unknown",
        "guard true",
        "guard unknown",
        "aborted",
        "rebooted",
        "silent",
        "denied",
        "request gone",
        "gate open",
        "too late",
        "revision changed",
        "another key",
    ],
)
def test_whatever_is_not_as_it_was_stops_before_the_next_order(change: Change, reason: str) -> None:
    world = after_the_first()
    change(world)
    world.settle()
    assert (world.reason, len(world.runs)) == (reason, 1)
    escalation = world.incident.status.escalation
    assert escalation is not None
    assert "stopped before logrotate-force" in escalation.message
    assert "free-disk-space (journald-vacuum) on api-gateway-03: Succeeded" in (escalation.attempted_fix or "")
    acted = condition(world.incident.status.conditions, "Acted")
    assert acted is not None
    assert acted.status == "False"


def _with_another_key(spec: object) -> object:
    return spec.model_copy(update={"host_keys": ["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5DDDDD"]})  # type: ignore[attr-defined]


def test_a_symptom_that_is_gone_does_not_stop_what_was_approved_for_a_lower_target() -> None:
    """What was approved is carried on until its target is met, though the disk is no longer full."""
    world = after_the_first()
    world.values["disk"]["usedPercent"] = 85.0
    world.settle()
    assert len(world.runs) == 2


@pytest.mark.rule(15)
@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ({"result": "exit-code", "exit_status": 70}, "ActionFailed"),
        ({"result": "exit-code", "exit_status": 75}, "Indeterminate"),
        ({"result": "timeout", "exit_status": None}, "Indeterminate"),
    ],
)
def test_a_failed_or_unknown_result_stops_and_nothing_after_it_begins(answer: dict[str, Any], reason: str) -> None:
    world = approved_cleaning()
    world.answer_to_order = world.finished(**answer)
    world.settle()
    assert world.reason == reason
    assert len(world.performed(SendOrder)) == 1
    assert len(world.incident.status.attempts) == 1


def failing(world: World, exit_status: int = 70) -> World:
    """Every order ends with that exit status from now on."""
    world.answer_to_order = world.finished(exit_status, output=("result=logrotate failed; freed 9000 bytes",))
    return world


def until_failed(world: World) -> World:
    while not any(each.state == "Failed" for each in world.incident.status.attempts):
        world.step()
    return world


@pytest.mark.rule(15)
def test_a_method_that_failed_and_reached_its_target_is_verified_and_its_result_stays_a_failure() -> None:
    world = until_failed(failing(approved_cleaning()))
    world.values["disk"]["usedPercent"] = 6.0
    world.settle()
    assert world.phase() == Phase.VERIFYING
    (attempt,) = world.incident.status.attempts
    assert (attempt.state, attempt.exit_code) == ("Failed", 70)
    acted = condition(world.incident.status.conditions, "Acted")
    assert acted is not None
    assert (acted.status, acted.reason) == ("True", "TargetMet")
    assert "exit status 70: logrotate failed; freed 9000 bytes; its target is met anyway" in acted.message
    assert any("logrotate failed" in event.message for event in world.events), "its result is not kept back"
    world.pass_time(minutes=20)
    assert (world.phase(), len(world.runs)) == (Phase.RESOLVED, 0)
    assert world.incident.status.sli is not None
    assert world.incident.status.sli.fix_correct is True
    assert world.incident.status.verification is not None
    assert world.incident.status.verification.start_time == attempt.completion_time


@pytest.mark.rule(15)
@pytest.mark.parametrize(
    ("change", "reason", "text"),
    [
        (lambda _: None, "ActionFailed", "its target is not met: "),
        (lambda w: w.values.pop("disk"), "ActionFailed", "its target cannot be evaluated: "),
        (lambda w: w.__setattr__("boot", OTHER_BOOT), "ActionFailed", "rebooted"),
        (lambda w: w.patch(abort=True), "Aborted", "exit status 70"),
        (lambda w: w.unreachable.update({"api-gateway-03": "no answer"}), "ActionFailed", "no answer"),
    ],
    ids=["not met", "not known", "rebooted", "aborted", "silent"],
)
def test_a_method_that_failed_short_of_its_target_goes_to_a_human_with_both(
    change: Change, reason: str, text: str
) -> None:
    world = until_failed(failing(approved_cleaning()))
    change(world)
    world.settle()
    assert world.reason == reason
    assert world.incident.status.escalation is not None
    assert "logrotate failed; freed 9000 bytes" in world.incident.status.escalation.message
    assert text in world.incident.status.escalation.message
    assert len(world.performed(SendOrder)) == 1


@pytest.mark.rule(15)
@pytest.mark.parametrize(("exit_status", "reason"), [(65, "ActionFailed"), (75, "Indeterminate")])
def test_what_was_refused_or_has_no_known_end_is_not_judged_by_the_target(exit_status: int, reason: str) -> None:
    world = failing(approved_cleaning(), exit_status)
    looks = len(world.performed(Observe))
    world.settle()
    assert world.reason == reason
    assert len(world.performed(Observe)) == looks + 1, "the look before the order, and none after it"


@pytest.mark.rule(15)
def test_a_guard_that_is_true_after_a_failure_follows_its_own_outcome() -> None:
    world = until_failed(failing(approved_cleaning()))
    world.values["strangers"]["hostCpuPercent"] = 100.0
    world.values["disk"]["usedPercent"] = 6.0
    world.settle()
    assert world.reason == "SecurityIncident"


def test_an_operator_that_crashes_after_any_step_goes_on_and_sends_no_order_twice() -> None:
    steps = 0
    while True:
        world = approved_cleaning()
        for _ in range(steps):
            world.step()
        done = world.phase() == Phase.VERIFYING
        world.restart_operator()
        world.settle()
        assert world.phase() == Phase.VERIFYING
        assert len(world.runs) == len(set(world.runs)) == 2
        assert len(world.performed(Consume)) == 1
        assert events(world).count("ActionStarted") == 2
        if done:
            break
        steps += 1
    assert steps > 10


def test_attempts_that_somebody_took_out_of_the_status_are_not_run_again() -> None:
    world = after_the_first()
    status = world.incident.status.model_copy(update={"attempts": []})
    world.incident = world.incident.model_copy(update={"status": status})
    world.settle()
    assert (world.reason, len(world.runs)) == ("Indeterminate", 1)


def test_an_attempt_that_did_not_succeed_is_never_followed_by_another() -> None:
    world = after_the_first()
    failed = world.incident.status.attempts[0].model_copy(update={"state": AttemptState.FAILED})
    status = world.incident.status.model_copy(update={"attempts": [failed]})
    world.incident = world.incident.model_copy(update={"status": status})
    world.settle()
    assert (world.reason, len(world.runs)) == ("Indeterminate", 1)


@pytest.mark.rule(14, 15)
@pytest.mark.parametrize("disk", [{"freeBytes": 200.0}, {}], ids=["met", "unknown"])
def test_before_the_first_order_the_target_must_be_known_not_to_be_met(disk: dict[str, float]) -> None:
    runbook = disk_full()
    runbook["spec"]["actions"][0]["until"] = "disk.freeBytes > 100"
    values = full()
    values["disk"]["freeBytes"] = 50.0
    world = awaiting_approval(runbook=runbook, values=values)
    world.review("alice@example.com")
    world.values["disk"] = {"usedPercent": 95.0, **disk}
    world.settle()
    assert (world.reason, world.runs) == ("PacketSuperseded", [])


def test_an_incident_that_is_being_deleted_begins_no_further_order() -> None:
    world = after_the_first()
    metadata = world.incident.metadata.model_copy(update={"deletion_timestamp": world.now})
    world.incident = world.incident.model_copy(update={"metadata": metadata})
    world.settle()
    assert (world.reason, len(world.runs)) == ("Aborted", 1)


@pytest.mark.parametrize(
    ("change", "word"),
    [
        (lambda w: w.values["logs"].update(sharePercent=20.0), "journald-vacuum is false now"),
        (lambda w: w.values["disk"].update(usedPercent=70.0), "diskFull is false now"),
    ],
)
def test_before_the_first_order_every_method_must_still_be_called_for(change: Change, word: str) -> None:
    world = approved_cleaning()
    change(world)
    world.settle()
    assert (world.reason, world.runs) == ("PacketSuperseded", [])
    assert world.incident.status.escalation is not None
    assert word in world.incident.status.escalation.message


def test_an_action_that_stopped_on_the_way_says_what_of_it_was_done() -> None:
    world = after_the_first()
    world.patch(abort=True)
    world.settle()
    acted = condition(world.incident.status.conditions, "Acted")
    assert acted is not None
    assert acted.message.startswith("partly done (free-disk-space (journald-vacuum)), then: stopped before")
