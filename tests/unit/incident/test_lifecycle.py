"""Whole incidents through the pure core, in a world in memory."""

from __future__ import annotations

from datetime import timedelta

import pytest

from firstresponder.api.approvalrequest import ApprovalRequest
from firstresponder.api.base import condition, is_true
from firstresponder.api.hosts import Host
from firstresponder.api.incident import IncidentStatus, Phase
from firstresponder.api.ledger import Moment, attempt_id
from firstresponder.incident.approval.packet import request_spec
from firstresponder.incident.facts import Gate
from firstresponder.incident.plan import CloseRequest, Consume, Observe, Seal, SendOrder
from tests.unit.incident.world import (
    CALM,
    OPERATOR,
    OTHER_BOOT,
    START,
    World,
    action_class,
    awaiting_approval,
    high_cpu,
    host,
    incident,
    leak,
    recovered,
)


def approved() -> World:
    world = awaiting_approval()
    world.review("alice@example.com", comment="go")
    return world


def test_a_leak_is_restarted_once_after_approval_and_resolved_after_a_sustained_window() -> None:
    world = approved()
    while world.phase() == Phase.AWAITING_APPROVAL:
        world.step()
    world.settle()
    assert world.phase() == Phase.VERIFYING
    world.values = recovered()
    world.pass_time(minutes=6)
    assert world.phase() == Phase.RESOLVED
    assert len(world.runs) == 1
    status = world.incident.status
    assert [entry.event for entry in status.timeline] == [
        "Detected",
        "TriageStarted",
        "TriageCompleted",
        "ApprovalRequested",
        "ApprovalGranted",
        "ActionStarted",
        "ActionCompleted",
        "VerificationPassed",
        "Resolved",
    ]
    assert status.sli is not None
    assert status.sli.mttd_seconds == 48
    assert status.sli.fix_correct is True
    for kind in ("Triaged", "Approved", "Acted", "Verified", "Resolved", "Closed"):
        assert is_true(status.conditions, kind), kind


def test_the_words_of_an_alert_come_into_the_timeline_without_secrets_and_control_characters() -> None:
    world = World(incident=incident(summary="CPU high \x1b[2J, login with password=hunter2"))
    world.settle()
    detected = world.incident.status.timeline[0]
    assert detected.details == "CPU high \\x1b[2J, login with password=[redacted]"


def test_the_packet_says_what_where_and_why() -> None:
    packet = awaiting_approval().incident.status.decision_packet
    assert packet is not None
    action = packet.bound.proposed_action
    assert (action.name, action.type, action.target, action.host) == (
        "restart",
        "restartUnit",
        "api-gateway.service",
        "api-gateway-03",
    )
    signals = [each.signal for each in packet.shown.evidence]
    assert "host CPU 97.5 % > 80 %" in signals
    assert "out of memory × 9 in the journal" in signals
    assert packet.bound.orders[0].timeout_seconds == 275
    assert packet.bound.expiration_time == START + timedelta(minutes=30)


def test_a_waiting_incident_writes_nothing() -> None:
    world = awaiting_approval()
    before = (world.status_writes, len(world.effects))
    for _ in range(5):
        world.settle()
    assert (world.status_writes, len(world.effects)) == before


def test_a_restart_of_an_alias_is_shown_and_ordered_by_the_units_own_name() -> None:
    values = leak()
    values["restart/unit"]["id"] = "api-gateway.service"
    world = awaiting_approval(incident=incident(service="gateway"), values=values)
    packet = world.incident.status.decision_packet
    assert packet is not None
    assert packet.bound.proposed_action.target == "api-gateway.service"
    assert packet.bound.orders[0].arguments[0] == "api-gateway.service"
    assert any(
        "gateway.service is another name of api-gateway.service" in each for each in packet.bound.proposed_action.notes
    )


@pytest.mark.rule(4)
def test_an_unexpected_process_goes_to_security_and_nothing_is_proposed() -> None:
    values = leak()
    stranger = {"pid": 4242, "command": "kworkerds", "commandLine": "./kworkerds -o pool", "parent": "sh (4200)"}
    place = {"unit": "session-3.scope", "names": ["session-3.scope"], "since": "2026-03-14T02:50:00Z"}
    values["processes"]["list"].append({**stranger, **place, "cpuPercent": 150.0, "kernelThread": False})
    world = World(values=values)
    world.settle()
    assert (world.phase(), world.reason) == (Phase.ESCALATED, "SecurityIncident")
    assert world.incident.status.escalation is not None
    assert world.incident.status.escalation.to == ["security"]
    message = world.incident.status.escalation.message
    assert all(str(told) in message for told in (*stranger.values(), *place["names"], place["since"]))
    assert "pid: 74" not in message, "the service's own process has nothing to do with it"
    assert world.request is None
    assert not world.performed(SendOrder)


