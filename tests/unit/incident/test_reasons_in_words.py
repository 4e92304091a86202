"""Every reason of escalation in three real cases or more, and the very words that a person reads in each.

The words stand in ``reasons_in_words.txt``, to be read as a page by whoever judges the prose. After a change of words:
``APPROVE_WORDS=1 .venv/bin/pytest tests/unit/incident/test_reasons_in_words.py``, and read the difference.
"""

from __future__ import annotations

import io
import os
import re
import shlex
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from firstresponder.api.actionclass import ActionClass, ExpiryBounds
from firstresponder.api.escalationpolicy import EscalationPolicySpec
from firstresponder.api.incident import ONCE_MORE, Escalation, Phase
from firstresponder.api.ledger import LedgerAnswer, LedgerState
from firstresponder.api.reasons import EscalationReason
from firstresponder.cli.plugins.incident import main
from firstresponder.cli.views.incident import incident_view
from firstresponder.incident.facts import Gate
from firstresponder.incident.phases.escalation import escalation_event
from firstresponder.incident.related import Fix, OtherIncident
from firstresponder.reporting.report import report_of
from tests.unit.incident.test_command import FLUSH
from tests.unit.incident.test_command import runbook as command_runbook
from tests.unit.incident.test_delayed import barred
from tests.unit.incident.test_playbook import BUSY, STARVED, unavailable
from tests.unit.incident.test_reasons import COMES_TO, ambiguous_host
from tests.unit.incident.test_scale import offered, pool, scaled_out
from tests.unit.incident.world import (
    HIGH_CPU,
    OTHER_BOOT,
    START,
    World,
    action_class,
    approved,
    awaiting_approval,
    control_node,
    disk_full,
    dry_run,
    full,
    high_cpu,
    host,
    incident,
    leak,
    recovered,
    restarted,
)

PAGE = Path(__file__).with_name("reasons_in_words.txt")
GATEWAY, CONTROL = "api-gateway-03", "control-1"
REFUSED = f"fr-observe@{GATEWAY}: [Errno 111] Connection refused"
NO_ANSWER = f"fr-observe@{GATEWAY}: no answer within 10 s"
OTHER_KEY = (
    f"fr-observe@{GATEWAY}: the host's key is not one of the pinned keys: Host key is not trusted for host 10.0.0.3. "
    "Find out why before you change anything: the host was reinstalled, or somebody is in between. Nothing was sent "
    "to it."
)
BARRED = f"AuthenticationFailed: fr-act@{GATEWAY}: Permission denied"
DOWN = {"loadState": "loaded", "activeState": "failed", "subState": "failed", "result": "exit-code"}
SYSTEMDS = ["api-gateway.service: Main process exited, code=exited", "Failed to start api-gateway.service - The API."]


@dataclass(frozen=True)
class Case:
    """One way to a reason."""

    reason: EscalationReason
    name: str
    world: World

    @property
    def escalation(self) -> Escalation:
        found = self.world.incident.status.escalation
        assert found is not None, f"{self.name}: {self.world.phase()}"
        return found


# How a world comes to its end


def after(world: World, change: Callable[[World], object] = lambda _: None, **span: float) -> World:
    """The world after something happened, and that time."""
    change(world)
    world.pass_time(**span or {"minutes": 1})
    return world


def with_values(**values: dict[str, Any]) -> World:
    """The leak, seen otherwise: what is given for a diagnostic replaces these fields of it."""
    seen = leak()
    for name, fields in values.items():
        seen[name] = seen.get(name, {}) | fields
    return World(values=seen)


def with_runbook(change: Callable[[dict[str, Any]], object], **changes: Any) -> World:
    document = high_cpu()
    change(document["spec"])
    return World(runbook=document, **changes)


def acting(answer: Callable[[World], LedgerAnswer], world: World | None = None) -> World:
    """The approved action comes to that end, and its unit is down."""
    world = world or approved()
    world.answer_to_order = answer(world)
    world.values |= {"restart/journal": {"count": 4, "lines": ["cannot bind to port 8080", "Giving up", *SYSTEMDS]}}
    while not world.incident.status.attempts:
        world.step()
    world.values["restart/unit"] = DOWN
    return after(world)


def asked(answer: Callable[[World], LedgerAnswer], change: Callable[[World], object] = lambda _: None) -> World:
    """From the moment of approval on the host answers so about the attempt."""
    world = approved()
    world.ledger = answer(world)
    world.settle()
    return after(world, change, minutes=40)


def commanded() -> World:
    return approved(runbook=command_runbook(FLUSH))


