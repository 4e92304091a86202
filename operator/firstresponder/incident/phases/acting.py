"""Acting at most once: what follows from what the host's ledger says about a started attempt.

The table is the protocol's (docs/protocol.md). An interrupted action is never replayed, and "never ran" is
recorded only when the host has sealed the attempt in the boot that the order was made for.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import Enum, auto
from typing import Literal

from firstresponder.api.base import condition
from firstresponder.api.hosts import Host
from firstresponder.api.incident import (
    Attempt,
    AttemptReason,
    AttemptState,
    ConditionType,
    IncidentStatus,
    TimelineEvent,
)
from firstresponder.api.ledger import LedgerAnswer, LedgerState
from firstresponder.api.packet import DecisionPacket, Order
from firstresponder.api.reasons import EscalationReason
from firstresponder.expressions import TemplateError
from firstresponder.incident.approval.attempts import (
    attempt_name,
    ended_in_failure,
    failed_short_of,
    fix_text,
    next_order,
    order_id,
    order_of,
    so_far,
    started_attempt,
)
from firstresponder.incident.approval.recheck import needed_for, stale_started_order
from firstresponder.incident.approval.validity import approval_problem
from firstresponder.incident.decision.context import ContextError, acting_context
from firstresponder.incident.decision.decide import Escalate
from firstresponder.incident.decision.roles import assignment_changed
from firstresponder.incident.phases.aftermath import known_after, last_look, state_after, to_do
from firstresponder.incident.phases.escalation import escalate
from firstresponder.incident.phases.next_order import after_failure, start_next_order, with_verification_begun
from firstresponder.incident.plan import (
    Again,
    AskLedger,
    Event,
    Perform,
    Plan,
    Seal,
    SendOrder,
    Wait,
)
from firstresponder.incident.snapshot import Snapshot
from firstresponder.incident.status import (
    spec_changed,
    with_condition,
    with_fields,
    with_observed_generation,
    with_timeline_entry,
)
from firstresponder.safety.neutralise import shown

MARGIN = timedelta(seconds=120)
"""How far the clocks of operator and host may be apart, with a margin for slow answers."""
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
    reason: AttemptReason
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
    spent: bool = False
    """By its own uptime the host would refuse a first start when it looked into its ledger."""
    first_error: str = ""
    """What first kept the order from being sent or asked about; empty if nothing did."""


def outcome_of_finished(answer: LedgerAnswer) -> Outcome:
    """The outcome of an attempt whose result the host recorded."""
    last = next((line for line in reversed(answer.output) if line.startswith(("result=", "refused="))), "")
    result = shown(last.partition("=")[2], 300)
    said = f": {result}" if result else ""
    if answer.result not in {"success", "exit-code"}:
        return Outcome(
            AttemptState.INDETERMINATE,
            AttemptReason.INTERRUPTED,
            f"it was interrupted ({answer.result}) before it was done; what it started may still run",
        )
    match answer.exit_status:
        case 0:
            return Outcome(AttemptState.SUCCEEDED, AttemptReason.SUCCEEDED, result)
        case 65:
            return Outcome(AttemptState.FAILED, AttemptReason.REFUSED, f"the host refused, nothing was done{said}")
        case 75:
            return Outcome(AttemptState.INDETERMINATE, AttemptReason.NOT_FINISHED, f"exit status 75{said}")
        case None:
            return Outcome(AttemptState.INDETERMINATE, AttemptReason.NO_EXIT_STATUS, "the host recorded no exit status")
        case status:
            return Outcome(AttemptState.FAILED, AttemptReason.EXIT_STATUS, f"exit status {status}{said}")


def judge(answer: LedgerAnswer, at: Circumstances) -> tuple[Step, Outcome | None]:
    """The protocol's table: ledger answer and circumstances → the one permitted step."""

    def indeterminate(reason: AttemptReason, message: str) -> tuple[Step, Outcome]:
        return Step.RECORD, Outcome(AttemptState.INDETERMINATE, reason, message)

    def never_ran(unless_refused: str) -> tuple[Step, Outcome]:
        first = f"; at first it could not be sent: {at.first_error}" if at.first_error else ""
        text = f"never ran: {shown(at.refusal, 300) or unless_refused}{first}"
        return Step.RECORD, Outcome(AttemptState.FAILED, AttemptReason.NEVER_RAN, text)

    here = answer.boot == at.boot
    match answer.state:
        case LedgerState.FINISHED:
            return Step.RECORD, outcome_of_finished(answer)
        case LedgerState.RUNNING:
            return Step.WAIT, None
        case LedgerState.CLAIMED if not here:
            text = "the host began the action and recorded no end: it rebooted meanwhile, so how far it got is unknown"
            return indeterminate(AttemptReason.INTERRUPTED, text)
        case LedgerState.CLAIMED:
            return indeterminate(AttemptReason.INTERRUPTED, "the host began the action and recorded no end")
        case LedgerState.SEALED if here and answer.sealed_boot in {None, at.boot}:
            return never_ran("aborted in time" if at.aborted else "it expired before it could begin")
        case LedgerState.SEALED:
            return indeterminate(
                AttemptReason.HOST_REBOOTED, "the host rebooted before it could say whether the action ran"
            )
        case LedgerState.ABSENT if not here:
            return indeterminate(
                AttemptReason.HOST_REBOOTED,
                "the host rebooted, and its ledger holds nothing about the action, which may have run before",
            )
        case LedgerState.ABSENT if answer.by_observer and at.spent:
            # Not begun, and from now on refused, by the host's own clockwork: as good as a seal.
            return never_ran("it expired before it could begin")
        case LedgerState.ABSENT if answer.by_observer:
            return Step.WAIT, None  # nothing can be sent or sealed now
        case LedgerState.ABSENT if not (at.expired or at.aborted or at.refusal):
            return Step.SEND, None
        case LedgerState.ABSENT if not (at.expired or at.aborted) and at.refusal == "busy":
            return Step.WAIT, None  # another action runs there; sent again at the next look
    # From here on only a seal can show that it never ran; where none is to be had, time ends the waiting.
    if not at.sealing and (answer.state == LedgerState.ABSENT or at.refusal not in {"", "busy"}):
        return Step.SEAL, None
    if at.hopeless:
        error = shown(answer.error, 300)
        errors = f"{at.first_error}; lately: {error}" if at.first_error and error != at.first_error else error
        return indeterminate(AttemptReason.HOST_SILENT, f"the host gave no usable answer in time: {errors}")
    return Step.WAIT, None