def test_a_denial_ends_with_a_human_and_closes_the_request() -> None:
    world = awaiting_approval()
    world.review("alice@example.com", "Denied", "not during the sale")
    world.settle()
    assert world.reason == "ApprovalDenied"
    assert world.incident.status.escalation is not None
    assert "not during the sale" in world.incident.status.escalation.message
    assert [e.reason for e in world.performed(CloseRequest) if isinstance(e, CloseRequest)] == ["Denied"]
    assert world.runs == []


def test_an_escalation_whose_event_was_lost_in_a_crash_is_told_at_the_next_look() -> None:
    world = awaiting_approval()
    world.review("alice@example.com", "Denied")
    while world.phase() != Phase.ESCALATED:
        world.step()
    world.events.clear()  # the operator was killed after the status was saved
    world.restart_operator()
    world.settle()
    assert "ApprovalDenied" in [event.reason for event in world.events]
    world.events.clear()
    world.now += timedelta(hours=2)
    world.settle()
    assert world.events == []


def test_a_denial_beats_an_approval() -> None:
    world = awaiting_approval()
    world.review("alice@example.com")
    world.review("dana@example.com", "Denied")
    world.settle()
    assert (world.reason, world.runs) == ("ApprovalDenied", [])


def test_an_approval_that_comes_too_late_is_expired() -> None:
    world = awaiting_approval()
    world.now += timedelta(minutes=30)
    world.review("alice@example.com")
    world.settle()
    assert (world.reason, world.runs) == ("ApprovalExpired", [])


def test_two_required_approvals_need_two_people() -> None:
    world = World()
    spec = world.classes["restart-unit"].spec.model_copy(update={"required_approvals": 2})
    world.classes["restart-unit"] = world.classes["restart-unit"].model_copy(update={"spec": spec})
    world.settle()
    world.review("alice@example.com")
    world.settle()
    assert world.runs == []
    world.review("dana@example.com")
    world.settle()
    assert len(world.runs) == 1


@pytest.mark.rule(14, 21)
def test_a_parameter_patch_supersedes_the_packet_and_makes_one_new_one() -> None:
    world = awaiting_approval()
    first = world.incident.status.decision_packet
    world.patch(parameters={"cpuThreshold": 85})
    world.settle()
    second = world.incident.status.decision_packet
    assert world.phase() == Phase.AWAITING_APPROVAL
    assert first is not None
    assert second is not None
    assert first.digest != second.digest
    assert second.bound.parameters["cpuThreshold"] == "85"
    assert second.bound.orders[0].attempt == 2
    assert world.request is not None
    assert world.request.name.endswith("-2")


def test_every_packet_asks_for_its_approval_in_an_event_of_its_own() -> None:
    world = awaiting_approval()
    for threshold in (81, 82):
        world.patch(parameters={"cpuThreshold": threshold})
        world.settle()
    for reason, times in (("ApprovalRequested", 3), ("PacketSuperseded", 2)):
        occasions = [event.dedup_key for event in world.events if event.reason == reason]
        assert len(set(occasions)) == len(occasions) == times


@pytest.mark.rule(14, 21)
def test_a_parameter_patched_after_approval_runs_nothing_of_the_old_packet() -> None:
    world = approved()
    world.patch(parameters={"cpuThreshold": 85})
    world.settle()
    assert world.runs == []
    assert world.phase() == Phase.AWAITING_APPROVAL


@pytest.mark.rule(21)
@pytest.mark.parametrize(
    ("parameters", "word"),
    [({"nope": 1}, "nope"), ({"cpuThreshold": 101}, "maximum"), ({"window": "soon"}, "duration")],
)
def test_a_bad_parameter_is_refused_by_name_and_never_clamped(parameters: dict[str, object], word: str) -> None:
    world = World(incident=incident(parameters=parameters))
    world.settle()
    assert world.reason == "PreconditionFailed"
    assert world.incident.status.escalation is not None
    assert word in world.incident.status.escalation.message
    assert "spec.parameters." in world.incident.status.escalation.message


@pytest.mark.parametrize(
    ("label", "reason"), [("90", None), ("101", "PreconditionFailed"), ("high", "PreconditionFailed")]
)
def test_a_parameter_can_come_from_a_label_of_the_alert_and_is_checked_like_any_other(
    label: str, reason: str | None
) -> None:
    runbook = high_cpu()
    runbook["spec"]["parameters"][0]["fromAlertLabel"] = "threshold"
    world = World(runbook=runbook, incident=incident(alert={"name": "High", "labels": {"threshold": label}}))
    world.settle()
    assert world.reason == reason
    if reason is None:
        assert world.incident.status.parameters["cpuThreshold"] == "90"
        world.review("alice@example.com")
        world.settle()
        world.values = recovered()
        world.pass_time(minutes=6)
        assert world.phase() == Phase.RESOLVED


