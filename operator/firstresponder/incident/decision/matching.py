"""Which runbook, or which playbook that leads to one, an incident is for (rule 20)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from firstresponder.api.incident import RevisionReference
from firstresponder.api.reasons import EscalationReason
from firstresponder.incident.decision.context import ContextError
from firstresponder.incident.snapshot import CatalogueEntry, Revision, Snapshot


@dataclass(frozen=True)
class Matched:
    """The one piece of knowledge that an incident is handled by."""

    kind: str
    """``Runbook`` or ``TriagePlaybook``."""
    name: str
    revision: RevisionReference


def match(snapshot: Snapshot) -> Matched | ContextError:
    """Named by the incident, or the only one that matches its type or alert; never a pick among several."""
    spec = snapshot.incident.spec
    if spec.runbook_ref is not None:
        return runbook_named(snapshot, spec.runbook_ref.name, "spec.runbookRef.name")
    found = [
        *(("Runbook", entry) for entry in _for(snapshot, snapshot.catalogue)),
        *(("TriagePlaybook", entry) for entry in _for(snapshot, snapshot.playbooks)),
    ]
    if not found:
        text = f"no Runbook and no TriagePlaybook matches {_what(snapshot)}"
        return ContextError(EscalationReason.UNKNOWN_INCIDENT_TYPE, text)
    if len(found) > 1:
        names = ", ".join(sorted(f"{kind} {entry.name}" for kind, entry in found))
        return ContextError(EscalationReason.AMBIGUOUS_RUNBOOK, f"several match {_what(snapshot)}: {names}")
    return _usable(*found[0])


def runbook_named(snapshot: Snapshot, name: str, field: str) -> Matched | ContextError:
    """The Runbook of that name; ``field`` says where the name stands."""
    entry = next((each for each in snapshot.catalogue if each.name == name), None)
    if entry is None:
        text = f"{field}: there is no Runbook named {name} in this namespace"
        return ContextError(EscalationReason.UNKNOWN_INCIDENT_TYPE, text)
    return _usable("Runbook", entry)


def _for(snapshot: Snapshot, entries: Sequence[CatalogueEntry]) -> list[CatalogueEntry]:
    spec = snapshot.incident.spec
    alert = spec.alert.name if spec.alert is not None else None
    return [each for each in entries if each.match.is_for(spec.type, alert)]


def _what(snapshot: Snapshot) -> str:
    spec = snapshot.incident.spec
    alert = f" or the alert {spec.alert.name}" if spec.alert is not None else ""
    return f"the type {spec.type}{alert}"


def _usable(kind: str, entry: CatalogueEntry) -> Matched | ContextError:
    if entry.revision is None:
        return ContextError(EscalationReason.INVALID_RUNBOOK, f"{kind} {entry.name}: {entry.problem}")
    return Matched(kind, entry.name, entry.revision)


def is_pinned(revision: Revision | None, matched: Matched) -> bool:
    """Whether that revision is read and has the incident among its owners; one that fails its digest needs none."""
    if revision is None or revision.ref != matched.revision:
        return False
    return revision.owned or revision.spec is None