def act(snapshot: Snapshot, now: datetime) -> Plan:
    """Phase Acting: one attempt is Started, and stays so until its true outcome is known; then the next order."""
    status = snapshot.incident.status
    attempt, packet = started_attempt(status), status.decision_packet
    if attempt is None and packet is not None and (following := next_order(packet, status.attempts)) is not None:
        return start_next_order(snapshot, now, packet, following)
    if attempt is None and packet is not None and (failed := failed_short_of(packet, status.attempts)) is not None:
        return after_failure(snapshot, now, packet, failed)
    order = order_of(packet, attempt) if packet is not None and attempt is not None else None
    if attempt is None or packet is None or order is None:
        return escalate(
            snapshot, now, EscalationReason.INDETERMINATE, "status names no started attempt that its packet contains"
        )
    host = snapshot.hosts.get(attempt.host)
    meant = host is not None and _is_meant(host, status, packet)
    ledger = snapshot.facts.ledger
    if not meant:
        # Whoever answers there now is not the host that the packet names: nothing it says counts, nothing is asked.
        ledger = LedgerAnswer(error=f"Host {attempt.host} is gone or pins another key than the packet")
    if ledger is None:
        return Plan(next=Perform(AskLedger(attempt.host, attempt.id)))
    unfit = stale_started_order(snapshot, packet, order)
    end = datetime.fromtimestamp(order.not_after, UTC)
    circumstances = Circumstances(
        boot=order.boot,
        expired=now >= end,
        # Whoever deletes an incident wants no more of it.
        aborted=snapshot.incident.spec.abort or snapshot.incident.metadata.deletion_timestamp is not None,
        hopeless=now >= end + timedelta(seconds=order.timeout_seconds) + MARGIN,
        # What is not approved, or no longer fits, is sealed like what the host refused.
        refusal=approval_problem(snapshot, packet)
        or (unfit.message if unfit is not None else "")
        or snapshot.facts.refusal,
        sealing=snapshot.facts.sealing or not meant,
        spent=ledger.uptime is not None and ledger.uptime >= order.not_after_uptime,
        first_error=attempt.first_error or "",
    )
    step, outcome = judge(ledger, circumstances)
    match step:
        case Step.SEND if now - attempt.start_time > _FRESH and snapshot.facts.observation is None:
            return _recheck(snapshot, packet, order)
        case Step.SEND:
            text = order.text(packet.digest)
            return Plan(next=Perform(SendOrder(attempt.host, text, order.timeout_seconds + _SSH_MARGIN)))
        case Step.SEAL:
            return Plan(next=Perform(Seal(attempt.host, attempt.id)))
        case Step.RECORD if (
            outcome is not None and snapshot.facts.experiments is None and meant and _leaves_doubt(outcome)
        ):
            look = last_look(snapshot, packet)
            return (
                Plan(next=Perform(look))
                if look is not None
                else _record(snapshot, now, packet, attempt, outcome, unfit)
            )
        case Step.RECORD if outcome is not None:
            return _record(snapshot, now, packet, attempt, outcome, unfit)
        case _ if ledger.error and (ledger.state is None or ledger.state == LedgerState.ABSENT):
            return _delay(snapshot, now, attempt, ledger, end, circumstances)
        case _ if ledger.state == LedgerState.RUNNING and _is_delay_reported(status):
            text = f"{attempt_name(attempt)} runs on {attempt.host}"
            status = with_condition(status, snapshot.incident, now, ConditionType.ACTED, "Unknown", "Acting", text)
            return Plan(status=status, next=Wait(_AGAIN))
        case _:
            return Plan(next=Wait(_LATER if snapshot.facts.observation is not None else _AGAIN))