def cleaning(**changes: Any) -> World:
    return approved(runbook=disk_full(), values=full(), **changes)


def after_the_first(change: Callable[[World], object]) -> World:
    """The first of two methods succeeded; then something happens."""
    world = cleaning()
    while not any(each.state == "Succeeded" for each in world.incident.status.attempts):
        world.step()
    return after(world, change)


def gone(world: World, why: str = NO_ANSWER, reason: str = "TimedOut") -> World:
    world.unreachable, world.unreachable_reason = {GATEWAY: why}, reason
    return world


def no_answer_from(name: str) -> dict[str, Any]:
    return {"unreachable": {name: f"fr-observe@{name}: no answer within 10 s"}, "unreachable_reason": "TimedOut"}


def blind(**unavailable: tuple[str, str]) -> World:
    return World(unavailable=unavailable)


def miner(world: World) -> None:
    world.values["processes"]["list"].append(
        {"unit": "", "names": [], "pid": 4711, "command": "xmrig", "cpuPercent": 150.0, "kernelThread": False}
    )


def other_machine(world: World) -> None:
    there = host()
    spec = there.spec.model_copy(update={"host_keys": ["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5DDDDD"]})
    world.hosts = {GATEWAY: there.model_copy(update={"spec": spec})}


def second_control_node(world: World) -> None:
    world.hosts = ambiguous_host().hosts


def reviewed(
    world: World, verdict: str = "Approved", comment: str | None = None, user: str = "alice@example.com"
) -> World:
    world.review(user, verdict, comment)
    return world


def two_approvers(world: World | None = None) -> World:
    classes = World().classes
    spec = classes["restart-unit"].spec.model_copy(update={"required_approvals": 2})
    return awaiting_approval(
        classes=classes | {"restart-unit": classes["restart-unit"].model_copy(update={"spec": spec})}
    )


def earlier(fix_correct: bool | None, succeeded: bool, action: str = "restart") -> tuple[OtherIncident, ...]:
    on, target = (control_node(), "api-gateway") if action == "scale-out" else (host(), "api-gateway.service")
    fix = Fix("high-cpu", action, target, on.spec.host_keys[0])
    end = Phase.RESOLVED if fix_correct else Phase.ESCALATED
    return (OtherIncident("high-cpu-0", "uid", end, fix, ended=START, succeeded=succeeded, fix_correct=fix_correct),)


def seen_unwell_then_not(world: World) -> World:
    world.pass_time(minutes=9)
    return after(gone(world, REFUSED, "ConnectionRefused"), minutes=7)


def flapping() -> World:
    """The symptom is gone at every triage, and back a moment later."""
    world = World(values=recovered())
    world.settle()
    for _ in range(4):
        world.values, world.now = leak(), world.now + timedelta(seconds=30)
        while world.phase() == Phase.VERIFYING:
            world.step()
        world.values = recovered()
        world.settle()
    return world


def unsteady() -> World:
    """Errors at every other look."""
    world = World(values=recovered())
    for turn in range(70):
        world.values["errors"] = {"count": turn % 2, "mostRepeated": turn % 2}
        world.pass_time(seconds=15)
    return world


def failing_at_once() -> World:
    document = high_cpu()
    document["spec"]["verify"]["failWhen"] = [{"name": "worse", "when": "health.status == 500"}]
    world = restarted(runbook=document)
    return after(world, lambda w: w.values["health"].update(status=500))


def observed(**changes: Any) -> World:
    return with_runbook(lambda spec: spec.update(mode="Observe"), **changes)


def playbook_that(**otherwise: Any) -> World:
    world = unavailable(STARVED)
    assert world.playbook is not None
    world.playbook["spec"]["otherwise"] = {"escalate": otherwise}
    return world


def silent() -> World:
    """The order was sent, and no answer came; the host is gone since."""
    world = approved()
    world.answer_to_order = world.ledger = LedgerAnswer(error="ConnectionLost: the answer was lost on the way")
    while not world.incident.status.attempts:
        world.step()
    world.unreachable, world.unreachable_reason = {GATEWAY: NO_ANSWER}, "TimedOut"
    return world


def aborted_in_time() -> World:
    world = approved()
    while not world.incident.status.attempts:
        world.step()
    return after(world, lambda w: w.patch(abort=True))


def unseen_afterwards() -> World:
    world = approved()
    world.answer_to_order = world.finished(70, output=("result=stopped, and did not start (ActiveState failed)",))
    while not world.incident.status.attempts:
        world.step()
    return after(gone(world, REFUSED, "ConnectionRefused"))


def wide_margin() -> EscalationPolicySpec:
    return EscalationPolicySpec.model_validate({"contacts": [{"name": "on-call"}], "ambiguityMarginPoints": 30})


