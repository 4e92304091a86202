"""What an approval binds, and who gave it."""

from __future__ import annotations

from firstresponder.api.approvalrequest import ApprovalRequest
from firstresponder.api.packet import BoundPacket
from firstresponder.safety.digest import sha256_digest


def digest_of(bound: BoundPacket) -> str:
    """What an approval binds: sha256 over the canonical JSON of the bound part."""
    return sha256_digest(bound.wire())


def approvers(request: ApprovalRequest) -> list[str]:
    """Who approved exactly this packet. Programs never count: a review of theirs was written while no policy held."""
    return sorted(
        user
        for user, review in request.spec.reviews.items()
        if review.verdict == "Approved"
        and review.packet_digest == request.spec.packet_digest
        and not user.startswith("system:")
    )
