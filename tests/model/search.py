"""Breadth-first search through every state that a system can reach.

The search knows nothing of the protocol. It visits states in the order of their distance from the start, so the
first trace that breaks an invariant is a shortest one.
"""

from collections import deque
from collections.abc import Hashable, Iterable, Iterator
from dataclasses import dataclass, field
from graphlib import CycleError, TopologicalSorter
from typing import Generic, NamedTuple, Protocol, TypeVar

S = TypeVar("S", bound=Hashable)
V = TypeVar("V", bound=Hashable)
V_co = TypeVar("V_co", bound=Hashable, covariant=True)


class Step(NamedTuple, Generic[S]):
    """One move of one actor.

    `by_itself` is true for what happens sooner or later without help: the protocol's own moves and the passing of
    time. It is false for what may never happen: a fault, a human's decision. A state from which nothing happens by
    itself is the end of a complete run.
    """

    actor: str
    action: str
    state: S
    by_itself: bool = True


class System(Protocol[S, V_co]):
    """What the search asks of a model."""

    def start(self) -> S: ...

    def steps(self, state: S) -> Iterator[Step[S]]: ...

    def representative(self, state: S) -> Hashable:
        """The same value for states that differ only by a symmetry; one of each class is explored."""
        ...

    def broken_by(self, before: S, after: S) -> Iterable[V_co]:
        """The invariants that the move from `before` to `after` breaks. The search goes no further behind it."""
        ...

    def broken_at_the_end(self, state: S) -> Iterable[V_co]:
        """The invariants that a complete run ending in `state` breaks."""
        ...


class Trace(NamedTuple):
    """A run from the start to the move that broke an invariant, as (actor, action)."""

    moves: tuple[tuple[str, str], ...]

    def __str__(self) -> str:
        width = max((len(actor) for actor, _ in self.moves), default=0)
        return "\n".join(
            f"  {number:2}. {actor:{width}}  {action}" for number, (actor, action) in enumerate(self.moves, 1)
        )


@dataclass
class Exploration(Generic[S, V]):
    """What a search saw: how much, which actions, the ends of complete runs, and a shortest trace to each violation."""

    states: int = 0
    moves: int = 0
    actions: set[str] = field(default_factory=set)
    ends: list[S] = field(default_factory=list)
    onward: dict[Hashable, list[Hashable]] = field(default_factory=dict)  # the moves that happen by themselves
    violations: dict[V, Trace] = field(default_factory=dict)

    def __str__(self) -> str:
        seen = f"{self.states} states and {self.moves} moves explored"
        if not self.violations:
            return f"{seen}, no violation"
        return "\n".join([f"{seen}; shortest counterexamples:", *map(self._told, self.violations)])

    def circle(self) -> list[Hashable]:
        """States among which a run can go round for ever by itself; empty if every run comes to an end."""
        try:
            TopologicalSorter(self.onward).prepare()
        except CycleError as error:
            return list(error.args[1])
        return []

    def _told(self, violation: V) -> str:
        return f"{violation}:\n{self.violations[violation]}"


def explore(system: System[S, V], until: V | None = None) -> Exploration[S, V]:
    """Visit every reachable state once, or stop at the first violation that equals `until`."""
    seen = Exploration[S, V]()
    start = system.start()
    came_from: dict[S, Step[S] | None] = {start: None}  # the step back: its state is the one before
    known = {system.representative(start)}
    waiting = deque([start])

    def blame(violations: Iterable[V], state: S, *last: tuple[str, str]) -> bool:
        found = False
        for violation in violations:
            found = True
            if violation not in seen.violations:
                seen.violations[violation] = Trace((*_moves_to(state, came_from), *last))
        return found

    while waiting and (until is None or until not in seen.violations):
        state = waiting.popleft()
        seen.states += 1
        onward: list[Hashable] = []
        for step in system.steps(state):
            seen.moves += 1
            seen.actions.add(step.action)
            representative = system.representative(step.state)
            if step.by_itself:
                onward.append(representative)
            if blame(system.broken_by(state, step.state), state, (step.actor, step.action)):
                continue
            if representative not in known:
                known.add(representative)
                came_from[step.state] = Step(step.actor, step.action, state)
                waiting.append(step.state)
        seen.onward[system.representative(state)] = onward
        if not onward:
            seen.ends.append(state)
            blame(system.broken_at_the_end(state), state)
    return seen


def _moves_to(state: S, came_from: dict[S, Step[S] | None]) -> list[tuple[str, str]]:
    moves: list[tuple[str, str]] = []
    while back := came_from[state]:
        moves.append((back.actor, back.action))
        state = back.state
    return moves[::-1]
