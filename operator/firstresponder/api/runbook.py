"""Runbook and TriagePlaybook: reviewed, versioned, testable knowledge of how an incident is handled."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field, StringConstraints

from firstresponder.api.base import (
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
    Prose,
    Resource,
    ShortText,
    StatusModel,
    Text,
    Title,
    column,
    name_at_most,
)
from firstresponder.api.diagnostics import Diagnostic, DurationTemplate, Template
from firstresponder.api.packet import FailureCondition, Requirement, Risk
from firstresponder.api.reasons import EscalationReason

_BY_NAME: dict[str, JSON] = {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"]}

Contacts = Annotated[list[Label], Field(max_length=8)]


class Match(ApiModel):
    """Which incidents this is for: any of the types, or any of the alert names."""

    types: Annotated[list[Title], Field(max_length=32)] = []
    """Values of an Incident's spec.type, for example HighCPU."""
    alerts: Annotated[list[Title], Field(max_length=32)] = []
    """Values of an Incident's spec.alert.name."""


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
    """Contacts to tell, otherwise spec.escalateTo."""
    human_action: Prose
    """What that person has to do; a template."""


class Recommendation(ApiModel):
    """Told to a human, never executed."""

    to: Annotated[list[Label], Field(min_length=1, max_length=8)]
    """Contacts that it is for."""
    text: Text
    """What is recommended; a template."""


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
    """Said to humans beside it."""

    def leads_elsewhere(self, than: Outcome) -> bool:
        """Whether something else follows from it; what is only said beside it does not count."""
        return (self.action, self.runbook, self.escalate) != (than.action, than.runbook, than.escalate)


class Guard(ApiModel):
    """Judged before any hypothesis: when it is true, its outcome and nothing else."""

    name: Label
    """The name in verdicts and reports."""
    when: Expression
    """A CEL condition; unknown hands the incident to a human too."""
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


class FollowUp(ApiModel):
    """Something to do after the incident."""

    type: Literal["Ticket", "Monitoring"]
    """A ticket for developers, or something to watch from now on."""
    title: Text
    """What to do; a template."""


class Hypothesis(ApiModel):
    """A cause that may hold; of those that hold, the likeliest wins unless another is too close."""

    name: Label
    """The name in verdicts, packets and reports."""
    likelihood: Annotated[int, Field(ge=0, le=100)]
    """How likely the author holds it to be, in percent; it ranks the hypotheses that hold."""
    when: Expression
    """A CEL condition: the hypothesis holds when it is true."""
    root_cause: RootCauseText
    """What is told of the cause when this hypothesis wins."""
    then: Outcome
    """What follows when this hypothesis wins."""
    follow_ups: Annotated[list[FollowUp], Field(max_length=8)] = []
    """What to do about it afterwards."""


class RestartUnit(ApiModel):
    """Restart one systemd unit."""

    unit: Annotated[str, StringConstraints(min_length=1, max_length=256)]
    """The unit's name, for example $(service).service; a template without evidence."""
    timeout: Duration = "60s"
    """The least time that the order gets; more, where the unit's own stop and start time-outs need it."""


class AnsibleScale(ApiModel):
    """Change the size of a pool by an Ansible playbook on the control node."""

    playbook: Title
    """The playbook's path on the control node; a template."""
    inventory: Title
    """The inventory's path on the control node."""
    group: Title
    """The inventory's group that is the pool, counted by an inventory diagnostic of the same role; a template."""
    tags: Annotated[list[Label], Field(max_length=8)] = []
    """Tags of the playbook that are run."""
    variable: Title
    """The playbook's variable for the number of instances; a template."""
    current: Expression
    """CEL: how many instances there are."""
    desired: Expression
    """CEL: how many there shall be; a whole number within the bounds, never clamped."""
    minimum: Annotated[int, Field(ge=0)]
    """The fewest instances allowed."""
    maximum: Expression
    """CEL: the most instances allowed."""
    timeout: Duration = "10m"
    """How long the playbook may take."""


class JournalVacuum(ApiModel):
    """Delete archived journal files that are older than a retention."""

    older_than: DurationTemplate
    """What is younger is kept: a duration of at least 1h, or $(parameter)."""


class Logrotate(ApiModel):
    """Rotate logs now, whether or not it is time to."""

    config: Template
    """The absolute path of a logrotate configuration that the host declares; a template without evidence."""


