"""The orders of a packet and the attempts that carry them out: which is next, and how its start is recorded."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from firstresponder.api.incident import Attempt, AttemptReason, AttemptState, IncidentStatus, TimelineEvent
from firstresponder.api.ledger import attempt_id
from firstresponder.api.packet import DecisionPacket, Order
from firstresponder.incident.status import with_fields, with_timeline_entry


def order_id(packet: DecisionPacket, order: Order) -> str:
    """The id of the attempt that carries the order out."""
    return attempt_id(order.text(packet.digest))


def order_ids(packet: DecisionPacket) -> tuple[str, ...]:
    """The ids of all attempts that the packet may lead to, in their order."""
    return tuple(order_id(packet, order) for order in packet.bound.orders)


def order_of(packet: DecisionPacket, attempt: Attempt) -> Order | None:
    """The packet's order that this attempt carries out; None if no order of the packet has that id."""
    return next((order for order in packet.bound.orders if order_id(packet, order) == attempt.id), None)


def started_attempt(status: IncidentStatus) -> Attempt | None:
    """The attempt whose end is not recorded yet."""
    return next((each for each in status.attempts if each.state == AttemptState.STARTED), None)


def next_order(packet: DecisionPacket, attempts: Sequence[Attempt]) -> Order | None:
    """The order after those that succeeded; None when there is none, when not all before it succeeded, and when there
    was none before: the first one begins with the approval."""
    orders = packet.bound.orders
    made = [each for each in attempts if each.packet_digest == packet.digest]
    done = len(made)
    if not 0 < done < len(orders) or [each.id for each in made] != list(order_ids(packet)[:done]):
        return None
    return orders[done] if all(each.state == AttemptState.SUCCEEDED for each in made) else None


def ended_in_failure(state: AttemptState, reason: str | None) -> bool:
    """Whether an attempt came to its end with an exit status of failure: it did all, some or nothing of what it was
    for."""
    return state == AttemptState.FAILED and reason == AttemptReason.EXIT_STATUS


def failed_short_of(packet: DecisionPacket, attempts: Sequence[Attempt]) -> Attempt | None:
    """The last attempt of a packet with a target, where it ended with a failure: what it was for may be reached all the
    same. None where the target was not for it to reach: it was refused, never ran, or nobody knows its end."""
    made = [each for each in attempts if each.packet_digest == packet.digest]
    if packet.bound.until is None or not made:
        return None
    last = made[-1]
    return last if ended_in_failure(last.state, last.reason) else None


def method_of(packet: DecisionPacket, order: Order) -> str | None:
    """The method that an order stands for, where the action has several."""
    return dict(zip(order_ids(packet), packet.bound.proposed_action.methods, strict=False)).get(order_id(packet, order))


def attempt_name(attempt: Attempt) -> str:
    """What an attempt tried, for people: the action, with the method that it took."""
    name = f"{attempt.action} ({attempt.method})" if attempt.method is not None else attempt.action
    return f"undo {name}" if attempt.undoes is not None else name


def fix_text(packet: DecisionPacket, order: Order | None = None) -> str:
    """What the packet does to what and where, for people: ``the action restart of nginx.service on web-1``; of one
    order where the action has several methods, ``the action free-disk-space (logrotate) on web-1``."""
    proposed = packet.bound.proposed_action
    method = method_of(packet, order) if order is not None else None
    name = f"undo {proposed.name}" if packet.bound.undoes is not None else proposed.name
    what = f"the action {name} ({method})" if method is not None else f"the action {name}"
    return f"{what} on {proposed.host}" if proposed.methods else f"{what} of {proposed.target} on {proposed.host}"


def so_far(status: IncidentStatus, message: str) -> str:
    """What is said of an action that stopped on the way: what of it was done, and why it went no further."""
    packet = status.decision_packet
    digest = packet.digest if packet is not None else None
    done = [
        attempt_name(each)
        for each in status.attempts
        if each.packet_digest == digest and each.state == AttemptState.SUCCEEDED
    ]
    return f"partly done ({', '.join(done)}), then: {message}" if done else message


def with_attempt_started(status: IncidentStatus, packet: DecisionPacket, order: Order, now: datetime) -> IncidentStatus:
    """The status with the order's attempt Started. It is written before the order is sent: from then on only the
    host's ledger knows what happened."""
    bound = packet.bound
    attempt = Attempt(
        id=order_id(packet, order),
        ordinal=order.attempt,
        action=bound.proposed_action.name,
        method=method_of(packet, order),
        undoes=bound.undoes,
        host=bound.proposed_action.host,
        machine=order.host,
        boot=order.boot,
        not_after=order.not_after,
        packet_digest=packet.digest,
        state=AttemptState.STARTED,
        start_time=now,
    )
    what = [attempt_name(attempt)] + ([bound.proposed_action.target] if attempt.method is None else [])
    text = f"{' '.join(what)} on {attempt.host}"
    return with_fields(
        with_timeline_entry(status, now, TimelineEvent.ACTION_STARTED, text), attempts=[*status.attempts, attempt]
    )