def short_lived() -> ActionClass:
    found = action_class("restart-unit", "restartUnit")
    bounds = ExpiryBounds(minimum="1s", maximum="10m")
    return found.model_copy(update={"spec": found.spec.model_copy(update={"expires_after": bounds})})


R = EscalationReason
CASES: list[tuple[EscalationReason, str, Callable[[], World]]] = [
    (R.UNKNOWN_INCIDENT_TYPE, "no runbook is for the type", lambda: World(incident=incident(type="NobodyKnows"))),
    (
        R.UNKNOWN_INCIDENT_TYPE,
        "the runbook that the incident names does not exist",
        lambda: World(incident=incident(runbookRef={"name": "high-cpu-2"})),
    ),
    (
        R.UNKNOWN_INCIDENT_TYPE,
        "a playbook leads to a runbook that does not exist",
        lambda: after(unavailable(STARVED), lambda w: w.values["memory"].update(availableBytes=1)),
    ),
    (R.UNKNOWN_INCIDENT_TYPE, "a playbook finds no cause", lambda: unavailable(STARVED)),
    (R.AMBIGUOUS_RUNBOOK, "a runbook and a playbook", COMES_TO[R.AMBIGUOUS_RUNBOOK]),
    (R.AMBIGUOUS_RUNBOOK, "two runbooks for the type", lambda: World(copies=("high-cpu-by-team-b",))),
    (
        R.AMBIGUOUS_RUNBOOK,
        "three runbooks for the alert",
        lambda: World(
            copies=("cpu-a", "cpu-b"),
            incident=incident(type="NodeTrouble", alert={"name": "NodeCPUHighUsage", "fingerprint": "1" * 16}),
        ),
    ),
    (R.AMBIGUOUS_ROOT_CAUSE, "a leak or legitimate load", COMES_TO[R.AMBIGUOUS_ROOT_CAUSE]),
    (
        R.AMBIGUOUS_ROOT_CAUSE,
        "a playbook leads to two runbooks",
        lambda: after(unavailable(BUSY, STARVED), lambda w: w.values["memory"].update(availableBytes=1)),
    ),
    (
        R.AMBIGUOUS_ROOT_CAUSE,
        "a wider margin by policy",
        lambda: World(
            policy=wide_margin(),
            values=leak() | {"errors": {"count": 0, "mostRepeated": 0}},
        ),
    ),
    (R.UNKNOWN_ROOT_CAUSE, "many units share the CPU", COMES_TO[R.UNKNOWN_ROOT_CAUSE]),
    (
        R.UNKNOWN_ROOT_CAUSE,
        "one stray error",
        lambda: with_values(errors={"count": 1, "mostRepeated": 1}, oom={"count": 0, "extracted": {}}),
    ),
    (
        R.UNKNOWN_ROOT_CAUSE,
        "a playbook whose author says so",
        lambda: playbook_that(reason="UnknownRootCause", humanAction="Every check was fine; look at the service."),
    ),
    (
        R.EVIDENCE_UNAVAILABLE,
        "a probe without permission",
        lambda: blind(processes=("NoPermission", "/proc is mounted with hidepid, and fr-observe is not in its group")),
    ),
    (
        R.EVIDENCE_UNAVAILABLE,
        "the unit logs to a file",
        lambda: blind(
            **dict.fromkeys(
                ("errors", "oom"),
                (
                    "NotFound",
                    "what api-gateway.service prints goes to a file, not to the journal "
                    "(StandardOutput=/var/log/api.log)",
                ),
            )
        ),
    ),
    (
        R.EVIDENCE_UNAVAILABLE,
        "the unit that would be restarted cannot be asked",
        lambda: blind(**{"restart/unit": ("TimedOut", "systemctl show: stopped after 10 s")}),
    ),
    (
        R.EVIDENCE_UNAVAILABLE,
        "no Host plays a role that a hypothesis needs",
        lambda: with_runbook(
            lambda spec: spec["hypotheses"][0].update(when="cpuHigh && serviceIsTop && replicas.count > 1.0")
        ),
    ),
    (
        R.EVIDENCE_UNAVAILABLE,
        "whether a method is needed is not known",
        lambda: World(
            runbook=disk_full(), values=full(), unavailable={"temp": ("TimedOut", "du -x /tmp: stopped after 20 s")}
        ),
    ),
    (
        R.EVIDENCE_UNAVAILABLE,
        "the host is replaced while the fix is verified",
        lambda: after(after(restarted(), minutes=3), other_machine),
    ),
    (R.HOST_UNREACHABLE, "no answer", lambda: gone(World())),
    (R.HOST_UNREACHABLE, "another host key", lambda: gone(World(), OTHER_KEY, "HostKeyMismatch")),
    (
        R.HOST_UNREACHABLE,
        "no route",
        lambda: gone(World(), f"fr-observe@{GATEWAY}: [Errno 113] No route to host", "NoRoute"),
    ),
    (R.HOST_UNREACHABLE, "the host that the incident names has no Host resource", lambda: World(hosts={})),
    (
        R.HOST_UNREACHABLE,
        "no Host plays the role that the action needs",
        lambda: World(**pool(hosts={GATEWAY: host()})),
    ),
    (
        R.HOST_UNREACHABLE,
        "the host that would be acted on does not answer",
        lambda: World(
            **pool(values=pool()["values"] | {"replicas": {"count": 4, "max": 8}}), **no_answer_from(CONTROL)
        ),
    ),
    (R.AMBIGUOUS_HOST, "two control nodes", ambiguous_host),
    (
        R.AMBIGUOUS_HOST,
        "two hosts of the service",
        lambda: with_runbook(
            lambda spec: spec["roles"][0].update(selector={"matchLabels": {"app": "$(service)"}}),
            incident=incident(hosts=[]),
            hosts={name: host(name, app="api-gateway") for name in (GATEWAY, "api-gateway-04", "api-gateway-05")},
        ),
    ),
    (
        R.AMBIGUOUS_HOST,
        "a second control node appears while approval is waited for",
        lambda: after(awaiting_approval(**pool()), second_control_node),
    ),
    (R.SECURITY_INCIDENT, "an unexpected process", lambda: after(World(), miner)),
    (R.SECURITY_INCIDENT, "it comes between triage and approval", lambda: after(approved(), miner)),
    (
        R.SECURITY_INCIDENT,
        "it comes between two methods",
        lambda: after_the_first(lambda w: w.values["strangers"].update(hostCpuPercent=99.5)),
    ),
    (
        R.PRECONDITION_FAILED,
        "a parameter out of bounds",
        lambda: World(incident=incident(parameters={"cpuThreshold": 400})),
    ),
    (R.PRECONDITION_FAILED, "the host does not declare the action", lambda: World(declared=())),
    (
        R.PRECONDITION_FAILED,
        "no room for the ledger",
        lambda: World(no_order="/var is on a full file system: free some (df /var)"),
    ),
    (R.PRECONDITION_FAILED, "the host's clock is ahead", lambda: World(clock_offset=75)),
    (
        R.PRECONDITION_FAILED,
        "the unit is not loaded",
        lambda: with_values(**{"restart/unit": {"loadState": "not-found"}}),
    ),
    (
        R.PRECONDITION_FAILED,
        "no method is needed",
        lambda: World(runbook=disk_full(), values=full() | {"logs": {"sharePercent": 10.0}}),
    ),
    (
        R.PRECONDITION_FAILED,
        "the dry run fails",
        lambda: World(
            **pool(), preview=replace(dry_run(), result="exit-code", exit_status=4, output=("fatal: no such group",))
        ),
    ),
    (
        R.PRECONDITION_FAILED,
        "a precondition of the runbook is false",
        lambda: with_runbook(
            lambda spec: spec["actions"][0].update(
                preconditions=[{"name": "memory-left", "require": "memory.availablePercent > 50.0"}]
            )
        ),
    ),
    (R.CAPACITY_LIMIT, "the pool is at its maximum", COMES_TO[R.CAPACITY_LIMIT]),
    (
        R.CAPACITY_LIMIT,
        "two more would be too many",
        lambda: World(**pool(values=pool()["values"] | {"replicas": {"count": 7, "max": 8}})),
    ),
    (
        R.CAPACITY_LIMIT,
        "half an instance",
        lambda: with_runbook(
            lambda spec: spec["actions"][1]["ansibleScale"].update(desired="replicas.count * 1.125"), **pool()
        ),
    ),
    (R.ACTION_CLASS_MISSING, "there is none", COMES_TO[R.ACTION_CLASS_MISSING]),
    (
        R.ACTION_CLASS_MISSING,
        "it is for other actions",
        lambda: World(classes={"restart-unit": action_class("restart-unit", "ansibleScale")}),
    ),
    (
        R.ACTION_CLASS_MISSING,
        "the runbook names one of its own",
        lambda: World(
            runbook=disk_full(), values=full(), classes={"restart-unit": action_class("restart-unit", "restartUnit")}
        ),
    ),
    (
        R.ACTION_FAILED,
        "the unit does not start again",
        lambda: acting(lambda w: w.finished(70, output=("result=stopped, and did not start (ActiveState failed)",))),
    ),
    (
        R.ACTION_FAILED,
        "the host refuses for the start limit",
        lambda: acting(
            lambda w: w.finished(
                65, output=("refused=systemd does not flush its count of starts (systemctl reset-failed)",)
            )
        ),
    ),
    (
        R.ACTION_FAILED,
        "a command of the runbook ends with 3",
        lambda: acting(lambda w: w.finished(3, output=("result=cache is locked by pid 812",)), commanded()),
    ),
    (
        R.ACTION_FAILED,
        "a method fails and its target is not met",
        lambda: acting(lambda w: w.finished(1, output=("result=logrotate failed; freed 9000 bytes",)), cleaning()),
    ),
    (
        R.ACTION_FAILED,
        "the playbook fails after the dry run was well",
        lambda: acting(lambda w: w.finished(2, output=("result=failed=1 of 4 hosts",)), approved(**pool())),
    ),
    (
        R.ACTION_FAILED,
        "the acting account cannot log in until the order is too old",
        lambda: asked(lambda _: barred(BARRED), lambda w: setattr(w, "ledger", barred(BARRED, uptime=10**9))),
    ),
    (
        R.ACTION_FAILED,
        "the unit cannot be observed afterwards",
        unseen_afterwards,
    ),
    (
        R.INDETERMINATE,
        "the host reboots in mid-action",
        lambda: acting(lambda w: LedgerAnswer(state=LedgerState.CLAIMED, boot=OTHER_BOOT, claim_boot=w.boot)),
    ),
    (R.INDETERMINATE, "the host is gone", lambda: after(silent(), minutes=45)),
    (
        R.INDETERMINATE,
        "the ledger is lost",
        lambda: asked(lambda _: LedgerAnswer(state=LedgerState.ABSENT, boot=OTHER_BOOT)),
    ),
    (
        R.INDETERMINATE,
        "it takes longer than it may",
        lambda: acting(lambda w: w.finished(None, result="timeout", code="killed")),
    ),
    (
        R.INDETERMINATE,
        "systemd goes on with the restart",
        lambda: acting(lambda w: w.finished(75, output=("result=gave up waiting, job 7 goes on",))),
    ),
    (
        R.INDETERMINATE,
        "a command is killed",
        lambda: acting(lambda w: w.finished(None, result="signal", code="killed"), commanded()),
    ),
    (R.FIX_FAILED, "nothing got better", lambda: after(restarted(), minutes=16)),
    (
        R.FIX_FAILED,
        "all is well but the health check",
        lambda: after(
            restarted(),
            lambda w: setattr(w, "values", recovered() | {"health": {"ok": False, "error": "ConnectionFailed"}}),
            minutes=16,
        ),
    ),
    (R.FIX_FAILED, "it got worse", failing_at_once),
    (R.FIX_FAILED, "the disk is as full as before", lambda: after(cleaning(), minutes=12)),
    (R.FIX_FAILED, "the rollback is denied", lambda: after(offered(), lambda w: w.review("bob@example.com", "Denied"))),
    (
        R.FIX_FAILED,
        "the rollback is made",
        lambda: after(offered(), lambda w: w.review("bob@example.com")),
    ),
    (
        R.FIX_FAILED,
        "the rollback fails",
        lambda: after(
            reviewed(offered()),
            lambda w: setattr(w, "answer_to_order", w.finished(2, output=("result=failed=1 of 4 hosts",))),
        ),
    ),
    (
        R.VERIFICATION_UNAVAILABLE,
        "the host cannot be reached any more",
        lambda: after(gone(restarted(), REFUSED, "ConnectionRefused"), minutes=16),
    ),
    (
        R.VERIFICATION_UNAVAILABLE,
        "the journal cannot be read",
        lambda: after(
            restarted(),
            lambda w: w.__dict__.update(
                values=recovered(), unavailable={"errors": ("Failed", "journalctl ended with 1: no journal files")}
            ),
            minutes=16,
        ),
    ),
    (R.VERIFICATION_UNAVAILABLE, "it was seen to be unwell before", lambda: seen_unwell_then_not(restarted())),
    (
        R.VERIFICATION_UNAVAILABLE,
        "the pool's hosts cannot be reached",
        lambda: after(
            scaled_out(),
            lambda w: setattr(w, "unreachable", dict.fromkeys(w.hosts, "no route to host")),
            minutes=16,
        ),
    ),
    (R.NOT_RECOVERED, "two looks were unwell", COMES_TO[R.NOT_RECOVERED]),
    (R.NOT_RECOVERED, "the symptom comes and goes", flapping),
    (R.NOT_RECOVERED, "errors at every other look", unsteady),
    (R.RECURRENCE, "the restart of an hour ago helped for a while", COMES_TO[R.RECURRENCE]),
    (R.RECURRENCE, "it did not help then either", lambda: World(neighbours=earlier(False, True))),
    (
        R.RECURRENCE,
        "the pool was scaled a short while ago",
        lambda: World(**pool(neighbours=earlier(None, False, "scale-out"))),
    ),
    (R.APPROVAL_DENIED, "with a reason", COMES_TO[R.APPROVAL_DENIED]),
    (R.APPROVAL_DENIED, "without a word", lambda: reviewed(awaiting_approval(), "Denied")),
    (
        R.APPROVAL_DENIED,
        "by the second of two",
        lambda: reviewed(reviewed(two_approvers()), "Denied", "the batch is running", "bob@example.com"),
    ),
    (R.APPROVAL_EXPIRED, "nobody answered", COMES_TO[R.APPROVAL_EXPIRED]),
    (R.APPROVAL_EXPIRED, "one of two approved", lambda: after(reviewed(two_approvers()), minutes=31)),
    (
        R.APPROVAL_EXPIRED,
        "between two methods",
        lambda: after_the_first(lambda w: setattr(w, "now", w.now.replace(hour=w.now.hour + 1))),
    ),
    (R.PACKET_SUPERSEDED, "the host rebooted", COMES_TO[R.PACKET_SUPERSEDED]),
    (
        R.PACKET_SUPERSEDED,
        "the request was deleted",
        lambda: after(awaiting_approval(), lambda w: setattr(w, "request", None)),
    ),
    (
        R.PACKET_SUPERSEDED,
        "the symptom is gone",
        lambda: after(approved(), lambda w: setattr(w, "values", recovered())),
    ),
    (
        R.PACKET_SUPERSEDED,
        "somebody restarted the unit",
        lambda: after(approved(), lambda w: w.values["restart/unit"].update(invocationID="e" * 32)),
    ),
    (
        R.PACKET_SUPERSEDED,
        "the approval gate does not hold",
        lambda: after(
            approved(),
            lambda w: setattr(
                w, "gate", Gate(safe=False, message="ValidatingAdmissionPolicy firstresponder-approvals is missing")
            ),
        ),
    ),
    (
        R.PACKET_SUPERSEDED,
        "the pool has another size",
        lambda: after(approved(**pool()), lambda w: w.values["replicas"].update(count=5)),
    ),
    (
        R.PACKET_SUPERSEDED,
        "a guard cannot be evaluated any more",
        lambda: after(approved(), lambda w: w.values.pop("processes")),
    ),
    (R.PACKET_SUPERSEDED, "the host does not answer any more", lambda: after(gone(approved()))),
    (R.PACKET_SUPERSEDED, "it is another machine", lambda: after(approved(), other_machine)),
    (
        R.PACKET_SUPERSEDED,
        "the target cannot be evaluated between two methods",
        lambda: after_the_first(lambda w: setattr(w, "boot", OTHER_BOOT)),
    ),
    (R.ABORTED, "before triage", COMES_TO[R.ABORTED]),
    (R.ABORTED, "while approval is waited for", lambda: after(awaiting_approval(), lambda w: w.patch(abort=True))),
    (R.ABORTED, "after approval, before the host began", aborted_in_time),
    (R.ABORTED, "between two methods", lambda: after_the_first(lambda w: w.patch(abort=True))),
    (R.ABORTED, "during verification", lambda: after(after(restarted(), minutes=3), lambda w: w.patch(abort=True))),
    (R.MANUAL_ACTION_REQUIRED, "mode Observe, a restart", observed),
    (R.MANUAL_ACTION_REQUIRED, "mode Observe, more instances", lambda: observed(**pool())),
    (
        R.MANUAL_ACTION_REQUIRED,
        "another unit uses the CPU",
        lambda: with_values(
            processes={
                "own": {"cpuSharePercent": 3.0},
                "topUnit": {"unit": "backup.service", "names": [GATEWAY], "cpuSharePercent": 96.0},
            }
        ),
    ),
    (
        R.INVALID_RUNBOOK,
        "somebody changed the pinned revision",
        lambda: World(
            revision_problem="ControllerRevision high-cpu-1a2b3c no longer holds what the incident recorded (sha256:9f)"
        ),
    ),
    (
        R.INVALID_RUNBOOK,
        "an argument that no host takes",
        lambda: World(runbook=command_runbook(["/bin/flush", "two words"])),
    ),
    (
        R.INVALID_RUNBOOK,
        "an expiry outside the class's bounds",
        lambda: World(classes={"restart-unit": short_lived()}),
    ),
]


