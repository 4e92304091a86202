"""What is kept of every incident while another one is worked on, by what can make them related; kept as events come."""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Callable
from datetime import datetime
from typing import Any

from firstresponder.api.base import is_true_in
from firstresponder.api.incident import CHANGED_NOTHING, ENDS, AttemptState, ConditionType, Incident, Phase
from firstresponder.controller.cache import Body, Cache
from firstresponder.controller.keys import Key
from firstresponder.controller.stays import stay_of
from firstresponder.incident.related import Fix, OtherIncident, RelatedIncidents, is_worth_waiting_for


class RelatedIndex:
    """The incidents of each namespace. Whoever waits for one is put on the queue when that is worth no longer."""

    def __init__(self, cache: Cache, changed: Callable[[Key], None]) -> None:
        self._namespaces: defaultdict[str, RelatedIncidents] = defaultdict(RelatedIncidents)
        self._changed = changed
        cache.listen(Incident.__name__, self._heard)

    def of(self, namespace: str) -> RelatedIncidents:
        return self._namespaces[namespace]

    def _heard(self, namespace: str, name: str, body: Body | None) -> None:
        related = self._namespaces[namespace]
        before = related.named(name)
        if body is None:
            related.remove(name)
        else:
            related.put(body["summary"])
        if before is None:
            return
        after = related.get(before.uid)
        if after is None or not is_worth_waiting_for(after):
            for waiting in related.waiting_for(before.uid):
                self._changed(Key(Incident.__name__, namespace, waiting.name))


def kept(incident: Body) -> Body:
    """What the cache keeps of an incident's body."""
    metadata = {name: incident["metadata"][name] for name in ("name", "resourceVersion")}
    escalated = _moment((incident.get("status") or {}).get("escalation", {}).get("time"))
    settled = is_settled(incident)
    return {
        "metadata": metadata,
        "lane": _lane(incident["spec"]),
        "summary": summary(incident),
        "settled": settled,
        "stay": stay_of(incident, settled=settled),
        "escalated": escalated,
    }


def summary(incident: Body) -> OtherIncident:
    """An incident by its body."""
    metadata, status = incident["metadata"], incident.get("status") or {}
    phase = Phase(status.get("phase", Phase.PENDING))
    fix_correct = status.get("sli", {}).get("fixCorrect")
    ran = [each for each in status.get("attempts", ()) if each.get("reason") not in CHANGED_NOTHING]
    ended = ran[-1].get("completionTime") or ran[-1].get("startTime") if ran else None
    return OtherIncident(
        name=metadata["name"],
        uid=metadata["uid"],
        phase=phase,
        fix=_fix(status),
        ended=_moment(ended),
        # A fix that was verified worked, whatever exit status it ended with.
        succeeded=bool(ran) and (ran[-1].get("state") == AttemptState.SUCCEEDED or fix_correct is True),
        fix_correct=fix_correct,
        created=_moment(metadata.get("creationTimestamp")),
        asked=status.get("approvalRequestRef", {}).get("uid") is not None,
        waits_for=_waits_for(status) if phase == Phase.TRIAGING else (),
        question=_question(incident["spec"], status) if phase not in ENDS else "",
    )


def is_settled(incident: Body) -> bool:
    """Whether nothing can follow for an incident until somebody changes it."""
    observed = (incident.get("status") or {}).get("observedGeneration")
    return is_true_in(incident, ConditionType.CLOSED) and observed == incident["metadata"]["generation"]


def _lane(spec: Body) -> str:
    """What those that wait for the same have in common: the first host, or the service where none is named."""
    hosts = spec.get("hosts")
    return f"Host/{hosts[0]['name']}" if hosts else f"Service/{spec['service']}"


def _fix(status: Body) -> Fix | None:
    bound = status.get("decisionPacket", {}).get("bound", {})
    action = bound.get("proposedAction", {})
    parts = (
        status.get("runbookRevisionRef", {}).get("runbook"),
        action.get("name"),
        action.get("target"),
        bound.get("hostKey"),
    )
    return Fix(*parts) if all(parts) else None


def _waits_for(status: Body) -> tuple[str, ...]:
    links = status.get("relatedIncidents", ())
    return tuple(each["uid"] for each in links if each["relation"] == "SameCause")


def _question(spec: Body, status: Body) -> str:
    """What its triage asks, as a digest; a parameter can come from a label of the alert."""
    revisions = [status.get(name, {}).get("digest") for name in ("playbookRevisionRef", "runbookRevisionRef")]
    if not any(revisions):
        return ""
    labels = (spec.get("alert") or {}).get("labels")
    asked = [revisions, spec["service"], spec.get("hosts"), spec.get("parameters"), labels]
    return hashlib.blake2b(json.dumps(asked, sort_keys=True).encode(), digest_size=16).hexdigest()


def _moment(text: Any) -> datetime | None:
    return datetime.fromisoformat(text) if isinstance(text, str) else None