class TmpfilesClean(ApiModel):
    """Delete temporary files by the age that the host's tmpfiles.d configuration gives them."""


METHODS = ("journalVacuum", "logrotate", "tmpfilesClean")
"""Every kind of method, by the name that its field has in YAML."""


def _exactly_one(kinds: tuple[str, ...]) -> JSON:
    return {
        "rule": f"[{', '.join(f'has(self.{kind})' for kind in kinds)}].filter(x, x).size() == 1",
        "message": f"give exactly one of {', '.join(kinds[:-1])} or {kinds[-1]}",
    }


class Method(ApiModel):
    """One way to free disk space."""

    model_config = {"json_schema_extra": {"x-kubernetes-validations": [_exactly_one(METHODS)]}}

    name: Label
    """The name in packets and reports."""
    when: Expression
    """A CEL condition: the method belongs to the packet when it is true."""
    journal_vacuum: JournalVacuum | None = None
    """Deletes old journal files."""
    logrotate: Logrotate | None = None
    """Rotates logs now."""
    tmpfiles_clean: TmpfilesClean | None = None
    """Deletes old temporary files."""
    timeout: Duration = "5m"
    """How long it may take."""

    @property
    def given(self) -> list[str]:
        """The kinds that are written there; more or less than one cannot be used."""
        return _given(self, METHODS)


class Command(ApiModel):
    """Run one command line that the host declares, for what no other type of action does."""

    argv: Annotated[list[Template], Field(min_length=1, max_length=32)]
    """The program by its absolute path and its arguments, each without white space; templates without evidence."""
    timeout: Duration = "60s"
    """How long it may take."""


class Precondition(Requirement):
    """Must be true before the packet and again before acting; ``otherwise`` says who is told when it is not."""

    otherwise: Outcome | None = None
    """Who is told when it is not true, otherwise spec.escalateTo."""


class Rollback(ApiModel):
    """The way back if the action makes it worse."""

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


ACTION_TYPES = ("restartUnit", "ansibleScale", "methods", "command")
"""Every type of action, by the name that its field has in YAML."""

_ACTION_RULES: list[JSON] = [
    _exactly_one(ACTION_TYPES),
    {
        "rule": "has(self.methods) == has(self.until)",
        "message": "methods need until, which says when the rest is skipped, and nothing else has it",
    },
    {
        "rule": "!(has(self.methods) || has(self.command)) || has(self.approval.class)",
        "message": "name the ActionClass of methods and of a command in approval.class",
    },
    {
        "rule": "has(self.ansibleScale) || !has(self.rollback.offerInverse) || !self.rollback.offerInverse",
        "message": "only ansibleScale has an inverse that rollback.offerInverse could offer",
    },
]


class Action(ApiModel):
    """One way to change state, with all that a person needs to judge it."""

    model_config = {"json_schema_extra": {"x-kubernetes-validations": _ACTION_RULES}}

    name: Label
    """The name that outcomes use."""
    role: Label = "target"
    """The role of the host that it is carried out on."""
    restart_unit: RestartUnit | None = None
    """Restarts one systemd unit."""
    ansible_scale: AnsibleScale | None = None
    """Changes the size of a pool."""
    methods: Annotated[list[Method], Field(min_length=1, max_length=8, json_schema_extra=_BY_NAME)] | None = None
    """Free disk space, in this order and each at most once, by one approval of all that are admitted."""
    until: Expression | None = None
    """CEL: looked at before each method; true skips the rest, unknown stops."""
    command: Command | None = None
    """Runs one command line that the host declares."""
    preconditions: Annotated[list[Precondition], Field(max_length=16, json_schema_extra=_BY_NAME)] = []
    """What must be true besides the guards, the symptom and the hypothesis."""
    risk: Risk
    """What could go wrong, for people."""
    rollback: Rollback
    """The way back."""
    approval: Approval
    """Who must agree to what."""
    cooldown: Duration = "30m"
    """For so long after an attempt the same fix counts as a recurrence."""

    @property
    def type(self) -> str:
        """The action's type as the API spells it, for example ``restartUnit``."""
        return self.given[0]

    @property
    def given(self) -> list[str]:
        """The types that are written there; more or less than one cannot be used."""
        return _given(self, ACTION_TYPES)


