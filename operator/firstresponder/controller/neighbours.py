"""What is kept of every incident while another one is worked on: a gist of its status, for whole ones are big."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from firstresponder.api.base import JSON
from firstresponder.api.incident import AttemptState, Phase
from firstresponder.controller.cache import Body
from firstresponder.incident.neighbours import Fix, Neighbour

_METADATA = ("name", "uid", "resourceVersion")
_ATTEMPT = ("state", "reason", "startTime", "completionTime")
_NEVER_RAN = frozenset({"NeverRan", "Refused"})
"""Reasons of an attempt that failed without having done anything on the host."""


def gist(incident: Body) -> dict[str, JSON]:
    """The part of an incident's body that :func:`neighbour` reads."""
    status = incident.get("status") or {}
    bound = status.get("decisionPacket", {}).get("bound", {})
    return {
        "metadata": {name: incident["metadata"][name] for name in _METADATA},
        "phase": status.get("phase", Phase.PENDING),
        "runbook": status.get("runbookRevisionRef", {}).get("runbook"),
        "action": bound.get("proposedAction", {}).get("name"),
        "target": bound.get("proposedAction", {}).get("target"),
        "hostKey": bound.get("hostKey"),
        "attempts": [{name: each.get(name) for name in _ATTEMPT} for each in status.get("attempts", ())],
        "fixCorrect": status.get("sli", {}).get("fixCorrect"),
    }


def neighbour(incident: Body) -> Neighbour:
    """An incident by its gist."""
    fix = [incident[name] for name in ("runbook", "action", "target", "hostKey")]
    ran = [each for each in incident["attempts"] if each["reason"] not in _NEVER_RAN]
    ended = ran[-1]["completionTime"] or ran[-1]["startTime"] if ran else None
    return Neighbour(
        name=incident["metadata"]["name"],
        uid=incident["metadata"]["uid"],
        phase=Phase(incident["phase"]),
        fix=Fix(*fix) if all(fix) else None,
        ended=_moment(ended),
        succeeded=bool(ran) and ran[-1]["state"] == AttemptState.SUCCEEDED,
        fix_correct=incident["fixCorrect"],
    )


def _moment(text: Any) -> datetime | None:
    return datetime.fromisoformat(text) if isinstance(text, str) else None
