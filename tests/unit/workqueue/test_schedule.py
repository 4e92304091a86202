"""The schedule by its own moments, without a clock: one worker a key, no hint lost, back-off, and what it costs."""

from __future__ import annotations

from typing import Any, ClassVar
from weakref import WeakSet

from hypothesis import given
from hypothesis import strategies as st

from firstresponder.workqueue.schedule import Schedule


def test_a_key_added_many_times_is_taken_once() -> None:
    schedule: Schedule[str] = Schedule()
    for _ in range(3):
        schedule.add("a", 0)
    assert schedule.take(0) == "a"
    schedule.done("a", None)
    assert schedule.take(0) is None


def test_a_key_is_not_taken_before_it_is_due() -> None:
    schedule: Schedule[str] = Schedule()
    schedule.add("a", 10)
    assert schedule.take(9.9) is None
    assert schedule.next_due() == 10
    assert schedule.take(10) == "a"


def test_the_earlier_of_two_moments_counts() -> None:
    schedule: Schedule[str] = Schedule()
    schedule.add("a", 10)
    schedule.add("a", 3)
    schedule.add("a", 20)
    assert schedule.next_due() == 3


def test_what_has_been_due_longest_comes_first() -> None:
    schedule: Schedule[str] = Schedule()
    schedule.add("late", 2)
    schedule.add("early", 1)
    assert [schedule.take(5), schedule.take(5)] == ["early", "late"]


def test_a_key_that_is_worked_on_is_not_taken_again_until_it_is_done() -> None:
    schedule: Schedule[str] = Schedule()
    schedule.add("a", 0)
    schedule.take(0)
    schedule.add("a", 0)
    assert schedule.take(1) is None
    assert schedule.next_due() is None
    schedule.done("a", None)
    assert schedule.take(1) == "a"


def test_a_hint_during_the_work_is_earlier_than_the_moment_that_the_work_asked_for() -> None:
    schedule: Schedule[str] = Schedule()
    schedule.add("a", 0)
    schedule.take(0)
    schedule.add("a", 1)
    schedule.done("a", 100)
    assert schedule.take(1) == "a"


def test_a_failing_key_comes_back_later_and_later_up_to_a_limit() -> None:
    schedule: Schedule[str] = Schedule()
    schedule.add("a", 0)
    delays = []
    now = 0.0
    for _ in range(8):
        assert schedule.take(now) == "a"
        due = schedule.retry("a", now)
        delays.append(due - now)
        now = due
    assert delays == [0.5, 1.0, 2.0, 4.0, 8.0, 15.0, 15.0, 15.0]


def test_a_success_ends_the_back_off() -> None:
    schedule: Schedule[str] = Schedule()
    for _ in range(3):
        schedule.add("a", 0)
        schedule.take(100)
        schedule.retry("a", 0)
    assert schedule.take(100) == "a"
    schedule.done("a", None)
    schedule.add("a", 100)
    schedule.take(100)
    assert schedule.retry("a", 100) == 100.5


def test_a_hint_that_came_during_a_failed_work_does_not_defeat_the_back_off() -> None:
    schedule: Schedule[str] = Schedule()
    schedule.add("a", 0)
    schedule.take(0)
    schedule.add("a", 0)
    schedule.retry("a", 0)
    assert schedule.take(0.4) is None
    assert schedule.take(0.5) == "a"


def test_of_keys_due_at_the_same_moment_the_first_comes_first() -> None:
    schedule: Schedule[str] = Schedule()
    for key in "cab":
        schedule.add(key, 1)
    assert [schedule.take(1) for _ in range(3)] == ["c", "a", "b"]