def _delay(
    snapshot: Snapshot, now: datetime, attempt: Attempt, ledger: LedgerAnswer, end: datetime, at: Circumstances
) -> Plan:
    """Wait, and report what for: at once, with the first error, which later ones never replace."""
    status, incident, error = snapshot.incident.status, snapshot.incident, shown(ledger.error, 300)
    if error in {attempt.first_error, attempt.last_error}:
        return Plan(next=Wait(_AGAIN))
    known = "last_error" if attempt.first_error else "first_error"
    delayed = attempt.model_copy(update={known: error})
    status = with_fields(status, attempts=[delayed if each.id == attempt.id else each for each in status.attempts])
    if attempt.first_error:
        return Plan(status=status, next=Wait(_AGAIN))
    if ledger.by_observer:
        more = "is not sent again" if at.aborted or at.refusal else f"is tried again until {end:%FT%TZ}"
        text = f"{attempt_name(attempt)} has not begun on {attempt.host}: {error}. It {more}."
        text += f" Mend the acting account there (kubectl describe host {attempt.host})."
    else:
        what = f"the outcome of {attempt_name(attempt)} on {attempt.host}"
        text = f"{what} cannot be read: {error}. The host is asked again."
    status = with_timeline_entry(status, now, TimelineEvent.ACTION_DELAYED, text)
    status = with_condition(status, incident, now, ConditionType.ACTED, "Unknown", "Delayed", text)
    event = Event("ActionDelayed", text, warning=True, dedup_key=attempt.id)
    return Plan(status=status, events=(event,), next=Wait(_AGAIN))


def _is_delay_reported(status: IncidentStatus) -> bool:
    acted = condition(status.conditions, ConditionType.ACTED)
    return acted is not None and acted.reason == "Delayed"


def _leaves_doubt(outcome: Outcome) -> bool:
    """Whether the outcome leaves open in what state the target is now."""
    return outcome.state == AttemptState.INDETERMINATE or ended_in_failure(outcome.state, outcome.reason)


def _recheck(snapshot: Snapshot, packet: DecisionPacket, order: Order) -> Plan:
    """The look without which nothing is sent late; where it cannot be asked for, the order is sealed."""
    context = acting_context(snapshot)
    with contextlib.suppress(TemplateError):
        if not isinstance(context, ContextError):
            return Plan(next=Perform(needed_for(context, packet, order)))
    return Plan(next=Perform(Seal(packet.bound.proposed_action.host, order_id(packet, order))))