@cache
def led(number: int) -> Case:
    """The case, once it has come to its end."""
    reason, name, build = CASES[number]
    world = build()
    world.pass_time(minutes=1)
    return Case(reason, name, world)


def cases() -> list[Case]:
    return [led(number) for number in range(len(CASES))]


def in_every_case(test: Callable[[Case], None]) -> Callable[..., None]:
    """The test for each of the cases, which are led to their ends only when they are tested."""

    def of_one(number: int) -> None:
        test(led(number))

    of_one.__doc__ = test.__doc__
    names = [f"{reason}: {name}" for reason, name, _ in CASES]
    return pytest.mark.parametrize("number", range(len(CASES)), ids=names)(of_one)


def top(case: Case) -> str:
    """What ``kubectl incident describe`` begins with, to the end of the escalation."""
    output = io.StringIO()
    report = report_of(case.world.incident, case.world.request)
    console = Console(file=output, width=110, markup=False, emoji=False, highlight=False)
    console.print(incident_view(report, case.world.now), crop=False)
    lines = [line.rstrip() for line in output.getvalue().splitlines()]
    headings = [n for n, line in enumerate(lines) if n and line and not lines[n - 1]]
    escalated = next(n for n in headings if lines[n].startswith("Escalated "))
    end = next((n for n in headings if n > escalated), len(lines))
    return _stable("\n".join(lines[:end]).rstrip())


