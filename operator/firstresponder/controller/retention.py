"""Retention: of each namespace the ended incidents that are old enough are archived and deleted, one after the other.

One key a namespace, which sleeps until the next incident is due, and is woken where another one becomes the next.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from pydantic import ValidationError

from firstresponder.api.base import seconds
from firstresponder.api.escalationpolicy import EscalationPolicy, Retention
from firstresponder.api.incident import Incident
from firstresponder.api.runbook import Runbook
from firstresponder.archive.sink import ArchiveError
from firstresponder.controller.archiver import Archiver, Record
from firstresponder.controller.cache import Body, Cache
from firstresponder.controller.keys import Key
from firstresponder.controller.related import is_settled, kept
from firstresponder.controller.stays import StayIndex, stay_of
from firstresponder.incident.retention import Stay
from firstresponder.kube.errors import ApiError, Conflict, NotFound, Unreachable
from firstresponder.kube.events import Events
from firstresponder.safety import shown

RETENTION: Final = "Retention"
"""The kind of the keys."""
_POLICY = "default"
_FIRST_PAUSE, _LAST_PAUSE = timedelta(minutes=1), timedelta(hours=1)
"""Between two tries, while the archive takes nothing."""
_UNTIL_HEARD = timedelta(seconds=2)
"""What was seen of an incident is heard of by then."""
_BEYOND_COOLDOWN = timedelta(days=1)
"""By how much an incident outlives the longest cooldown: what came within it is opened by then."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Outage:
    """Since when the archive takes nothing, and when it is tried again."""

    start: datetime
    failures: int
    retry: datetime


class RetentionReconciler:
    """Archives and deletes. What it remembers (outages) may be lost."""

    def __init__(
        self,
        cache: Cache,
        archiver: Archiver,
        events: Events,
        changed: Callable[[Key], None],
        now: Callable[[], datetime],
    ) -> None:
        self._cache = cache
        self._archiver = archiver
        self._events = events
        self._changed = changed
        self._now = now
        self._stays = StayIndex(cache, self._wake)
        self._limits: dict[str, Limits | None] = {}
        self._outages: dict[str, _Outage] = {}
        for kind in (EscalationPolicy, Runbook):
            cache.listen(kind.__name__, self._limits_changed)

    async def reconcile(self, key: Key) -> timedelta | None:
        """Archive and delete the next incident, if it is due; returns when to look again."""
        namespace, now = key.namespace, self._now()
        if (outage := self._outages.get(namespace)) is not None and now < outage.retry:
            return outage.retry - now
        if not self._archiver.is_ready(namespace):
            return _UNTIL_HEARD
        if (next_one := self._next(namespace)) is None:
            return None
        incident, due = next_one
        if now < due:
            return due - now
        try:
            return await self._archive(namespace, incident)
        except ArchiveError as problem:
            return await self._failed(namespace, str(problem))

    def _next(self, namespace: str) -> tuple[Stay, datetime] | None:
        """The incident that leaves next, and when; None where none does."""
        if namespace not in self._limits:
            self._limits[namespace] = limits_of(self._cache, namespace)
        if (limits := self._limits[namespace]) is None:
            return None
        stays = self._stays.of(namespace)
        stays.keep_last = limits.keep_last
        incident = stays.next()
        if incident is None or incident.closed is None:
            return None
        return incident, incident.closed + limits.after

    async def _archive(self, namespace: str, incident: Stay) -> timedelta:
        record = await self._archiver.read(namespace, incident.name)
        if record is None:
            return _UNTIL_HEARD
        if stay_of(record.incident, settled=is_settled(record.incident)) != incident:
            self._cache.put(Incident.__name__, namespace, kept(record.incident))
            return _UNTIL_HEARD
        await self._archiver.write(record)
        try:
            await self._archiver.delete(record)
        except (Conflict, NotFound):
            _log.info("%s was changed after it was archived: it stays, and is archived again", incident.name)
            return _UNTIL_HEARD
        _log.info("%s is archived and deleted", incident.name)
        self._forget(namespace, record)
        await self._works(namespace)
        return timedelta()

    def _forget(self, namespace: str, record: Record) -> None:
        """Not to be archived again before the watch says that it is gone. Another one of its name may be there."""
        metadata = record.incident["metadata"]
        known = self._cache.get(Incident.__name__, namespace, metadata["name"])
        if known is not None and known["summary"].uid == metadata["uid"]:
            self._cache.remove(Incident.__name__, namespace, metadata["name"])

    async def _failed(self, namespace: str, problem: str) -> timedelta:
        now, before = self._now(), self._outages.get(namespace)
        failures = before.failures + 1 if before is not None else 1
        pause: timedelta = min(_FIRST_PAUSE * 2 ** min(failures - 1, 6), _LAST_PAUSE)
        start = before.start if before is not None else now
        self._outages[namespace] = _Outage(start, failures, now + pause)
        if before is None:
            text = f"ended incidents stay, and archiving them is tried again and again: {shown(problem, 700)}"
            _log.error("%s", text)
            await self._record(namespace, start, "ArchiveFailed", text, warning=True)
        return pause

    async def _works(self, namespace: str) -> None:
        outage = self._outages.pop(namespace, None)
        if outage is not None:
            text = "incidents are archived again"
            _log.info("%s", text)
            await self._record(namespace, outage.start, "ArchiveRecovered", text)

    async def _record(self, namespace: str, outage: datetime, reason: str, text: str, *, warning: bool = False) -> None:
        policy = self._cache.readable(EscalationPolicy, namespace).get(_POLICY)
        if policy is None:
            return
        try:
            await self._events.record(policy, self._now(), reason, text, warning=warning, dedup_key=outage.isoformat())
        except (ApiError, Unreachable) as problem:
            _log.warning("the Event %s was not recorded: %s", reason, problem)

    def _limits_changed(self, namespace: str, _name: str, _body: Body | None) -> None:
        self._limits.pop(namespace, None)
        self._wake(namespace)

    def _wake(self, namespace: str) -> None:
        self._changed(Key(RETENTION, namespace))


@dataclass(frozen=True)
class Limits:
    """How long ended incidents of a namespace stay, and how many of each runbook revision."""

    after: timedelta
    keep_last: int


def limits_of(cache: Cache, namespace: str) -> Limits | None:
    """What the EscalationPolicy says, and never less than recurrence needs; None where it cannot be read."""
    policy = cache.get(EscalationPolicy.__name__, namespace, _POLICY)
    try:
        retention = Retention.model_validate((policy or {}).get("spec", {}).get("retention") or {})
    except ValidationError as error:
        _log.error("no incident is archived: spec.retention of %s: %s", _POLICY, shown(str(error), 500))
        return None
    actions = [action for each in cache.all(Runbook.__name__, namespace) for action in each["spec"].get("actions", ())]
    needed = [seconds(action["cooldown"]) + _BEYOND_COOLDOWN for action in actions if "cooldown" in action]
    return Limits(max([seconds(retention.after), *needed]), retention.keep_last)
