"""All that a decision may ask for: effects as values, carried out by the controller, and what their answers teach.

A plan is carried out in this order: the status is written (with the snapshot's resourceVersion as precondition;
a conflict drops the rest), the Events are recorded, then comes what is next.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from firstresponder.api.approvalrequest import ApprovalRequest
from firstresponder.api.base import JSON, ApiModel
from firstresponder.api.incident import Incident, IncidentStatus
from firstresponder.api.ledger import LedgerAnswer, Moment, PreviewAnswer, PreviewRequest
from firstresponder.incident.facts import Facts, Gate, Observation, Sample


@dataclass(frozen=True)
class Pin:
    """Make the incident an owner of a revision, so that it outlives its Runbook or TriagePlaybook."""

    kind: str
    revision: str


@dataclass(frozen=True)
class ProbeRequest:
    """One diagnostic on one host, its arguments rendered."""

    name: str
    role: str
    host: str | None
    """The Host's name; None when the operator looks itself."""
    probe: str
    arguments: ApiModel
    timeout: float | None
    not_before: Moment | None = None
    """By the host's clocks: a journal is not read from before this moment."""


@dataclass(frozen=True)
class Observe:
    """Run diagnostics in parallel and ask each of ``hosts`` (names) who it is."""

    runbook: str
    probes: tuple[ProbeRequest, ...]
    hosts: tuple[str, ...]
    since: datetime | None = None
    """What other incidents asked counts if it was observed from then on; None: if it was observed after this began."""


@dataclass(frozen=True)
class Experiment:
    """A look by which nothing is decided: what the debugger asked for, or what verification measures for people.

    What has not answered within ``seconds`` is left out.
    """

    observe: Observe
    seconds: float


@dataclass(frozen=True)
class RunPreview:
    """Run an action dry on a host, before anybody was asked: the host's own files decide what that may do."""

    host: str
    request: PreviewRequest


@dataclass(frozen=True)
class CheckGate:
    """Test now that the approval gate holds."""


@dataclass(frozen=True)
class CreateRequest:
    """Create this ApprovalRequest; if one of that name exists, the next look decides whether it is ours."""

    name: str
    spec: JSON


@dataclass(frozen=True)
class Consume:
    """Mark the request as used up by these attempts, only if nobody changed it since the snapshot."""

    request: ApprovalRequest
    attempt_ids: tuple[str, ...]


@dataclass(frozen=True)
class CloseRequest:
    """Close the request without acting: Denied, Expired or Superseded; only if nobody changed it since."""

    request: ApprovalRequest
    reason: str
    message: str


@dataclass(frozen=True)
class ReadIncident:
    """Read another incident as it is stored now."""

    name: str
    uid: str


@dataclass(frozen=True)
class MarkIncorrect:
    """Record in an earlier incident that its fix did not last; only if nobody changed it since it was read."""

    earlier: Incident
    status: IncidentStatus


@dataclass(frozen=True)
class AskLedger:
    """Ask a host what became of an attempt."""

    host: str
    attempt_id: str


@dataclass(frozen=True)
class SendOrder:
    """Send an order that was recorded as Started, and wait for its end."""

    host: str
    order: str
    timeout: float


@dataclass(frozen=True)
class Seal:
    """Make the host refuse an attempt for ever, unless it has begun."""

    host: str
    attempt_id: str


Effect = (
    Pin
    | Observe
    | Experiment
    | RunPreview
    | CheckGate
    | CreateRequest
    | Consume
    | CloseRequest
    | ReadIncident
    | MarkIncorrect
    | AskLedger
    | SendOrder
    | Seal
)


Answer = Gate | Observation | PreviewAnswer | LedgerAnswer | Incident | None
"""What an effect brings back; None where there is nothing to know but that it was carried out."""


def learn(facts: Facts, effect: Effect, answer: Answer) -> Facts:  # one case an effect
    """What is known once an effect was carried out."""
    match effect, answer:
        case Pin(), _:
            return replace(facts, pinned=effect.revision)
        case CheckGate(), Gate():
            return replace(facts, gate=answer)
        case Observe(), Observation():
            # An observation may take long; what was seen of the gate before it is old.
            return replace(facts, observation=answer, gate=None)
        case Experiment(), Observation():
            return replace(facts, experiments=answer)
        case RunPreview(), PreviewAnswer():
            return replace(facts, preview=answer)
        case ReadIncident(), Incident() if answer.metadata.uid == effect.uid:
            return replace(facts, earlier=answer)
        case ReadIncident(), _:  # it is gone, and with it what could be marked
            return replace(facts, marked_incorrect=effect.uid)
        case MarkIncorrect(), _:
            return replace(facts, marked_incorrect=effect.earlier.metadata.uid)
        case AskLedger(), LedgerAnswer():
            return replace(facts, ledger=answer)
        case SendOrder(), LedgerAnswer():
            return replace(facts, ledger=answer, refusal=answer.refused or "")
        case Seal(), LedgerAnswer():
            return replace(facts, ledger=answer, sealing=True)
        case _:
            return facts


@dataclass(frozen=True)
class Event:
    """A Kubernetes Event about the incident. ``reason`` and ``dedup_key`` make its name, so each is recorded once."""

    reason: str
    message: str
    warning: bool = False
    dedup_key: str = ""
    """What distinguishes it from an earlier Event of the same reason: each packet asks for its own approval."""


@dataclass(frozen=True)
class Perform:
    """Carry out an effect, then decide again from the top with what it brought back."""

    effect: Effect


@dataclass(frozen=True)
class Again:
    """Decide again at once, with nothing but what is stored."""


@dataclass(frozen=True)
class Wait:
    """Decide again after this time, or earlier if something changes."""

    span: timedelta


@dataclass(frozen=True)
class Rest:
    """Leave the incident until something changes."""


Next = Perform | Again | Wait | Rest


@dataclass(frozen=True)
class Plan:
    """What to do now, and what comes next."""

    status: IncidentStatus | None = None
    events: tuple[Event, ...] = ()
    next: Next = Rest()
    samples: tuple[Sample, ...] | None = None
    """What to remember for later passes; None keeps what is remembered."""


def wait(until: datetime, now: datetime) -> timedelta:
    """How long to wait for a moment; never negative."""
    return max(until - now, timedelta())