def test_an_abort_before_the_start_ends_without_a_run() -> None:
    world = approved()
    world.patch(abort=True)
    world.settle()
    assert (world.reason, world.runs) == ("Aborted", [])
    closed = condition(world.incident.status.conditions, "Closed")
    assert closed is not None
    assert closed.reason == "Aborted"


def test_an_abort_between_consumed_and_started_ends_without_a_run() -> None:
    world = approved()
    while not world.performed(Consume):
        world.step()
    world.patch(abort=True)
    world.settle()
    assert (world.reason, world.runs) == ("Aborted", [])


def test_an_abort_after_started_seals_an_order_that_never_arrived() -> None:
    world = approved()
    while world.phase() == Phase.AWAITING_APPROVAL:
        world.step()
    world.patch(abort=True)
    world.settle()
    assert world.performed(Seal)
    assert (world.reason, world.runs) == ("Aborted", [])
    assert world.incident.status.attempts[0].reason == "NeverRan"


@pytest.mark.parametrize("required", [1, 2], ids=["enough reviews", "not enough reviews yet"])
def test_reviews_that_were_there_while_the_approval_gate_was_open_never_count(required: int) -> None:
    runbook = high_cpu()
    runbook["spec"]["actions"][0]["approval"]["requiredApprovals"] = required
    world = awaiting_approval(runbook=runbook)
    world.gate = Gate(safe=False, message="the policy binding is gone")
    world.review("bob@example.com")
    world.settle()
    world.gate = Gate(safe=True)
    world.review("carol@example.com")
    world.settle()
    assert (world.reason, world.runs) == ("PacketSuperseded", [])
    found = condition(world.incident.status.conditions, "Approved")
    assert found is not None
    assert found.reason == "ApprovalGateUnsafe"
    assert found.message.endswith("the policy binding is gone")
    assert world.request is not None
    assert is_true(world.request.status.conditions, "Closed")


def test_a_denial_counts_whether_the_gate_holds_or_not() -> None:
    world = awaiting_approval()
    world.gate = Gate(safe=False, message="the policy binding is gone")
    world.review("bob@example.com", "Denied")
    world.settle()
    assert (world.reason, world.runs) == ("ApprovalDenied", [])


def test_the_gate_is_tested_after_the_last_look_at_the_host() -> None:
    world = approved()
    while not world.performed(Observe)[1:]:
        world.step()
    world.gate = Gate(safe=False, message="the policy binding is gone")
    world.settle()
    assert (world.reason, world.runs) == ("PacketSuperseded", [])


@pytest.mark.rule(14)
@pytest.mark.parametrize(
    "change",
    [
        lambda w: setattr(w, "boot", OTHER_BOOT),
        lambda w: w.values["processes"].update(CALM),
        lambda w: w.values.pop("processes"),
        lambda w: w.values["restart/unit"].update(invocationID="d" * 32),
        lambda w: w.unreachable.update({"api-gateway-03": "connection timed out"}),
        lambda w: setattr(w, "clock_offset", 61.0),
    ],
    ids=["rebooted", "symptom gone", "evidence gone", "unit restarted by somebody", "host silent", "clock off"],
)
def test_what_no_longer_fits_just_before_acting_is_superseded(change: object) -> None:
    world = approved()
    change(world)  # type: ignore[operator]
    world.settle()
    assert (world.reason, world.runs) == ("PacketSuperseded", [])
    assert world.request is not None
    closed = condition(world.request.status.conditions, "Closed")
    assert closed is not None
    assert closed.reason == "Superseded"


def test_a_revision_that_fails_its_digest_runs_nothing() -> None:
    world = approved()
    world.revision_problem = "ControllerRevision high-cpu-1: its data does not match its digest"
    world.settle()
    assert (world.reason, world.runs) == ("InvalidRunbook", [])


def test_a_runbook_edited_after_triage_does_not_change_what_is_approved() -> None:
    """The snapshot's revision is the pinned one: editing the catalogue leaves the packet alone."""
    world = awaiting_approval()
    digest = world.incident.status.decision_packet.digest  # type: ignore[union-attr]
    world.settle()
    assert world.incident.status.decision_packet.digest == digest  # type: ignore[union-attr]


def test_a_deleted_request_is_not_made_again() -> None:
    world = awaiting_approval()
    world.request = None
    world.settle()
    assert world.reason == "PacketSuperseded"
    assert world.request is None


def test_a_request_made_by_somebody_else_is_not_acted_on() -> None:
    world = approved()
    assert world.request is not None
    spec = world.request.spec.model_copy(update={"requested_by": "mallory@example.com"})
    world.request = world.request.model_copy(update={"spec": spec})
    world.settle()
    assert (world.reason, world.runs) == ("PacketSuperseded", [])


def test_a_request_that_was_closed_as_consumed_without_an_approval_runs_nothing() -> None:
    world = awaiting_approval()
    packet = world.incident.status.decision_packet
    assert packet is not None
    ids = tuple(attempt_id(order.text(packet.digest)) for order in packet.bound.orders)
    world._close("Consumed", "", ids)  # by somebody who may write the status of requests
    world.settle()
    assert (world.reason, world.runs) == ("PacketSuperseded", [])


