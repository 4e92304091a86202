"""Incident: something is wrong on some hosts, what was seen, decided, done and verified about it."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, StringConstraints

from firstresponder.api.advice import FollowUp, Recommendation
from firstresponder.api.base import (
    GROUP,
    JSON,
    ApiModel,
    Conditions,
    Digest,
    Expression,
    Free,
    FreeMap,
    HostKeyText,
    Label,
    ObjectName,
    Resource,
    ServiceName,
    ShortText,
    StatusModel,
    Text,
    Time,
    column,
    name_at_most,
)
from firstresponder.api.escalationpolicy import Money
from firstresponder.api.packet import DecisionPacket
from firstresponder.api.reasons import EscalationReason
from firstresponder.api.rootcause import RootCause

KEEP = f"{GROUP}/keep"
"""The annotation by which a person keeps an incident in the cluster; any value but ``false`` does."""

_ATOMIC: dict[str, JSON] = {"x-kubernetes-list-type": "atomic"}


class Phase(StrEnum):
    """The machine's cursor. Conditions are the contract; more phases may come."""

    PENDING = "Pending"
    TRIAGING = "Triaging"
    AWAITING_APPROVAL = "AwaitingApproval"
    ACTING = "Acting"
    VERIFYING = "Verifying"
    RESOLVED = "Resolved"
    ESCALATED = "Escalated"


ENDS = frozenset({Phase.RESOLVED, Phase.ESCALATED})
"""Phases that nothing follows."""


class ConditionType(StrEnum):
    """The conditions of an Incident: the contract that programs wait for."""

    TRIAGED = "Triaged"
    APPROVED = "Approved"
    ACTED = "Acted"
    VERIFIED = "Verified"
    RESOLVED = "Resolved"
    ESCALATED = "Escalated"
    CLOSED = "Closed"


class TimelineEvent(StrEnum):
    """What can stand in an Incident's timeline; docs/kinds/incident.md explains each."""

    DETECTED = "Detected"
    HIGH_IMPACT = "HighImpact"
    TRIAGE_STARTED = "TriageStarted"
    PLAYBOOK_CONCLUDED = "PlaybookConcluded"
    TRIAGE_COMPLETED = "TriageCompleted"
    SAME_CAUSE = "SameCause"
    RECURRENCE_OVERRIDDEN = "RecurrenceOverridden"
    APPROVAL_REQUESTED = "ApprovalRequested"
    APPROVAL_GATE_UNSAFE = "ApprovalGateUnsafe"
    PACKET_SUPERSEDED = "PacketSuperseded"
    APPROVAL_GRANTED = "ApprovalGranted"
    ACTION_STARTED = "ActionStarted"
    ACTION_DELAYED = "ActionDelayed"
    ACTION_COMPLETED = "ActionCompleted"
    ACTION_SKIPPED = "ActionSkipped"
    TARGET_MET = "TargetMet"
    SPEC_CHANGED = "SpecChanged"
    SYMPTOM_RETURNED = "SymptomReturned"
    VERIFICATION_PASSED = "VerificationPassed"
    VERIFICATION_FAILED = "VerificationFailed"
    VERIFICATION_UNAVAILABLE = "VerificationUnavailable"
    ROLLBACK_OFFERED = "RollbackOffered"
    ROLLBACK_ENDED = "RollbackEnded"
    RESOLVED = "Resolved"
    ESCALATED = "Escalated"
    FIX_MARKED_INCORRECT = "FixMarkedIncorrect"


class HostAssignment(ApiModel):
    """A host and the role that it plays."""

    role: Label
    """A role of the runbook; target is the host that the incident is about."""
    name: ObjectName
    """The name of a Host in this namespace."""


class Impact(ApiModel):
    """Whom and what the incident costs."""

    customers: Annotated[int, Field(ge=0)] | None = None
    """How many customers are affected."""
    revenue_loss_per_hour: Money | None = None
    """What is lost in an hour."""


class Alert(ApiModel):
    """The alert that this incident comes from. All of it is untrusted data."""

    name: ShortText
    """The alert's name; runbooks match it."""
    fingerprint: ShortText | None = None
    """What the same alert has in common each time it fires."""
    start_time: Time | None = None
    """Since when it fires; taken as the detection time where none is given."""
    labels: Annotated[dict[str, Text], Field(max_length=64)] = {}
    """The alert's labels."""
    annotations: Annotated[dict[str, Text], Field(max_length=64)] = {}
    """The alert's annotations."""


