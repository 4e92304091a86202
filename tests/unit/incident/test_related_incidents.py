"""The index of related incidents: it finds what a look through all of them would, and never makes one."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firstresponder.api.incident import Phase
from firstresponder.incident.related import (
    Fix,
    OtherIncident,
    RelatedIncidents,
    acting_there,
    is_asking,
    is_worth_waiting_for,
    recurrence,
    same_cause,
    same_question,
)

START = datetime(2026, 3, 14, 3, 0, tzinfo=UTC)
FIXES = [Fix("high-cpu", "restart", f"unit-{n}.service", f"key-{n % 2}") for n in range(3)]
NAMES = [f"incident-{n}" for n in range(6)]


@st.composite
def incidents(draw: st.DrawFn) -> OtherIncident:
    name = draw(st.sampled_from(NAMES))
    phase = draw(st.sampled_from(Phase))
    waits = draw(st.sampled_from([(), ("uid-of-incident-1",)])) if phase == Phase.TRIAGING else ()
    return OtherIncident(
        name=name,
        uid=f"uid-of-{name}",
        phase=phase,
        fix=draw(st.sampled_from([None, *FIXES])),
        ended=draw(st.sampled_from([None, START, START + timedelta(minutes=1)])),
        created=START - timedelta(minutes=draw(st.integers(1, 4))),
        asked=draw(st.booleans()),
        waits_for=waits,
        question=draw(st.sampled_from(["", "one", "two"])),
    )


CHANGES = st.lists(st.one_of(incidents(), st.sampled_from(NAMES)), max_size=40)


@settings(max_examples=300)
@given(CHANGES)
def test_it_finds_what_a_look_through_all_of_them_finds(changes: list[OtherIncident | str]) -> None:
    related, there = RelatedIncidents(), dict[str, OtherIncident]()
    for change in changes:
        if isinstance(change, OtherIncident):
            related.put(change)
            there[change.name] = change
        else:
            related.remove(change)
            there.pop(change, None)
    own = OtherIncident("own", "uid-of-own", Phase.TRIAGING, question="one", created=START)
    everyone = list(there.values())
    for fix in FIXES:
        asking = {each.uid for each in everyone if each.fix == fix and is_asking(each)}
        assert {each.uid for each in related.asking(fix)} == asking
        assert (same_cause(fix, own.uid, related) is None) == (not asking)
        ended = [each for each in everyone if each.fix == fix and not is_asking(each) and each.ended is not None]
        latest = max(ended, key=lambda each: (each.ended, each.name), default=None)
        assert recurrence(fix, own.uid, START, timedelta(days=1), related) == latest
        acting = [
            each for each in everyone if each.phase == Phase.ACTING and each.fix and each.fix.host_key == fix.host_key
        ]
        assert (acting_there(fix.host_key, own.uid, related) in acting) == bool(acting)
    alike = [each for each in everyone if each.question == "one" and is_worth_waiting_for(each)]
    first = min(alike, key=lambda each: (each.created, each.uid), default=None)
    assert same_question(own, related) == first
    for each in everyone:
        waiting = {other.name for other in everyone if each.uid in other.waits_for}
        assert {other.name for other in related.waiting_for(each.uid)} == waiting
        assert related.get(each.uid) == each


@pytest.mark.parametrize("ended", [100, 10_000])
def test_ten_thousand_ended_incidents_of_the_same_fix_cost_what_a_hundred_do(
    ended: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    related = RelatedIncidents(
        OtherIncident(f"i-{n}", f"u-{n}", Phase.RESOLVED, FIXES[0], START + timedelta(seconds=n), succeeded=True)
        for n in range(ended)
    )
    looked = 0
    by_name = related._by_name

    class Counting(dict[str, OtherIncident]):
        def __getitem__(self, name: str) -> OtherIncident:
            nonlocal looked
            looked += 1
            return super().__getitem__(name)

    monkeypatch.setattr(related, "_by_name", Counting(by_name))
    later = START + timedelta(days=1)
    found = recurrence(FIXES[0], "u-own", later, timedelta(days=2), related)
    assert found is not None
    assert (found.name, looked) == (f"i-{ended - 1}", 1)


def test_an_incident_that_waits_is_not_waited_for_and_gives_no_question() -> None:
    first = OtherIncident("a", "uid-a", Phase.TRIAGING, created=START, question="q")
    second = OtherIncident("b", "uid-b", Phase.TRIAGING, created=START, question="q", waits_for=("uid-a",))
    related = RelatedIncidents([first, second])
    third = OtherIncident("c", "uid-c", Phase.TRIAGING, created=START, question="q")
    assert same_question(third, related) == first
    assert same_question(first, related) is None
    assert not is_worth_waiting_for(second)