def test_a_review_by_a_service_account_is_no_approval_even_where_it_could_be_written() -> None:
    world = awaiting_approval()
    world.review(OPERATOR)
    world.settle()
    assert (world.phase(), world.runs) == (Phase.AWAITING_APPROVAL, [])


def started_but_not_sent() -> World:
    world = approved()
    while world.phase() == Phase.AWAITING_APPROVAL:
        world.step()
    return world


@pytest.mark.parametrize("how", ["request deleted", "not approved", "denied", "not consumed", "packet changed"])
def test_a_started_attempt_without_its_approval_is_sealed_and_never_sent(how: str) -> None:
    world = started_but_not_sent()
    packet, request = world.incident.status.decision_packet, world.request
    assert packet is not None
    assert request is not None
    if how == "request deleted":
        world.request = None
    elif how == "not approved":
        world.request = request.model_copy(update={"spec": request.spec.model_copy(update={"reviews": {}})})
    elif how == "denied":
        world.review("dana@example.com", "Denied")
    elif how == "not consumed":
        world._close("Superseded", "")
    else:
        changed = packet.model_copy(update={"bound": packet.bound.model_copy(update={"rollback_plan": "none"})})
        status = world.incident.status.model_copy(update={"decision_packet": changed})
        world.incident = world.incident.model_copy(update={"status": status})
    world.settle()
    assert not world.performed(SendOrder)
    assert (world.reason, world.runs) == ("ActionFailed", [])
    assert world.incident.status.attempts[0].reason == "NeverRan"


def test_a_packet_changed_in_status_is_not_acted_on() -> None:
    world = approved()
    packet = world.incident.status.decision_packet
    assert packet is not None
    bound = packet.bound.model_copy(update={"rollback_plan": "none"})
    status = world.incident.status.model_copy(update={"decision_packet": packet.model_copy(update={"bound": bound})})
    world.incident = world.incident.model_copy(update={"status": status})
    world.settle()
    assert (world.reason, world.runs) == ("PacketSuperseded", [])


@pytest.mark.rule(5)
def test_a_symptom_gone_by_itself_is_verified_and_resolved_without_acting() -> None:
    world = World(values=recovered())
    world.settle()
    assert world.phase() == Phase.VERIFYING
    world.pass_time(minutes=6)
    assert world.phase() == Phase.RESOLVED
    assert world.request is None
    assert world.incident.status.sli is not None
    assert world.incident.status.sli.fix_correct is None


@pytest.mark.rule(1)
def test_triage_looks_at_what_an_action_needs_though_no_diagnostic_of_the_runbook_does() -> None:
    world = World()
    world.settle()
    (look,) = world.performed(Observe)
    assert isinstance(look, Observe)
    asked = {(probe.name, probe.host): probe.arguments for probe in look.probes}
    assert asked["restart/unit", "api-gateway-03"].wire() == {"unit": "api-gateway.service"}
    del world.values["restart/unit"]
    blind = World(values=world.values)
    blind.settle()
    assert blind.reason == "EvidenceUnavailable"


def test_a_look_takes_what_another_incident_asked_only_from_when_it_is_new_to_this_one() -> None:
    world = approved()
    world.settle()
    world.values = recovered()
    world.pass_time(minutes=6)
    assert world.phase() == Phase.RESOLVED
    looks = [look for look in world.performed(Observe) if isinstance(look, Observe)]
    triage, before_acting, first, *verifying = [look.since for look in looks]
    assert triage == START
    assert (before_acting, first) == (None, None), "when the action ended is told by the host's clock"
    samples = [each.time for each in world.incident.status.samples if each.stage == "Verification"]
    interval = timedelta(seconds=15)
    assert verifying == [time + interval / 2 for time in samples[:-1]]


def test_a_watch_without_an_action_shares_its_first_look_too_if_it_began_after_the_delay() -> None:
    world = World(values=recovered())
    world.settle()
    assert world.phase() == Phase.VERIFYING
    begin = world.incident.status.verification
    assert begin is not None
    world.pass_time(minutes=1)
    _triage, first, *_ = [look.since for look in world.performed(Observe) if isinstance(look, Observe)]
    assert first == begin.start_time + timedelta(seconds=10)


@pytest.mark.rule(16)
def test_while_verifying_nothing_is_read_from_before_the_end_of_the_action() -> None:
    world = approved()
    world.settle()
    looks = len(world.performed(Observe))
    world.values = recovered()
    world.pass_time(minutes=6)
    assert world.phase() == Phase.RESOLVED
    attempt = world.incident.status.attempts[0]
    assert attempt.end_clock is not None
    assert attempt.end_uptime is not None
    end = Moment(float(attempt.end_clock), float(attempt.end_uptime), attempt.boot)
    while_verifying = world.performed(Observe)[looks:]
    assert while_verifying
    assert {look.probes[0].not_before for look in while_verifying if isinstance(look, Observe)} == {end}