class Slow:
    """What a schedule says, by looking through all keys."""

    def __init__(self) -> None:
        self.due: dict[str, tuple[float, int]] = {}
        self.running: set[str] = set()
        self.failures: dict[str, int] = {}
        self.number = 0

    def put(self, key: str, due: float) -> None:
        self.number += 1
        self.due[key] = (due, self.number)

    def add(self, key: str, due: float) -> None:
        if key not in self.due or due < self.due[key][0]:
            self.put(key, due)

    def next_due(self) -> float | None:
        return min((due for key, (due, _) in self.due.items() if key not in self.running), default=None)

    def take(self, now: float) -> str | None:
        ready = [key for key, (due, _) in self.due.items() if due <= now and key not in self.running]
        if not ready:
            return None
        key = min(ready, key=self.due.__getitem__)
        del self.due[key]
        self.running.add(key)
        return key

    def done(self, key: str, due: float | None) -> None:
        self.running.discard(key)
        self.failures.pop(key, None)
        if due is not None:
            self.add(key, due)

    def retry(self, key: str, now: float) -> float:
        self.running.discard(key)
        self.failures[key] = self.failures.get(key, 0) + 1
        due = now + min(0.5 * 2.0 ** (self.failures[key] - 1), 15.0)
        self.put(key, due)
        return due


KEYS = st.sampled_from("abcd")
MOMENTS = st.integers(0, 20)
STEPS = st.one_of(
    st.tuples(st.just("add"), KEYS, MOMENTS),
    st.tuples(st.just("take"), MOMENTS),
    st.tuples(st.just("done"), KEYS, st.none() | MOMENTS),
    st.tuples(st.just("retry"), KEYS, MOMENTS),
)


@given(st.lists(STEPS, max_size=60))
def test_whatever_happens_it_says_what_a_look_through_all_keys_says(steps: list[tuple[Any, ...]]) -> None:
    schedule: Schedule[str] = Schedule()
    slow = Slow()
    for name, *arguments in steps:
        if name in {"done", "retry"} and arguments[0] not in slow.running:
            continue
        assert getattr(schedule, name)(*arguments) == getattr(slow, name)(*arguments)
        assert schedule.next_due() == slow.next_due()


class Moment(float):
    """A moment that counts how often two are compared, and how many there are."""

    compared: ClassVar[int] = 0
    living: ClassVar[WeakSet[Moment]] = WeakSet()

    def __init__(self, _: float) -> None:
        Moment.living.add(self)

    def __lt__(self, other: Any) -> bool:
        Moment.compared += 1
        return float.__lt__(self, other)

    def __le__(self, other: Any) -> bool:
        Moment.compared += 1
        return float.__le__(self, other)

    def __gt__(self, other: Any) -> bool:
        Moment.compared += 1
        return float.__gt__(self, other)

    def __eq__(self, other: object) -> bool:
        Moment.compared += 1
        return float.__eq__(self, other)

    def __hash__(self) -> int:
        return float.__hash__(self)


def test_to_take_one_of_ten_thousand_keys_looks_at_few_of_them() -> None:
    schedule: Schedule[int] = Schedule()
    for key in range(10_000):
        schedule.add(key, Moment((key * 7919) % 10_000))
    Moment.compared = 0
    assert schedule.next_due() == 0
    assert schedule.take(Moment(10_000)) == 0
    assert schedule.next_due() == 1
    assert 0 < Moment.compared < 100


def test_ten_thousand_keys_that_are_worked_on_are_not_looked_at_to_find_the_next() -> None:
    schedule: Schedule[int] = Schedule()
    for key in range(10_000):
        schedule.add(key, Moment(0))
        schedule.take(Moment(0))
        schedule.add(key, Moment(1))
    schedule.add(-1, Moment(2))
    Moment.compared = 0
    assert schedule.next_due() == 2
    assert schedule.take(Moment(2)) == -1
    assert Moment.compared < 100


def test_a_key_that_is_hinted_at_again_and_again_long_before_it_is_due_takes_no_more_room() -> None:
    schedule: Schedule[str] = Schedule()
    for now in range(10_000):
        schedule.add("a", Moment(now))
        assert schedule.take(now) == "a"
        schedule.done("a", Moment(now + 600_000))
    assert len(Moment.living) < 200
