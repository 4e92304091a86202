"""EscalationPolicy: whom to notify, what is of high impact, how clear a decision must be, how long incidents stay."""

from __future__ import annotations

import re
from typing import Annotated, ClassVar, Final

from pydantic import AfterValidator, Field, StringConstraints

from firstresponder.api.base import ApiModel, Label, ObjectName, Resource, ShortText, column

_DAYS: Final = r"^[1-9][0-9]{0,4}d$"


def _whole_days(text: str) -> str:
    if not re.fullmatch(_DAYS, text):
        raise ValueError(f"{text!r} is not a number of days: give whole days, at least 1d, as in 30d")
    return text


Days = Annotated[
    str,
    StringConstraints(max_length=6),
    AfterValidator(_whole_days),
    Field(
        json_schema_extra={
            "x-kubernetes-validations": [
                {"rule": f"self.matches('{_DAYS}')", "message": "give whole days, at least 1d, as in 30d"}
            ]
        }
    ),
]
"""A number of whole days, such as ``30d``; at least one."""


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


class Retention(ApiModel):
    """How long ended incidents stay in the cluster; without an archive (the operator's --archive) they all do."""

    after: Days = "30d"
    """So long after its end an incident is archived and deleted; never sooner than a day after the longest cooldown of
    the namespace's runbooks."""
    keep_last: Annotated[int, Field(ge=0, le=1000)] = 20
    """So many of each runbook revision stay, however old they are; where there was no runbook, of each type."""


class EscalationPolicySpec(ApiModel):
    """Whom to notify, how clear a decision must be, and how long incidents stay."""

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
    retention: Retention = Field(default_factory=Retention)


class EscalationPolicy(Resource):
    """The policy named ``default`` in an incident's namespace is the one that is used."""

    plural: ClassVar[str] = "escalationpolicies"
    printer_columns = (
        column("Margin", ".spec.ambiguityMarginPoints", "integer"),
        column("Age", ".metadata.creationTimestamp", "date"),
    )

    spec: EscalationPolicySpec
