"""What was measured over time: the numbers among what each round of looks saw, remembered for people.

Nothing is decided by them. A status holds a bounded number of rounds, written together with what is written anyway.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from firstresponder.api.incident import Evidence, IncidentStatus, Measurement, Phase, Stage
from firstresponder.api.runbook import Triage
from firstresponder.evidence.catalogue import PROBES
from firstresponder.incident.snapshot import Snapshot
from firstresponder.incident.status import with_fields

ROUNDS = 64
"""Rounds that a status remembers."""
_VALUES = 64
"""Values of one round."""


def measurements_of(spec: Triage, evidence: Iterable[Evidence]) -> dict[str, float]:
    """The quantities among what the runbook's diagnostics saw, by diagnostic and field."""
    measures = {each.name: PROBES[each.probe].measures for each in spec.diagnostics}
    found = {
        f"{each.name}.{field}": each.values[field]
        for each in evidence
        for field in measures.get(each.name, ())
        if isinstance(each.values.get(field), int | float)
    }
    return dict(list(found.items())[:_VALUES])


def thin_out(rounds: Sequence[Measurement], limit: int) -> list[Measurement]:
    """At most ``limit`` of them: the last of each stage, which people compare, and evenly some of the others."""
    stages = [(each.stage, each.runbook) for each in rounds]
    lasts = [place for place, stage in enumerate(stages) if stages[place + 1 : place + 2] != [stage]]
    others = [place for place in range(len(rounds)) if place not in lasts]
    kept = evenly(lasts, limit)
    return [rounds[place] for place in sorted(kept + evenly(others, limit - len(kept)))]


def evenly(places: Sequence[int], limit: int) -> list[int]:
    """At most ``limit`` of them: the first, the last, and evenly some of those between."""
    if len(places) <= limit or limit < 2:
        return list(places[:limit])
    return [places[each * (len(places) - 1) // (limit - 1)] for each in range(limit)]


def with_samples(
    status: IncidentStatus, runbook: str, stage: Stage, rounds: Iterable[tuple[datetime, dict[str, float]]]
) -> IncidentStatus:
    """The status with what these rounds of one stage measured, thinned stage by stage, the dropped counted."""
    new = [Measurement(time=time, stage=stage, runbook=runbook, values=values) for time, values in rounds if values]
    kept = thin_out(status.samples, max(ROUNDS - len(new), ROUNDS // 2))
    kept += thin_out(new, ROUNDS - len(kept))
    dropped = len(status.samples) + len(new) - len(kept)
    return with_fields(status, samples=kept, samples_dropped=status.samples_dropped + dropped) if new else status


def with_measurements(snapshot: Snapshot, status: IncidentStatus) -> IncidentStatus:
    """The status to be written after a look, with what it measured. Verification remembers its own looks at its end."""
    phase, before = snapshot.incident.status.phase, snapshot.incident.status
    leading = before.playbook_revision_ref is not None and before.runbook_revision_ref is None
    revision = snapshot.playbook if leading else snapshot.revision
    verifying = phase == Phase.VERIFYING and before.escalation is None
    observation = snapshot.facts.observation
    if observation is None or verifying or revision is None or revision.spec is None:
        return status
    stage: Stage = "Triage" if phase == Phase.TRIAGING else "BeforeAction"
    values = measurements_of(revision.spec, observation.evidence)
    return with_samples(status, revision.ref.runbook, stage, [(observation.start_time, values)])
