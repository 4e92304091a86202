"""The decision packet: what a person approves, and the orders derived from it.

``bound`` is digested, so approving the digest approves exactly what runs. ``shown`` holds what keeps moving
(percentages, log lines): people read it, the digest does not cover it, and the claims it supports are checked
again before acting.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, StringConstraints

from firstresponder.api.base import ApiModel, Digest, Duration, Expression, HostKeyText, Label, ShortText, Text, Time
from firstresponder.api.rootcause import RootCause


class Order(ApiModel):
    """One command for one host, as the host's own program understands it (all but the packet's digest)."""

    host: Annotated[str, StringConstraints(max_length=32, pattern=r"^[0-9a-f]{32}$")]
    """The host's machine-id."""
    boot: Annotated[str, StringConstraints(max_length=36, pattern=r"^[0-9a-f-]{36}$")]
    """The boot that the order is for; after a reboot it is refused."""
    action: Annotated[str, StringConstraints(max_length=41, pattern=r"^[a-z][a-z0-9-]{0,40}$")]
    """The action as the host declares it, for example restart-unit."""
    arguments: Annotated[
        list[Annotated[str, StringConstraints(max_length=512, pattern=r"^[ -~]*$")]], Field(max_length=64)
    ] = []
    """The action's arguments, one element each."""
    timeout_seconds: Annotated[int, Field(ge=1, le=86400)]
    """How long the action may take."""
    not_after: Annotated[int, Field(ge=0)]
    """The last moment to begin, in unix seconds by the host's clock."""
    not_after_uptime: Annotated[int, Field(ge=0)]
    """The last moment to begin, in seconds since the boot: the clock may be set, this cannot."""
    incident: Annotated[str, StringConstraints(max_length=64)]
    """The Incident's uid."""
    attempt: Annotated[int, Field(ge=1, le=1000)]
    """Counts the orders of the incident from 1."""

    def text(self, packet_digest: str) -> str:
        """The canonical text that is sent; the attempt id is its sha256."""
        lines = [
            ("order", "firstresponder.dev/v1"),
            ("host", self.host),
            ("boot", self.boot),
            ("action", self.action),
            *(("arg", argument) for argument in self.arguments),
            ("timeout", str(self.timeout_seconds)),
            ("notafter", str(self.not_after)),
            ("notafteruptime", str(self.not_after_uptime)),
            ("incident", self.incident),
            ("attempt", str(self.attempt)),
            ("packet", packet_digest),
        ]
        return "".join(f"{key} {value}\n" for key, value in lines)


class ProposedAction(ApiModel):
    """What would be done: the action's name in the runbook and its type, on what, where."""

    name: Label
    """The action's name in the runbook."""
    type: ShortText
    """The action's type, for example restartUnit."""
    target: ShortText
    """What it is done to, for example a unit."""
    host: ShortText
    """The Host's name."""
    role: Label
    """The role that this host plays."""
    methods: Annotated[list[Label], Field(max_length=8)] = []
    """The methods that are taken, one an order and in their order."""
    tool: ShortText | None = None
    """The program that does it on the host, where people know it by name."""
    current_count: Annotated[int, Field(ge=0)] | None = None
    """How many instances there are."""
    desired_count: Annotated[int, Field(ge=0)] | None = None
    """How many there would be."""
    notes: Annotated[list[Text], Field(max_length=4)] = []
    """What it does besides, and what it is not bound to."""


class Requirement(ApiModel):
    """A condition with a name."""

    name: Label
    """The name in verdicts, packets and reports."""
    require: Expression
    """A CEL condition that must be true; unknown is not true."""


class Risk(ApiModel):
    """What could go wrong, in words for the approver; each a template in a runbook."""

    blast_radius: Text | None = None
    """What is touched at most."""
    user_impact: Text | None = None
    """What users notice."""
    data_risk: Text | None = None
    """What could happen to data."""
    cost_risk: Text | None = None
    """What it could cost."""