@pytest.mark.rule(5)
def test_a_symptom_gone_without_health_is_not_recovered() -> None:
    values = recovered()
    values["health"] = {"ok": False, "error": "ConnectionRefused"}
    world = World(values=values)
    world.settle()
    world.pass_time(minutes=16)
    assert world.reason == "NotRecovered"
    escalation = world.incident.status.escalation
    assert escalation is not None
    assert "Find out why the fix did not help" not in escalation.human_action


@pytest.mark.rule(5)
def test_a_runbook_says_what_to_do_where_the_symptom_is_gone_without_health() -> None:
    runbook = high_cpu()
    runbook["spec"]["verify"]["onFailure"] = {
        "escalate": {"reason": "NotRecovered", "to": ["dba"], "humanAction": "$(service) is not steadily well."},
        "recommendations": [{"to": ["on-call"], "text": "Watch $(service)."}],
    }
    world = World(runbook=runbook, values=recovered() | {"health": {"ok": False, "error": "ConnectionRefused"}})
    world.settle()
    world.pass_time(minutes=16)
    status = world.incident.status
    assert status.escalation is not None
    assert status.escalation.reason == "NotRecovered"
    assert status.escalation.to == ["dba"]
    assert status.escalation.human_action.startswith("api-gateway is not steadily well. To have it triaged again: ")
    assert [each.text for each in status.recommendations] == ["Watch api-gateway."]


@pytest.mark.rule(16)
def test_a_fix_that_does_not_help_is_escalated_with_the_unmet_criteria() -> None:
    world = approved()
    world.settle()
    world.pass_time(minutes=16)
    assert world.reason == "FixFailed"
    escalation = world.incident.status.escalation
    assert escalation is not None
    assert "cpu" in (escalation.verification_result or "")
    assert "restart on api-gateway-03: Succeeded" in (escalation.attempted_fix or "")
    assert len(world.runs) == 1


@pytest.mark.rule(16)
def test_an_operator_that_restarts_while_verifying_starts_the_window_anew() -> None:
    world = approved()
    world.settle()
    world.values = recovered()
    world.pass_time(minutes=4)
    world.restart_operator()
    world.pass_time(minutes=4)
    assert world.phase() == Phase.VERIFYING
    world.pass_time(minutes=2)
    assert world.phase() == Phase.RESOLVED
    assert len(world.runs) == 1


@pytest.mark.rule(21)
def test_parameters_patched_after_acting_change_nothing_and_that_is_said() -> None:
    world = approved()
    world.settle()
    world.values = recovered()
    world.patch(parameters={"cpuThreshold": 5})
    world.pass_time(minutes=6)
    assert world.phase() == Phase.RESOLVED
    assert "SpecChanged" in [entry.event for entry in world.incident.status.timeline]


@pytest.mark.rule(16)
@pytest.mark.parametrize("years", [30, -30])
def test_a_host_clock_that_jumped_does_not_move_the_verification(years: int) -> None:
    world = started_but_not_sent()
    clock = (world.now + timedelta(days=365 * years)).timestamp()
    world.ledger = world.finished(0, finished_at=f"{clock:.6f}")
    world.settle()
    world.values = recovered()
    world.pass_time(minutes=6)
    assert world.phase() == Phase.RESOLVED


def test_an_action_that_failed_is_not_verified() -> None:
    world = approved()
    world.answer_to_order = world.finished(70, output=("result=not restarted",))
    world.settle()
    assert world.reason == "ActionFailed"
    assert world.incident.status.attempts[0].exit_code == 70


def test_an_unreachable_target_escalates_at_once_with_what_was_tried() -> None:
    world = World(unreachable={"api-gateway-03": "connection timed out after 10 s"})
    world.settle()
    assert world.reason == "HostUnreachable"
    assert world.incident.status.escalation is not None
    assert "timed out" in world.incident.status.escalation.message


def test_a_runbook_in_observe_mode_proposes_word_for_word_and_never_asks() -> None:
    world = World()
    world.runbook["spec"]["mode"] = "Observe"
    world.settle()
    assert world.reason == "ManualActionRequired"
    assert world.incident.status.escalation is not None
    assert "would restart api-gateway.service on api-gateway-03" in world.incident.status.escalation.message
    packet = world.incident.status.decision_packet
    assert packet is not None
    assert packet.bound.orders[0].arguments[0] == "api-gateway.service"
    assert (world.request, world.incident.status.approval_request_ref, world.runs) == (None, None, [])
    world.settle()
    assert world.request is None


def test_a_missing_action_class_is_told_before_a_packet_exists() -> None:
    world = World()
    world.classes = {"other": world.classes["restart-unit"]}
    world.settle()
    assert world.reason == "ActionClassMissing"
    assert world.incident.status.decision_packet is None


