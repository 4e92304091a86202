"""The search itself, on a system small enough to see through: two counters that only ever grow."""

from collections.abc import Hashable, Iterator
from dataclasses import dataclass

from tests.model.search import Step, Trace, explore

Counters = tuple[int, int]


@dataclass(frozen=True)
class TwoCounters:
    """Each grows to `top`, then the run ends; a sum of `forbidden` breaks the invariant. `wraps`: begin again."""

    top: int = 3
    forbidden: int = 99
    wraps: bool = False

    def start(self) -> Counters:
        return 0, 0

    def steps(self, state: Counters) -> Iterator[Step[Counters]]:
        one, other = state
        if one < self.top:
            yield Step("one", "grows", (one + 1, other))
        if other < self.top:
            yield Step("other", "grows", (one, other + 1))
        if self.wraps and one + other == 2 * self.top:
            yield Step("both", "begin again", (0, 0))

    def representative(self, state: Counters) -> Hashable:
        return tuple(sorted(state))

    def broken_by(self, before: Counters, after: Counters) -> Iterator[str]:
        if sum(before) < sum(after) == self.forbidden:
            yield "the sum is forbidden"

    def broken_at_the_end(self, state: Counters) -> Iterator[str]:
        if state != (self.top, self.top):
            yield "ended early"


def test_states_that_differ_by_symmetry_are_explored_once() -> None:
    assert explore(TwoCounters(top=3)).states == 10  # of 16


def test_the_shortest_trace_is_told() -> None:
    seen = explore(TwoCounters(forbidden=2), until="the sum is forbidden")
    assert seen.violations == {"the sum is forbidden": Trace((("one", "grows"), ("one", "grows")))}
    assert str(seen).endswith("the sum is forbidden:\n   1. one  grows\n   2. one  grows")


def test_the_search_goes_no_further_behind_a_violation() -> None:
    assert explore(TwoCounters(forbidden=2)).states == 2


def test_the_ends_of_complete_runs_are_known() -> None:
    seen = explore(TwoCounters(top=3))
    assert seen.ends == [(3, 3)]
    assert not seen.violations
    assert not seen.circle()


def test_a_run_that_goes_round_for_ever_is_found() -> None:
    assert explore(TwoCounters(wraps=True)).circle()