class FailureCondition(ApiModel):
    """A sign that things got worse."""

    name: Label
    """The name in verdicts and reports."""
    when: Expression
    """A CEL condition; unknown does not count."""


class VerificationPlan(ApiModel):
    """How the fix is verified: every criterion true in every sample across ``window``."""

    initial_delay: Duration = "10s"
    """From the action's end to the first sample."""
    interval: Duration = "15s"
    """From one sample to the next."""
    window: Duration
    """How long every criterion must be true without a break."""
    timeout: Duration
    """From the action's end to giving up."""
    criteria: Annotated[list[Requirement], Field(min_length=1, max_length=16)]
    """What a good end is."""
    fail_when: Annotated[list[FailureCondition], Field(max_length=16)] = []
    """Any of these being true ends the verification at once."""


class Preview(ApiModel):
    """What the action would change, as a dry run on the host reported before anybody was asked."""

    host: ShortText
    """The Host's name."""
    action: ShortText
    """The action that was previewed, as the host declares it."""
    text: Annotated[str, StringConstraints(max_length=65536)]
    """What it printed, redacted; a preview changes nothing and is not repeated before acting."""
    incomplete: bool
    """Whether the action may change more than the text shows."""
    why: Text | None = None
    """Why it is incomplete."""
    project: Digest | None = None
    """The digest of all that the dry run was of; the order names it, and the host refuses to apply anything else."""


class BoundPacket(ApiModel):
    """What the digest covers: strings, integers, booleans, maps and lists only (RFC 8785)."""

    proposed_action: ProposedAction
    """What would be done."""
    hypothesis: Label
    """The cause that it is meant for."""
    orders: Annotated[list[Order], Field(min_length=1, max_length=8)]
    """Exactly what hosts would receive, one after the other; each only when the one before succeeded."""
    parameters: Annotated[dict[str, ShortText], Field(max_length=32)] = {}
    """The runbook's parameters as they were resolved."""
    preconditions: Annotated[list[Requirement], Field(max_length=48)] = []
    """Judged again on fresh evidence just before acting."""
    until: Expression | None = None
    """Evaluated again before every order: true skips what is left, unknown stops."""
    preview: Annotated[list[Preview], Field(max_length=8)] = []
    """What would change."""
    undoes: Annotated[str, StringConstraints(max_length=64, pattern=r"^[0-9a-f]{64}$")] | None = None
    """The attempt that this rolls back, because it did not help."""
    risk: Risk = Field(default_factory=Risk)
    """What could go wrong."""
    rollback_plan: Text
    """What to do if it makes things worse."""
    verification: VerificationPlan | None = None
    """When the fix is good; absent where an attempt is rolled back, after which a human takes over in any case."""
    acknowledge: Annotated[list[Text], Field(max_length=8)] = []
    """What an approver accepts together with the action."""
    action_class: Label
    """The ActionClass whose approvers may approve this."""
    required_approvals: Annotated[int, Field(ge=1, le=10)]
    """How many people must approve."""
    expiration_time: Time
    """Approved and started by then, or not at all."""
    host_key: HostKeyText
    """The pinned public key of the host."""
    runbook_digest: Digest
    """The digest of the runbook's revision."""


class EvidenceSignal(ApiModel):
    """One observation the decision rests on: where it came from and what it says."""

    source: ShortText
    """The diagnostics that it comes from."""
    signal: Text
    """What they say, in words."""


class ShownPacket(ApiModel):
    """What people read in addition to the bound part; the digest does not cover it."""

    evidence: Annotated[list[EvidenceSignal], Field(max_length=32)] = []
    """What speaks for the cause."""
    root_cause: Text | None = None
    """The cause in one sentence."""
    findings: RootCause | None = None
    """What the debugger found out about the cause."""
    approval_prompt: Text = ""
    """The question."""
    requires_approval: bool = True
    """Always true in this version."""


class DecisionPacket(ApiModel):
    """What a person approves."""

    bound: BoundPacket
    shown: ShownPacket
    digest: Digest
    """The digest of the bound part: an approval names it."""
