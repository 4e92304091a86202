"""What was measured is remembered from triage to the end of verification, bounded, and decides nothing."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firstresponder.api.incident import IncidentStatus, Measurement, Phase, Stage
from firstresponder.incident.measurements import ROUNDS, evenly, thin_out, with_samples
from firstresponder.incident.plan import Answer, Effect, Experiment, Observe
from tests.unit.incident import test_methods, test_scale
from tests.unit.incident.test_playbook import BUSY, unavailable
from tests.unit.incident.world import START, World, awaiting_approval, high_cpu, leak, recovered


def watching(**changes: Any) -> World:
    """Restarted and well: verification has begun."""
    world = awaiting_approval(**changes)
    world.review("alice@example.com")
    world.settle()
    world.values = recovered()
    return world


def resolved(**changes: Any) -> World:
    world = watching(**changes)
    world.pass_time(minutes=6)
    assert world.phase() == Phase.RESOLVED
    return world


def samples(world: World) -> list[Measurement]:
    return world.incident.status.samples


def test_the_numbers_of_each_round_are_remembered_with_what_it_was_for() -> None:
    found = samples(resolved())
    assert [each.stage for each in found[:3]] == ["Triage", "BeforeAction", "Verification"]
    assert {each.stage for each in found[3:]} == {"Verification"}
    assert found[0].time == START
    assert found[0].values == {
        "processes.hostCpuPercent": 97.5,
        "errors.count": 9,
        "oom.count": 9,
        "memory.availableBytes": 2147483648,
    }
    assert found[-1].values["processes.hostCpuPercent"] == 12.0
    assert {each.runbook for each in found} == {"high-cpu"}
    assert [each.time for each in found] == sorted(each.time for each in found)


def test_every_look_of_the_verification_is_there_once_and_measures_what_triage_measured() -> None:
    world = resolved()
    during = [each for each in samples(world) if each.stage == "Verification"]
    verification = world.incident.status.verification
    assert verification is not None
    assert len(during) == verification.samples
    assert {later.time - each.time for each, later in itertools.pairwise(during)} == {timedelta(seconds=15)}
    # The last look decides at once, so what is only measured beside it is missing there.
    assert {frozenset(each.values) for each in during[:-1]} == {frozenset(samples(world)[0].values)}
    assert "memory.availableBytes" not in during[-1].values


def test_what_is_measured_beside_is_on_the_hosts_of_what_is_needed_and_not_needed_itself() -> None:
    world = resolved()
    (first, *_) = [effect for effect in world.performed(Experiment) if isinstance(effect, Experiment)]
    assert {probe.name for probe in first.observe.probes} == {"oom", "memory"}
    assert first.observe.hosts == ("api-gateway-03",)
    attempt = world.incident.status.attempts[0]
    assert attempt.end_clock is not None
    assert {probe.not_before and probe.not_before.clock for probe in first.observe.probes} == {float(attempt.end_clock)}


def test_a_host_that_verification_does_not_need_is_not_asked_for_what_is_only_measured() -> None:
    world = test_scale.scaled_out()
    assert "replicas.count" in samples(world)[0].values
    world.pass_time(minutes=1)
    asked = [effect.observe for effect in world.performed(Experiment) if isinstance(effect, Experiment)]
    assert {probe.name for look in asked for probe in look.probes} == {"oom", "memory"}


def test_what_triage_did_not_see_is_not_asked_for_again() -> None:
    values = leak()
    del values["memory"]
    world = resolved(values=values)
    asked = [effect.observe for effect in world.performed(Experiment) if isinstance(effect, Experiment)]
    assert {probe.name for look in asked for probe in look.probes} == {"oom"}


@dataclass
class Hanging(World):
    """A world in which whatever is measured beside never answers within its time."""

    def _perform(self, effect: Effect) -> Answer:
        if isinstance(effect, Experiment) and self.phase() == Phase.VERIFYING:
            self.now += timedelta(seconds=effect.seconds)
            return self._observed(Observe("high-cpu", (), ()))
        return super()._perform(effect)


def told(world: World) -> tuple[Any, ...]:
    """How the verification went. Moments are told to the second: a pass of the world takes a millisecond."""
    verification, sli = world.incident.status.verification, world.incident.status.sli
    assert verification is not None
    assert sli is not None
    criteria = [(each.name, each.holds) for each in verification.criteria]
    events = [f"{each.time:%T} {each.event}" for each in world.incident.status.timeline]
    return verification.result, verification.samples, criteria, sli.mttr_seconds, events


@pytest.mark.rule(16)
@pytest.mark.parametrize("helps", [True, False])
def test_a_look_beside_that_never_answers_delays_restarts_and_fails_nothing(*, helps: bool) -> None:
    def ended(world: World) -> World:
        world.settle()
        world.review("alice@example.com")
        world.settle()
        world.values = recovered() if helps else leak()
        world.pass_time(minutes=16)
        return world

    hanging, honest = ended(Hanging()), ended(World())
    assert hanging.performed(Observe) == honest.performed(Observe)
    assert len(hanging.performed(Experiment)) == len(honest.performed(Experiment)) > 0
    assert hanging.phase() == honest.phase() == (Phase.RESOLVED if helps else Phase.ESCALATED)
    assert [told(each) for each in (hanging, honest)] == [told(honest)] * 2
    assert "memory.availableBytes" not in samples(hanging)[2].values
    assert "memory.availableBytes" in samples(honest)[2].values


def test_a_look_beside_is_over_soon_however_long_it_is_until_the_next_so_that_an_abort_is_noticed() -> None:
    runbook = high_cpu()
    runbook["spec"]["verify"]["interval"] = "2m"
    world = watching(runbook=runbook)
    world.pass_time(minutes=5)
    looks = [effect.seconds for effect in world.performed(Experiment) if isinstance(effect, Experiment)]
    assert set(looks) == {5.0}


def test_what_is_measured_beside_is_no_evidence_of_the_criteria() -> None:
    world = watching()
    world.values["oom"]["count"] = 99
    world.pass_time(minutes=6)
    assert world.phase() == Phase.RESOLVED
    assert samples(world)[2].values["oom.count"] == 99


def test_what_was_measured_until_an_abort_is_remembered_too() -> None:
    world = watching()
    world.pass_time(minutes=2)
    world.patch(abort=True)
    world.settle()
    assert world.reason == "Aborted"
    assert [each.stage for each in samples(world)].count("Verification") > 5


def test_a_failed_fix_keeps_its_samples_while_the_way_back_is_looked_at() -> None:
    world = test_scale.offered()
    stages = [each.stage for each in samples(world)]
    assert stages[:2] == ["Triage", "BeforeAction"]
    assert stages.count("Verification") == 60
    assert stages[-1] == "BeforeAction", "the look at what would be rolled back"


def test_each_look_between_the_methods_is_remembered() -> None:
    world = test_methods.after_the_first()
    world.settle()
    assert [each.stage for each in samples(world)].count("BeforeAction") == 2


def test_what_a_playbook_measured_counts_as_triage_and_names_the_playbook() -> None:
    world = unavailable(BUSY)
    world.settle()
    assert [(each.stage, each.runbook) for each in samples(world)] == [
        ("Triage", "service-unavailable"),
        ("Triage", "high-cpu"),
    ]


def test_a_waiting_incident_writes_nothing_for_what_it_measures() -> None:
    world = awaiting_approval()
    writes = world.status_writes
    world.pass_time(minutes=10)
    assert world.status_writes == writes
    assert len(samples(world)) == 1


def test_a_round_that_measured_nothing_is_none() -> None:
    world = World(unreachable={"api-gateway-03": "timed out"})
    world.settle()
    assert samples(world) == []


def test_only_numbers_are_remembered() -> None:
    runbook = high_cpu()
    values = leak()
    values["memory"] = {"availableBytes": "plenty", "usedPercent": None}
    world = World(runbook=runbook, values=values)
    world.settle()
    assert [name for name in samples(world)[0].values if name.startswith("memory.")] == []


@given(st.integers(0, 300), st.integers(0, 64))
def test_what_is_chosen_evenly_has_the_first_the_last_and_spreads_the_rest(count: int, limit: int) -> None:
    kept = evenly(range(count), limit)
    assert kept == sorted(set(kept))
    assert len(kept) == min(count, limit)
    if count and limit > 1:
        assert (kept[0], kept[-1]) == (0, count - 1)
    if count > limit > 1:
        gaps = {later - each for each, later in itertools.pairwise(kept)}
        assert max(gaps) - min(gaps) <= 1


def rounds_of(*stages: tuple[Stage, int], runbook: str = "high-cpu") -> list[Measurement]:
    """Rounds of each stage, so many, ten seconds apart; their value is their place."""
    named = [stage for stage, count in stages for _ in range(count)]
    times = (START + timedelta(seconds=10 * place) for place in range(len(named)))
    return [
        Measurement(time=time, stage=stage, runbook=runbook, values={"a.count": float(place)})
        for place, (time, stage) in enumerate(zip(times, named, strict=True))
    ]


@pytest.mark.parametrize("limit", [32, 8])
def test_thinning_keeps_what_people_compare_the_last_of_triage_before_acting_and_of_the_verification(
    limit: int,
) -> None:
    rounds = rounds_of(("Triage", 1), ("BeforeAction", 3), ("Verification", 58), ("BeforeAction", 1))
    led = rounds_of(("Triage", 1), runbook="service-unavailable") + rounds
    kept = thin_out(led, limit)
    assert len(kept) == limit
    assert [each for each in led if each in kept] == kept, "in their order"
    assert [led[place] in kept for place in (0, 1, 4, -2, -1)] == [True] * 5


@given(st.lists(st.integers(0, 200), max_size=6))
def test_whatever_is_added_the_rounds_are_bounded_and_the_dropped_are_counted(batches: list[int]) -> None:
    status = IncidentStatus()
    for batch in batches:
        rounds = [(START + timedelta(seconds=second), {"a.count": float(second)}) for second in range(batch)]
        status = with_samples(status, "high-cpu", "Verification", rounds)
        if batch:
            assert status.samples[-1].time == rounds[-1][0]
    assert len(status.samples) <= ROUNDS
    assert len(status.samples) + status.samples_dropped == sum(batches)


def test_many_looks_of_a_long_verification_leave_those_before_the_action_whole() -> None:
    before = with_samples(IncidentStatus(), "high-cpu", "Triage", [(START, {"a.count": 1.0})])
    before = with_samples(before, "high-cpu", "BeforeAction", [(START, {"a.count": 2.0})])
    rounds = [(START + timedelta(seconds=second), {"a.count": 3.0}) for second in range(1000)]
    after = with_samples(before, "high-cpu", "Verification", rounds)
    assert after.samples[:2] == before.samples
    assert (len(after.samples), after.samples_dropped) == (ROUNDS, 1002 - ROUNDS)