def test_an_action_class_carries_only_the_types_that_it_lists() -> None:
    world = World()
    world.classes = {"restart-unit": action_class("restart-unit", "command")}
    world.settle()
    assert world.reason == "ActionClassMissing"
    assert world.incident.status.escalation is not None
    assert "ActionClass restart-unit does not list restartUnit" in world.incident.status.escalation.message
    assert (world.incident.status.decision_packet, world.request) == (None, None)


def test_a_packet_that_cannot_be_made_is_told_and_not_tried_for_ever() -> None:
    runbook = high_cpu()
    # Within its limit as it is written, and too long with the service's name in it.
    runbook["spec"]["actions"][0]["rollback"]["plan"] = "$(service)" * 200
    world = World(runbook=runbook)
    world.settle()
    assert (world.phase(), world.reason) == (Phase.ESCALATED, "InvalidRunbook")
    assert world.incident.status.escalation is not None
    assert "rollback_plan" in world.incident.status.escalation.message


def test_texts_that_grow_by_what_is_put_into_them_fit_where_they_are_kept() -> None:
    runbook = high_cpu()
    long = "$(service)" * 100
    hypothesis, action = runbook["spec"]["hypotheses"][0], runbook["spec"]["actions"][0]
    hypothesis["rootCause"]["summary"] = action["approval"]["prompt"] = long
    hypothesis["followUps"] = [{"type": "Ticket", "title": "$(service)" * 25}]
    hypothesis["then"]["recommendations"] = [{"to": ["on-call"], "text": long}]
    world = World(runbook=runbook, incident=incident(service="a" * 128))
    world.values["processes"]["top"]["unit"] = f"{'a' * 128}.service"
    world.settle()
    assert world.phase() == Phase.AWAITING_APPROVAL, world.incident.status.escalation
    status = world.incident.status
    assert IncidentStatus.model_validate(status.wire()) == status


def test_a_human_can_mark_a_fix_as_wrong_afterwards() -> None:
    world = approved()
    world.settle()
    world.values = recovered()
    world.pass_time(minutes=6)
    world.patch(fix_incorrect=True)
    world.settle()
    assert world.incident.status.sli is not None
    assert world.incident.status.sli.fix_correct is False


def test_from_apply_to_resolved_the_core_asks_for_at_most_eleven_writes() -> None:
    """Two of them tell people how far the verification is."""
    world = approved()
    world.settle()
    world.values = recovered()
    world.pass_time(minutes=6)
    assert world.phase() == Phase.RESOLVED
    writes = world.status_writes + sum(type(e).__name__ in {"Pin", "CreateRequest", "Consume"} for e in world.effects)
    assert writes <= 11


@pytest.mark.rule(2)
def test_evidence_too_big_for_the_status_counts_as_not_observed() -> None:
    values = leak()
    values["errors"] = {"count": 1, "mostRepeated": 1}
    values["oom"]["lines"] = ["x" * 1000] * 40
    world = World(values=values)
    world.settle()
    assert world.reason == "EvidenceUnavailable"
    (oom,) = [each for each in world.incident.status.evidence if each.name == "oom"]
    assert oom.unavailable is not None
    assert oom.unavailable.reason == "TooLarge"
    assert oom.values == {}


OTHER_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5BBBBB"


def with_keys(*keys: str) -> Host:
    """api-gateway-03 as somebody changed it."""
    before = host()
    return before.model_copy(update={"spec": before.spec.model_copy(update={"host_keys": list(keys)})})


@pytest.mark.parametrize("keys", [(OTHER_KEY,), (*host().spec.host_keys, OTHER_KEY)], ids=["replaced", "one added"])
def test_a_host_whose_pinned_keys_were_changed_after_the_start_is_not_believed(keys: tuple[str, ...]) -> None:
    world = approved()
    while world.phase() == Phase.AWAITING_APPROVAL:
        world.step()
    world.hosts["api-gateway-03"] = with_keys(*keys)
    world.settle()
    assert (world.phase(), world.runs) == (Phase.ACTING, [])
    world.pass_time(hours=1)
    assert world.reason == "Indeterminate"
    assert world.runs == []


def test_a_host_that_pins_a_further_key_after_the_approval_is_not_acted_on() -> None:
    world = approved()
    world.hosts["api-gateway-03"] = with_keys(*host().spec.host_keys, OTHER_KEY)
    world.settle()
    assert (world.reason, world.runs) == ("PacketSuperseded", [])


def test_another_machine_of_the_same_name_is_no_proof_of_the_fix() -> None:
    world = approved()
    world.settle()
    assert world.phase() == Phase.VERIFYING
    world.values = recovered()
    world.hosts["api-gateway-03"] = with_keys(OTHER_KEY)
    world.pass_time(minutes=6)
    assert world.reason == "EvidenceUnavailable"
    assert world.incident.status.sli is not None
    assert world.incident.status.sli.fix_correct is None


