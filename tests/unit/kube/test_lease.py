"""Who may take a Lease, who goes on holding it, and who has lost it: the whole table."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest

from firstresponder.kube.lease import (
    DURATION,
    RENEW_DEADLINE,
    RETRY,
    Lease,
    Lost,
    Seen,
    Wait,
    Write,
    campaign,
    read,
    release,
    renewal,
    seen,
)

WALL = datetime(2026, 3, 14, 3, 15, 9, 26535, tzinfo=timezone(timedelta(hours=1)))
MOMENT = "2026-03-14T02:15:09.026535Z"
BEFORE = "2026-03-14T02:00:00.000000Z"


def lease(
    holder: str, *, version: str = "7", renewed: str = BEFORE, seconds: float = 15, transitions: int = 4
) -> Lease:
    return Lease(version, holder, seconds, BEFORE, renewed, transitions)


TAKEN = {
    "holderIdentity": "me",
    "leaseDurationSeconds": 15,
    "renewTime": MOMENT,
    "acquireTime": MOMENT,
    "leaseTransitions": 5,
}


@pytest.mark.parametrize(
    ("last", "now", "then"),
    [
        pytest.param(Seen(None, 100), 100, Write({**TAKEN, "leaseTransitions": 0}, None), id="there is none"),
        pytest.param(Seen(lease(""), 100), 100, Write(TAKEN, "7"), id="it was released"),
        pytest.param(Seen(lease("other"), 100), 100, Wait("other", 2), id="another one has just been seen"),
        pytest.param(Seen(lease("other"), 100), 113.5, Wait("other", 1.5), id="it expires before the next look"),
        pytest.param(Seen(lease("other"), 100), 114.75, Wait("other", 0.25), id="almost expired"),
        pytest.param(Seen(lease("other"), 100), 115, Write(TAKEN, "7"), id="unchanged for as long as it is held"),
        pytest.param(Seen(lease("other", seconds=60), 100), 159, Wait("other", 1), id="its holder holds it longer"),
        pytest.param(Seen(lease("other", seconds=1), 100), 101, Write(TAKEN, "7"), id="its holder holds it shorter"),
        pytest.param(
            Seen(lease("me"), 100),
            100,
            Write({"holderIdentity": "me", "leaseDurationSeconds": 15, "renewTime": MOMENT}, "7"),
            id="taken by me, and the answer was lost",
        ),
    ],
)
def test_who_does_not_hold_it(last: Seen, now: float, then: Write | Wait) -> None:
    assert campaign("me", last, now, WALL) == then


@pytest.mark.parametrize("renewed", ["1970-01-01T00:00:00.000000Z", "2099-01-01T00:00:00.000000Z", "", "yesterday"])
def test_what_the_holder_says_of_the_time_of_day_does_not_matter(renewed: str) -> None:
    held = lease("other", renewed=renewed)
    assert campaign("me", Seen(held, 100), 101, WALL) == Wait("other", 2)
    assert campaign("me", Seen(held, 100), 115, WALL) == Write(TAKEN, "7")


@pytest.mark.parametrize(
    ("known", "then"),
    [
        (lease("me", seconds=86400), Write({"leaseDurationSeconds": 15, "renewTime": MOMENT}, "7")),
        (lease("other"), Lost("the Lease is held by other")),
        (lease(""), Lost("the Lease was released by somebody")),
        (None, Lost("the Lease was deleted")),
    ],
    ids=["still mine", "taken", "released by somebody else", "deleted"],
)
def test_who_holds_it_renews_what_is_still_its_own(known: Lease | None, then: Write | Lost) -> None:
    assert renewal("me", known, WALL) == then


@pytest.mark.parametrize(
    ("known", "then"),
    [
        (lease("me"), Write({"holderIdentity": "", "leaseDurationSeconds": 1, "renewTime": MOMENT}, "7")),
        (lease("other"), None),
        (None, None),
    ],
    ids=["mine", "taken", "deleted"],
)
def test_only_what_is_ones_own_is_given_back(known: Lease | None, then: Write | None) -> None:
    assert release("me", known, WALL) == then


class TestSeen:
    def test_a_lease_that_is_the_same_is_known_since_it_was_first_seen(self) -> None:
        first = seen(None, lease("other"), 100)
        assert seen(first, lease("other"), 107) == Seen(lease("other"), 100)

    @pytest.mark.parametrize(
        "changed",
        [
            lease("other", renewed=MOMENT),
            lease("third"),
            lease("other", transitions=5),
            lease("other", seconds=16),
            None,
        ],
    )
    def test_whatever_its_holder_changes_begins_the_time_anew(self, changed: Lease | None) -> None:
        assert seen(seen(None, lease("other"), 100), changed, 107).since == 107

    def test_an_annotation_keeps_nobody_waiting_and_is_no_conflict_later(self) -> None:
        last = seen(seen(None, lease("other"), 100), lease("other", version="8"), 107)
        assert last.since == 100
        assert last.lease is not None
        assert last.lease.version == "8"


def test_a_lease_is_read_as_the_api_server_has_it() -> None:
    spec = {
        "holderIdentity": "pod-1_x",
        "leaseDurationSeconds": 20,
        "acquireTime": BEFORE,
        "renewTime": MOMENT,
        "leaseTransitions": 3,
    }
    expected = Lease("9", "pod-1_x", 20, BEFORE, MOMENT, 3)
    assert read({"metadata": {"resourceVersion": "9"}, "spec": spec}) == expected


@pytest.mark.parametrize("spec", [{}, None, {"holderIdentity": None, "leaseDurationSeconds": None}])
def test_one_that_somebody_made_by_hand_is_free(spec: dict[str, None] | None) -> None:
    assert read({"metadata": {"resourceVersion": "9"}, "spec": spec}) == Lease("9", "", DURATION, "", "", 0)


def test_who_held_it_has_given_up_before_anybody_else_may_take_it() -> None:
    assert RENEW_DEADLINE + RETRY < DURATION
