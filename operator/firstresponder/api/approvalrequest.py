"""ApprovalRequest: the question put to people, and their answers.

People write ``spec.reviews`` under their own user name; the operator writes only the status. Whether a request
is approved is derived from the reviews at every read. The rules that hold this are repeated in the
ValidatingAdmissionPolicy, because CRD rules belong to one served version only.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field, StringConstraints

from firstresponder.api.base import (
    JSON,
    ApiModel,
    Conditions,
    Digest,
    FreeMap,
    Label,
    ObjectName,
    Resource,
    StatusModel,
    Time,
    column,
)

SELFTEST_NAME = "firstresponder-selftest"

_IMMUTABLE: dict[str, JSON] = {
    "x-kubernetes-validations": [
        {"rule": "self == oldSelf", "message": "immutable: only spec.reviews may change after creation"}
    ]
}


class IncidentReference(ApiModel):
    """The incident that asks."""

    name: ObjectName
    """The Incident's name."""
    uid: Annotated[str, StringConstraints(max_length=64)]
    """The Incident's uid: another of the same name is not meant."""


class Review(ApiModel):
    """One person's answer; the key in ``reviews`` is the user name."""

    verdict: Literal["Approved", "Denied"]
    """Approved or Denied; one denial stops the action."""
    packet_digest: Digest
    """A copy of spec.packetDigest: the packet that was read."""
    comment: Annotated[str, StringConstraints(max_length=1024)] | None = None
    """Why."""


_RULES: list[JSON] = [
    {
        "rule": "!has(oldSelf.reviews) || (has(self.reviews) && "
        "oldSelf.reviews.all(u, u in self.reviews && self.reviews[u] == oldSelf.reviews[u]))",
        "message": "a review is final: it can neither change nor be removed",
        "fieldPath": ".reviews",
    },
    {
        "rule": "!has(self.reviews) || self.reviews.all(u, u.size() >= 1 && u.size() <= 1024)",
        "message": "a reviewer name has 1 to 1024 characters",
        "fieldPath": ".reviews",
    },
    {
        "rule": "!has(self.reviews) || self.reviews.all(u, self.reviews[u].packetDigest == self.packetDigest)",
        "message": "a review must echo spec.packetDigest: read the packet again",
        "fieldPath": ".reviews",
    },
]


class ApprovalRequestSpec(ApiModel):
    """The question, immutable, and the answers."""

    model_config = {"json_schema_extra": {"x-kubernetes-validations": _RULES}}

    incident_ref: Annotated[IncidentReference, Field(json_schema_extra=_IMMUTABLE)]
    """The incident that asks."""
    action_class: Annotated[Label, Field(json_schema_extra=_IMMUTABLE)]
    """A reviewer needs the verb approve on the ActionClass of this name."""
    packet: Annotated[FreeMap, Field(json_schema_extra=_IMMUTABLE)]
    """The decision packet: the digest covers bound, shown is for people."""
    packet_digest: Annotated[Digest, Field(json_schema_extra=_IMMUTABLE)]
    """The sha256 of the canonical JSON (RFC 8785) of packet.bound."""
    requested_by: Annotated[str, StringConstraints(min_length=1, max_length=1024), Field(json_schema_extra=_IMMUTABLE)]
    """The user who made the request; the operator acts on its own only."""
    required_approvals: Annotated[int, Field(ge=1, le=10, json_schema_extra=_IMMUTABLE)]
    """How many people must approve."""
    expiration_time: Annotated[Time, Field(json_schema_extra=_IMMUTABLE)]
    """Approved and started by then, or not at all."""
    reviews: Annotated[dict[str, Review], Field(max_length=20)] = {}
    """User name to answer; anyone adds only their own, and none changes again."""


class ApprovalRequestStatus(StatusModel):
    """What became of the request; the reviews alone say whether it is approved."""

    observed_generation: int = 0
    """The generation of the spec that this was said of."""
    attempt_ids: Annotated[
        list[Annotated[str, StringConstraints(max_length=64)]],
        Field(max_length=8, json_schema_extra={"x-kubernetes-list-type": "atomic"}),
    ] = []
    """The attempts that used it up."""
    conditions: Conditions = []
    """Approved; and Closed, with the reason Consumed, Denied, Expired or Superseded."""


class ApprovalRequest(Resource):
    """Asks people to approve exactly one decision packet."""

    plural: ClassVar[str] = "approvalrequests"
    short_names: ClassVar[tuple[str, ...]] = ("apr",)
    printer_columns = (
        column("Class", ".spec.actionClass"),
        column("Incident", ".spec.incidentRef.name"),
        column("Approved", '.status.conditions[?(@.type=="Approved")].status'),
        column("Closed", '.status.conditions[?(@.type=="Closed")].reason'),
        column("Expires", ".spec.expirationTime"),
        column("Age", ".metadata.creationTimestamp", "date"),
    )

    spec: ApprovalRequestSpec
    status: ApprovalRequestStatus = Field(default_factory=ApprovalRequestStatus)
