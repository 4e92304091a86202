"""Two incidents of one cause, triaged in the same moment: whatever the order of their steps, one asks, one waits."""

from __future__ import annotations

import itertools
from datetime import timedelta

import pytest

from firstresponder.api.base import condition, is_true
from firstresponder.api.incident import Phase
from firstresponder.controller.related import summary
from firstresponder.incident.plan import Again, Perform
from tests.unit.incident.world import START, World, incident, recovered

STEPS = 5
"""From the first look of triage to a request that people can see."""


class Pair:
    """Two incidents on one cluster: each step of one sees what the other has written by then."""

    def __init__(self) -> None:
        self.worlds = tuple(self._world(number) for number in (1, 2))
        for world in self.worlds:
            while world.phase() == Phase.PENDING:
                world.step()

    @staticmethod
    def _world(number: int) -> World:
        made = incident()
        named = {"name": f"high-cpu-{number}", "uid": f"0e4c1f9e-0000-4000-8000-00000000000{number}"}
        metadata = made.metadata.model_copy(update={**named, "creation_timestamp": START, "resource_version": "1"})
        return World(incident=made.model_copy(update={"metadata": metadata}))

    def step(self, which: int) -> bool:
        """One step; whether there is more to do now."""
        world, other = self.worlds[which], self.worlds[1 - which]
        body = other.incident.model_dump(by_alias=True, mode="json", exclude_none=True)
        world.neighbours = (summary(body),)
        plan = world.step()
        return isinstance(plan.next, Perform | Again)

    def settle(self) -> None:
        for _ in range(200):
            if not any([self.step(0), self.step(1)]):
                return
        raise AssertionError("they never come to rest")

    def asking(self) -> list[World]:
        return [
            world
            for world in self.worlds
            if world.phase() == Phase.AWAITING_APPROVAL
            and world.request is not None
            and not is_true(world.request.status.conditions, "Closed")
        ]


ORDERS = [
    tuple(0 if place in chosen else 1 for place in range(2 * STEPS))
    for chosen in map(set, itertools.combinations(range(2 * STEPS), STEPS))
]
"""Every way to put the steps of both into one order."""


@pytest.mark.rule(23)
def test_in_every_order_of_their_steps_one_asks_and_the_other_waits_for_it() -> None:
    for order in ORDERS:
        pair = Pair()
        for which in order:
            pair.step(which)
        pair.settle()
        assert len(pair.asking()) == 1, order
        [waiting] = [world for world in pair.worlds if world not in pair.asking()]
        assert (waiting.phase(), waiting.reason) == (Phase.TRIAGING, None), order
        assert [each.relation for each in waiting.incident.status.related_incidents] == ["SameCause"], order


@pytest.mark.rule(23)
def test_in_every_order_the_fix_is_carried_out_once_and_neither_ends_in_front_of_a_human() -> None:
    for order in ORDERS[::12]:
        pair = Pair()
        for which in order:
            pair.step(which)
            for world in pair.asking():
                if not world.request.spec.reviews:  # type: ignore[union-attr]
                    world.review("alice@example.com")
        pair.settle()
        for world in pair.asking():
            if not world.request.spec.reviews:  # type: ignore[union-attr]
                world.review("alice@example.com")
        pair.settle()
        assert sum(len(world.runs) for world in pair.worlds) == 1, order
        for world in pair.worlds:
            world.values = recovered()
        for _ in range(80):
            for world in pair.worlds:
                world.now += timedelta(seconds=15)
            pair.settle()
        assert [world.phase() for world in pair.worlds] == [Phase.RESOLVED, Phase.RESOLVED], order
        assert sum(len(world.runs) for world in pair.worlds) == 1, order


def test_who_yields_after_it_asked_says_so_in_its_request() -> None:
    pair = Pair()
    first, second = pair.worlds
    second.settle()  # it never heard of the other one
    for _ in range(STEPS):  # nor the first of it, until it has asked
        first.neighbours = ()
        first.step()
    pair.settle()
    assert pair.asking() == [first]
    assert second.request is not None
    closing = condition(second.request.status.conditions, "Closed")
    assert closing is not None
    assert (closing.reason, "high-cpu-1 asks for the same fix" in closing.message) == ("Superseded", True)
