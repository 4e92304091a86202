"""A world in memory that carries out plans: one incident, one host, one request, a clock that stands still.

It does what the controller does with the real parts, so the pure core can be led through a whole incident.
"""

from __future__ import annotations

import copy
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from firstresponder.api.actionclass import ActionClass
from firstresponder.api.approvalrequest import ApprovalRequest
from firstresponder.api.base import conditions_with
from firstresponder.api.escalationpolicy import EscalationPolicySpec
from firstresponder.api.hosts import Host
from firstresponder.api.incident import Evidence, Incident, Phase, RevisionReference, Unavailable
from firstresponder.api.ledger import HostInfo, LedgerAnswer, LedgerState, PreviewAnswer, attempt_id
from firstresponder.controller.related import summary
from firstresponder.incident.facts import Facts, Gate, Observation, Sample
from firstresponder.incident.inventory import Inventory
from firstresponder.incident.machine import reconcile
from firstresponder.incident.plan import (
    Answer,
    AskLedger,
    CheckGate,
    CloseRequest,
    Consume,
    CreateRequest,
    Effect,
    Event,
    Experiment,
    MarkIncorrect,
    Observe,
    Perform,
    Pin,
    Plan,
    ProbeRequest,
    ReadIncident,
    Rest,
    RunPreview,
    Seal,
    SendOrder,
    Wait,
    learn,
)
from firstresponder.incident.related import OtherIncident, RelatedIncidents
from firstresponder.incident.snapshot import CatalogueEntry, Revision, Snapshot
from firstresponder.runbooks.models import Runbook, TriagePlaybook
from tests.revisions import revision_of

OPERATOR = "system:serviceaccount:first-responder:operator"
MACHINE, BOOT, OTHER_BOOT = "a" * 32, "1" * 8 + "-1111-1111-1111-" + "1" * 12, "2" * 8 + "-2222-2222-2222-" + "2" * 12
INVOCATION = "c" * 32
DIGEST = f"sha256:{'d' * 64}"
"""Of the project that a control node ran dry."""
DECLARED = ("restart-unit", "ansible-scale", "journal-vacuum", "logrotate", "tmpfiles-clean", "command")
START = datetime(2026, 3, 14, 3, 8, 0, tzinfo=UTC)
GATEWAY = {"unit": "api-gateway.service", "names": ["api-gateway.service"]}
PARAMETERS = {
    "cpuThreshold": 80,
    "iowaitThreshold": 10,
    "stealThreshold": 10,
    "explainsPercent": 50,
    "minAvailablePercent": 10,
    "minAvailableMemory": 0,
    "repeatedAfter": 3,
    "window": "5m",
}
"""What the parameters of high-cpu are where nothing else is given."""
CALM = {"hostCpuPercent": 12.0, "notIdlePercent": 12.5}
"""What the processors of a host do that is well."""
HIGH_CPU = Path(__file__).parents[3] / "runbooks" / "high-cpu.yaml"


def high_cpu() -> dict[str, Any]:
    """The shipped runbook, as a file has it."""
    return copy.deepcopy(_shipped())


@cache
def _shipped() -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load(HIGH_CPU.read_text())
    return document


@cache
def _stored(document: str) -> tuple[Runbook, RevisionReference]:
    """What a Runbook, as JSON, is to the core. Each step asks for the same again."""
    body = json.loads(document)
    stored = revision_of("high-cpu", body["spec"])
    return Runbook.model_validate(body), RevisionReference(runbook="high-cpu", name=stored.name, digest=stored.digest)


def leak() -> dict[str, dict[str, Any]]:
    """What the diagnostics of high-cpu see when api-gateway leaks."""
    return {
        "processes": {
            "hostCpuPercent": 97.5,
            "notIdlePercent": 98.0,
            "cpu": {"user": 85.0, "system": 12.5, "idle": 2.0, "iowait": 0.5, "steal": 0.0},
            "unexplainedSharePercent": 0.0,
            "top": {"unit": GATEWAY["unit"], "command": "java", "cpuPercent": 188.0},
            "list": [{**GATEWAY, "pid": 74, "cpuPercent": 188.0, "kernelThread": False}],
            "own": {**GATEWAY, "cpuPercent": 189.0, "cpuSharePercent": 96.9},
            "topUnit": {**GATEWAY, "cpuPercent": 189.0, "cpuSharePercent": 96.9},
            "units": [{**GATEWAY, "cpuPercent": 189.0, "cpuSharePercent": 96.9}],
        },
        "errors": {"count": 9, "mostRepeated": 9},
        "oom": {"count": 9, "extracted": {"request": "/api/v1/reports"}},
        "memory": {"availableBytes": 2147483648, "availablePercent": 25.0},
        "health": {"ok": False, "status": 503, "json": {"status": "degraded"}},
        "restart/unit": {
            "loadState": "loaded",
            "activeState": "active",
            "invocationID": INVOCATION,
            "timeoutStartSeconds": 90,
            "timeoutStopSeconds": 90,
        },
    }


