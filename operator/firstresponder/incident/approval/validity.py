"""Whether a packet may run: who approved exactly it, and by which request."""

from __future__ import annotations

from firstresponder.api.approvalrequest import ApprovalRequest
from firstresponder.api.base import condition
from firstresponder.api.packet import DecisionPacket
from firstresponder.incident.approval.attempts import order_ids
from firstresponder.incident.approval.binding import approvers, digest_of
from firstresponder.incident.snapshot import Snapshot
from firstresponder.safety.digest import sha256_digest
from firstresponder.safety.neutralise import neutralise

GATE_FIRST = (
    "Restore the approval gate first: `kubectl get validatingadmissionpolicies,validatingadmissionpolicybindings` "
    "lists what is left of it. Reviews that were written meanwhile never count."
)


def approval_problem(snapshot: Snapshot, packet: DecisionPacket) -> str | None:
    """Why nothing of this packet may be sent to a host; None if it may.

    Asked again before every order: an incident's status says that an attempt was started, but only the request, with
    the reviews that people wrote, says that it may run.
    """
    request = snapshot.request
    if digest_of(packet.bound) != packet.digest:
        return "the packet in status does not match its digest"
    if snapshot.revision is None or snapshot.revision.ref.digest != packet.bound.runbook_digest:
        return "the pinned revision of the runbook is another than the one that the packet rests on"
    if problem := foreign_problem(snapshot, packet, request):
        return problem
    assert request is not None  # noqa: S101 - a missing request is a problem
    if any(review.verdict == "Denied" for review in request.spec.reviews.values()):
        return f"ApprovalRequest {request.name} is denied"
    if len(approvers(request)) < request.spec.required_approvals:
        return f"ApprovalRequest {request.name} is not approved"
    if not is_consumed_by(request, packet):
        return f"ApprovalRequest {request.name} is not consumed by exactly these attempts"
    return None


def foreign_problem(snapshot: Snapshot, packet: DecisionPacket, request: ApprovalRequest | None) -> str | None:
    """Why the request is not the one that asks for this packet; None if it is."""
    ref = snapshot.incident.status.approval_request_ref
    name = ref.name if ref is not None else ""
    if request is None:
        return f"ApprovalRequest {name} was deleted; it is never made again for the same packet"
    spec = request.spec
    if ref is not None and ref.uid is not None and request.metadata.uid != ref.uid:
        return f"ApprovalRequest {name} is another object than the one that was created"
    if spec.requested_by != snapshot.operator:
        return f"ApprovalRequest {name} was made by {neutralise(spec.requested_by, 200)}, not by this operator"
    if spec.incident_ref.uid != snapshot.incident.metadata.uid:
        return f"ApprovalRequest {name} is for another incident"
    if spec.packet_digest != packet.digest or sha256_digest(spec.packet.get("bound")) != packet.digest:
        return f"ApprovalRequest {name} holds another packet than the incident"
    bound = packet.bound
    copies = (spec.action_class, spec.required_approvals, spec.expiration_time)
    if copies != (bound.action_class, bound.required_approvals, bound.expiration_time):
        return f"ApprovalRequest {name} repeats the packet's class, approvals or expiry differently"
    return None


def is_consumed_by(request: ApprovalRequest, packet: DecisionPacket) -> bool:
    """Whether the request was used up by exactly the attempts of this packet."""
    closed = condition(request.status.conditions, "Closed")
    return (
        closed is not None
        and closed.status == "True"
        and closed.reason == "Consumed"
        and tuple(request.status.attempt_ids) == order_ids(packet)
    )


def gate_problem(message: str) -> str:
    """What the loss of the approval gate means for a request that has reviews."""
    return f"the approval gate does not hold, so nobody knows who wrote the reviews: {message}"