def _stable(text: str) -> str:
    """The text without what any change of a runbook changes: ids of attempts and of revisions."""
    text = re.sub(r"\b[0-9a-f]{64}\b", "ATTEMPT" + "-" * 57, text)
    return re.sub(r"\b(revision [a-z-]+)-[0-9a-f]{10}\b", r"\1-REVISION", text)


_SAME = re.compile(r"(?m)^(?:(?:Incident|Wrong|Where|Runbook|For|Escalated) .*)?(?:\n|\Z)")


def page() -> str:
    parts = [
        "What people read when an incident is escalated: the beginning of `kubectl incident describe`, without the "
        "rows that\nare the same everywhere."
    ]
    for reason in sorted(EscalationReason):
        parts.append(f"{'=' * 110}\n{reason}")
        parts += [f"--- {case.name}\n{_SAME.sub('', top(case)).rstrip()}" for case in cases() if case.reason == reason]
    return "\n\n".join(parts) + "\n"


def folded(text: str) -> str:
    return " ".join(text.split())


def commands_in(text: str) -> list[str]:
    """Every command that a text names, and the one that it ends with."""
    _, once_more, last = text.partition(ONCE_MORE)
    return [*re.findall(r"`([^`]+)`", text), *([last.strip()] if once_more else [])]