class RunbookReference(ApiModel):
    """A Runbook of this namespace."""

    name: ObjectName
    """The Runbook's name."""


IMMUTABLE = (
    "type", "service", "hosts", "summary", "detectionTime", "severity", "impact", "alert", "runbookRef",
    "overrideRecurrence"
)  # fmt: skip
_ONE_WAY = ("abort", "fixIncorrect")


def _incident_rules() -> list[JSON]:
    frozen = [
        {
            "rule": f"has(self.{f}) == has(oldSelf.{f}) && (!has(self.{f}) || self.{f} == oldSelf.{f})",
            "message": f"spec.{f} is immutable: open a new Incident instead",
            "fieldPath": f".{f}",
        }
        for f in IMMUTABLE
    ]
    one_way = [
        {
            "rule": f"!has(oldSelf.{f}) || !oldSelf.{f} || (has(self.{f}) && self.{f})",
            "message": f"spec.{f} is one-way: once true it stays true",
            "fieldPath": f".{f}",
        }
        for f in _ONE_WAY
    ]
    return frozen + one_way


class IncidentSpec(ApiModel):
    """What is wrong and where; immutable but for parameters, abort and fixIncorrect."""

    model_config = {"json_schema_extra": {"x-kubernetes-validations": _incident_rules()}}

    type: Annotated[str, StringConstraints(min_length=1, max_length=128, pattern=r"^[A-Za-z][A-Za-z0-9]*$")]
    """What is wrong, for example HighCPU; runbooks match it."""
    service: ServiceName
    """The service that suffers; its unit is usually SERVICE.service."""
    hosts: Annotated[
        list[HostAssignment],
        Field(
            max_length=16,
            json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["role"]},
        ),
    ] = []
    """The hosts by role; roles left out are found by the runbook's selectors."""
    summary: Text | None = None
    """What is wrong, in one sentence."""
    detection_time: Time | None = None
    """When it was noticed, otherwise when the alert began or this object was created."""
    severity: Literal["Critical", "Warning", "Info"] = "Warning"
    """How bad it is."""
    impact: Impact | None = None
    """Whom and what it costs; beyond the EscalationPolicy's thresholds people are notified at once."""
    alert: Alert | None = None
    """The alert that it comes from, if any."""
    parameters: Annotated[dict[str, Free], Field(max_length=32)] = {}
    """Overrides of the runbook's parameters, within its bounds."""
    runbook_ref: RunbookReference | None = None
    """The Runbook to use; otherwise the only one that matches."""
    override_recurrence: Annotated[str, StringConstraints(min_length=1, max_length=512)] | None = None
    """Why the same fix may be proposed again although it was tried within its cooldown and did not last."""
    abort: bool = False
    """The human's brake: nothing further is started; once true it stays true."""
    fix_incorrect: bool = False
    """A human's mark afterwards that the fix was wrong; counts in the false-action rate; once true it stays true."""


class RevisionReference(StatusModel):
    """The exact content of a runbook."""

    runbook: ObjectName
    """The Runbook's name."""
    name: ObjectName
    """The ControllerRevision's name."""
    digest: Digest
    """The digest of the content."""
    git_revision: ShortText | None = None
    """The Runbook's annotation firstresponder.dev/git-revision."""


class RelatedIncident(StatusModel):
    """Another incident that this one has to do with."""

    name: ObjectName
    """The Incident's name."""
    uid: ShortText
    """The Incident's uid."""
    relation: Literal["SameCause", "Recurrence"]
    """Whether both have one cause, or one is the other come back."""


class Unavailable(StatusModel):
    """Why nothing was observed."""

    reason: ShortText
    """In one word."""
    message: Text
    """In words, with what to do."""


