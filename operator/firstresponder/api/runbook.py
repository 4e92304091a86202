"""Runbook and TriagePlaybook: reviewed, versioned, testable knowledge of how an incident is handled.

An Action and a Diagnostic have here what all of them have. Which types there are is what the catalogues say
(``actions/``, ``evidence/``), and what is read from YAML is read by the models made of them (``runbooks/models.py``).
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field, StringConstraints

from firstresponder.api.advice import FollowUp, Recommendation
from firstresponder.api.base import (
    BY_NAME,
    JSON,
    ApiModel,
    ApprovalPeriod,
    Conditions,
    Duration,
    Expression,
    Free,
    FreeMap,
    Identifier,
    Label,
    ObjectName,
    OneOf,
    Prose,
    Resource,
    ShortText,
    StatusModel,
    Text,
    Title,
    column,
    name_at_most,
)
from firstresponder.api.diagnostics import Diagnostic
from firstresponder.api.packet import FailureCondition, Requirement, Risk
from firstresponder.api.reasons import EscalationReason

Contacts = Annotated[list[Label], Field(max_length=8)]


class Match(ApiModel):
    """Which incidents this is for: any of the types, or any of the alert names."""

    types: Annotated[list[Title], Field(max_length=32)] = []
    """Values of an Incident's spec.type, for example HighCPU."""
    alerts: Annotated[list[Title], Field(max_length=32)] = []
    """Values of an Incident's spec.alert.name."""

    def is_for(self, type_: str, alert: str | None) -> bool:
        """Whether it matches an incident of that type, with that alert."""
        return type_ in self.types or (bool(alert) and alert in self.alerts)


class LabelSelector(ApiModel):
    """Finds a Host by its labels."""

    match_labels: Annotated[dict[str, ShortText], Field(min_length=1, max_length=16)]
    """All of these labels; $(service) in a value is the incident's service."""


class Role(ApiModel):
    """A part that a host plays: named by the incident, or found by labels of Hosts."""

    name: Label
    """The name that diagnostics and actions use, and an Incident's spec.hosts."""
    selector: LabelSelector | None = None
    """Finds the host when the incident names none; it must match exactly one Host of the namespace."""


class Parameter(ApiModel):
    """A value that an incident may override within bounds."""

    name: Identifier
    """The name in expressions, and as $(name) in templates."""
    type: Literal["number", "integer", "string", "duration", "quantity", "hostname", "path"]
    """What a value must be, as in 80, 3, text, 5m, 256Mi, db-01.example.com, /var/log."""
    default: Free
    """The value where an incident gives none."""
    minimum: Free = None
    """The smallest value allowed, written like the default."""
    maximum: Free = None
    """The largest value allowed, written like the default."""
    pattern: ShortText | None = None
    """A regular expression (RE2) for the whole of a string, hostname or path."""
    from_alert_label: Title | None = None
    """The label of the incident's alert that is the value where the incident gives none; checked like any override."""


class Variable(ApiModel):
    """A condition with a name; ``signal`` is what an approver reads when it is true."""

    name: Identifier
    """The name in the expressions after it, and as $(name) in templates."""
    expression: Expression
    """CEL over parameters, diagnostics and the variables before it; what cannot be evaluated is unknown."""
    signal: Text | None = None
    """What it means, for people; a template."""


class Escalate(ApiModel):
    """Hands the incident to a human."""

    reason: EscalationReason
    """Why, in one word; docs/reasons.md explains each."""
    to: Contacts = []
    """Contacts to notify, otherwise spec.escalateTo."""
    human_action: Prose
    """What that person has to do; a template."""


_ONE_OUTCOME: dict[str, JSON] = {
    "x-kubernetes-validations": [
        {
            "rule": "[has(self.action), has(self.runbook), has(self.escalate)].filter(x, x).size() == 1",
            "message": "give exactly one of action, runbook or escalate",
        }
    ]
}


class Outcome(ApiModel):
    """What follows: an action of this runbook, another runbook, or a human."""

    model_config = {"json_schema_extra": _ONE_OUTCOME}

    action: Label | None = None
    """The name of one of spec.actions; only a hypothesis can lead to one."""
    runbook: ObjectName | None = None
    """The name of the Runbook that goes on; only in a TriagePlaybook."""
    escalate: Escalate | None = None
    """A human takes over."""
    recommendations: Annotated[list[Recommendation], Field(max_length=8)] = []
    """Recommended to people in addition."""

    def leads_elsewhere(self, than: Outcome) -> bool:
        """Whether something else follows from it; what is only recommended does not count."""
        return (self.action, self.runbook, self.escalate) != (than.action, than.runbook, than.escalate)


class Guard(ApiModel):
    """Judged before any hypothesis: when it is true, its outcome and nothing else."""

    name: Label
    """The name in verdicts and reports."""
    when: Expression
    """A CEL condition; unknown escalates the incident too."""
    then: Outcome
    """What follows when it is true: escalate."""