def busy() -> dict[str, dict[str, Any]]:
    """The same under legitimate load, with four of at most eight instances."""
    values = leak()
    values["errors"] = {"count": 0, "mostRepeated": 0}
    values["oom"] = {"count": 0, "extracted": {}}
    values["replicas"] = {"count": 4, "max": 8}
    return values


def disk_full() -> dict[str, Any]:
    """A runbook for a full disk with three methods, on the world's one host."""
    methods = [
        {"name": "journald-vacuum", "when": "logsDominate", "journalVacuum": {"olderThan": "$(retention)"}},
        {"name": "logrotate-force", "when": "logsDominate", "logrotate": {"config": "/etc/logrotate.conf"}},
        {"name": "tmpfiles-clean", "when": "tempDominates", "tmpfilesClean": {}, "timeout": "1m"},
    ]
    return {
        "kind": "Runbook",
        "metadata": {"name": "high-cpu"},
        "spec": {
            "match": {"types": ["HighCPU"]},
            "roles": [{"name": "target"}],
            "parameters": [{"name": "retention", "type": "duration", "default": "7d", "minimum": "1d"}],
            "diagnostics": [
                {"name": "disk", "disk": {"path": "/"}},
                {"name": "logs", "directories": {"path": "/var/log", "of": "/"}},
                {"name": "temp", "directories": {"path": "/tmp", "of": "/"}},
                {"name": "strangers", "processes": {}},
            ],
            "variables": [
                {"name": "diskFull", "expression": "disk.usedPercent > 90"},
                {"name": "logsDominate", "expression": "logs.sharePercent > 80"},
                {"name": "tempDominates", "expression": "temp.sharePercent > 80"},
            ],
            "symptom": "diskFull",
            "guards": [
                {
                    "name": "stranger",
                    "when": "strangers.hostCpuPercent > 99",
                    "then": {"escalate": {"reason": "SecurityIncident", "to": ["security"], "humanAction": "Judge."}},
                }
            ],
            "hypotheses": [
                {
                    "name": "full",
                    "likelihood": 60,
                    "when": "diskFull",
                    "rootCause": {"summary": "the disk is full"},
                    "then": {"action": "free-disk-space"},
                }
            ],
            "otherwise": {"escalate": {"reason": "UnknownRootCause", "humanAction": "Look."}},
            "actions": [
                {
                    "name": "free-disk-space",
                    "methods": methods,
                    "until": "disk.usedPercent < 80",
                    "risk": {"dataRisk": "logs older than $(retention) are lost"},
                    "rollback": {"plan": "Freed data cannot come back."},
                    "approval": {"class": "free-disk-space", "prompt": "Clean up?"},
                }
            ],
            "verify": {
                "window": "1m",
                "timeout": "10m",
                "criteria": [{"name": "disk", "require": "disk.usedPercent < 80"}],
                "onFailure": {"escalate": {"reason": "FixFailed", "humanAction": "Grow the disk."}},
            },
        },
    }


def full() -> dict[str, dict[str, Any]]:
    """What the diagnostics of disk_full see when logs fill the disk."""
    return {
        "disk": {"usedPercent": 95.0},
        "logs": {"sharePercent": 85.0},
        "temp": {"sharePercent": 3.0},
        "strangers": {"hostCpuPercent": 10.0},
    }


def recovered() -> dict[str, dict[str, Any]]:
    """The same after a restart that helped."""
    values = leak()
    values["processes"] |= CALM
    values["errors"] = {"count": 0, "mostRepeated": 0}
    values["health"] = {"ok": True, "status": 200, "json": {"status": "healthy"}}
    return values


def host(name: str = "api-gateway-03", **labels: str) -> Host:
    return Host.model_validate(
        {
            "metadata": {"name": name, "namespace": "prod", "labels": labels},
            "spec": {
                "address": "10.0.0.3",
                "hostKeys": ["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI"],
                "accounts": {"observe": {"user": "fr-observe", "credentialsRef": {"name": "keys"}}},
                "expectedUnits": ["api-gateway.service"],
            },
        }
    )


