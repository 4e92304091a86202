"""Taking turns: many keys of one lane delay no other lane, and no more of them are worked on at once than may be."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from firstresponder.workqueue.rotation import Lane, Rotation

LANES = st.builds(Lane, st.sampled_from("ab"), st.sampled_from("xyz"))


def taken(rotation: Rotation[str], number: int) -> list[str]:
    return [rotation.take()[0] for _ in range(number)]


def test_lanes_take_turns_and_each_keeps_its_order() -> None:
    rotation: Rotation[str] = Rotation(places=8)
    for number in range(4):
        rotation.add(f"storm-{number}", Lane("prod", "app-01"))
    rotation.add("other-0", Lane("prod", "app-02"))
    rotation.add("other-1", Lane("prod", "app-02"))
    assert taken(rotation, 6) == ["storm-0", "other-0", "storm-1", "other-1", "storm-2", "storm-3"]
    assert not rotation


def test_groups_take_turns_however_many_lanes_one_of_them_has() -> None:
    rotation: Rotation[str] = Rotation(places=8)
    for number in range(100):
        rotation.add(f"storm-{number}", Lane("prod", f"app-{number}"))
    rotation.add("alone", Lane("test", "app-00"))
    assert "alone" in taken(rotation, 2)


def test_what_is_stuck_in_one_lane_leaves_the_places_to_the_others() -> None:
    rotation: Rotation[str] = Rotation(places=2)
    frozen = Lane("prod", "frozen")
    for number in range(5):
        rotation.add(f"stuck-{number}", frozen)
    assert taken(rotation, 2) == ["stuck-0", "stuck-1"]
    assert not rotation
    rotation.add("fine", Lane("prod", "fine"))
    assert taken(rotation, 1) == ["fine"]
    rotation.done(frozen)
    assert taken(rotation, 1) == ["stuck-2"]


@given(st.lists(st.tuples(st.sampled_from(["add", "take", "done"]), LANES), max_size=200), st.integers(1, 3))
def test_each_key_is_taken_once_within_its_lane_s_places_and_after_one_of_each_other_lane_at_most(
    steps: list[tuple[str, Lane]], places: int
) -> None:
    rotation: Rotation[int] = Rotation(places)
    waiting: list[tuple[int, Lane]] = []
    working: list[Lane] = []
    turns: Counter[str] = Counter()  # of a group, since its last one: the turns of other groups
    for number, (step, lane) in enumerate(steps):
        free = [each for each in waiting if working.count(each[1]) < places]
        assert bool(rotation) == bool(free)
        if step == "add":
            rotation.add(number, lane)
            waiting.append((number, lane))
        elif step == "take" and free:
            key, of = rotation.take()
            assert key == next(each for each, its in waiting if its == of)
            assert (key, of) in free
            for group in {each[1].group for each in free} - {of.group}:
                turns[group] += 1
                assert turns[group] <= 1  # there are two groups
            turns[of.group] = 0
            waiting.remove((key, of))
            working.append(of)
        elif step == "done" and lane in working:
            working.remove(lane)
            rotation.done(lane)
