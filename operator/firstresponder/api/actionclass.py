"""ActionClass: the security admin's word on a class of actions, and the resource that approvers are granted."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from firstresponder.api.base import JSON, ApiModel, ApprovalPeriod, Identifier, Prose, Resource, column

_IN_ORDER: JSON = {
    "rule": "!has(self.minimum) || !has(self.maximum) || duration(self.minimum) <= duration(self.maximum)",
    "message": "minimum is longer than maximum",
}


class ExpiryBounds(ApiModel):
    """Between what a runbook may choose its ``expiresAfter``."""

    model_config = {"json_schema_extra": {"x-kubernetes-validations": [_IN_ORDER]}}

    minimum: ApprovalPeriod = "1s"
    """The shortest time."""
    maximum: ApprovalPeriod = "23h"
    """The longest time."""


class ActionClassSpec(ApiModel):
    """What a class of actions is, and what approvals of it take."""

    description: Prose
    """What actions of this class do, for those who grant the right to approve them."""
    risk: Literal["Low", "Medium", "High"]
    """The admin's judgement."""
    required_approvals: Annotated[int, Field(ge=1, le=10)] = 1
    """At least so many people; a runbook can ask for more, never for fewer."""
    expires_after: ExpiryBounds = ExpiryBounds()
    """Between what a runbook may choose its expiresAfter."""
    action_types: Annotated[list[Identifier], Field(min_length=1, max_length=16)]
    """The types of action that may carry this class."""


class ActionClass(Resource):
    """Whoever has the verb ``approve`` on an ActionClass (by name) may approve actions of that class."""

    plural: ClassVar[str] = "actionclasses"
    printer_columns = (
        column("Risk", ".spec.risk"),
        column("Approvals", ".spec.requiredApprovals", "integer"),
        column("Types", ".spec.actionTypes"),
        column("Age", ".metadata.creationTimestamp", "date"),
    )

    spec: ActionClassSpec
