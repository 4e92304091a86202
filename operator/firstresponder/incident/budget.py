"""How much an incident's status may hold, and what goes first where it would be more.

The API server refuses an object of more than some 1.5 MB for ever, and an outcome that cannot be written would be
lost. So every status is held far below that: words for people are left out or shortened, the least needed first. What
decides and what people approve is never touched; where that alone is too much, no packet is made of it.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, TypeVar

from firstresponder.api.base import JSON, ApiModel
from firstresponder.api.incident import Evidence, IncidentStatus
from firstresponder.incident.measurements import thin_out
from firstresponder.incident.status import with_fields
from firstresponder.safety.neutralise import ELLIPSIS

LIMIT = 256 * 1024
"""Bytes that a status takes at most."""
ESSENTIAL_LIMIT = 200 * 1024
"""Bytes of it for what cannot be cut. The rest is for the outcome, which must always fit."""
_TEXTS = frozenset(
    {
        *("message", "because", "result", "details", "text", "title", "excerpt", "by"),
        *("human_action", "attempted_fix", "verification_result"),
    }
)
"""Fields that hold words for people; nothing is decided by them."""

M = TypeVar("M", bound=ApiModel)


def size(value: JSON) -> int:
    """Bytes of the value as the API server stores it: compact JSON in UTF-8, with ``<``, ``>`` and ``&`` escaped."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    escaped = sum(text.count(character) for character in "<>&") * (len(r"\u003c") - 1)
    return len(text.encode("utf-8", "surrogatepass")) + escaped


def head(text: str, limit: int) -> str:
    """The text if it takes at most ``limit`` bytes within a status, else its beginning that does, ending in ``…``."""
    if _bytes(text) <= limit:
        return text
    fits, too_long = 0, min(len(text), limit)
    while too_long - fits > 1:
        middle = (fits + too_long) // 2
        fits, too_long = (middle, too_long) if _bytes(text[:middle] + ELLIPSIS) <= limit else (fits, middle)
    return text[:fits] + ELLIPSIS


def _bytes(text: str) -> int:
    return size(text) - len('""')


def essential(status: IncidentStatus) -> int:
    """Bytes of what is never cut: evidence that expressions read, hosts, parameters, verdicts, and the packet."""
    kept = IncidentStatus(
        parameters=status.parameters,
        roles=status.roles,
        evidence=[_bare(each) for each in status.evidence],
        hypotheses=[each.model_copy(update={"because": ""}) for each in status.hypotheses],
        decision_packet=status.decision_packet,
    )
    return size(kept.wire())


def within_budget(status: IncidentStatus) -> IncidentStatus:
    """The status as it is written: below the limit, by as few of the cuts as it takes."""
    for cut in _CUTS:
        if size(status.wire()) <= LIMIT:
            break
        status = cut(status)
    return status


def _without_excerpts(status: IncidentStatus) -> IncidentStatus:
    evidence = [
        each.model_copy(update={"excerpt": None, "truncated": True}) if each.excerpt is not None else each
        for each in status.evidence
    ]
    return with_fields(status, evidence=evidence)


def _without_earlier_proofs(status: IncidentStatus) -> IncidentStatus:
    earlier = [each.model_copy(update={"proof": []}) for each in status.attempts[:-1]]
    return with_fields(status, attempts=[*earlier, *status.attempts[-1:]])


def _samples_of(limit: int) -> Callable[[IncidentStatus], IncidentStatus]:
    def cut(status: IncidentStatus) -> IncidentStatus:
        kept = thin_out(status.samples, limit)
        dropped = status.samples_dropped + len(status.samples) - len(kept)
        return with_fields(status, samples=kept, samples_dropped=dropped)

    return cut


def _timeline_of(first: int, last: int) -> Callable[[IncidentStatus], IncidentStatus]:
    def cut(status: IncidentStatus) -> IncidentStatus:
        dropped = max(len(status.timeline) - first - last, 0)
        entries = [*status.timeline[:first], *status.timeline[first + dropped :]]
        return with_fields(status, timeline=entries, timeline_dropped=status.timeline_dropped + dropped)

    return cut


def _diagnostic_results_of(limit: int) -> Callable[[IncidentStatus], IncidentStatus]:
    def cut(status: IncidentStatus) -> IncidentStatus:
        if (escalation := status.escalation) is None:
            return status
        results = [_shortened(each, limit) for each in escalation.diagnostic_results]
        return with_fields(status, escalation=escalation.model_copy(update={"diagnostic_results": results}))

    return cut


def _words_of(limit: int) -> Callable[[IncidentStatus], IncidentStatus]:
    return lambda status: _shortened(status, limit)


def _without_repetitions(status: IncidentStatus) -> IncidentStatus:
    """Without what the packet, the evidence or the verdicts say as well."""
    attempts = [each.model_copy(update={"proof": []}) for each in status.attempts]
    escalation, verification = status.escalation, status.verification
    if escalation is not None:
        escalation = escalation.model_copy(update={"diagnostic_results": []})
    if verification is not None:
        criteria = [each.model_copy(update={"require": None}) for each in verification.criteria]
        verification = verification.model_copy(update={"criteria": criteria})
    return with_fields(
        status, attempts=attempts, escalation=escalation, verification=verification, root_cause=None,
        samples=[], samples_dropped=status.samples_dropped + len(status.samples),
    )  # fmt: skip


def _bare(evidence: Evidence) -> Evidence:
    """The evidence without words."""
    return _shortened(evidence.model_copy(update={"excerpt": None}), len(ELLIPSIS.encode()))


def _shortened(model: M, limit: int) -> M:
    """The model with each of its words for people taking at most ``limit`` bytes; what is decided by stays whole."""
    changed: dict[str, Any] = {}
    for name, value in model:
        if name in {"decision_packet", "root_cause", "roles"}:
            continue
        if isinstance(value, ApiModel):
            changed[name] = _shortened(value, limit)
        elif isinstance(value, list):
            changed[name] = [_shortened(each, limit) if isinstance(each, ApiModel) else each for each in value]
        elif isinstance(value, str) and name in _TEXTS:
            changed[name] = head(value, limit)
    return model.model_copy(update=changed)


_CUTS: tuple[Callable[[IncidentStatus], IncidentStatus], ...] = (
    _without_excerpts,
    _samples_of(32),
    _without_earlier_proofs,
    _timeline_of(first=20, last=40),
    _diagnostic_results_of(256),
    _words_of(1024),
    _samples_of(8),
    _without_repetitions,
    _words_of(256),
    _timeline_of(first=10, last=10),
    _words_of(64),
)
"""In this order, each only where those before were not enough."""
