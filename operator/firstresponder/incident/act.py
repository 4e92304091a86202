"""Acting at most once: what follows from what the host's ledger says about a started attempt.

The table is the protocol's (docs/protocol.md). An interrupted action is never replayed, and "never ran" is
recorded only when the host has sealed the attempt in the boot that the order was made for.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import Enum, auto
from typing import Literal

from firstresponder.api.hosts import Host
from firstresponder.api.incident import Attempt, AttemptState, IncidentStatus
from firstresponder.api.ledger import LedgerAnswer, LedgerState
from firstresponder.api.packet import DecisionPacket, Order
from firstresponder.api.reasons import EscalationReason
from firstresponder.expressions import TemplateError
from firstresponder.incident.approve import unapproved
from firstresponder.incident.attempts import attempt_name, next_order, order_id, order_of, so_far, started
from firstresponder.incident.decide import HandOver
from firstresponder.incident.escalate import escalated
from firstresponder.incident.onward import go_on, look_before, outdated, verifying
from firstresponder.incident.plan import AskLedger, Event, Plan, Seal, SendOrder
from firstresponder.incident.record import marked, noted, observed, spec_changed, updated
from firstresponder.incident.roles import recast
from firstresponder.incident.snapshot import Snapshot
from firstresponder.safety.neutralise import shown

MARGIN = timedelta(seconds=120)
"""How far the clocks of operator and host may be apart, with room for slow answers."""
_AGAIN = timedelta(seconds=2)
_FRESH = timedelta(seconds=30)
"""How long the look that Started rests on is good for sending the order. A host that was busy, or a crash, can put the
sending off by the whole life of an approval."""
_LATER = timedelta(seconds=10)
_SSH_MARGIN = 15.0


class Step(Enum):
    """What to do about an attempt whose end is not recorded yet."""

    RECORD = auto()
    WAIT = auto()
    SEND = auto()
    SEAL = auto()


@dataclass(frozen=True)
class Outcome:
    """How an attempt ended, as far as anybody can know."""

    state: AttemptState
    reason: str
    message: str


@dataclass(frozen=True)
class Circumstances:
    """What besides the ledger's answer decides about a started attempt."""

    boot: str
    """The boot that the order was made for."""
    expired: bool
    """The host would refuse a first start now."""
    aborted: bool
    hopeless: bool
    """So late that even a start at the last permitted moment must have ended."""
    refusal: str = ""
    """Why the host refused the order just now, or why it may not be sent; empty if neither."""
    sealing: bool = False
    """A seal was tried just now."""


def finished(answer: LedgerAnswer) -> Outcome:
    """The outcome of an attempt whose result the host recorded."""
    last = next((line for line in reversed(answer.output) if line.startswith(("result=", "refused="))), "")
    told = shown(last.partition("=")[2], 300)
    if answer.result not in {"success", "exit-code"}:
        return Outcome(
            AttemptState.INDETERMINATE,
            "Interrupted",
            f"the action was interrupted ({answer.result}); what it had started may go on",
        )
    match answer.exit_status:
        case 0:
            return Outcome(AttemptState.SUCCEEDED, "Succeeded", told)
        case 65:
            return Outcome(AttemptState.FAILED, "Refused", f"the host refused, nothing was done: {told}")
        case 75:
            return Outcome(AttemptState.INDETERMINATE, "NotFinished", f"its end is not known: {told}")
        case None:
            return Outcome(AttemptState.INDETERMINATE, "NoExitStatus", "the host recorded no exit status")
        case status:
            return Outcome(AttemptState.FAILED, "ExitStatus", f"exit status {status}: {told}")