def test_every_reason_that_occurs_is_reached_in_three_ways_at_least() -> None:
    counted = Counter(case.reason for case in cases())
    assert counted.keys() == set(EscalationReason)
    assert [reason for reason, times in counted.items() if times < 3] == []
    for case in cases():
        assert (case.world.phase(), case.world.reason) == (Phase.ESCALATED, case.reason), case.name


NAMES = re.compile(
    r"api-gateway|control-1|control-node|service-unavailable|high-cpu|HighCPU|NobodyKnows|NodeTrouble|cpuShort|"
    r"[a-zA-Z]+\.[a-zA-Z.]+ (= |is )|hypothes|free-disk-space|ActionClass [a-z]|spec\.[a-z]+|\d instances|"
    r"the approval gate|guard [a-z]|the cause is [a-z]|revision"
)


@in_every_case
def test_the_message_names_what_it_is_about(case: Case) -> None:
    assert NAMES.search(case.escalation.message), case.escalation.message


STATE = re.compile(
    r"is \w+ now|could not be (observed|seen)|was not checked|not met at \d\d:|target is not met|all was well|"
    r"was true after|guard [a-z]+ is true|stopped before"
)


@in_every_case
def test_after_something_was_done_the_message_says_what_is_known_of_the_present_state(case: Case) -> None:
    done = [each for each in case.world.incident.status.attempts if each.reason not in {"NeverRan", "Refused"}]
    message = case.escalation.message
    assert bool(done) <= bool(STATE.search(message)), message
    for attempt in done:
        if attempt.after:
            assert attempt.after in message