class Evidence(StatusModel):
    """What one diagnostic saw. ``values`` is what expressions read: complete, or not there at all."""

    name: ShortText
    """The diagnostic's name."""
    runbook: ObjectName
    """The runbook that asked for it."""
    source: ShortText
    """The program that was run."""
    role: Label
    """The role of the host."""
    host: ObjectName | None = None
    """The Host's name."""
    observed_time: Time
    """When it was observed."""
    values: FreeMap = {}
    """What expressions read: complete, or not there at all."""
    excerpt: Annotated[str, StringConstraints(max_length=4096)] | None = None
    """The beginning of what was printed, redacted."""
    truncated: bool = False
    """Whether the output was cut off."""
    unavailable: Unavailable | None = None
    """Why nothing was observed."""
    experiment: bool = False
    """Whether the debugger asked for it, once the decision was made; no expression reads it."""


class RoleAssignment(StatusModel):
    """The host that played a role in triage, and what expressions knew of it."""

    role: Label
    """The role."""
    name: ObjectName
    """The Host's name."""
    address: ShortText
    """The Host's address."""
    expected_units: Annotated[list[ShortText], Field(max_length=64)] = []
    """Units that were expected to use this host."""
    host_keys: Annotated[list[HostKeyText], Field(max_length=16)] = []
    """The keys that were pinned for it: another machine of the same name is not meant."""


class HypothesisResult(StatusModel):
    """``kind`` says whether it is a guard, the symptom or a hypothesis, ``runbook`` whose it is."""

    name: ShortText
    """The guard, variable, hypothesis or precondition that was evaluated."""
    runbook: ObjectName | None = None
    """The Runbook or TriagePlaybook that it belongs to."""
    kind: Literal["Guard", "Symptom", "Hypothesis", "Precondition"] = "Hypothesis"
    """Which part of the runbook was evaluated."""
    likelihood: int | None = None
    """The likelihood that the runbook gives a hypothesis."""
    verdict: Literal["Holds", "Refuted", "Unknown"]
    """True is Holds, false is Refuted."""
    because: Text
    """The values that it rests on, or what is not known."""


class ApprovalRequestReference(StatusModel):
    """The request for approval of the packet."""

    name: ObjectName
    """The ApprovalRequest's name."""
    uid: ShortText | None = None
    """Its uid, once it exists."""


class AttemptState(StrEnum):
    STARTED = "Started"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"
    INDETERMINATE = "Indeterminate"


class AttemptReason(StrEnum):
    """Why an attempt ended as it did."""

    SUCCEEDED = "Succeeded"
    EXIT_STATUS = "ExitStatus"
    REFUSED = "Refused"
    NEVER_RAN = "NeverRan"
    NOT_FINISHED = "NotFinished"
    NO_EXIT_STATUS = "NoExitStatus"
    INTERRUPTED = "Interrupted"
    HOST_REBOOTED = "HostRebooted"
    HOST_SILENT = "HostSilent"


CHANGED_NOTHING = frozenset({AttemptReason.NEVER_RAN, AttemptReason.REFUSED})
"""Reasons of attempts that ended without having done anything on the host."""


class Attempt(StatusModel):
    """One order sent to one host. ``id`` is the sha256 of the order: the same order can run only once."""

    id: Annotated[str, StringConstraints(max_length=64, pattern=r"^[0-9a-f]{64}$")]
    """The sha256 of the order: the same order can run only once."""
    ordinal: int
    """Counts the orders of the incident from 1."""
    action: ShortText
    """The action's name in the runbook."""
    method: ShortText | None = None
    """The method's name, where the action has several."""
    undoes: ShortText | None = None
    """The id of the attempt that this one rolls back."""
    host: ObjectName
    """The Host's name."""
    machine: ShortText
    """The machine-id that the order is for."""
    boot: ShortText
    """The boot that the order is for."""
    not_after: int
    """The last moment to begin, in unix seconds by the host's clock."""
    packet_digest: Digest
    """The packet that was approved."""
    state: AttemptState
    """Indeterminate: nobody can know whether it ran; it is never repeated."""
    start_time: Time
    """When it was recorded as started, before the order was sent."""
    completion_time: Time | None = None
    """When the action ended by the host's clock, if the host recorded it."""
    end_clock: Annotated[str, StringConstraints(max_length=32, pattern=r"^[0-9]+(\.[0-9]+)?$")] | None = None
    """The same moment in unix seconds with fraction, for reading the journal from then on."""
    end_uptime: Annotated[str, StringConstraints(max_length=32, pattern=r"^[0-9]+(\.[0-9]+)?$")] | None = None
    """The same moment in seconds since the boot: it shows by how much the host's clock was set afterwards."""
    exit_code: int | None = None
    """The exit status of the action on the host."""
    reason: ShortText | None = None
    """Why it ended so, in one word."""
    message: Text | None = None
    """Why it ended so."""
    after: Text | None = None
    """In what state its target was seen to be after a failed or unknown end."""
    first_error: Text | None = None
    """What first kept the order from being sent, or the host from being asked about it."""
    last_error: Text | None = None
    """The same, the last time that it was something else."""
    proof: Annotated[list[Text], Field(max_length=64)] = []
    """What the action printed on the host."""