class RootCauseText(ApiModel):
    """The cause in words, every field a template."""

    summary: Prose
    """The cause in one sentence."""
    component: Text | None = None
    """What fails, otherwise the incident's service."""
    release: Text | None = None
    """The release that brought it."""
    request: Text | None = None
    """The request that sets it off."""
    minimal_fix: Text | None = None
    """The least that helps now."""


class Hypothesis(ApiModel):
    """A cause that may hold; of those that hold, the likeliest wins unless another is too close."""

    name: Label
    """The name in verdicts, packets and reports."""
    likelihood: Annotated[int, Field(ge=0, le=100)]
    """How likely the author holds it to be, in percent; it ranks the hypotheses that hold."""
    when: Expression
    """A CEL condition: the hypothesis holds when it is true."""
    root_cause: RootCauseText
    """What is reported of the cause when this hypothesis wins."""
    then: Outcome
    """What follows when this hypothesis wins."""
    follow_ups: Annotated[list[FollowUp], Field(max_length=8)] = []
    """What to do about it afterwards."""


class Precondition(Requirement):
    """Must be true before the packet and again before acting; ``otherwise`` says who is notified when it is not."""

    otherwise: Outcome | None = None
    """Who is notified when it is not true, otherwise spec.escalateTo."""


class Rollback(ApiModel):
    """The rollback if the action makes it worse."""

    plan: Prose
    """What to do then, for people; a template."""
    offer_inverse: bool = False
    """Whether the opposite action may be proposed then."""


class Approval(ApiModel):
    """What approvers are asked, and how many of them must say yes."""

    action_class: Annotated[Label | None, Field(alias="class")] = None
    """The ActionClass, whose approvers are meant; otherwise the one named like the type, for example restart-unit."""
    prompt: Prose
    """The question that is put to approvers; a template."""
    required_approvals: Annotated[int, Field(ge=1, le=10)] = 1
    """At least so many people; the ActionClass can ask for more."""
    acknowledge: Annotated[list[Text], Field(max_length=8)] = []
    """What an approver accepts together with the action, sentence by sentence."""
    expires_after: ApprovalPeriod = "30m"
    """How long an approval is waited for, within the bounds of the ActionClass."""


class ActionHead(OneOf):
    """The beginning of an action; what its type adds comes after it, and then what every action has."""

    name: Label
    """The name that outcomes use."""
    role: Label = "target"
    """The role of the host that it is carried out on."""


class Action(ActionHead):
    """One way to change state, with all that a person needs to decide."""

    preconditions: Annotated[list[Precondition], Field(max_length=16, json_schema_extra=BY_NAME)] = []
    """What must be true besides the guards, the symptom and the hypothesis."""
    risk: Risk
    """What could go wrong, for people."""
    rollback: Rollback
    """The rollback."""
    approval: Approval
    """Who must agree to what."""
    cooldown: Duration = "30m"
    """For so long after an attempt the same fix counts as a recurrence."""

    @property
    def type(self) -> str:
        """The action's type as the API spells it, for example ``restartUnit``."""
        return self.given[0]


class Verify(ApiModel):
    """Every criterion true in every sample across the window, or the incident is escalated."""

    initial_delay: Duration = "10s"
    """From the action's end to the first sample."""
    interval: Duration = "15s"
    """From one sample to the next."""
    window: Annotated[str, StringConstraints(min_length=1, max_length=128)]
    """How long every criterion must be true without a break: a duration, or $(parameter)."""
    timeout: Duration
    """From the action's end to giving up."""
    criteria: Annotated[list[Requirement], Field(min_length=1, max_length=16, json_schema_extra=BY_NAME)]
    """What a good end is."""
    fail_when: Annotated[list[FailureCondition], Field(max_length=16, json_schema_extra=BY_NAME)] = []
    """What is worse than before: any of these being true ends the verification at once."""
    on_failure: Outcome
    """What follows when the criteria did not hold: escalate. Where nothing was done, since the symptom had gone by
    itself, this is reported only if its reason is NotRecovered."""

    @property
    def not_recovered(self) -> Escalate | None:
        """What ``on_failure`` says where nothing was done; None where it speaks of a fix."""
        escalate = self.on_failure.escalate
        return escalate if escalate is not None and escalate.reason == EscalationReason.NOT_RECOVERED else None


class TestHost(ApiModel):
    """A host as expressions see it."""

    name: ObjectName
    """The Host's name."""
    address: Title
    """The Host's address."""
    expected_units: Annotated[list[ShortText], Field(max_length=64)] = []
    """Units that are expected to use this host."""


class Expectation(ApiModel):
    """What a case must come to; fields left out are not compared."""

    cause: Label | None = None
    """The hypothesis that wins."""
    action: Label | None = None
    """The action that is proposed."""
    runbook: ObjectName | None = None
    """The Runbook that goes on."""
    desired: Annotated[int, Field(ge=0)] | None = None
    """The number of instances that is asked for."""
    methods: Annotated[list[Label], Field(max_length=8)] | None = None
    """The methods that the action takes, in order."""
    recommend: Annotated[list[Label], Field(max_length=8)] | None = None
    """The contacts that something is recommended to, in order."""
    escalate: EscalationReason | None = None
    """The reason for handing over to a human."""
    verify_only: bool | None = None
    """The symptom is gone: nothing is acted on."""
    unmet: Annotated[list[Label], Field(max_length=16)] | None = None
    """The verification criteria that do not hold on this evidence."""
    failed: Label | None = None
    """The failWhen condition that is true on this evidence."""