@in_every_case
def test_the_next_step_is_a_command_that_exists(case: Case) -> None:
    commands = commands_in(case.escalation.human_action)
    assert commands, case.escalation.human_action
    for command in commands:
        for part in command.split(" | "):
            _require_exists(shlex.split(part))


def _require_exists(words: list[str]) -> None:
    match words:
        case ["kubectl", "incident", name, *more]:
            options = {option for each in main.commands[name].params for option in each.opts}
            assert [word for word in more if word.startswith("-") and word not in options] == []
        case ["kubectl", "get" | "describe", kinds, *_]:
            assert set(kinds.split(",")) <= {*KINDS, *(kind.removesuffix("s") for kind in KINDS), *GATE}
        case ["sudo", "systemctl" | "journalctl" | "cat" | "/usr/local/libexec/firstresponder-act", *_]:
            pass
        case ["echo", "status", _] | ["install", "--check"] | ["timedatectl"]:
            pass
        case _:
            pytest.fail(f"no command that is known here: {words}")


KINDS = {path.stem for path in (HIGH_CPU.parents[1] / "crds").glob("*.yaml")}
GATE = {"validatingadmissionpolicies", "validatingadmissionpolicybindings"}


@in_every_case
def test_no_sentence_is_read_twice(case: Case) -> None:
    text = folded(top(case))
    sentences = [each.strip().rstrip(".;:") for each in re.split(r"(?<=[.;:])\s", text)]
    long = Counter(each for each in sentences if len(each.split()) > 2)
    assert [each for each, times in long.items() if times > 1] == []


