"""What many incidents say together: rates and times by type and by runbook revision, and what is escalated most.

Pure: incidents in, numbers out. An open incident is counted and is in no other figure.
"""

from __future__ import annotations

import statistics
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from firstresponder.api.incident import ENDS, Incident, Phase, RevisionReference


@dataclass(frozen=True)
class Share:
    """How many of how many."""

    count: int
    of: int

    @property
    def rate(self) -> float | None:
        """From 0 to 1; None where there is nothing to be a part of."""
        return self.count / self.of if self.of else None


@dataclass(frozen=True)
class Times:
    """What is known of a number of times, all in whole seconds."""

    of: int
    """How many incidents have one; at least one."""
    median: int
    mean: int
    maximum: int


@dataclass(frozen=True)
class Figures:
    """Some incidents in numbers."""

    incidents: int
    open: int
    resolved: Share
    """Of those that are over."""
    by_fix: int
    """Resolved ones with which something was done; with the others the symptom was not there."""
    escalated: Share
    """Of those that are over: the escalation rate."""
    incorrect: Share
    """Fixes found wrong, of all fixes with a verdict: the false-action rate."""
    time_to_detect: Times | None
    """From detection to the operator's beginning."""
    time_to_resolve: Times | None
    """From the operator's beginning to the verified end; only resolved incidents have one."""

    @property
    def by_itself(self) -> int:
        return self.resolved.count - self.by_fix


@dataclass(frozen=True)
class RevisionKey:
    """The exact content of a runbook, or of the playbook where an incident came no further."""

    runbook: str
    digest: str


@dataclass(frozen=True)
class RevisionFigures:
    """What became of the incidents that one revision was used for."""

    revision: RevisionKey | None
    """None where there was no runbook."""
    git_revisions: tuple[str, ...]
    """Under which Git revisions the same content was seen."""
    figures: Figures


@dataclass(frozen=True)
class Escalations:
    """Which incidents of one type were escalated, and why."""

    type: str
    escalated: Share
    reasons: tuple[tuple[str, int], ...]
    """Each reason with its number, the most frequent first."""


@dataclass(frozen=True)
class Statistics:
    """Numbers of all incidents, and of parts of them."""

    total: Figures
    types: tuple[tuple[str, Figures], ...]
    """The type with the most incidents first."""
    revisions: tuple[RevisionFigures, ...]
    """Runbook by runbook, the revision that was used last first."""
    escalated_most: tuple[Escalations, ...]
    """The type with the most escalations first."""


def statistics_of(
    incidents: Iterable[Incident], *, since: datetime | None = None, kind: str | None = None
) -> Statistics:
    """The numbers of the incidents detected at or after ``since`` and of type ``kind``, where these are given."""
    counted = [
        each
        for each in incidents
        if (kind is None or each.spec.type == kind) and (since is None or since <= detected(each))
    ]
    by_type: defaultdict[str, list[Incident]] = defaultdict(list)
    by_revision: defaultdict[RevisionKey | None, list[Incident]] = defaultdict(list)
    for each in counted:
        by_type[each.spec.type].append(each)
        ref = _revision(each)
        by_revision[RevisionKey(ref.runbook, ref.digest) if ref is not None else None].append(each)
    types = [(name, figures(some)) for name, some in sorted(by_type.items())]
    revisions = [RevisionFigures(key, _git_revisions(some), figures(some)) for key, some in _in_order(by_revision)]
    escalations = [_escalations(name, some) for name, some in sorted(by_type.items())]
    return Statistics(
        total=figures(counted),
        types=tuple(sorted(types, key=lambda each: -each[1].incidents)),
        revisions=tuple(revisions),
        escalated_most=tuple(
            sorted((each for each in escalations if each.escalated.count), key=lambda each: -each.escalated.count)
        ),
    )


def detected(incident: Incident) -> datetime:
    """When the incident was noticed; before the operator has begun, what is known of that."""
    spec, sli = incident.spec, incident.status.sli
    alert = spec.alert.start_time if spec.alert is not None else None
    known = (sli.detection_time if sli is not None else None, spec.detection_time, alert)
    moment = next((each for each in known if each is not None), incident.metadata.creation_timestamp)
    if moment is None:
        raise ValueError(f"incident {incident.name} was never stored: it has no creation time")
    return moment


def figures(incidents: Sequence[Incident]) -> Figures:
    """The numbers of these incidents."""
    over = [each for each in incidents if each.status.phase in ENDS]
    resolved = [each for each in over if each.status.phase == Phase.RESOLVED]
    indicators = [each.status.sli for each in over if each.status.sli is not None]
    judged = [each.fix_correct for each in indicators if each.fix_correct is not None]
    return Figures(
        incidents=len(incidents),
        open=len(incidents) - len(over),
        resolved=Share(len(resolved), len(over)),
        by_fix=sum(1 for each in resolved if each.status.attempts),
        escalated=Share(len(over) - len(resolved), len(over)),
        incorrect=Share(judged.count(False), len(judged)),
        time_to_detect=_times(each.mttd_seconds for each in indicators),
        time_to_resolve=_times(each.mttr_seconds for each in indicators),
    )


def _times(seconds: Iterable[int | None]) -> Times | None:
    known = [each for each in seconds if each is not None]
    if not known:
        return None
    return Times(len(known), round(statistics.median(known)), round(statistics.fmean(known)), max(known))


def _escalations(kind: str, incidents: Sequence[Incident]) -> Escalations:
    ended = (each.status.escalation for each in incidents if each.status.phase == Phase.ESCALATED)
    reasons = Counter(each.reason.value if each is not None else "unknown" for each in ended)
    ranked = sorted(reasons.items(), key=lambda item: (-item[1], item[0]))
    return Escalations(kind, figures(incidents).escalated, tuple(ranked))


def _revision(incident: Incident) -> RevisionReference | None:
    return incident.status.runbook_revision_ref or incident.status.playbook_revision_ref


def _git_revisions(incidents: Iterable[Incident]) -> tuple[str, ...]:
    refs = (_revision(each) for each in incidents)
    return tuple(sorted({ref.git_revision for ref in refs if ref is not None and ref.git_revision is not None}))


def _in_order(
    incidents: Mapping[RevisionKey | None, Sequence[Incident]],
) -> list[tuple[RevisionKey | None, Sequence[Incident]]]:
    """Runbook by runbook, the revision that was used last first; those without a runbook at the end."""
    latest_first = sorted(incidents.items(), key=lambda item: max(map(detected, item[1])), reverse=True)
    return sorted(latest_first, key=lambda item: (item[0] is None, item[0].runbook if item[0] is not None else ""))