class Case(ApiModel):
    """Recorded evidence in, expected decision out. ``with`` is a JSON merge patch: null takes evidence away."""

    name: Title
    """What the case is about."""
    given: Label
    """The name of an entry of spec.tests.evidence."""
    with_: Annotated[FreeMap, Field(alias="with")] = {}
    """A JSON merge patch of that evidence: null takes evidence away."""
    expect: Expectation
    """What must come out."""


class Tests(ApiModel):
    """The runbook's own test cases."""

    service: Title
    """The incident's service."""
    hosts: Annotated[dict[str, TestHost], Field(max_length=16)] = {}
    """Role to host."""
    evidence: Annotated[dict[str, FreeMap], Field(max_length=32)] = {}
    """Recorded evidence by a name of its own: diagnostic to values."""
    cases: Annotated[list[Case], Field(max_length=128)] = []
    """Each is decided as an incident would be."""


class Triage(ApiModel):
    """The half that a Runbook and a TriagePlaybook share: what to observe and how to decide."""

    match: Match
    """Which incidents this is for."""
    escalate_to: Annotated[list[Label], Field(min_length=1, max_length=8)] = ["on-call"]
    """Contacts to notify, where an outcome names none."""
    roles: Annotated[list[Role], Field(min_length=1, max_length=16, json_schema_extra=BY_NAME)]
    """The parts that hosts play; the first is usually target, the host that the incident is about."""
    parameters: Annotated[list[Parameter], Field(max_length=32, json_schema_extra=BY_NAME)] = []
    """Values that an incident may override."""
    diagnostics: Annotated[list[Diagnostic], Field(min_length=1, max_length=32, json_schema_extra=BY_NAME)]
    """What is observed, in parallel; expressions see each under its name."""
    variables: Annotated[
        list[Variable], Field(max_length=64, json_schema_extra={"x-kubernetes-list-type": "atomic"})
    ] = []
    """Named expressions, in order: each sees those before it."""
    guards: Annotated[list[Guard], Field(max_length=16, json_schema_extra=BY_NAME)] = []
    """Judged before everything else."""
    hypotheses: Annotated[list[Hypothesis], Field(min_length=1, max_length=16, json_schema_extra=BY_NAME)]
    """The causes that may be behind it."""
    otherwise: Outcome
    """What follows when every hypothesis was refuted: escalate."""
    tests: Tests | None = None
    """Test cases, run without a cluster."""


class RunbookSpec(Triage):
    """How the incident is triaged, fixed after an approval, and verified."""

    mode: Literal["Approve", "Observe"] = "Approve"
    """Approve asks people for an approval; Observe only proposes, and escalates."""
    symptom: Identifier
    """The variable that is true while the incident lasts; when false, nothing is acted on."""
    actions: Annotated[list[Action], Field(max_length=16, json_schema_extra=BY_NAME)] = []
    """What hypotheses may lead to."""
    experiments: Annotated[list[Diagnostic], Field(max_length=8, json_schema_extra=BY_NAME)] = []
    """What the debugger may observe once the decision is made, to find out more about the cause; no expression sees
    it."""
    verify: Verify
    """When the fix is good."""


class TriagePlaybookSpec(Triage):
    """No symptom, no actions, no verification: its outcomes name runbooks."""


class KnowledgeStatus(StatusModel):
    """Whether this content can be used."""

    observed_generation: int = 0
    """The generation of the spec that this was said of."""
    conditions: Conditions = []
    """Ready and Stalled; the message of an unusable content names each field and what to do."""
    revision: ShortText | None = None
    """The ControllerRevision that holds this content."""


_COLUMNS = (
    column("Ready", '.status.conditions[?(@.type=="Ready")].status'),
    column("Reason", '.status.conditions[?(@.type=="Ready")].reason'),
    column("Revision", ".status.revision"),
    column("Age", ".metadata.creationTimestamp", "date"),
)
_VALIDATIONS = (name_at_most(200, "its revisions"),)


class Runbook(Resource):
    """How one kind of incident is triaged, fixed after approval, and verified."""

    plural: ClassVar[str] = "runbooks"
    short_names: ClassVar[tuple[str, ...]] = ("rb",)
    printer_columns = _COLUMNS
    validations = _VALIDATIONS

    spec: RunbookSpec
    status: KnowledgeStatus = Field(default_factory=KnowledgeStatus)


class TriagePlaybook(Resource):
    """Which runbook a symptom belongs to."""

    plural: ClassVar[str] = "triageplaybooks"
    short_names: ClassVar[tuple[str, ...]] = ("tpb",)
    printer_columns = _COLUMNS
    validations = _VALIDATIONS

    spec: TriagePlaybookSpec
    status: KnowledgeStatus = Field(default_factory=KnowledgeStatus)