def _given(model: ApiModel, kinds: tuple[str, ...]) -> list[str]:
    fields = {field.alias: name for name, field in type(model).model_fields.items()}
    return [kind for kind in kinds if getattr(model, fields[kind]) is not None]


class Verify(ApiModel):
    """Every criterion true in every sample across the window, or a human is told."""

    initial_delay: Duration = "10s"
    """From the action's end to the first sample."""
    interval: Duration = "15s"
    """From one sample to the next."""
    window: Annotated[str, StringConstraints(min_length=1, max_length=128)]
    """How long every criterion must be true without a break: a duration, or $(parameter)."""
    timeout: Duration
    """From the action's end to giving up."""
    criteria: Annotated[list[Requirement], Field(min_length=1, max_length=16, json_schema_extra=_BY_NAME)]
    """What a good end is."""
    fail_when: Annotated[list[FailureCondition], Field(max_length=16, json_schema_extra=_BY_NAME)] = []
    """What is worse than before: any of these being true ends the verification at once."""
    on_failure: Outcome
    """What follows when the criteria did not hold: escalate. Where nothing was done, since the symptom had gone by
    itself, this is told only if its reason is NotRecovered."""

    @property
    def not_recovered(self) -> Escalate | None:
        """What ``on_failure`` tells where nothing was done; None where it speaks of a fix."""
        told = self.on_failure.escalate
        return told if told is not None and told.reason == EscalationReason.NOT_RECOVERED else None


class TestHost(ApiModel):
    """A host as expressions see it."""

    name: ObjectName
    """The Host's name."""
    address: Title
    """The Host's address."""
    expected_units: Annotated[list[ShortText], Field(max_length=64)] = []
    """Units that are expected to use this host."""


class Expectation(ApiModel):
    """What a case must come to; fields left out are not looked at."""

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
    """The half that a Runbook and a TriagePlaybook share: what to look at and how to judge it."""

    match: Match
    """Which incidents this is for."""
    escalate_to: Annotated[list[Label], Field(min_length=1, max_length=8)] = ["on-call"]
    """Contacts to tell, where an outcome names none."""
    roles: Annotated[list[Role], Field(min_length=1, max_length=16, json_schema_extra=_BY_NAME)]
    """The parts that hosts play; the first is usually target, the host that the incident is about."""
    parameters: Annotated[list[Parameter], Field(max_length=32, json_schema_extra=_BY_NAME)] = []
    """Values that an incident may override."""
    diagnostics: Annotated[list[Diagnostic], Field(min_length=1, max_length=32, json_schema_extra=_BY_NAME)]
    """What is looked at, in parallel; expressions see each under its name."""
    variables: Annotated[
        list[Variable], Field(max_length=64, json_schema_extra={"x-kubernetes-list-type": "atomic"})
    ] = []
    """Named expressions, in order: each sees those before it."""
    guards: Annotated[list[Guard], Field(max_length=16, json_schema_extra=_BY_NAME)] = []
    """Judged before everything else."""
    hypotheses: Annotated[list[Hypothesis], Field(min_length=1, max_length=16, json_schema_extra=_BY_NAME)]
    """The causes that may be behind it."""
    otherwise: Outcome
    """What follows when every hypothesis was refuted: escalate."""
    tests: Tests | None = None
    """Test cases, run without a cluster."""


class RunbookSpec(Triage):
    """How the incident is triaged, fixed after an approval, and verified."""

    mode: Literal["Approve", "Observe"] = "Approve"
    """Approve asks people for an approval; Observe only proposes, and hands over."""
    symptom: Identifier
    """The variable that is true while the incident lasts; when false, nothing is acted on."""
    actions: Annotated[list[Action], Field(max_length=16, json_schema_extra=_BY_NAME)] = []
    """What hypotheses may lead to."""
    experiments: Annotated[list[Diagnostic], Field(max_length=8, json_schema_extra=_BY_NAME)] = []
    """What the debugger may look at, once the decision was made, to tell more of the cause; no expression sees it."""
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
    status: KnowledgeStatus = KnowledgeStatus()


class TriagePlaybook(Resource):
    """Which runbook a symptom belongs to."""

    plural: ClassVar[str] = "triageplaybooks"
    short_names: ClassVar[tuple[str, ...]] = ("tpb",)
    printer_columns = _COLUMNS
    validations = _VALIDATIONS

    spec: TriagePlaybookSpec
    status: KnowledgeStatus = KnowledgeStatus()
