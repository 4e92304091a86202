"""A request's packet, read only if it is exactly what its digest says.

The same check as the operator's, made again on the reviewer's machine: what is shown is what is approved.
"""

from __future__ import annotations

from typing import Any

from pydantic import ValidationError

from firstresponder.api.approvalrequest import ApprovalRequest
from firstresponder.api.packet import BoundPacket, DecisionPacket, ShownPacket
from firstresponder.cli.unreadable import first_problem
from firstresponder.safety.digest import sha256_digest
from firstresponder.safety.neutralise import neutralise


class Tampered(Exception):
    """The request does not hold together; the message says where."""


def verified_packet(request: ApprovalRequest) -> DecisionPacket:
    """The packet that an approval of this request would bind. Raises Tampered."""
    spec = request.spec
    content = spec.packet.get("bound")
    try:
        digest = sha256_digest(content)
    except ValueError as error:
        raise Tampered(f"spec.packet.bound has no digest: {neutralise(str(error), 500)}") from None
    if digest != spec.packet_digest:
        raise Tampered(f"spec.packet.bound has the digest {digest}, but spec.packetDigest is {spec.packet_digest}")
    bound = _read(content)
    for field, copy, original in (
        ("actionClass", spec.action_class, bound.action_class),
        ("requiredApprovals", spec.required_approvals, bound.required_approvals),
        ("expirationTime", spec.expiration_time, bound.expiration_time),
    ):
        if copy != original:
            raise Tampered(f"spec.{field} is {copy}, but the packet says {original}")
    if any(order.incident != spec.incident_ref.uid for order in bound.orders):
        raise Tampered("an order of the packet is for another incident than spec.incidentRef names")
    try:
        shown = ShownPacket.model_validate(spec.packet.get("shown") or {})
    except ValidationError as error:
        raise Tampered(f"spec.packet.shown cannot be read: {neutralise(first_problem(error), 300)}") from None
    return DecisionPacket(bound=bound, shown=shown, digest=digest)


def _read(content: Any) -> BoundPacket:
    """The bound part. What cannot be shown whole is not shown at all: nobody could judge it."""
    try:
        bound = BoundPacket.model_validate(content)
    except ValidationError as error:
        problem = neutralise(first_problem(error), 300)
        raise Tampered(
            f"spec.packet.bound cannot be read: {problem} (is this plugin older than the operator?)"
        ) from None
    if bound.wire() != content:
        raise Tampered("spec.packet.bound says something in a form that this plugin would show differently")
    return bound