def judge(answer: LedgerAnswer, at: Circumstances) -> tuple[Step, Outcome | None]:
    """The protocol's table: ledger answer and circumstances → the one permitted step."""

    def indeterminate(reason: str, message: str) -> tuple[Step, Outcome]:
        return Step.RECORD, Outcome(AttemptState.INDETERMINATE, reason, message)

    here = answer.boot == at.boot
    match answer.state:
        case LedgerState.FINISHED:
            return Step.RECORD, finished(answer)
        case LedgerState.RUNNING:
            return Step.WAIT, None
        case LedgerState.CLAIMED:
            return indeterminate("Interrupted", "the host began the action and recorded no end")
        case LedgerState.SEALED if here and answer.sealed_boot in {None, at.boot}:
            why = shown(at.refusal, 300) or ("aborted in time" if at.aborted else "its time was over")
            return Step.RECORD, Outcome(AttemptState.FAILED, "NeverRan", f"never ran: {why}")
        case LedgerState.SEALED:
            return indeterminate("HostRebooted", "the host rebooted before the attempt was sealed")
        case LedgerState.ABSENT if not here:
            return indeterminate("HostRebooted", "the host rebooted and its ledger says nothing about that boot")
        case LedgerState.ABSENT if not (at.expired or at.aborted or at.refusal):
            return Step.SEND, None
        case LedgerState.ABSENT if not (at.expired or at.aborted) and at.refusal == "busy":
            return Step.WAIT, None  # another action runs there; sent again at the next look
    # From here on only a seal can tell that it never ran; where none is to be had, time ends the waiting.
    if not at.sealing and (answer.state == LedgerState.ABSENT or at.refusal not in {"", "busy"}):
        return Step.SEAL, None
    if at.hopeless:
        return indeterminate("HostSilent", f"the host gave no usable answer in time: {shown(answer.error, 300)}")
    return Step.WAIT, None


def act(snapshot: Snapshot, now: datetime) -> Plan:
    """Phase Acting: one attempt is Started, and stays so until its true outcome is known; then the next order."""
    status = snapshot.incident.status
    attempt, packet = started(status), status.decision_packet
    if attempt is None and packet is not None and (following := next_order(packet, status.attempts)) is not None:
        return go_on(snapshot, now, packet, following)
    order = order_of(packet, attempt) if packet is not None and attempt is not None else None
    if attempt is None or packet is None or order is None:
        return escalated(
            snapshot, now, EscalationReason.INDETERMINATE, "status names no started attempt that its packet contains"
        )
    host = snapshot.hosts.get(attempt.host)
    meant = host is not None and _is_meant(host, status, packet)
    ledger = snapshot.ledger
    if not meant:
        # Whoever answers there now is not the host that the packet names: nothing it says counts, nothing is asked.
        ledger = LedgerAnswer(error=f"Host {attempt.host} is gone or pins another key than the packet")
    if ledger is None:
        return Plan(effect=AskLedger(attempt.host, attempt.id))
    unfit = outdated(snapshot, packet, order)
    end = datetime.fromtimestamp(order.not_after, UTC)
    circumstances = Circumstances(
        boot=order.boot,
        expired=now >= end,
        # Whoever deletes an incident wants no more of it.
        aborted=snapshot.incident.spec.abort or snapshot.incident.metadata.deletion_timestamp is not None,
        hopeless=now >= end + timedelta(seconds=order.timeout_seconds) + MARGIN,
        # What is not approved, or no longer fits, is sealed like what the host refused.
        refusal=unapproved(snapshot, packet) or (unfit.message if unfit is not None else "") or snapshot.refusal,
        sealing=snapshot.sealing or not meant,
    )
    step, outcome = judge(ledger, circumstances)
    match step:
        case Step.SEND if now - attempt.start_time > _FRESH and snapshot.observation is None:
            return _looked_again(snapshot, packet, order)
        case Step.SEND:
            text = order.text(packet.digest)
            return Plan(effect=SendOrder(attempt.host, text, order.timeout_seconds + _SSH_MARGIN))
        case Step.SEAL:
            return Plan(effect=Seal(attempt.host, attempt.id))
        case Step.RECORD if outcome is not None:
            return _recorded(snapshot, now, packet, attempt, outcome, unfit)
        case _:
            return Plan(requeue_after=_LATER if snapshot.observation is not None else _AGAIN)