class CriterionResult(StatusModel):
    """A verification criterion as it stood at the last sample."""

    name: Label
    """The criterion's name."""
    require: Expression | None = None
    """Its CEL condition."""
    holds: bool
    """Whether it was true."""
    because: Text = ""
    """The values that it rests on, or what is not known."""
    since: Time | None = None
    """Since when it has held without a break."""


class Verification(StatusModel):
    """Whether the fix is good."""

    start_time: Time
    """The end of the action, or of triage when nothing was acted on."""
    not_before: Annotated[str, StringConstraints(max_length=32, pattern=r"^[0-9]+(\.[0-9]+)?$")] | None = None
    """The end of the action in unix seconds by the host's clock: journals are read from then on."""
    window_seconds: int
    """How long every criterion must hold without a break."""
    samples: int = 0
    """How many looks were taken."""
    criteria: Annotated[list[CriterionResult], Field(max_length=17)] = []
    """Each criterion at the last look; where nothing was acted on also that the symptom is absent."""
    observed_time: Time | None = None
    """When the last look was taken that is written here; while it goes on at most one a minute is."""
    deadline: Time | None = None
    """By when it has to be verified."""
    result: Literal["Passed", "Failed", "Unavailable", "Stopped"] | None = None
    """Unavailable: whether the criteria hold could not be seen. Stopped: it was ended before. Absent while it goes
    on."""


Stage = Literal["Triage", "BeforeAction", "Verification"]


class Measurement(StatusModel):
    """What was measured in one round of looks. It is kept for people; nothing is decided by it."""

    time: Time
    """When the round began."""
    stage: Stage
    """What the round was for: to find the cause, to check once more just before acting, or to verify."""
    runbook: ObjectName
    """The runbook that the diagnostics belong to."""
    values: FreeMap = {}
    """Diagnostic and field, as in processes.hostCpuPercent, to a number; what was not observed is left out."""


class DiagnosticResult(StatusModel):
    """What one diagnostic or hypothesis came to."""

    name: ShortText
    """Its name."""
    result: Text
    """In words."""


ONCE_MORE = "To have it triaged again:"
"""What stands in ``humanAction`` before the command that opens a new incident like this one."""


class Escalation(StatusModel):
    """Everything that a human needs to go on, in one place."""

    reason: EscalationReason
    """Why, in one word; docs/reasons.md explains each."""
    message: Text
    """Why, in words."""
    to: Annotated[list[Label], Field(max_length=8)] = []
    """Contacts of the EscalationPolicy."""
    time: Time
    """When."""
    diagnostic_results: Annotated[list[DiagnosticResult], Field(max_length=192)] = []
    """What every diagnostic and hypothesis came to."""
    attempted_fix: Text | None = None
    """What was tried, and how it ended."""
    verification_result: Text | None = None
    """Which criteria held and which did not."""
    human_action: Text
    """What that person has to do."""


class TimelineEntry(StatusModel):
    """Something that happened."""

    time: Time
    """When; of an action, by the host's clock."""
    event: ShortText
    """What, in one word."""
    details: Text = ""
    """What, in words."""
    by: Annotated[str, StringConstraints(max_length=1024)] | None = None
    """The user who did it."""


class ServiceLevel(StatusModel):
    """The service level indicators of one incident; seconds are whole."""

    detection_time: Time
    """When it was noticed."""
    start_time: Time | None = None
    """When the operator began."""
    resolution_time: Time | None = None
    """When it was verified as fixed."""
    mttd_seconds: int | None = None
    """From detection to the operator's beginning."""
    mttr_seconds: int | None = None
    """From the operator's beginning to the resolution."""
    escalated: bool = False
    """Whether a human had to take over."""
    fix_correct: bool | None = None
    """Whether the fix was right; absent when nothing was tried or nobody knows."""


