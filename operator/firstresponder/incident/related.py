"""Other incidents of the namespace, as far as two of them can be in each other's way (rule 23).

A fix is the same when the same runbook does the same action to the same target on the same machine, which is known by
its pinned key and not by its name.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import defaultdict
from collections.abc import Collection, Hashable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from firstresponder.api.incident import Phase


@dataclass(frozen=True, slots=True)
class Fix:
    """What is done to what, where, by which runbook."""

    runbook: str
    action: str
    target: str
    host_key: str


@dataclass(frozen=True, slots=True)
class OtherIncident:
    """Another incident, by the little of it that matters to related incidents: whole ones are big."""

    name: str
    uid: str
    phase: Phase
    fix: Fix | None = None
    """What its packet proposes, if it has one."""
    ended: datetime | None = None
    """When the last attempt of it that ran on a host ended, as far as anybody knows."""
    succeeded: bool = False
    """Whether that attempt succeeded."""
    fix_correct: bool | None = None
    created: datetime | None = None
    asked: bool = False
    """Whether people were asked for it: its ApprovalRequest exists."""
    waits_for: tuple[str, ...] = ()
    """The uids of the incidents that it is linked to while it is in triage."""
    question: str = ""
    """The same for incidents whose triage asks the same: one revision, service, hosts and parameters. Empty before a
    revision is pinned."""


_ASKING = frozenset({Phase.AWAITING_APPROVAL, Phase.ACTING, Phase.VERIFYING})


def is_asking(incident: OtherIncident) -> bool:
    """Whether a fix is asked for, made or watched there."""
    return incident.phase in _ASKING


def is_worth_waiting_for(incident: OtherIncident) -> bool:
    """Whether an incident that is linked to this one still waits: it is triaged or dealt with, and waits for none."""
    return is_asking(incident) or (incident.phase == Phase.TRIAGING and not incident.waits_for)


class RelatedIncidents:
    """The incidents of a namespace, each found by what can make it related to another: nothing looks through all."""

    def __init__(self, incidents: Iterable[OtherIncident] = ()) -> None:
        self._by_name: dict[str, OtherIncident] = {}
        self._by_uid: dict[str, OtherIncident] = {}
        self._asking = _Groups()
        self._acting = _Groups()
        self._questions = _Groups()
        self._waiting = _Groups()
        self._ended: defaultdict[Fix, list[tuple[datetime, str]]] = defaultdict(list)
        for incident in incidents:
            self.put(incident)

    def put(self, incident: OtherIncident) -> None:
        """The incident is there, and as it is now."""
        self.remove(incident.name)
        self._by_name[incident.name] = self._by_uid[incident.uid] = incident
        for group, key in self._memberships(incident):
            group.add(key, incident)
        if (ended := _ended_fix(incident)) is not None:
            insort(self._ended[ended[0]], ended[1])

    def remove(self, name: str) -> None:
        """There is no incident of that name any more."""
        incident = self._by_name.pop(name, None)
        if incident is None:
            return
        del self._by_uid[incident.uid]
        for group, key in self._memberships(incident):
            group.discard(key, incident)
        if (ended := _ended_fix(incident)) is not None:
            moments = self._ended[ended[0]]
            del moments[bisect_left(moments, ended[1])]
            if not moments:
                del self._ended[ended[0]]

    def named(self, name: str) -> OtherIncident | None:
        return self._by_name.get(name)

    def get(self, uid: str) -> OtherIncident | None:
        return self._by_uid.get(uid)

    def asking(self, fix: Fix) -> Collection[OtherIncident]:
        """The open incidents for which that fix is asked for, made or watched."""
        return self._asking.of(fix)

    def acting_on(self, host_key: str) -> Collection[OtherIncident]:
        """The incidents that act on that machine now."""
        return self._acting.of(host_key)

    def with_question(self, question: str) -> Collection[OtherIncident]:
        """The open incidents whose triage asks that, and that wait for none."""
        return self._questions.of(question)

    def waiting_for(self, uid: str) -> Collection[OtherIncident]:
        """The incidents that are linked to that one."""
        return self._waiting.of(uid)

    def latest_ended(self, fix: Fix) -> Iterator[OtherIncident]:
        """The incidents for which that fix was made and that no longer ask for it, the latest first."""
        return (self._by_name[name] for _, name in reversed(self._ended.get(fix, ())))

    def _memberships(self, incident: OtherIncident) -> Iterator[tuple[_Groups, Hashable]]:
        if incident.fix is not None and is_asking(incident):
            yield self._asking, incident.fix
        if incident.fix is not None and incident.phase == Phase.ACTING:
            yield self._acting, incident.fix.host_key
        if incident.question and is_worth_waiting_for(incident):
            yield self._questions, incident.question
        for uid in incident.waits_for:
            yield self._waiting, uid


class _Groups:
    """Incidents by a key that several of them can have."""

    def __init__(self) -> None:
        self._groups: dict[Hashable, dict[str, OtherIncident]] = {}

    def of(self, key: Hashable) -> Collection[OtherIncident]:
        return self._groups.get(key, {}).values()

    def add(self, key: Hashable, incident: OtherIncident) -> None:
        self._groups.setdefault(key, {})[incident.name] = incident

    def discard(self, key: Hashable, incident: OtherIncident) -> None:
        group = self._groups[key]
        del group[incident.name]
        if not group:
            del self._groups[key]


def _ended_fix(incident: OtherIncident) -> tuple[Fix, tuple[datetime, str]] | None:
    if incident.fix is None or incident.ended is None or is_asking(incident):
        return None
    return incident.fix, (incident.ended, incident.name)


def same_question(own: OtherIncident, related: RelatedIncidents) -> OtherIncident | None:
    """The open incident whose triage asks the same and began first; None where that is this one."""
    if not own.question:
        return None
    found = [each for each in related.with_question(own.question) if _age(each) < _age(own)]
    return min(found, key=_age, default=None)


def same_cause(fix: Fix, own: str, related: RelatedIncidents) -> OtherIncident | None:
    """The open incident that the same fix is asked or made for already; ``own`` is the uid of the one that looks."""
    found = [each for each in related.asking(fix) if each.uid != own]
    return min(found, key=_turn, default=None)


def goes_first(fix: Fix, own: OtherIncident, related: RelatedIncidents) -> OtherIncident | None:
    """The open incident whose turn it is to have the same fix, where ``own`` asks for it too; None where it is ours.

    The order is one and the same for both, however much each of them has heard of the other: what is carried out
    already, then whoever has asked people, then the older one.
    """
    found = [each for each in related.asking(fix) if each.uid != own.uid and _turn(each) < _turn(own)]
    return min(found, key=_turn, default=None)


def _turn(incident: OtherIncident) -> tuple[bool, bool, tuple[str, str]]:
    return incident.phase == Phase.AWAITING_APPROVAL, not incident.asked, _age(incident)


def _age(incident: OtherIncident) -> tuple[str, str]:
    return incident.created.isoformat() if incident.created is not None else "", incident.uid


def recurrence(
    fix: Fix, own: str, detected: datetime, cooldown: timedelta, related: RelatedIncidents
) -> OtherIncident | None:
    """The latest incident that had the same fix, after which this one was noticed before the cooldown was over."""
    latest = next((each for each in related.latest_ended(fix) if each.uid != own), None)
    if latest is None or latest.ended is None or detected >= latest.ended + cooldown:
        return None
    return latest


def acting_there(host_key: str, own: str, related: RelatedIncidents) -> OtherIncident | None:
    """Another incident that is acting on that machine now."""
    found = [each for each in related.acting_on(host_key) if each.uid != own]
    return min(found, key=lambda each: each.name, default=None)