def control_node() -> Host:
    """The host that Ansible runs on."""
    node = host("control-1", **{"firstresponder.dev/role": "control-node"})
    spec = node.spec.model_copy(update={"address": "10.0.0.9", "host_keys": ["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5CCCCC"]})
    return node.model_copy(update={"spec": spec})


def action_class(name: str, kind: str) -> ActionClass:
    spec = {"description": name, "risk": "Low", "actionTypes": [kind]}
    return ActionClass.model_validate({"metadata": {"name": name}, "spec": spec})


def dry_run(skipped: int = 0) -> PreviewAnswer:
    """What a control node answers when a playbook was run dry."""
    recap = f"localhost : ok=3 changed=2 unreachable=0 failed=0 skipped={skipped} rescued=0 ignored=0"
    output = ("TASK [start instances]", "+instances: 6", "PLAY RECAP *********", recap)
    return PreviewAnswer(boot=BOOT, result="success", exit_status=0, project=DIGEST, output=output)


def incident(**spec: Any) -> Incident:
    return Incident.model_validate(
        {
            "metadata": {
                "name": "high-cpu-1",
                "namespace": "prod",
                "uid": "0e4c1f9e-0000-4000-8000-000000000001",
                "generation": 1,
                "creationTimestamp": "2026-03-14T03:07:30Z",
            },
            "spec": {
                "type": "HighCPU",
                "service": "api-gateway",
                "hosts": [{"role": "target", "name": "api-gateway-03"}],
                "detectionTime": "2026-03-14T03:07:12Z",
                **spec,
            },
        }
    )