class IncidentStatus(StatusModel):
    """Everything that was seen, decided, done and verified."""

    observed_generation: int = 0
    """The generation of the spec that this was said of."""
    phase: Phase = Phase.PENDING
    """How far the operator is; programs should read the conditions."""
    conditions: Conditions = []
    """Triaged, Approved, Acted, Verified, Resolved, Escalated, and Closed at every end."""
    runbook_revision_ref: RevisionReference | None = None
    """The exact runbook that is used, whatever happens to the Runbook."""
    playbook_revision_ref: RevisionReference | None = None
    """The exact TriagePlaybook that chose the runbook."""
    related_incidents: Annotated[list[RelatedIncident], Field(max_length=32, json_schema_extra=_ATOMIC)] = []
    """Other incidents that this one has to do with."""
    parameters: Annotated[dict[str, ShortText], Field(max_length=32)] = {}
    """The resolved parameters that triage used."""
    roles: Annotated[list[RoleAssignment], Field(max_length=16, json_schema_extra=_ATOMIC)] = []
    """The hosts as they were cast in triage."""
    margin_points: int | None = None
    """The ambiguity margin that the decision was made with."""
    evidence: Annotated[list[Evidence], Field(max_length=96, json_schema_extra=_ATOMIC)] = []
    """What was observed in triage."""
    samples: Annotated[list[Measurement], Field(max_length=64, json_schema_extra=_ATOMIC)] = []
    """What was measured over time; of more rounds than fit the last of each stage, and evenly some of the others."""
    samples_dropped: int = 0
    """How many rounds between were dropped."""
    hypotheses: Annotated[list[HypothesisResult], Field(max_length=96, json_schema_extra=_ATOMIC)] = []
    """The verdict on everything that was evaluated."""
    root_cause: RootCause | None = None
    """What the debugger found out about the cause."""
    decision_packet: DecisionPacket | None = None
    """What is proposed, word for word."""
    last_ordinal: Annotated[int, Field(ge=0)] = 0
    """The ordinal of the last order of the latest packet, superseded ones too: none is used twice."""
    approval_request_ref: ApprovalRequestReference | None = None
    """The request for approval of the packet."""
    attempts: Annotated[list[Attempt], Field(max_length=32, json_schema_extra=_ATOMIC)] = []
    """What was done on hosts."""
    verification: Verification | None = None
    """Whether the fix is good."""
    symptom_returned: Annotated[int, Field(ge=0)] = 0
    """How often the symptom came back while it was watched, and was triaged again."""
    escalation: Escalation | None = None
    """Why a human has to take over, with all that is needed."""
    recommendations: Annotated[list[Recommendation], Field(max_length=16, json_schema_extra=_ATOMIC)] = []
    """Said to humans, never executed."""
    timeline: Annotated[list[TimelineEntry], Field(max_length=200, json_schema_extra=_ATOMIC)] = []
    """What happened, in order; the first 20 and the last 180 entries."""
    timeline_dropped: int = 0
    """How many entries in the middle were dropped."""
    sli: ServiceLevel | None = None
    """The service level indicators."""
    follow_ups: Annotated[list[FollowUp], Field(max_length=16, json_schema_extra=_ATOMIC)] = []
    """What to do afterwards."""


class Incident(Resource):
    """Something is wrong; the operator triages it, proposes a fix, and acts only when that fix is approved."""

    plural: ClassVar[str] = "incidents"
    short_names: ClassVar[tuple[str, ...]] = ("inc",)
    printer_columns: ClassVar[tuple[dict[str, Any], ...]] = (
        column("Type", ".spec.type"),
        column("Service", ".spec.service"),
        column("Phase", ".status.phase"),
        column("Reason", '.status.conditions[?(@.type=="Closed")].message'),
        column("Runbook", ".status.runbookRevisionRef.runbook"),
        column("Request", ".status.approvalRequestRef.name", priority=1),
        column("Age", ".metadata.creationTimestamp", "date"),
    )
    validations: ClassVar[tuple[dict[str, Any], ...]] = (name_at_most(200, "its approval requests"),)

    spec: IncidentSpec
    status: IncidentStatus = Field(default_factory=IncidentStatus)