def _looked_again(snapshot: Snapshot, packet: DecisionPacket, order: Order) -> Plan:
    """The look without which nothing is sent late; where it cannot be asked for, the order is sealed."""
    try:
        look = look_before(snapshot, packet, order)
    except TemplateError:
        look = None
    if look is None:
        return Plan(effect=Seal(packet.bound.proposed_action.host, order_id(packet, order)))
    return Plan(effect=look)


def _is_meant(host: Host, status: IncidentStatus, packet: DecisionPacket) -> bool:
    """Whether a Host is still the machine that the packet names."""
    role = packet.bound.proposed_action.role
    acting = [each for each in status.roles if each.role == role]
    return host.spec.host_keys[0] == packet.bound.host_key and bool(acting) and recast(acting, {role: host}) is None


def _recorded(
    snapshot: Snapshot,
    now: datetime,
    packet: DecisionPacket,
    attempt: Attempt,
    outcome: Outcome,
    unfit: HandOver | None,
) -> Plan:
    """Write the outcome over Started, and go on to the next order or to verification only after a success.

    ``unfit`` is why the order no longer fitted, if it was sealed for that.
    """
    incident, answer = snapshot.incident, snapshot.ledger
    clock = answer.finished_at if answer is not None else None
    # By a clock that jumped, verification would begin in years, or be over before it began.
    ended = min(max(datetime.fromtimestamp(float(clock), UTC), attempt.start_time), now) if clock else now
    proof = [shown(line, 200) for line in answer.output[:64]] if answer is not None else []
    done = attempt.model_copy(
        update={
            "state": outcome.state,
            "reason": outcome.reason,
            "message": outcome.message,
            "completion_time": ended,
            "end_clock": clock,
            "exit_code": answer.exit_status if answer is not None else None,
            "proof": proof,
        }
    )
    status = incident.status
    status = updated(status, attempts=[done if each.id == attempt.id else each for each in status.attempts])
    if incident.metadata.generation != status.observed_generation and not incident.spec.abort:
        status = spec_changed(status, now)
    what = f"{attempt_name(done)} on {done.host}"
    status = noted(status, ended, "ActionCompleted", f"{what}: {done.state}. {done.message}")
    if outcome.state == AttemptState.SUCCEEDED and packet.bound.undoes is not None:
        text = f"{what} succeeded: {outcome.message}"
        return escalated(snapshot, now, EscalationReason.FIX_FAILED, text, status=status)
    if outcome.state == AttemptState.SUCCEEDED:
        following = next_order(packet, status.attempts)
        if following is not None:
            text = f"{len(status.attempts)} of {len(packet.bound.orders)} orders succeeded"
            status = marked(status, incident, now, "Acted", "Unknown", "Acting", text)
        else:
            status = verifying(status, snapshot, now, outcome.message)
        return Plan(
            status=observed(status, incident),
            events=(Event("Acted", f"{what} succeeded", occasion=done.id),),
            again=True,
        )
    indeterminate = outcome.state == AttemptState.INDETERMINATE
    if packet.bound.undoes is None:  # what became of the fix is not what became of the way back
        value: Literal["Unknown", "False"] = "Unknown" if indeterminate else "False"
        text = so_far(status, outcome.message)
        status = marked(status, incident, now, "Acted", value, outcome.reason, text)
    if indeterminate:
        return escalated(snapshot, now, EscalationReason.INDETERMINATE, outcome.message, status=status)
    if outcome.reason == "NeverRan" and incident.spec.abort:
        return escalated(snapshot, now, EscalationReason.ABORTED, outcome.message, status=status)
    if outcome.reason == "NeverRan" and unfit is not None:
        return escalated(
            snapshot, now, unfit.reason, outcome.message, to=unfit.to, human_action=unfit.human_action, status=status
        )
    return escalated(snapshot, now, EscalationReason.ACTION_FAILED, outcome.message, status=status)
