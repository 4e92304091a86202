"""The lines of an archive: each an ended incident with its approval requests as they were stored, as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Self

from pydantic import Field, model_validator

from firstresponder.api.approvalrequest import ApprovalRequest
from firstresponder.api.base import JSON, StatusModel, Time, format_time
from firstresponder.api.incident import Incident


class ArchivedIncident(StatusModel):
    """One line, read. An incident can have several, of which the last is what was deleted."""

    archived: Time
    """When it was written."""
    incident: Incident
    """The incident, with its uid and the resourceVersion that was deleted."""
    approval_requests: list[ApprovalRequest] = Field(default_factory=list)
    """Every request that was made for it: who approved or denied what."""

    @model_validator(mode="after")
    def _was_stored(self) -> Self:
        metadata = self.incident.metadata
        if not metadata.uid or metadata.creation_timestamp is None:
            raise ValueError("incident.metadata has no uid or no creationTimestamp, as every stored incident has")
        return self


def archive_line(now: datetime, incident: Mapping[str, JSON], requests: Iterable[Mapping[str, JSON]]) -> str:
    """The line of an incident and its requests as they are stored, without its end of line."""
    line = {
        "archived": format_time(now),
        "incident": _without_managed_fields(incident),
        "approvalRequests": [_without_managed_fields(each) for each in requests],
    }
    return json.dumps(line, ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def _without_managed_fields(body: Mapping[str, JSON]) -> dict[str, JSON]:
    """Which program wrote which field is of use only to who writes again."""
    metadata = {name: value for name, value in body["metadata"].items() if name != "managedFields"}
    return {**body, "metadata": metadata}
