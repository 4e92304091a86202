"""What a person does about an escalation: in plain words with the names of this incident, and as a command."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from firstresponder.actions.catalogue import TYPES
from firstresponder.api.incident import ONCE_MORE, IncidentStatus
from firstresponder.api.packet import DecisionPacket
from firstresponder.api.reasons import EscalationReason
from firstresponder.incident.approval.attempts import fix_text
from firstresponder.incident.snapshot import Snapshot

_COMMAND = re.compile(r"`|\b(?:kubectl|sudo) ")
ONCE_CHOSEN = {EscalationReason.UNKNOWN_INCIDENT_TYPE, EscalationReason.AMBIGUOUS_RUNBOOK}
"""Reasons after which somebody has to choose the runbook."""
_ONCE_MORE = frozenset(
    ONCE_CHOSEN
    | {EscalationReason.APPROVAL_EXPIRED, EscalationReason.PACKET_SUPERSEDED, EscalationReason.RECURRENCE}
    | {EscalationReason.ACTION_CLASS_MISSING, EscalationReason.AMBIGUOUS_HOST, EscalationReason.ABORTED}
    | {EscalationReason.INVALID_RUNBOOK, EscalationReason.EVIDENCE_UNAVAILABLE, EscalationReason.HOST_UNREACHABLE}
    | {EscalationReason.PRECONDITION_FAILED, EscalationReason.NOT_RECOVERED}
)
"""Reasons after which the same may be triaged again, once somebody has done something about them."""


def what_to_do(snapshot: Snapshot, status: IncidentStatus, reason: EscalationReason, own: str | None) -> str:
    """The human action. ``own`` is what the runbook says, or whoever escalates: it goes before what the reason says
    by itself, and a command follows where it names none."""
    case, again = _Case(snapshot, status), _once_more(snapshot, status, reason)
    if own is None:
        said = _BY_REASON[reason](case)
    else:
        said = own if again or _COMMAND.search(own) else f"{own.rstrip()} {case.seen}"
    return f"{said} {again}".strip()


@dataclass(frozen=True)
class _Case:
    snapshot: Snapshot
    status: IncidentStatus

    @property
    def namespace(self) -> str:
        return self.snapshot.incident.namespace

    @property
    def incident(self) -> str:
        return f"{self.snapshot.incident.name} -n {self.namespace}"

    @property
    def seen(self) -> str:
        """Where to read on: how it stands after an action, else why it was decided so."""
        return (
            self.service or f"`kubectl incident explain {self.incident}` shows each condition and the values behind it."
        )

    @property
    def packet(self) -> DecisionPacket | None:
        return self.status.decision_packet

    @property
    def service(self) -> str:
        """How to inspect what an action was done to."""
        attempt = self.status.attempts[-1] if self.status.attempts else None
        if attempt is None or self.packet is None or self.packet.digest != attempt.packet_digest:
            return ""
        return look_at(self.packet) or ""

    @property
    def runbook(self) -> str:
        """The runbook that led here, as kubectl takes it."""
        revision = self.status.runbook_revision_ref
        if revision is not None:
            return f"runbook {revision.runbook}"
        playbook = self.status.playbook_revision_ref
        if playbook is not None:
            return f"triageplaybook {playbook.runbook}"
        found = self.snapshot.revision
        return f"runbook {found.ref.runbook}" if found is not None else "runbooks"

    @property
    def blind_hosts(self) -> list[str]:
        """Hosts on which some diagnostic saw nothing."""
        return sorted({each.host for each in self.status.evidence if each.unavailable is not None and each.host})

    @property
    def unreachable_hosts(self) -> list[str]:
        """Hosts on which every diagnostic saw nothing."""
        answered = {each.host for each in self.status.evidence if each.unavailable is None}
        return [host for host in self.blind_hosts if host not in answered]

    @property
    def strange_hosts(self) -> list[str]:
        """Hosts that showed another key than the pinned one."""
        return sorted(
            {
                each.host
                for each in self.status.evidence
                if each.host and each.unavailable is not None and each.unavailable.reason == "HostKeyMismatch"
            }
        )

    def described(self, host: str) -> str:
        return f"`kubectl describe host {host} -n {self.namespace}`"


def look_at(packet: DecisionPacket) -> str | None:
    """How a person sees in what state the target of its action is; None where its type has no way to say."""
    proposed = packet.bound.proposed_action
    type_ = TYPES.get(proposed.type)
    return type_.to_look_at(proposed.target, proposed.host) if type_ is not None and type_.to_look_at else None


def _host_unreachable(case: _Case) -> str:
    if strange := case.strange_hosts:
        host = strange[0]
        return (
            f"Do not log in to {host} and do not change its pinned key until you know why its key changed: it was "
            "reinstalled, or somebody is in between. On its console, `sudo cat /etc/ssh/ssh_host_*_key.pub` shows its "
            f"real keys; `kubectl get host {host} -n {case.namespace} -o yaml` shows the pinned ones (spec.hostKeys)."
        )
    named = {each.name for each in case.snapshot.incident.spec.hosts}
    if missing := sorted(named - case.snapshot.hosts.keys()):
        return f"Create the Host {missing[0]}, or correct the name: `kubectl get hosts -n {case.namespace}` lists them."
    if silent := case.unreachable_hosts:
        host = silent[0]
        return f"Find out why {host} cannot be reached: {case.described(host)} shows since when." + (
            " Until then, look after the service yourself." if host in named else ""
        )
    return (
        "Create a Host for the role, or give one its labels: "
        f"`kubectl get hosts -n {case.namespace} --show-labels` lists them."
    )


def _evidence_unavailable(case: _Case) -> str:
    if case.status.verification is not None:
        look = case.service or case.seen
        return f"Look at the service yourself, for the fix is no longer verified. {look}"
    hosts = case.blind_hosts
    labels = f" `kubectl get hosts -n {case.namespace} --show-labels` lists the Hosts."
    where = f" {case.described(hosts[0])} shows whether the host is prepared." if hosts else labels
    return f"Fix what kept these diagnostics from seeing anything, or decide by hand.{where}"


def _verification_unavailable(case: _Case) -> str:
    hosts = sorted({each.name for each in case.status.roles})
    look = f" {case.service}" if case.service else ""
    check = f" {case.described(hosts[0])} shows whether the host is reached and prepared." if hosts else ""
    return (
        f"Look at the service yourself: nobody knows whether the fix helped.{look} Then fix what kept it from being "
        f"seen.{check}"
    )


def _recurrence(case: _Case) -> str:
    earlier = [each.name for each in case.status.related_incidents if each.relation == "Recurrence"]
    seen = f": `kubectl incident describe {earlier[-1]} -n {case.namespace}` shows the earlier one" if earlier else ""
    return (
        f"Find the real cause{seen}. To have the same fix proposed anyway, give the reason in place of WHY; the "
        "earlier one then still counts as a wrong fix."
    )


def _precondition_failed(case: _Case) -> str:
    if not case.status.parameters:  # nothing was evaluated: a parameter of the incident cannot be used
        return (
            f"Nothing was observed. Give the parameter another value: `kubectl describe {case.runbook} "
            f"-n {case.namespace}` shows its bounds."
        )
    return f"Nothing was proposed. Fix what the message names, or act by hand. {case.seen}"


def _superseded(case: _Case) -> str:
    packet = case.packet
    if packet is None:
        return f"See whether anything is still to be done. {case.seen}"
    what = fix_text(packet)
    done = "was not carried out to its end" if case.status.attempts else "was not carried out"
    look = look_at(packet) or case.seen
    return f"{what[:1].upper()}{what[1:]} {done}: see whether it is still needed. {look}"


def _manual(case: _Case) -> str:
    return (
        "Carry it out by hand if you agree: "
        f"`kubectl incident describe {case.incident}` shows the decision packet with its risks and rollback."
    )


def _judge_by(what: str) -> Callable[[_Case], str]:
    return lambda case: f"{what} {case.seen}"


_BY_REASON: Mapping[EscalationReason, Callable[[_Case], str]] = {
    EscalationReason.UNKNOWN_INCIDENT_TYPE: lambda case: (
        f"Triage by hand, or choose a runbook: `kubectl get runbooks,triageplaybooks -n {case.namespace}` lists them. "
        "Write one if this recurs."
    ),
    EscalationReason.AMBIGUOUS_RUNBOOK: lambda case: (
        "Choose one of these Runbooks for a new Incident, and narrow spec.match of the others, or it happens again: "
        f"`kubectl get runbooks,triageplaybooks -n {case.namespace}` lists them."
    ),
    EscalationReason.AMBIGUOUS_ROOT_CAUSE: _judge_by("Decide which of the hypotheses is the cause."),
    EscalationReason.UNKNOWN_ROOT_CAUSE: _judge_by("Find the cause by hand."),
    EscalationReason.EVIDENCE_UNAVAILABLE: _evidence_unavailable,
    EscalationReason.HOST_UNREACHABLE: _host_unreachable,
    EscalationReason.AMBIGUOUS_HOST: lambda case: (
        "Say which host plays the role (--host ROLE=NAME) in a new Incident, or correct the labels: "
        f"`kubectl get hosts -n {case.namespace} --show-labels` lists them."
    ),
    EscalationReason.SECURITY_INCIDENT: _judge_by("Investigate a possible compromise."),
    EscalationReason.PRECONDITION_FAILED: _precondition_failed,
    EscalationReason.CAPACITY_LIMIT: _judge_by("Decide whether the limit can be changed, or relieve the load by hand."),
    EscalationReason.ACTION_CLASS_MISSING: lambda case: (
        f"Create or correct the ActionClass: `kubectl get actionclasses -n {case.namespace}` lists them with the types "
        "of action that they are for."
    ),
    EscalationReason.ACTION_FAILED: _judge_by("Look at what was acted on, and put it right by hand."),
    EscalationReason.INDETERMINATE: _judge_by("Find out on the host whether the action ran; it is never repeated."),
    EscalationReason.FIX_FAILED: _judge_by("Find out why the fix did not help."),
    EscalationReason.VERIFICATION_UNAVAILABLE: _verification_unavailable,
    EscalationReason.NOT_RECOVERED: _judge_by(
        "Check the service: the symptom was not there at triage, and yet the service is not steadily healthy."
    ),
    EscalationReason.RECURRENCE: _recurrence,
    EscalationReason.APPROVAL_DENIED: lambda case: (
        "The incident goes on: decide what to do instead. "
        f"`kubectl incident describe {case.incident}` shows what was found and what was denied."
    ),
    EscalationReason.APPROVAL_EXPIRED: lambda case: (
        "The incident goes on: decide what to do. "
        f"`kubectl incident describe {case.incident}` shows what was found and proposed."
    ),
    EscalationReason.PACKET_SUPERSEDED: _superseded,
    EscalationReason.ABORTED: lambda case: f"A person stopped it: decide how to go on. {case.service}".rstrip(),
    EscalationReason.MANUAL_ACTION_REQUIRED: _manual,
    EscalationReason.INVALID_RUNBOOK: lambda case: (
        f"Correct the runbook: `kubectl describe {case.runbook} -n {case.namespace}` shows it, and what is known to be "
        "wrong with it."
    ),
}


def _once_more(snapshot: Snapshot, status: IncidentStatus, reason: EscalationReason) -> str:
    """The command that opens a new incident like this one, where that is a way on."""
    if reason not in _ONCE_MORE:
        return ""
    spec = snapshot.incident.spec
    words = ["kubectl", "incident", "open", "--type", spec.type, "--service", spec.service]
    words += ["-n", snapshot.incident.namespace]
    words += [word for each in spec.hosts for word in ("--host", f"{each.role}={each.name}")]
    if reason == EscalationReason.AMBIGUOUS_HOST:
        words += ["--host", "ROLE=NAME"]
    if reason in ONCE_CHOSEN:
        words += ["--runbook", "NAME"]
    elif spec.runbook_ref is not None:
        words += ["--runbook", spec.runbook_ref.name]
    unusable = reason == EscalationReason.PRECONDITION_FAILED and not status.parameters
    for name, value in sorted(spec.parameters.items()):
        words += ["--parameter", f"{name}={'VALUE' if unusable else json.dumps(value)}"]
    if reason == EscalationReason.RECURRENCE:
        words += ["--override-recurrence", "WHY"]
    return f"{ONCE_MORE} {shlex.join(words)}"
