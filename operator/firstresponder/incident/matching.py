"""Which runbook, or which playbook that leads to one, an incident is for (rule 20)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from firstresponder.api.incident import RevisionReference
from firstresponder.api.reasons import EscalationReason
from firstresponder.incident.ground import NoGround
from firstresponder.incident.snapshot import CatalogueEntry, Snapshot


@dataclass(frozen=True)
class Matched:
    """The one piece of knowledge that an incident is handled by."""

    kind: str
    """``Runbook`` or ``TriagePlaybook``."""
    name: str
    revision: RevisionReference


def match(snapshot: Snapshot) -> Matched | NoGround:
    """Named by the incident, or the only one that matches its type or alert; never a pick among several."""
    spec = snapshot.incident.spec
    if spec.runbook_ref is not None:
        return runbook_named(snapshot, spec.runbook_ref.name, "spec.runbookRef.name")
    found = [
        *(("Runbook", entry) for entry in _for(snapshot, snapshot.catalogue)),
        *(("TriagePlaybook", entry) for entry in _for(snapshot, snapshot.playbooks)),
    ]
    if not found:
        text = f"no Runbook and no TriagePlaybook matches the type {spec.type}"
        return NoGround(EscalationReason.UNKNOWN_INCIDENT_TYPE, text)
    if len(found) > 1:
        names = ", ".join(sorted(f"{kind} {entry.name}" for kind, entry in found))
        return NoGround(EscalationReason.AMBIGUOUS_RUNBOOK, f"several match the type {spec.type}: {names}")
    return _usable(*found[0])


def runbook_named(snapshot: Snapshot, name: str, field: str) -> Matched | NoGround:
    """The Runbook of that name; ``field`` says where the name stands."""
    entry = next((each for each in snapshot.catalogue if each.name == name), None)
    if entry is None:
        text = f"{field}: there is no Runbook named {name} in this namespace"
        return NoGround(EscalationReason.UNKNOWN_INCIDENT_TYPE, text)
    return _usable("Runbook", entry)


def _for(snapshot: Snapshot, entries: Sequence[CatalogueEntry]) -> list[CatalogueEntry]:
    spec = snapshot.incident.spec
    alert = spec.alert.name if spec.alert is not None else None
    return [each for each in entries if spec.type in each.match.types or (alert and alert in each.match.alerts)]


def _usable(kind: str, entry: CatalogueEntry) -> Matched | NoGround:
    if entry.revision is None:
        return NoGround(EscalationReason.INVALID_RUNBOOK, f"{kind} {entry.name}: {entry.problem}")
    return Matched(kind, entry.name, entry.revision)
