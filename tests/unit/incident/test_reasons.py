"""Every reason for which a human is told, as an incident really comes to it."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import yaml

from firstresponder.api.incident import Phase
from firstresponder.api.ledger import LedgerAnswer, LedgerState
from firstresponder.api.reasons import EscalationReason
from firstresponder.incident.plan import Observe
from firstresponder.incident.related import Fix, OtherIncident
from tests.unit.incident.world import (
    HIGH_CPU,
    OTHER_BOOT,
    START,
    World,
    action_class,
    approved,
    awaiting_approval,
    busy,
    control_node,
    high_cpu,
    host,
    incident,
    leak,
    recovered,
    restarted,
)


def ambiguous_runbook() -> World:
    playbook = yaml.safe_load((HIGH_CPU.parent / "service-unavailable.yaml").read_text())
    playbook["spec"]["match"]["types"].append("HighCPU")
    return World(playbook=playbook)


def ambiguous_cause() -> World:
    """Both hypotheses of high-cpu hold: out of memory, and no line that looks like an error."""
    return World(values=leak() | {"errors": {"count": 0, "mostRepeated": 0}})


def ambiguous_host() -> World:
    second = control_node()
    second = second.model_copy(update={"metadata": second.metadata.model_copy(update={"name": "control-2"})})
    return World(hosts={"api-gateway-03": host(), "control-1": control_node(), "control-2": second})


def unknown_cause() -> World:
    values = leak()
    values["processes"]["own"]["cpuSharePercent"] = values["processes"]["topUnit"]["cpuSharePercent"] = 30.0
    return World(values=values)


def without(name: str) -> World:
    return World(values={each: seen for each, seen in leak().items() if each != name})


def miner() -> World:
    values = leak()
    values["processes"]["list"].append({"unit": "", "names": [], "cpuPercent": 150.0, "kernelThread": False})
    return World(values=values)


def at_capacity() -> World:
    pool = {"api-gateway-03": host(), "control-1": control_node()}
    return World(values=busy() | {"replicas": {"count": 8, "max": 8}}, hosts=pool)


def failed_action() -> World:
    world = approved()
    world.answer_to_order = world.finished(70)
    return world


def rebooted_in_mid_action() -> World:
    world = approved()
    world.answer_to_order = LedgerAnswer(state=LedgerState.CLAIMED, boot=OTHER_BOOT, claim_boot=world.boot)
    return world


def without_help() -> World:
    world = restarted()
    world.pass_time(minutes=16)
    return world


def unseen() -> World:
    """The fix was carried out, and its host cannot be reached any more."""
    world = restarted()
    world.unreachable = {"api-gateway-03": "connection refused"}
    world.pass_time(minutes=16)
    return world


def not_recovered() -> World:
    values = recovered()
    values["health"]["status"] = 503
    world = World(values=values)
    world.pass_time(minutes=16)
    return world


def recurring() -> World:
    fix = Fix("high-cpu", "restart", "api-gateway.service", host().spec.host_keys[0])
    earlier = OtherIncident("high-cpu-0", "uid", Phase.RESOLVED, fix, ended=START, succeeded=True, fix_correct=True)
    return World(neighbours=(earlier,))


def denied() -> World:
    world = awaiting_approval()
    world.review("alice@example.com", "Denied", "not now")
    return world


def too_late() -> World:
    world = awaiting_approval()
    world.pass_time(minutes=31)
    return world


def changed_meanwhile() -> World:
    world = approved()
    world.boot = OTHER_BOOT
    return world


def observing() -> World:
    runbook = high_cpu()
    runbook["spec"]["mode"] = "Observe"
    return World(runbook=runbook)


COMES_TO: dict[EscalationReason, Callable[[], World]] = {
    EscalationReason.UNKNOWN_INCIDENT_TYPE: lambda: World(incident=incident(type="NobodyKnows")),
    EscalationReason.AMBIGUOUS_RUNBOOK: ambiguous_runbook,
    EscalationReason.AMBIGUOUS_ROOT_CAUSE: ambiguous_cause,
    EscalationReason.UNKNOWN_ROOT_CAUSE: unknown_cause,
    EscalationReason.EVIDENCE_UNAVAILABLE: lambda: without("processes"),
    EscalationReason.HOST_UNREACHABLE: lambda: World(unreachable={"api-gateway-03": "timed out"}),
    EscalationReason.AMBIGUOUS_HOST: ambiguous_host,
    EscalationReason.SECURITY_INCIDENT: miner,
    EscalationReason.PRECONDITION_FAILED: lambda: World(clock_offset=3600),
    EscalationReason.CAPACITY_LIMIT: at_capacity,
    EscalationReason.ACTION_CLASS_MISSING: lambda: World(classes={"other": action_class("other", "command")}),
    EscalationReason.ACTION_FAILED: failed_action,
    EscalationReason.INDETERMINATE: rebooted_in_mid_action,
    EscalationReason.FIX_FAILED: without_help,
    EscalationReason.VERIFICATION_UNAVAILABLE: unseen,
    EscalationReason.NOT_RECOVERED: not_recovered,
    EscalationReason.RECURRENCE: recurring,
    EscalationReason.APPROVAL_DENIED: denied,
    EscalationReason.APPROVAL_EXPIRED: too_late,
    EscalationReason.PACKET_SUPERSEDED: changed_meanwhile,
    EscalationReason.ABORTED: lambda: World(incident=incident(abort=True)),
    EscalationReason.MANUAL_ACTION_REQUIRED: observing,
    EscalationReason.INVALID_RUNBOOK: lambda: World(revision_problem="the revision fails its digest"),
}
"""Reason → a world in which an incident ends for it."""
RAN = {EscalationReason.FIX_FAILED, EscalationReason.VERIFICATION_UNAVAILABLE}
"""Reasons that come after an order was carried out; at all others nothing was."""


@pytest.mark.parametrize("reason", sorted(EscalationReason))
def test_an_incident_comes_to_each_reason_and_a_human_is_told_once_what_to_do(reason: EscalationReason) -> None:
    world = COMES_TO[reason]()
    world.settle()
    world.pass_time(minutes=5)
    assert (world.phase(), world.reason) == (Phase.ESCALATED, reason)
    escalation = world.incident.status.escalation
    assert escalation is not None
    assert escalation.message
    assert escalation.human_action
    assert escalation.to
    events = {(each.reason, each.dedup_key): each.message for each in world.events if each.reason == reason}
    (text,) = events.values()
    assert escalation.human_action in text
    assert bool(world.runs) is (reason in RAN)


@pytest.mark.rule(1)
def test_of_several_hosts_with_the_labels_of_a_role_none_is_picked() -> None:
    world = ambiguous_host()
    world.settle()
    assert world.incident.status.escalation is not None
    assert "control-1, control-2" in world.incident.status.escalation.message
    assert world.performed(Observe) == []


def test_no_reason_is_left_out() -> None:
    assert set(EscalationReason) == COMES_TO.keys()
