"""All that a decision may ask for: effects as values, carried out by the controller.

A plan is carried out in this order: the status is written (with the snapshot's resourceVersion as precondition;
a conflict drops the rest), the Events are recorded, the effect is performed. After an effect, or at once when
``again`` is set, the incident is looked at anew; without either it is left until something changes or until
``requeue_after``.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from firstresponder.api.approvalrequest import ApprovalRequest
from firstresponder.api.base import JSON, ApiModel
from firstresponder.api.incident import IncidentStatus
from firstresponder.api.ledger import PreviewRequest
from firstresponder.incident.snapshot import Sample


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
    not_before: float | None = None
    """Unix seconds by the host's clock: a journal is not read from before this moment."""


@dataclass(frozen=True)
class Observe:
    """Run diagnostics in parallel and ask each of ``hosts`` (names) who it is."""

    runbook: str
    probes: tuple[ProbeRequest, ...]
    hosts: tuple[str, ...]


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
class MarkIncorrect:
    """Record in another incident that its fix did not last."""

    name: str
    uid: str
    message: str


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
    | MarkIncorrect
    | AskLedger
    | SendOrder
    | Seal
)


@dataclass(frozen=True)
class Event:
    """A Kubernetes Event about the incident. ``reason`` and ``occasion`` make its name, so each is recorded once."""

    reason: str
    message: str
    warning: bool = False
    occasion: str = ""
    """What tells it from an earlier Event of the same reason: each packet asks for its own approval."""


@dataclass(frozen=True)
class Plan:
    """What to do next."""

    status: IncidentStatus | None = None
    events: tuple[Event, ...] = ()
    effect: Effect | None = None
    again: bool = False
    requeue_after: timedelta | None = None
    samples: tuple[Sample, ...] | None = None
    """What to remember for the next look; None keeps what is remembered."""


def wait(until: datetime, now: datetime) -> timedelta:
    """How long to wait for a moment; never negative."""
    return max(until - now, timedelta())
