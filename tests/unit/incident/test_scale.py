"""Scaling a pool: the count is checked and bound, the dry run is shown and bound, the rollback is offered once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from firstresponder.api.base import condition
from firstresponder.api.incident import Phase
from firstresponder.api.ledger import LedgerAnswer, LedgerState, PreviewAnswer
from firstresponder.api.packet import DecisionPacket
from firstresponder.incident.approval.binding import digest_of
from firstresponder.incident.plan import CloseRequest, Observe, RunPreview, Seal, SendOrder
from tests.unit.incident.world import (
    BOOT,
    DIGEST,
    OTHER_BOOT,
    World,
    awaiting_approval,
    busy,
    control_node,
    dry_run,
    high_cpu,
    host,
    incident,
    recovered,
)

Change = Callable[[World], object]


def pool(**changes: Any) -> dict[str, Any]:
    hosts = {"api-gateway-03": host(), "control-1": control_node()}
    return {"values": busy(), "hosts": hosts, **changes}


def waiting(**changes: Any) -> World:
    return awaiting_approval(**pool(**changes))


def triaged(**changes: Any) -> World:
    world = World(**pool(**changes))
    world.settle()
    return world


def packet_in(world: World) -> DecisionPacket:
    packet = world.incident.status.decision_packet
    assert packet is not None
    return packet


def message(world: World) -> str:
    assert world.incident.status.escalation is not None
    return world.incident.status.escalation.message


def scaled_out() -> World:
    """Approved and applied: the inventory counts six now."""
    world = waiting()
    world.review("alice@example.com")
    world.settle()
    assert world.phase() == Phase.VERIFYING
    world.values["replicas"] = {"count": 6, "max": 8}
    return world


def offered() -> World:
    """The fix did not help, and the rollback is waiting for an approval."""
    world = scaled_out()
    world.pass_time(minutes=16)
    assert world.phase() == Phase.AWAITING_APPROVAL, world.incident.status.escalation
    return world


# What is proposed


def test_the_packet_binds_both_counts_and_the_very_arguments_that_were_run_dry() -> None:
    world = waiting()
    packet = packet_in(world)
    action = packet.bound.proposed_action
    assert (action.target, action.host, action.tool) == ("api-gateway", "control-1", "ansible-playbook")
    assert (action.current_count, action.desired_count) == (4, 6)
    what = ["playbooks/api-gateway.yml", "inventories/production", "scale", "api_gateway_instances"]
    arguments = [*what, "api_gateway", "4", "6"]
    (order,) = packet.bound.orders
    assert (order.action, order.arguments, order.timeout_seconds) == ("ansible-scale", [*arguments, DIGEST], 600)
    (dry,) = world.performed(RunPreview)
    assert isinstance(dry, RunPreview)
    assert (dry.host, dry.request.action, list(dry.request.arguments)) == ("control-1", "ansible-scale", arguments)
    (preview,) = packet.bound.preview
    assert (preview.host, preview.action, preview.incomplete) == ("control-1", "ansible-scale", False)
    assert preview.project == DIGEST
    assert "+instances: 6" in preview.text
    changed = preview.model_copy(update={"text": "nothing changes"})
    assert digest_of(packet.bound.model_copy(update={"preview": [changed]})) != packet.digest


def test_the_preview_is_not_run_again_before_acting() -> None:
    world = waiting()
    world.review("alice@example.com")
    world.settle()
    assert len(world.runs) == 1
    assert len(world.performed(RunPreview)) == 1


@pytest.mark.parametrize(
    ("answer", "word"),
    [
        (dry_run(skipped=2), "2 tasks were skipped"),
        (replace(dry_run(), truncated=True), "64 KiB"),
        (replace(dry_run(), output=("TASK [start]", "changed")), "no PLAY RECAP"),
        (replace(dry_run(), output=("x " * 500,) * 70 + dry_run().output), "64 KiB"),
    ],
    ids=["skipped", "cut by the host", "no recap", "longer than is kept"],
)
def test_a_preview_that_does_not_tell_all_is_called_incomplete(answer: PreviewAnswer, word: str) -> None:
    (preview,) = packet_in(waiting(preview=answer)).bound.preview
    assert preview.incomplete
    assert word in (preview.why or "")
    assert len(preview.text.encode()) <= 64 * 1024


def test_a_preview_is_stored_without_secrets_and_control_characters() -> None:
    output = ("+db_password: hunter2", "+motd: \x1b[2J", *dry_run().output)
    (preview,) = packet_in(waiting(preview=replace(dry_run(), output=output))).bound.preview
    assert "hunter2" not in preview.text
    assert "\x1b" not in preview.text


def test_the_line_at_which_a_host_cut_a_preview_is_not_shown_for_a_cut_secret_is_not_known_as_one() -> None:
    answer = replace(dry_run(), truncated=True, output=(*dry_run().output, "+key: AKIA0123456"))
    (preview,) = packet_in(waiting(preview=answer)).bound.preview
    assert "AKIA" not in preview.text


@pytest.mark.parametrize(
    ("answer", "word"),
    [
        (PreviewAnswer(boot=BOOT, result="exit-code", exit_status=2, output=("fatal: token=hunter2", "no")), "fatal"),
        (PreviewAnswer(boot=BOOT, result="timeout"), "timeout"),
        (PreviewAnswer(error="refused: the playbook sets check_mode"), "check_mode"),
        (PreviewAnswer(error="control-1: the answer was lost on the way"), "lost"),
        (replace(dry_run(), boot=OTHER_BOOT), "rebooted"),
        (replace(dry_run(), project=None), "what exactly its dry run was of: prepare it again"),
    ],
)
def test_a_preview_that_fails_proposes_nothing_and_tells_why(answer: PreviewAnswer, word: str) -> None:
    world = triaged(preview=answer)
    assert (world.reason, world.request, world.incident.status.decision_packet) == ("PreconditionFailed", None, None)
    assert word in message(world)
    assert "hunter2" not in message(world)


def test_a_control_node_that_declares_no_preview_is_asked_for_none() -> None:
    world = triaged(previews=())
    assert (world.reason, world.performed(RunPreview)) == ("PreconditionFailed", [])
    assert "preview of ansible-scale" in message(world)


def test_a_control_node_that_does_not_declare_the_action_is_not_asked_for_a_preview() -> None:
    world = triaged(declared=("restart-unit",))
    assert (world.reason, world.performed(RunPreview)) == ("PreconditionFailed", [])


@pytest.mark.rule(11)
@pytest.mark.parametrize(
    ("replicas", "reason"),
    [
        ({"count": 7, "max": 8}, "CapacityLimit: the pool may have 1 to 8 instances, not 9"),
        ({"count": 8, "max": 8}, "CapacityLimit: the pool may have 1 to 8 instances, not 10"),
        ({"count": 4.5, "max": 8}, "CapacityLimit: 6.5 is not a whole number of instances"),
        ({"count": 4}, "EvidenceUnavailable"),
        ({"max": 8}, "EvidenceUnavailable"),
    ],
)
def test_a_count_out_of_bounds_or_unknown_is_never_clamped(replicas: dict[str, float], reason: str) -> None:
    values = busy()
    values["replicas"] = replicas
    world = triaged(values=values)
    assert f"{world.reason}: {message(world)}".startswith(reason)
    assert world.performed(RunPreview) == []


@pytest.mark.rule(1)
def test_a_role_without_a_host_escalates_only_when_the_winner_needs_it() -> None:
    world = triaged(hosts={"api-gateway-03": host()})
    assert world.reason == "HostUnreachable"
    assert "no Host has the labels firstresponder.dev/role=control-node" in message(world)
    assert awaiting_approval().phase() == Phase.AWAITING_APPROVAL  # a restart does not need it


@pytest.mark.rule(1)
def test_a_control_node_that_is_silent_escalates_only_when_the_winner_needs_it() -> None:
    world = triaged(unreachable={"control-1": "connection timed out"})
    assert world.reason == "HostUnreachable"


def test_a_clock_that_runs_on_while_a_long_preview_runs_is_not_taken_for_a_skew() -> None:
    world = World(**pool())
    while not world.performed(RunPreview):
        world.step()
    world.now += timedelta(seconds=100)
    world.settle()
    assert world.phase() == Phase.AWAITING_APPROVAL


# Just before acting


@pytest.mark.rule(14)
@pytest.mark.parametrize(
    "change",
    [
        lambda w: w.values["replicas"].update(count=5),
        lambda w: w.values.pop("replicas"),
        lambda w: w.values["errors"].update(count=1),
    ],
    ids=["somebody scaled", "count unknown", "the cause does not hold"],
)
def test_what_no_longer_fits_just_before_scaling_is_superseded(change: Change) -> None:
    world = waiting()
    world.review("alice@example.com")
    change(world)
    world.settle()
    assert (world.reason, world.runs) == ("PacketSuperseded", [])


@pytest.mark.rule(14)
def test_the_same_count_is_a_precondition_that_the_approver_reads() -> None:
    requirements = {each.name: each.require for each in packet_in(waiting()).bound.preconditions}
    assert requirements["count-unchanged"] == "(replicas.count) == 4.0"


# Observe


def test_in_observe_mode_the_preview_is_run_and_nobody_is_asked() -> None:
    runbook = high_cpu()
    runbook["spec"]["mode"] = "Observe"
    world = triaged(runbook=runbook)
    assert (world.reason, world.request) == ("ManualActionRequired", None)
    assert packet_in(world).bound.preview[0].text
    assert "scale api-gateway on control-1: 4 → 6 instances" in message(world)


# The rollback


def test_a_fix_that_did_not_help_is_told_at_once_and_its_inverse_is_offered_by_a_packet_of_its_own() -> None:
    world = offered()
    status = world.incident.status
    assert "VerificationFailed" in [entry.event for entry in status.timeline]
    assert "FixFailed" in [event.reason for event in world.events]
    assert status.sli is not None
    assert status.sli.fix_correct is False
    packet = packet_in(world)
    action = packet.bound.proposed_action
    assert (action.current_count, action.desired_count) == (6, 4)
    assert packet.bound.undoes == status.attempts[0].id
    assert packet.bound.orders[0].arguments[-3:] == ["6", "4", DIGEST]
    assert packet.bound.orders[0].attempt == 2
    assert [each.name for each in packet.bound.preconditions] == ["unexpected-process", "count-unchanged"]
    assert packet.bound.preconditions[1].require == "(replicas.count) == 6.0"
    assert packet.bound.verification is None
    assert packet.bound.preview
    assert world.request is not None
    assert world.request.name == "high-cpu-1-2"
    assert len(world.runs) == 1
    assert len(world.performed(RunPreview)) == 2


def test_an_approved_way_back_is_gone_once_and_the_incident_ends_with_the_failure() -> None:
    world = offered()
    before = len(world.performed(Observe))
    world.review("alice@example.com")
    world.settle()
    assert (world.phase(), world.reason) == (Phase.ESCALATED, "FixFailed")
    assert len(world.runs) == 2
    (look,) = world.performed(Observe)[before:]
    assert isinstance(look, Observe)
    assert sorted(probe.name for probe in look.probes) == ["processes", "replicas"]
    assert "rollback: undo scale-out on control-1 succeeded" in message(world)
    escalation = world.incident.status.escalation
    assert escalation is not None
    assert "undo scale-out on control-1: Succeeded" in (escalation.attempted_fix or "")
    assert "cpu" in (escalation.verification_result or "")
    assert [entry.event for entry in world.incident.status.timeline][-2:] == ["RollbackEnded", "Escalated"]
    assert [event.reason for event in world.events].count("RollbackEnded") == 1


def _failing(world: World) -> None:
    world.review("alice@example.com")
    world.answer_to_order = world.finished(70)


def _approved_but(change: Change) -> Change:
    def both(world: World) -> None:
        world.review("alice@example.com")
        change(world)

    return both


@pytest.mark.parametrize(
    ("change", "word", "runs", "closed"),
    [
        (
            lambda w: w.review("alice@example.com", "Denied", "leave it"),
            "ApprovalDenied: the action undo scale-out of api-gateway on control-1 was denied by alice",
            1,
            "Denied",
        ),
        (lambda w: setattr(w, "now", w.now + timedelta(minutes=31)), "ApprovalExpired", 1, "Expired"),
        (lambda w: w.patch(abort=True), "Aborted", 1, "Superseded"),
        (
            _approved_but(lambda w: w.values["replicas"].update(count=7)),
            "PacketSuperseded: there are 7 instances now, not 6",
            1,
            "Superseded",
        ),
        (
            _approved_but(lambda w: w.values.pop("replicas")),
            "PacketSuperseded: current count of scale-out is unknown",
            1,
            "Superseded",
        ),
        (
            _approved_but(lambda w: setattr(w, "boot", OTHER_BOOT)),
            "PacketSuperseded: control-1 rebooted",
            1,
            "Superseded",
        ),
        (lambda w: setattr(w, "request", None), "PacketSuperseded: ApprovalRequest high-cpu-1-2 was deleted", 1, None),
        (
            _failing,
            "ActionFailed: the action undo scale-out of api-gateway on control-1 failed: exit status 70. The pool had "
            "6 instances and was to have 4; how many it has now was not checked",
            1,
            None,
        ),
    ],
    ids=["denied", "expired", "aborted", "scaled by somebody", "count unknown", "rebooted", "request gone", "failed"],
)
def test_whatever_becomes_of_the_way_back_the_failure_stays_the_reason_and_its_end_is_told(
    change: Change, word: str, runs: int, closed: str | None
) -> None:
    world = offered()
    change(world)
    world.settle()
    assert (world.phase(), world.reason, len(world.runs)) == (Phase.ESCALATED, "FixFailed", runs)
    assert "not verified within 15m" in message(world)
    assert f"; rollback: {word}" in message(world)
    assert [e.reason for e in world.performed(CloseRequest) if isinstance(e, CloseRequest)] == (
        [closed] if closed else []
    )
    ended = condition(world.incident.status.conditions, "Closed")
    assert ended is not None
    assert (ended.reason, ended.message) == ("Escalated", "FixFailed")


@pytest.mark.parametrize(
    ("change", "word"),
    [
        (lambda w: setattr(w, "preview", PreviewAnswer(error="refused: busy")), "refused: busy"),
        (lambda w: w.values["replicas"].update(count=5), "there are 5 instances now, not 6"),
        (lambda w: w.values["replicas"].update(max=3), "the pool may have 1 to 3 instances, not 4"),
        (
            lambda w: w.unreachable.update({"control-1": "timed out"}),
            "scale-out needs control-1, and nothing could be observed there: timed out",
        ),
        (lambda w: w.classes.clear(), "there is no ActionClass ansible-scale"),
        (lambda w: setattr(w, "revision_problem", "it is gone"), "it is gone"),
    ],
    ids=["preview refused", "scaled by somebody", "bounds", "silent", "class gone", "revision gone"],
)
def test_a_way_back_that_cannot_be_offered_is_told_and_the_incident_ends(change: Change, word: str) -> None:
    world = scaled_out()
    while world.incident.status.escalation is None:
        world.step()
        world.now += timedelta(seconds=5)
    change(world)
    world.settle()
    assert (world.phase(), world.reason, len(world.runs)) == (Phase.ESCALATED, "FixFailed", 1)
    assert "not offered" in message(world)
    assert word in message(world)


def test_without_offer_inverse_a_failed_fix_escalates_at_once() -> None:
    runbook = high_cpu()
    del runbook["spec"]["actions"][1]["rollback"]["offerInverse"]
    world = waiting(runbook=runbook)
    world.review("alice@example.com")
    world.settle()
    world.pass_time(minutes=16)
    assert (world.phase(), world.reason) == (Phase.ESCALATED, "FixFailed")
    assert len(world.performed(RunPreview)) == 1


def test_parameters_patched_while_the_way_back_is_on_offer_do_not_triage_again() -> None:
    world = offered()
    before = packet_in(world)
    world.patch(parameters={"cpuThreshold": 85})
    world.settle()
    assert (world.phase(), packet_in(world)) == (Phase.AWAITING_APPROVAL, before)
    world.review("alice@example.com")
    world.settle()
    assert (world.reason, len(world.runs)) == ("FixFailed", 2)


def test_an_operator_that_crashes_anywhere_on_the_way_back_tells_and_goes_it_once() -> None:
    steps = 0
    while True:
        world = scaled_out()
        world.pass_time(minutes=14, seconds=59)
        world.now += timedelta(seconds=2)
        for _ in range(steps):
            if world.phase() == Phase.AWAITING_APPROVAL and world.request and not world.request.spec.reviews:
                world.review("alice@example.com")
            world.step()
        done = world.phase() == Phase.ESCALATED
        world.restart_operator()
        world.events.clear()
        world.settle()
        if world.phase() == Phase.AWAITING_APPROVAL:
            world.review("alice@example.com")
            world.settle()
        assert (world.phase(), world.reason) == (Phase.ESCALATED, "FixFailed")
        assert len(world.runs) == len(set(world.runs)) == 2
        assert "FixFailed" in [event.reason for event in world.events]
        if done:
            break
        steps += 1
    assert steps > 8


def test_a_fix_that_helped_needs_no_way_back() -> None:
    world = scaled_out()
    world.values = recovered() | {"replicas": {"count": 6, "max": 8}}
    world.pass_time(minutes=6)
    assert world.phase() == Phase.RESOLVED
    assert len(world.performed(SendOrder)) == 1


def test_an_incident_about_another_service_scales_that_one() -> None:
    values = busy()
    world = waiting(incident=incident(service="pay-roll"), values=values)
    assert packet_in(world).bound.orders[0].arguments[3] == "pay_roll_instances"


def intruder(world: World) -> None:
    world.values["processes"]["list"].append(
        {"unit": "session-3.scope", "names": ["session-3.scope"], "cpuPercent": 90.0, "kernelThread": False}
    )


def security_is_told(world: World) -> bool:
    """Beside those whom the failed fix concerns."""
    escalation = world.incident.status.escalation
    assert escalation is not None
    return escalation.to == ["on-call", "security"] and "possible compromise" in escalation.human_action


def test_the_way_back_is_not_gone_while_a_guard_speaks_against_it() -> None:
    world = offered()
    world.review("alice@example.com")
    intruder(world)
    world.settle()
    assert (world.reason, len(world.runs)) == ("FixFailed", 1)
    assert "rollback: SecurityIncident: guard unexpected-process" in message(world)
    assert security_is_told(world)


def test_the_way_back_is_not_offered_while_a_guard_speaks_against_it() -> None:
    world = scaled_out()
    intruder(world)
    world.pass_time(minutes=16)
    assert (world.reason, len(world.runs)) == ("FixFailed", 1)
    assert "rollback: SecurityIncident: not offered: guard unexpected-process" in message(world)
    assert security_is_told(world)


def busy_for(**span: float) -> World:
    """Approved and started; for so long another action ran on the control node."""
    world = waiting()
    world.review("alice@example.com")
    world.answer_to_order = LedgerAnswer(state=LedgerState.ABSENT, boot=BOOT, refused="busy")
    world.settle()
    world.pass_time(**span)
    world.answer_to_order = None
    return world


def test_an_order_that_had_to_wait_is_judged_anew_before_it_is_sent() -> None:
    world = busy_for(minutes=10)
    world.pass_time(minutes=1)
    assert len(world.runs) == 1
    assert world.phase() == Phase.VERIFYING


@pytest.mark.parametrize(
    ("change", "reason", "word"),
    [
        (lambda w: w.values["replicas"].update(count=8.0), "PacketSuperseded", "8"),
        (intruder, "SecurityIncident", "guard unexpected-process"),
    ],
    ids=["the pool has another size", "an intruder"],
)
def test_an_order_that_had_to_wait_until_it_no_longer_fitted_is_sealed(change: Change, reason: str, word: str) -> None:
    world = busy_for(minutes=10)
    change(world)
    world.pass_time(minutes=1)
    assert (world.reason, world.runs) == (reason, [])
    assert world.performed(Seal)
    assert world.incident.status.attempts[0].reason == "NeverRan"
    assert word in message(world)


def test_an_order_whose_operator_was_away_is_judged_anew_before_it_is_sent() -> None:
    world = waiting()
    world.review("alice@example.com")
    while world.phase() == Phase.AWAITING_APPROVAL:
        world.step()
    world.restart_operator()
    world.now += timedelta(minutes=5)
    world.values["replicas"].update(count=8.0)
    world.settle()
    assert (world.reason, world.runs) == ("PacketSuperseded", [])
