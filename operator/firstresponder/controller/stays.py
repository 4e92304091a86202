"""How long each incident stays in the cluster, as far as that is known from events."""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Callable
from datetime import datetime

from firstresponder.api.incident import ENDS, KEEP, ConditionType, Incident, Phase
from firstresponder.controller.cache import Body, Cache
from firstresponder.incident.retention import Group, Stay, Stays


class StayIndex:
    """The incidents of each namespace. ``changed`` hears of each namespace where another one goes first."""

    def __init__(self, cache: Cache, changed: Callable[[str], None]) -> None:
        self._namespaces: defaultdict[str, Stays] = defaultdict(Stays)
        self._changed = changed
        cache.listen(Incident.__name__, self._heard)

    def of(self, namespace: str) -> Stays:
        return self._namespaces[namespace]

    def _heard(self, namespace: str, name: str, body: Body | None) -> None:
        stays = self._namespaces[namespace]
        before = stays.next()
        if body is None:
            stays.remove(name)
        else:
            stays.put(body["stay"])
        if stays.next() != before:
            self._changed(namespace)


def stay_of(incident: Body, *, settled: bool) -> Stay:
    """What of an incident's body decides how long it stays; ``settled`` is whether nothing can follow for it."""
    metadata, status = incident["metadata"], incident.get("status") or {}
    is_open = Phase(status.get("phase", Phase.PENDING)) not in ENDS
    keep = (metadata.get("annotations") or {}).get(KEEP, "false") != "false"
    return Stay(
        name=metadata["name"],
        uid=metadata["uid"],
        group=_group(incident["spec"], status),
        closed=_closed(status) if settled else None,
        kept=keep or "deletionTimestamp" in metadata,
        related=tuple(each["uid"] for each in status.get("relatedIncidents", ())) if is_open else (),
    )


def _group(spec: Body, status: Body) -> Group:
    ref = status.get("runbookRevisionRef") or status.get("playbookRevisionRef")
    name, digest = (ref["runbook"], ref["digest"]) if ref else ("", spec["type"])
    return sys.intern(name), sys.intern(digest)  # thousands of incidents have few of them


def _closed(status: Body) -> datetime | None:
    closed = next(each for each in status["conditions"] if each["type"] == ConditionType.CLOSED)
    moment = closed.get("lastTransitionTime")
    return datetime.fromisoformat(moment) if moment is not None else None