@dataclass
class World:
    """Everything around the core. Change its fields between steps to change the world."""

    incident: Incident = field(default_factory=incident)
    runbook: dict[str, Any] = field(default_factory=high_cpu)
    values: dict[str, dict[str, Any]] = field(default_factory=leak)
    later: dict[str, dict[str, Any]] = field(default_factory=dict)
    """What a journal holds where it is read from a moment on, if that is something else."""
    hosts: dict[str, Host] = field(default_factory=lambda: {"api-gateway-03": host()})
    classes: dict[str, ActionClass] = field(default_factory=dict)
    now: datetime = START
    boot: str = BOOT
    clock_offset: float = 0.0
    unreachable: dict[str, str] = field(default_factory=dict)
    unreachable_reason: str = "NotReachable"
    unavailable: dict[str, tuple[str, str]] = field(default_factory=dict)
    """Diagnostics that see nothing although their host answers: reason and message."""
    gate: Gate = field(default_factory=lambda: Gate(safe=True))
    ledger: LedgerAnswer | None = None
    """What the host answers about the attempt; None plays an honest host."""
    answer_to_order: LedgerAnswer | None = None
    preview: PreviewAnswer = field(default_factory=dry_run)
    declared: tuple[str, ...] = DECLARED
    previews: tuple[str, ...] = ("ansible-scale",)
    """What the hosts declare: actions, and those that can be run dry."""
    no_order: str = ""
    """Why the hosts could not claim an order."""
    revision_problem: str = ""
    policy: EscalationPolicySpec | None = None
    neighbours: tuple[OtherIncident, ...] = ()
    playbook: dict[str, Any] | None = None
    """A TriagePlaybook beside the runbook, as a file has it."""
    copies: tuple[str, ...] = ()
    """Names of further Runbooks that are for the same incidents."""

    request: ApprovalRequest | None = None
    earlier: Incident | None = None
    """An incident before this one, as it is stored."""
    effects: list[Effect] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    runs: list[str] = field(default_factory=list)
    sealed: set[str] = field(default_factory=set)
    status_writes: int = 0
    _pinned: set[str] = field(default_factory=set)
    _samples: tuple[Sample, ...] = ()
    _facts: Facts = field(default_factory=Facts)

    def __post_init__(self) -> None:
        if not self.classes:
            self.classes = {
                "restart-unit": action_class("restart-unit", "restartUnit"),
                "ansible-scale": action_class("ansible-scale", "ansibleScale"),
                "free-disk-space": action_class("free-disk-space", "methods"),
                "run-command": action_class("run-command", "command"),
            }

    # What the core sees

    def snapshot(self) -> Snapshot:
        runbook, ref = _stored(json.dumps(self.runbook))
        spec = None if self.revision_problem else runbook.spec
        wanted = self.incident.status.approval_request_ref
        request = self.request if self.request and wanted and wanted.name == self.request.name else None
        return Snapshot(
            incident=self.incident,
            operator=OPERATOR,
            read_time=self.now,
            catalogue=tuple(CatalogueEntry(name, runbook.spec.match, ref) for name in ("high-cpu", *self.copies)),
            **self._playbook(),
            revision=Revision(ref, spec, self.revision_problem, owned=ref.name in self._pinned),
            hosts=Inventory.of(self.hosts),
            request=request,
            action_classes=self.classes,
            policy=self.policy,
            related=self._related(),
            samples=self._samples,
            facts=self._facts,
        )

    def _related(self) -> RelatedIncidents:
        if not self.neighbours:
            return RelatedIncidents()
        own = summary(self.incident.model_dump(by_alias=True, mode="json", exclude_none=True))
        return RelatedIncidents([*self.neighbours, own])

    def _playbook(self) -> dict[str, Any]:
        if self.playbook is None:
            return {}
        playbook = TriagePlaybook.model_validate(self.playbook)
        name = playbook.metadata.name
        stored = revision_of(name, self.playbook["spec"])
        ref = RevisionReference(runbook=name, name=stored.name, digest=stored.digest)
        entry = CatalogueEntry(name, playbook.spec.match, ref)
        owned = ref.name in self._pinned
        return {"playbooks": (entry,), "playbook": Revision(ref, playbook.spec, owned=owned) if owned else None}

    # What the controller does

    def step(self) -> Plan:
        """One look at the incident, carried out."""
        plan = reconcile(self.snapshot(), self.now)
        if plan.samples is not None:
            self._samples = plan.samples
        if plan.status is not None and plan.status != self.incident.status:
            self.status_writes += 1
            self._facts = Facts()
            self.incident = self.incident.model_copy(update={"status": plan.status})
        told = {(event.reason, event.dedup_key) for event in self.events}  # the API server keeps one of each
        self.events += [event for event in plan.events if (event.reason, event.dedup_key) not in told]
        if isinstance(plan.next, Perform):
            effect = plan.next.effect
            self.effects.append(effect)
            self._facts = learn(self._facts, effect, self._perform(effect))
        else:
            self._facts = Facts()
        return plan

    def settle(self) -> Plan:
        """Steps until the core waits for something."""
        for _ in range(50):
            plan = self.step()
            if isinstance(plan.next, Wait | Rest):
                return plan
        raise AssertionError("the incident never comes to rest")

    def pass_time(self, **span: float) -> None:
        """Let time pass, looking whenever the core asked to."""
        end = self.now + timedelta(**span)
        while True:
            plan = self.settle()
            if not isinstance(plan.next, Wait) or self.now + plan.next.span > end:
                break
            self.now += max(plan.next.span, timedelta(milliseconds=1))
        self.now = end

    def _perform(self, effect: Effect) -> Answer:
        match effect:
            case Pin():
                self._pinned.add(effect.revision)
            case Observe():
                return self._observed(effect)
            case Experiment():
                return self._observed(effect.observe)
            case RunPreview():
                return self.preview
            case ReadIncident():
                return self.earlier
            case MarkIncorrect():
                self.earlier = effect.earlier.model_copy(update={"status": effect.status})
            case CheckGate():
                return self.gate
            case CreateRequest():
                self.request = ApprovalRequest.model_validate(
                    {"metadata": {"name": effect.name, "uid": f"uid-of-{effect.name}"}, "spec": effect.spec}
                )
            case Consume():
                self._close("Consumed", "", effect.attempt_ids)
            case CloseRequest():
                self._close(effect.reason, effect.message)
            case AskLedger():
                return self.ledger or self._honest(effect.attempt_id)
            case SendOrder():
                return self._send(effect)
            case Seal():
                if effect.attempt_id not in self.runs:
                    self.sealed.add(effect.attempt_id)
                return self.ledger or self._honest(effect.attempt_id)
        return None

    def _send(self, effect: SendOrder) -> LedgerAnswer:
        assert any(a.state == "Started" for a in self.incident.status.attempts), "sent before Started was stored"
        name = attempt_id(effect.order)
        if self.answer_to_order is not None:
            return self.answer_to_order
        if name not in self.sealed and name not in self.runs:
            self.runs.append(name)
        return self._honest(name)

    def _honest(self, name: str) -> LedgerAnswer:
        if name in self.runs:
            return LedgerAnswer(
                state=LedgerState.FINISHED,
                boot=self.boot,
                claim_boot=self.boot,
                finished_at=f"{self.now.timestamp():.6f}",
                finished_uptime="4242.42",
                result="success",
                code="exited",
                exit_status=0,
                output=("result=restarted",),
            )
        if name in self.sealed:
            return LedgerAnswer(state=LedgerState.SEALED, boot=self.boot, sealed_boot=self.boot)
        return LedgerAnswer(state=LedgerState.ABSENT, boot=self.boot)

    def _values(self, probe: ProbeRequest) -> dict[str, Any]:
        later = self.later.get(probe.name) if probe.not_before is not None else None
        return self.values[probe.name] if later is None else later

    def _observed(self, effect: Observe) -> Observation:
        evidence = []
        for probe in effect.probes:
            blind = self._blind(probe)
            evidence.append(
                Evidence(
                    name=probe.name,
                    runbook=effect.runbook,
                    source=probe.probe,
                    role=probe.role,
                    host=probe.host,
                    observed_time=self.now,
                    values={} if blind else self._values(probe),
                    unavailable=blind,
                )
            )
        info = HostInfo(
            MACHINE,
            self.boot,
            5000,
            self.now.timestamp() + self.clock_offset,
            self.declared,
            previews=self.previews,
            ledger=self.no_order,
        )
        hosts = {name: info for name in effect.hosts if name not in self.unreachable}
        return Observation(self.now, tuple(evidence), hosts, self.unreachable)

    def _blind(self, probe: ProbeRequest) -> Unavailable | None:
        """Why a probe sees nothing; None if it sees what the world's values say."""
        if (message := self.unreachable.get(probe.host or "")) is not None:
            return Unavailable(reason=self.unreachable_reason, message=message)
        if probe.name in self.unavailable:
            reason, message = self.unavailable[probe.name]
            return Unavailable(reason=reason, message=message)
        return None if probe.name in self.values else Unavailable(reason="NotReachable", message="not observed")

    def _close(self, reason: str, message: str, attempt_ids: tuple[str, ...] = ()) -> None:
        assert self.request is not None
        conditions = conditions_with(
            self.request.status.conditions, "Closed", "True", reason, message, generation=1, now=self.now
        )
        status = self.request.status.model_copy(update={"conditions": conditions, "attempt_ids": list(attempt_ids)})
        self.request = self.request.model_copy(update={"status": status})

    def finished(self, exit_status: int | None = 70, **more: Any) -> LedgerAnswer:
        """What the host answers of an action that came to its end with that status."""
        ended = {
            "state": LedgerState.FINISHED,
            "boot": self.boot,
            "finished_at": f"{self.now.timestamp():.6f}",
            "result": "success" if exit_status == 0 else "exit-code",
            "code": "exited",
            "exit_status": exit_status,
        }
        return LedgerAnswer(**(ended | more))

    # What people do

    def review(self, user: str, verdict: str = "Approved", comment: str | None = None) -> None:
        assert self.request is not None
        spec = self.request.spec.wire()
        review = {"verdict": verdict, "packetDigest": spec["packetDigest"]}
        spec.setdefault("reviews", {})[user] = review | ({"comment": comment} if comment else {})
        request = self.request.model_dump(by_alias=True, mode="json") | {"spec": spec}
        self.request = ApprovalRequest.model_validate(request)

    def patch(self, **spec: Any) -> None:
        """A person's patch of the incident's spec."""
        metadata = self.incident.metadata.model_copy(update={"generation": self.incident.metadata.generation + 1})
        changed = self.incident.spec.model_copy(update=spec)
        self.incident = self.incident.model_copy(update={"metadata": metadata, "spec": changed})
        self._facts = Facts()  # they were of the incident as it was before

    def restart_operator(self) -> None:
        """All that was only remembered is gone."""
        self._facts, self._samples = Facts(), ()

    def phase(self) -> Phase:
        return self.incident.status.phase

    @property
    def reason(self) -> str | None:
        escalation = self.incident.status.escalation
        return escalation.reason.value if escalation is not None else None

    def performed(self, kind: type[Effect]) -> list[Effect]:
        return [effect for effect in self.effects if isinstance(effect, kind)]


def awaiting_approval(**changes: Any) -> World:
    """A world in which the packet was made and nobody has reviewed it yet."""
    world = World(**changes)
    world.settle()
    assert world.phase() == Phase.AWAITING_APPROVAL, world.incident.status.escalation
    return world


def approved(**changes: Any) -> World:
    """A world in which the packet was approved, and nothing happened since."""
    world = awaiting_approval(**changes)
    world.review("alice@example.com")
    return world


def restarted(**changes: Any) -> World:
    """The fix was carried out; verification begins."""
    world = approved(**changes)
    world.settle()
    assert world.phase() == Phase.VERIFYING, world.incident.status.escalation
    return world
