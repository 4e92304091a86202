"""EscalationPolicy: whom to notify, what counts as high impact, and how clear a decision must be."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field, StringConstraints

from firstresponder.api.base import ApiModel, Label, ObjectName, Resource, ShortText, column


class SecretKey(ApiModel):
    """One key of a Secret."""

    name: ObjectName
    """The Secret's name."""
    key: Annotated[str, StringConstraints(min_length=1, max_length=253)]
    """The key in its data."""


class Contact(ApiModel):
    """A team or a person that runbooks escalate to."""

    name: Label
    """The name that runbooks use, for example on-call."""
    description: ShortText | None = None
    """Who that is."""
    notification_url_from: SecretKey | None = None
    """Where the address for notifications is kept."""


class Money(ApiModel):
    """An amount of money."""

    amount: Annotated[int, Field(ge=0)]
    """Whole units of the currency."""
    currency: Annotated[str, StringConstraints(max_length=3, pattern=r"^[A-Z]{3}$")]
    """The currency's code (ISO 4217), for example EUR."""


class HighImpact(ApiModel):
    """At or beyond any of these an incident is of high impact and people are notified at once."""

    customers: Annotated[int, Field(ge=1)] | None = None
    """So many customers."""
    revenue_loss_per_hour: Money | None = None
    """So much lost in an hour, in this currency."""


class EscalationPolicySpec(ApiModel):
    """Whom to notify, and how clear a decision must be."""

    contacts: Annotated[
        list[Contact],
        Field(
            min_length=1,
            max_length=32,
            json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"]},
        ),
    ]
    """Everybody whom runbooks may name."""
    high_impact: HighImpact = Field(default_factory=HighImpact)
    ambiguity_margin_points: Annotated[int, Field(ge=0, le=100)] = 20
    """Points of likelihood by which the winning hypothesis must lead."""


class EscalationPolicy(Resource):
    """The policy named ``default`` in an incident's namespace is the one that is used."""

    plural: ClassVar[str] = "escalationpolicies"
    printer_columns = (
        column("Margin", ".spec.ambiguityMarginPoints", "integer"),
        column("Age", ".metadata.creationTimestamp", "date"),
    )

    spec: EscalationPolicySpec