def test_an_incident_that_is_being_deleted_has_no_order_sent_any_more() -> None:
    world = started_but_not_sent()
    metadata = world.incident.metadata.model_copy(update={"deletion_timestamp": world.now})
    world.incident = world.incident.model_copy(update={"metadata": metadata})
    world.settle()
    assert not world.performed(SendOrder)
    assert world.incident.status.attempts[0].reason == "NeverRan"


@pytest.mark.rule(4)
def test_an_intruder_is_told_even_when_another_host_of_the_incident_cannot_be_reached() -> None:
    runbook = high_cpu()
    runbook["spec"]["roles"].append({"name": "database"})
    values = leak()
    values["processes"]["list"].append(
        {"unit": "session-3.scope", "names": ["session-3.scope"], "cpuPercent": 90.0, "kernelThread": False}
    )
    roles = [{"role": "target", "name": "api-gateway-03"}, {"role": "database", "name": "db-01"}]
    runbook["spec"]["diagnostics"].append({"name": "dbMemory", "role": "database", "memory": {}})
    world = World(
        runbook=runbook,
        values=values,
        incident=incident(hosts=roles),
        hosts={"api-gateway-03": host(), "db-01": host("db-01")},
        unreachable={"db-01": "connection timed out"},
    )
    world.settle()
    assert world.reason == "SecurityIncident"


def test_after_a_patch_nothing_of_the_superseded_packet_is_in_force() -> None:
    world = World(incident=incident(parameters={"window": "1m"}))
    world.settle()
    world.values = recovered()
    world.patch(parameters={"window": "10m"})
    world.settle()
    assert world.phase() == Phase.VERIFYING
    world.pass_time(minutes=5)
    assert world.phase() == Phase.VERIFYING
    world.pass_time(minutes=6)
    assert world.phase() == Phase.RESOLVED


@pytest.mark.rule(14)
def test_a_second_triage_forgets_the_cause_that_the_first_one_found() -> None:
    world = awaiting_approval()
    assert world.incident.status.root_cause is not None
    world.values["processes"]["list"].append(
        {"unit": "session-3.scope", "names": ["session-3.scope"], "cpuPercent": 90.0, "kernelThread": False}
    )
    world.patch(parameters={"window": "2m"})
    world.settle()
    assert world.reason == "SecurityIncident"
    assert world.incident.status.root_cause is None
    assert world.incident.status.follow_ups == []


def test_many_long_criteria_that_do_not_hold_are_still_a_fix_that_failed() -> None:
    runbook = high_cpu()
    long = " && ".join(f"processes.hostCpuPercent < {bound}.5" for bound in range(20, 80))
    runbook["spec"]["verify"]["criteria"] = [{"name": f"cpu-{n}", "require": long} for n in range(16)]
    world = awaiting_approval(runbook=runbook)
    world.review("alice@example.com")
    world.settle()
    world.pass_time(minutes=16)
    assert world.reason == "FixFailed"


DBA = {"to": ["dba"], "text": "Look at $(service)."}


@pytest.mark.rule(14)
def test_an_intruder_that_comes_between_triage_and_approval_goes_to_security() -> None:
    world = awaiting_approval()
    world.values["processes"]["list"].append(
        {"unit": "session-3.scope", "names": ["session-3.scope"], "cpuPercent": 90.0, "kernelThread": False}
    )
    world.review("alice@example.com")
    world.settle()
    escalation = world.incident.status.escalation
    assert escalation is not None
    assert (world.reason, world.runs) == ("SecurityIncident", [])
    assert escalation.to == ["security"]
    assert "guard unexpected-process" in escalation.message
    assert "became true after the packet was made" in escalation.message
    assert "possible compromise" in escalation.human_action
    assert world.request is not None
    closing = condition(world.request.status.conditions, "Closed")
    assert closing is not None
    assert closing.reason == "Superseded"


@pytest.mark.rule(14)
def test_a_guard_that_cannot_be_judged_just_before_acting_supersedes_the_packet() -> None:
    world = awaiting_approval()
    del world.values["processes"]["list"]
    world.review("alice@example.com")
    world.settle()
    assert (world.reason, world.runs) == ("PacketSuperseded", [])


@pytest.mark.parametrize("where", ["guard", "otherwise", "precondition", "onFailure"])
def test_what_is_recommended_beside_any_outcome_is_told(where: str) -> None:
    runbook = high_cpu()
    spec, values = runbook["spec"], leak()
    match where:
        case "guard":
            spec["guards"][0]["then"]["recommendations"] = [DBA]
            values["processes"]["list"].append(
                {"unit": "session-3.scope", "names": ["session-3.scope"], "cpuPercent": 90.0, "kernelThread": False}
            )
        case "otherwise":
            spec["otherwise"]["recommendations"] = [DBA]
            values["processes"]["own"]["cpuSharePercent"] = values["processes"]["topUnit"]["cpuSharePercent"] = 30.0
        case "precondition":
            over = {"escalate": {"reason": "CapacityLimit", "humanAction": "Judge."}, "recommendations": [DBA]}
            check = {"name": "room", "require": "memory.availableBytes < 1.0", "otherwise": over}
            spec["actions"][0]["preconditions"] = [check]
        case _:
            spec["verify"]["onFailure"]["recommendations"] = [DBA]
    world = World(runbook=runbook, values=values)
    world.settle()
    if where == "onFailure":
        world.review("alice@example.com")
        world.settle()
        world.pass_time(minutes=16)
    assert world.phase() == Phase.ESCALATED
    assert [each.text for each in world.incident.status.recommendations] == ["Look at api-gateway."]


