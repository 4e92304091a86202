"""Root-cause analysis: what was found out about a cause, for people. Nothing decides by it."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, StringConstraints

from firstresponder.api.base import StatusModel

FINDING_LIMIT = 512
"""Characters of one finding."""
Finding = Annotated[str, StringConstraints(max_length=FINDING_LIMIT)]
"""One sentence of an analysis."""


class FailurePoint(StatusModel):
    """Where it fails."""

    component: Finding | None = None
    """The component."""
    host: Finding | None = None
    """The Host's name."""
    release: Finding | None = None
    """The release."""
    request: Finding | None = None
    """The request."""


class RootCause(StatusModel):
    """What the debugger found out; its words are shown, never digested, and no expression reads them."""

    symptom: Finding | None = None
    """The variable that is true while the incident lasts, and what it says."""
    failure_point: FailurePoint | None = None
    """Where it fails."""
    evidence: Annotated[list[Finding], Field(max_length=24)] = []
    """What speaks for it, and what experiments saw."""
    reproduction: Annotated[list[Finding], Field(max_length=8)] = []
    """How to see it again, step by step."""
    minimal_fix: Finding | None = None
    """The least that helps now, or what to find out first."""
    verification: Annotated[list[Finding], Field(max_length=16)] = []
    """When it is fixed."""
    stop_conditions: Annotated[list[Finding], Field(max_length=40)] = []
    """When to stop trying."""
    summary: Finding | None = None
    """The cause in one sentence; absent when none was found."""