INTERNAL = re.compile(
    r"\bis (holds|refuted|unknown now)\b|\b(None|True|NoGround|HandOver|Refused|Snapshot|AttemptState|IncidentStatus)\b"
    r"|EscalationReason|<[a-z]|0x[0-9a-f]{6}|\bself\b|\(\)|\{\}|\[\]\.|\.\.(?!\.)|[;:,] ?[;:,.]|  "
    r"|\bway back\b|\btold (?!apart)|\b[Mm]end\b|in earnest|\bbeside\b"
)


@in_every_case
def test_no_word_is_internal_and_the_punctuation_is_right(case: Case) -> None:
    over = case.escalation
    for text in (over.message, over.human_action.partition(ONCE_MORE)[0]):
        assert not INTERNAL.search(text), (INTERNAL.search(text), text)
        assert text[:1].strip()
    assert re.fullmatch(r"[A-Z].*", over.human_action)


@in_every_case
def test_nothing_is_longer_than_somebody_reads_at_night(case: Case) -> None:
    assert len(case.escalation.message) <= 600, len(case.escalation.message)
    assert len(case.escalation.human_action.partition(ONCE_MORE)[0]) <= 600, len(case.escalation.human_action)


@in_every_case
def test_all_of_what_to_do_is_in_the_event(case: Case) -> None:
    long = case.escalation.model_copy(update={"message": "ä" * 2000})
    for escalation in (case.escalation, long):
        text = escalation_event(escalation).message
        assert text.endswith(f": {case.escalation.human_action}")
        assert len(text.encode()) <= 1024
    assert case.escalation.message in escalation_event(case.escalation).message


@in_every_case
def test_the_beginning_of_describe_says_all_of_it(case: Case) -> None:
    screen = folded(top(case))
    before, _, command = case.escalation.human_action.partition(ONCE_MORE)
    for part in (case.escalation.message.rstrip("."), before, command):
        assert _stable(folded(part)) in screen


DOCUMENTED = dict(
    re.findall(r"(?m)^\| `(\w+)` (\|.*)$", (HIGH_CPU.parents[1] / "docs" / "reasons.md").read_text()),
)


@in_every_case
def test_the_page_of_reasons_is_found_by_the_message_and_names_each_command(case: Case) -> None:
    row = DOCUMENTED[case.reason]
    phrases = re.findall(r"“([^”]+)”", row)
    assert any(phrase in case.escalation.message for phrase in phrases), case.escalation.message
    for command in commands_in(case.escalation.human_action):
        words = shlex.split(command)
        assert f"`{' '.join(words[: 3 if words[0] == 'kubectl' else 2])}" in row, command


def test_the_page_of_reasons_promises_no_phrase_that_no_message_has() -> None:
    for reason, row in DOCUMENTED.items():
        messages = [case.escalation.message for case in cases() if case.reason == reason]
        for phrase in re.findall(r"“([^”]+)”", row):
            assert any(phrase in message for message in messages), (reason, phrase)


def test_the_words_are_those_that_were_approved() -> None:
    words = page()
    if os.environ.get("APPROVE_WORDS"):
        PAGE.write_text(words)
    assert PAGE.read_text() == words, "read the difference, and approve it as the docstring says"