def _is_meant(host: Host, status: IncidentStatus, packet: DecisionPacket) -> bool:
    """Whether a Host is still the machine that the packet names."""
    role = packet.bound.proposed_action.role
    acting = [each for each in status.roles if each.role == role]
    return (
        host.spec.host_keys[0] == packet.bound.host_key
        and bool(acting)
        and assignment_changed(acting, {role: host}) is None
    )


def _outcome_text(packet: DecisionPacket, order: Order | None, outcome: Outcome) -> str:
    """One sentence: what was tried where, and how that ended."""
    what = fix_text(packet, order)
    match outcome.reason:
        case AttemptReason.NEVER_RAN:
            return f"{what} {outcome.message}"
        case AttemptReason.EXIT_STATUS:
            return f"{what} failed: {outcome.message}"
        case AttemptReason.REFUSED:
            return f"{what}: {outcome.message}"
        case _:
            return f"nobody knows how {what} ended: {outcome.message}"


def _record(
    snapshot: Snapshot,
    now: datetime,
    packet: DecisionPacket,
    attempt: Attempt,
    outcome: Outcome,
    unfit: Escalate | None,
) -> Plan:
    """Write the outcome over Started, and go on to the next order or to verification only after a success.

    ``unfit`` is why the order no longer fitted, if it was sealed for that.
    """
    incident, answer = snapshot.incident, snapshot.facts.ledger
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
            "end_uptime": answer.finished_uptime if answer is not None else None,
            "exit_code": answer.exit_status if answer is not None else None,
            "proof": proof,
            "after": state_after(snapshot, packet) if _leaves_doubt(outcome) else None,
        }
    )
    status = incident.status
    status = with_fields(status, attempts=[done if each.id == attempt.id else each for each in status.attempts])
    if incident.metadata.generation != status.observed_generation and not incident.spec.abort:
        status = spec_changed(status, now)
    what = f"{attempt_name(done)} on {done.host}"
    status = with_timeline_entry(status, ended, TimelineEvent.ACTION_COMPLETED, f"{what}: {done.state}. {done.message}")
    if outcome.state == AttemptState.SUCCEEDED and packet.bound.undoes is not None:
        text = f"{what} succeeded: {outcome.message}"
        return escalate(snapshot, now, EscalationReason.FIX_FAILED, text, status=status)
    if outcome.state == AttemptState.SUCCEEDED:
        following = next_order(packet, status.attempts)
        if following is not None:
            text = f"{len(status.attempts)} of {len(packet.bound.orders)} orders succeeded"
            status = with_condition(status, incident, now, ConditionType.ACTED, "Unknown", "Acting", text)
        else:
            status = with_verification_begun(status, snapshot, now, outcome.message)
        return Plan(
            status=with_observed_generation(status, incident),
            events=(Event("Acted", f"{what} succeeded", dedup_key=done.id),),
            next=Again(),
        )
    if failed_short_of(packet, status.attempts) is not None:
        text = f"{what} failed: {outcome.message}; checking whether its target is met anyway"
        status = with_condition(status, incident, now, ConditionType.ACTED, "Unknown", "Acting", text)
        event = Event("Acted", text, warning=True, dedup_key=done.id)
        return Plan(status=with_observed_generation(status, incident), events=(event,), next=Again())
    indeterminate = outcome.state == AttemptState.INDETERMINATE
    if packet.bound.undoes is None:  # what became of the fix is not what became of the rollback
        value: Literal["Unknown", "False"] = "Unknown" if indeterminate else "False"
        text = so_far(status, outcome.message)
        status = with_condition(status, incident, now, ConditionType.ACTED, value, outcome.reason, text)
    human = to_do(done, packet)
    message = so_far(
        status, f"{_outcome_text(packet, order_of(packet, done), outcome)}. {known_after(done, packet)}".rstrip()
    )
    if indeterminate:
        return escalate(snapshot, now, EscalationReason.INDETERMINATE, message, human_action=human, status=status)
    if outcome.reason == AttemptReason.NEVER_RAN and incident.spec.abort:
        return escalate(snapshot, now, EscalationReason.ABORTED, message, status=status)
    if outcome.reason == AttemptReason.NEVER_RAN and unfit is not None:
        return escalate(
            snapshot, now, unfit.reason, message, to=unfit.to, human_action=unfit.human_action, status=status
        )
    return escalate(snapshot, now, EscalationReason.ACTION_FAILED, message, human_action=human, status=status)
