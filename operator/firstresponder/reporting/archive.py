"""Incidents out of the lines of an archive: each once, as it was when it was deleted.

An incident has several lines where the operator was stopped between writing and deleting it, or where it changed
meanwhile; the last one is right.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from pydantic import ValidationError

from firstresponder.api.archive import ArchivedIncident
from firstresponder.api.base import JSON
from firstresponder.api.incident import Incident

_COUNTED: Final = ("phase", "sli", "attempts", "escalation", "runbookRevisionRef", "playbookRevisionRef")
"""What statistics read of a status; a year of whole ones would not fit into memory."""


@dataclass(frozen=True)
class BrokenLine:
    """A line that cannot be read."""

    file: str
    number: int
    problem: str


@dataclass
class Archive:
    """What was read so far: of all incidents what statistics read, or those of one name whole."""

    name: str | None = None
    """The incident that is looked for, if only one is."""
    incidents: dict[str, ArchivedIncident] = field(default_factory=dict)
    """By uid."""
    repeated: int = 0
    """Lines that tell of an incident that another line tells of, too."""
    broken: list[BrokenLine] = field(default_factory=list)

    def read(self, file: str, lines: Iterable[bytes]) -> None:
        """The lines of a file; ``file`` is what broken ones are reported under."""
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            try:
                content = json.loads(line)
                if not self._is_another(content):
                    self._add(ArchivedIncident.model_validate(content if self.name else _counted(content)))
            except ValidationError as error:
                self.broken.append(BrokenLine(file, number, f"is no archived incident: {_where(error)}"))
            except ValueError:  # of which both a JSONDecodeError and a UnicodeDecodeError are
                self.broken.append(BrokenLine(file, number, "is not JSON, or was cut off"))

    def beside(self, stored: Sequence[Incident], namespace: str | None) -> list[Incident]:
        """All incidents, each once: those that are stored still, and the archived ones that are not.

        Of the latter only those of one namespace, if it is given.
        """
        known = {each.metadata.uid for each in stored}
        archived = (each.incident for uid, each in self.incidents.items() if uid not in known)
        return [*stored, *(each for each in archived if namespace in {None, each.namespace})]

    def _is_another(self, line: JSON) -> bool:
        """Whether the line is not of the incident that is looked for."""
        match line:
            case {"incident": {"metadata": {"name": str() as name}}}:
                return self.name not in {None, name}
            case _:
                return False

    def _add(self, line: ArchivedIncident) -> None:
        uid = line.incident.metadata.uid
        before = self.incidents.get(uid)
        if before is not None:
            self.repeated += 1
        if before is None or before.archived <= line.archived:
            self.incidents[uid] = line


def _counted(line: JSON) -> JSON:
    match line:
        case {"archived": archived, "incident": {"status": dict() as status} as incident}:
            return {"archived": archived, "incident": {**incident, "status": _only(status, _COUNTED)}}
        case _:
            return line


def _only(values: Mapping[str, JSON], names: Iterable[str]) -> dict[str, JSON]:
    return {name: values[name] for name in names if name in values}


def _where(error: ValidationError) -> str:
    first = error.errors()[0]
    return f"{'.'.join(map(str, first['loc'])) or 'the line'}: {first['msg']}"
