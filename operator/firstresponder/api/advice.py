"""What people are told to do: it is never executed."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from firstresponder.api.base import ApiModel, Label, Text


class Recommendation(ApiModel):
    """Told to a human, never executed."""

    to: Annotated[list[Label], Field(min_length=1, max_length=8)]
    """Contacts that it is for."""
    text: Text
    """What is recommended; a template."""


class FollowUp(ApiModel):
    """Something to do after the incident."""

    type: Literal["Ticket", "Monitoring"]
    """A ticket for developers, or something to watch from now on."""
    title: Text
    """What to do; a template."""