@pytest.mark.rule(10)
def test_the_verdict_on_each_precondition_is_in_status() -> None:
    runbook = high_cpu()
    checks = [("loaded", "memory.availableBytes > 1.0"), ("room", "memory.availableBytes < 1.0")]
    runbook["spec"]["actions"][0]["preconditions"] = [{"name": name, "require": require} for name, require in checks]
    world = World(runbook=runbook)
    world.settle()
    assert world.reason == "PreconditionFailed"
    judged = [each for each in world.incident.status.hypotheses if each.kind == "Precondition"]
    assert [(each.name, each.verdict, each.runbook) for each in judged] == [
        ("loaded", "Holds", "high-cpu"),
        ("room", "Refuted", "high-cpu"),
    ]
    assert "memory.availableBytes" in judged[1].because


def test_a_packet_of_another_revision_than_the_pinned_one_is_not_acted_on() -> None:
    """Somebody who may write the status of incidents names a revision of the runbook without its guards."""
    world = approved()
    world.runbook = high_cpu()
    world.runbook["spec"]["guards"] = []
    world.settle()
    assert (world.reason, world.runs) == ("PacketSuperseded", [])


def test_a_packet_that_was_superseded_is_no_longer_in_status() -> None:
    world = awaiting_approval()
    world.values["processes"]["list"].append(
        {"unit": "session-3.scope", "names": ["session-3.scope"], "cpuPercent": 90.0, "kernelThread": False}
    )
    world.patch(parameters={"window": "2m"})
    world.settle()
    assert world.reason == "SecurityIncident"
    assert world.incident.status.decision_packet is None


def test_no_two_packets_of_an_incident_share_a_name_or_an_ordinal() -> None:
    world = awaiting_approval()
    names = set()
    for threshold in (81, 82, 83):
        assert world.request is not None
        names.add(world.request.name)
        world.patch(parameters={"cpuThreshold": threshold})
        world.settle()
    assert names == {"high-cpu-1-1", "high-cpu-1-2", "high-cpu-1-3"}


def test_a_parameter_patched_while_the_action_runs_is_said_to_come_too_late() -> None:
    world = started_but_not_sent()
    world.patch(parameters={"cpuThreshold": 85})
    world.settle()
    assert len(world.runs) == 1
    assert "SpecChanged" in [entry.event for entry in world.incident.status.timeline]


def test_a_machine_that_is_not_the_packets_is_asked_nothing_with_the_acting_key() -> None:
    world = started_but_not_sent()
    world.review("dana@example.com", "Denied")
    world.hosts["api-gateway-03"] = with_keys(OTHER_KEY)
    world.pass_time(hours=1)
    assert world.reason == "Indeterminate"
    assert not world.performed(SendOrder)
    assert not world.performed(Seal)


def test_people_are_asked_though_the_operator_died_before_it_could_tell_them() -> None:
    world = awaiting_approval()
    world.events.clear()
    world.restart_operator()
    world.settle()
    assert [event.reason for event in world.events] == ["ApprovalRequested"]


def left_behind() -> World:
    """The request of a deleted incident of the same name is still there."""
    world = World()
    while world.phase() != Phase.AWAITING_APPROVAL:
        world.step()
    packet, ref = world.incident.status.decision_packet, world.incident.status.approval_request_ref
    assert packet is not None
    assert ref is not None
    spec = request_spec(world.incident, packet, OPERATOR) | {"incidentRef": {"name": "high-cpu-1", "uid": "gone"}}
    world.request = ApprovalRequest.model_validate({"metadata": {"name": ref.name, "uid": "old"}, "spec": spec})
    return world


def test_the_request_of_a_deleted_incident_of_the_same_name_is_waited_out() -> None:
    world = left_behind()
    world.pass_time(seconds=20)
    assert world.phase() == Phase.AWAITING_APPROVAL
    world.request = None  # collected
    world.settle()
    assert world.request is not None
    assert world.request.spec.incident_ref.uid == world.incident.metadata.uid


def test_a_request_of_the_same_name_that_stays_is_not_taken_for_ours() -> None:
    world = left_behind()
    world.pass_time(minutes=2)
    assert (world.reason, world.runs) == ("PacketSuperseded", [])
