"""Who holds a Lease, and what to do about it: the rules of client-go's leader election, as pure functions.

A Lease has expired when it was seen unchanged for as long as it is held for, by the clock of whoever looks at it. The
times that are written in it are for people, so clocks that differ cannot matter. A Lease keeps two from doing the same
work; it cannot keep one that was frozen from finishing what it had begun. Preconditions and the hosts' ledgers do that.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from firstresponder.api.base import JSON

DURATION: Final = 15
"""Seconds for which a Lease is held after it was last renewed."""
RENEW_DEADLINE: Final = 10.0
"""Seconds without a renewal after which its holder gives up; others wait for ``DURATION``, so there is a gap."""
RETRY: Final = 2.0
"""Seconds, at most, between two renewals by its holder and between two looks of the others."""


@dataclass(frozen=True)
class Lease:
    """A ``coordination.k8s.io/v1`` Lease. Two are equal when nobody has renewed or taken it in between."""

    version: str = field(compare=False)
    """Its resourceVersion; an annotation changes it too."""
    holder: str
    """Empty: it was released."""
    seconds: float
    acquired: str
    renewed: str
    transitions: int


@dataclass(frozen=True)
class Seen:
    """The Lease (None: there is none) as it was last read, and since when it has been the same."""

    lease: Lease | None
    since: float
    """Seconds of a clock that only grows, of this process."""


@dataclass(frozen=True)
class Write:
    """Change these fields of the Lease's spec, if its version is still this one; without a version: create it."""

    spec: Mapping[str, JSON]
    version: str | None


@dataclass(frozen=True)
class Wait:
    """Somebody else holds it: look again within so many seconds."""

    holder: str
    seconds: float


@dataclass(frozen=True)
class Lost:
    """It is no longer held by who had it; says by whom instead."""

    message: str


def read(body: Mapping[str, Any]) -> Lease:
    """A Lease from the API server; whatever is not set there counts as what we would have set."""
    spec = body.get("spec") or {}
    return Lease(
        version=body["metadata"]["resourceVersion"],
        holder=spec.get("holderIdentity") or "",
        seconds=spec.get("leaseDurationSeconds") or DURATION,
        acquired=spec.get("acquireTime") or "",
        renewed=spec.get("renewTime") or "",
        transitions=spec.get("leaseTransitions") or 0,
    )


def seen(before: Seen | None, lease: Lease | None, now: float) -> Seen:
    """What is known once the Lease was read at the moment ``now``."""
    unchanged = before is not None and before.lease == lease
    return Seen(lease, before.since if before is not None and unchanged else now)


def campaign(me: str, last: Seen, now: float, wall: datetime) -> Write | Wait:
    """What somebody does who does not hold it yet. ``wall`` is the time of day, to be written for people."""
    lease, moment = last.lease, _micro_time(wall)
    mine: dict[str, JSON] = {"holderIdentity": me, "leaseDurationSeconds": DURATION, "renewTime": moment}
    if lease is None:
        return Write({**mine, "acquireTime": moment, "leaseTransitions": 0}, None)
    if lease.holder == me:  # the answer to the write that took it was lost
        return Write(mine, lease.version)
    expires = last.since + lease.seconds
    if lease.holder and now < expires:
        return Wait(lease.holder, min(RETRY, expires - now))
    return Write({**mine, "acquireTime": moment, "leaseTransitions": lease.transitions + 1}, lease.version)


def renewal(me: str, lease: Lease | None, wall: datetime) -> Write | Lost:
    """What its holder does with the Lease as it was last read.

    One that was taken, released or deleted behind its back is lost: somebody else may have held it in between.
    """
    if lease is None:
        return Lost("the Lease was deleted")
    if lease.holder != me:
        return Lost(f"the Lease is held by {lease.holder}" if lease.holder else "the Lease was released by somebody")
    return Write({"leaseDurationSeconds": DURATION, "renewTime": _micro_time(wall)}, lease.version)


def release(me: str, lease: Lease | None, wall: datetime) -> Write | None:
    """How its holder gives it back, so that nobody has to wait for it to expire; None when it is not ours any more."""
    if lease is None or lease.holder != me:
        return None
    # As client-go does it. A second, for the API server refuses 0.
    return Write({"holderIdentity": "", "leaseDurationSeconds": 1, "renewTime": _micro_time(wall)}, lease.version)


def _micro_time(moment: datetime) -> str:
    """As the API wants it: without microseconds it answers 400."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
