"""Other incidents of the namespace, as far as two of them can be in each other's way (rule 23).

A fix is the same when the same runbook does the same action to the same target on the same machine, which is known by
its pinned key and not by its name.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from firstresponder.api.incident import Phase


@dataclass(frozen=True)
class Fix:
    """What is done to what, where, by which runbook."""

    runbook: str
    action: str
    target: str
    host_key: str


@dataclass(frozen=True)
class Neighbour:
    """Another incident."""

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


_ASKING = frozenset({Phase.AWAITING_APPROVAL, Phase.ACTING, Phase.VERIFYING})


def is_asking(neighbour: Neighbour) -> bool:
    """Whether a fix is asked for, made or watched there."""
    return neighbour.phase in _ASKING


def same_cause(fix: Fix, neighbours: Sequence[Neighbour]) -> Neighbour | None:
    """The open incident that the same fix is asked or made for already."""
    found = [each for each in neighbours if each.fix == fix and is_asking(each)]
    return min(found, key=lambda each: each.name, default=None)


def recurrence(fix: Fix, detected: datetime, cooldown: timedelta, neighbours: Sequence[Neighbour]) -> Neighbour | None:
    """The latest incident that had the same fix, after which this one was noticed before the cooldown was over."""
    found = [
        each
        for each in neighbours
        if each.fix == fix and not is_asking(each) and each.ended is not None and detected < each.ended + cooldown
    ]
    return max(found, key=lambda each: (each.ended, each.name), default=None)


def acting_there(host_key: str, neighbours: Sequence[Neighbour]) -> Neighbour | None:
    """The incident that is acting on that machine now."""
    found = [each for each in neighbours if each.phase == Phase.ACTING and each.fix and each.fix.host_key == host_key]
    return min(found, key=lambda each: each.name, default=None)
