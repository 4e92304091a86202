"""The loop around the core: what is carried out in which order, and what is forgotten when."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest

from firstresponder import logs
from firstresponder.api.approvalrequest import ApprovalRequest
from firstresponder.api.incident import Incident, IncidentStatus, Phase
from firstresponder.api.ledger import LedgerAnswer, LedgerState, PreviewAnswer, PreviewRequest
from firstresponder.controller import incidents
from firstresponder.controller.effects import ClusterEffects, HostEffects
from firstresponder.controller.gather import Gatherer
from firstresponder.controller.incidents import IncidentReconciler
from firstresponder.controller.keys import Key
from firstresponder.incident.facts import Facts, Gate, Observation, Sample
from firstresponder.incident.plan import (
    Again,
    AskLedger,
    CheckGate,
    Consume,
    Effect,
    Event,
    Observe,
    Perform,
    Pin,
    Plan,
    RunPreview,
    Seal,
    SendOrder,
    Wait,
)
from firstresponder.incident.snapshot import Snapshot
from firstresponder.kube.errors import Conflict, Forbidden

NOW = datetime(2026, 3, 14, 3, 7, tzinfo=UTC)
KEY = Key("Incident", "shop", "high-cpu-1")
REQUEST = cast(ApprovalRequest, None)  # only handed through here


def incident(**metadata: Any) -> Incident:
    return Incident.model_validate(
        {
            "metadata": {"name": "high-cpu-1", "namespace": "shop", "uid": "u-1", "resourceVersion": "7", **metadata},
            "spec": {"type": "HighCPU", "service": "api-gateway"},
        }
    )


@dataclass
class World:
    """Everything around the core, written down: what was gathered with which facts, and what was done."""

    plans: list[Plan]
    incident: Incident = field(default_factory=incident)
    log: list[str] = field(default_factory=list)
    given: dict[str, tuple[Any, ...]] = field(default_factory=dict)
    """What each was given most recently."""
    read_times: list[datetime | None] = field(default_factory=list)
    """What the core is told of when the incident was read."""
    facts: list[Facts] = field(default_factory=list)
    samples: list[tuple[Sample, ...]] = field(default_factory=list)
    conflicts: set[str] = field(default_factory=set)
    events_forbidden: bool = False
    gone: bool = False
    silences: list[float] = field(default_factory=list)

    def progressed(self, key: Key, silent: float) -> None:
        assert key == KEY
        self.silences.append(silent)

    async def gather(self, key: Key, facts: Facts, samples: tuple[Sample, ...]) -> Snapshot | None:
        assert key == KEY
        self.facts.append(facts)
        self.samples.append(samples)
        return None if self.gone else Snapshot(incident=self.incident, operator="operator")

    def plan(self, snapshot: Snapshot, now: datetime) -> Plan:
        assert (snapshot.incident, now) == (self.incident, NOW)
        self.log.append("decide")
        self.read_times.append(snapshot.read_time)
        return self.plans.pop(0) if len(self.plans) > 1 else self.plans[0]

    def __getattr__(self, name: str) -> Callable[..., Any]:
        answers: dict[str, Any] = {
            "write_status": None,
            "record": None,
            "pin": None,
            "create_request": None,
            "consume": None,
            "close_request": None,
            "check_gate": Gate(safe=True),
            "observe": Observation(NOW, ()),
            "run_preview": PreviewAnswer(result="success"),
            "ask_ledger": LedgerAnswer(LedgerState.ABSENT),
            "send_order": LedgerAnswer(LedgerState.ABSENT, refused="busy"),
            "seal": LedgerAnswer(LedgerState.SEALED),
        }

        async def done(*given: Any) -> Any:
            self.log.append(name)
            self.given[name] = given
            if name in self.conflicts:
                self.conflicts.remove(name)
                raise Conflict(409, "Conflict", "somebody moved")
            if name == "record" and self.events_forbidden:
                raise Forbidden(403, "Forbidden", "no Events here")
            return answers[name]

        if name not in answers:
            raise AttributeError(name)
        return done


@pytest.fixture
def drive(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    async def drive(world: World, times: int = 1) -> timedelta | None:
        monkeypatch.setattr(incidents, "reconcile", world.plan)
        reconciler = IncidentReconciler(
            cast(Gatherer, world), cast(ClusterEffects, world), cast(HostEffects, world), world.progressed, lambda: NOW
        )
        result = None
        for _ in range(times):
            result = await reconciler.reconcile(KEY)
        return result

    return drive


TRIAGING = IncidentStatus(phase=Phase.TRIAGING)


async def test_the_status_is_saved_before_its_event_is_told_and_before_the_effect(drive: Callable[..., Any]) -> None:
    plan = Plan(status=TRIAGING, events=(Event("Triaging", "begins"),), next=Perform(CheckGate()))
    world = World([plan, Plan()])
    await drive(world)
    assert world.log == ["decide", "write_status", "record", "check_gate", "decide"]


async def test_the_core_is_told_when_the_incident_was_first_read_of_all_passes_in_a_row(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = World([Plan(next=Perform(CheckGate())), Plan(next=Perform(CheckGate())), Plan()])
    monkeypatch.setattr(incidents, "reconcile", lambda snapshot, _: world.plan(snapshot, NOW))
    clock = (NOW + timedelta(seconds=n) for n in itertools.count())
    reconciler = IncidentReconciler(
        cast(Gatherer, world),
        cast(ClusterEffects, world),
        cast(HostEffects, world),
        world.progressed,
        lambda: next(clock),
    )
    await reconciler.reconcile(KEY)
    assert world.read_times == [NOW] * 3
    await reconciler.reconcile(KEY)
    assert len(set(world.read_times)) == 2


async def test_a_status_that_is_there_already_is_not_written_again(drive: Callable[..., Any]) -> None:
    world = World([Plan(status=IncidentStatus())])
    await drive(world)
    assert world.log == ["decide"]


async def test_a_conflict_on_the_status_drops_the_events_and_the_effect_and_reads_anew(
    drive: Callable[..., Any],
) -> None:
    plan = Plan(status=TRIAGING, events=(Event("Triaging", "begins"),), next=Perform(CheckGate()))
    world = World([plan, Plan()], conflicts={"write_status"})
    await drive(world)
    assert world.log == ["decide", "write_status", "decide"]


async def test_a_conflict_on_an_effect_forgets_all_that_was_learnt_before(drive: Callable[..., Any]) -> None:
    world = World(
        [Plan(next=Perform(CheckGate())), Plan(next=Perform(Consume(REQUEST, ("a",)))), Plan()], conflicts={"consume"}
    )
    await drive(world)
    assert [each.gate is not None for each in world.facts] == [False, True, False]


async def test_facts_are_dropped_after_a_status_write(drive: Callable[..., Any]) -> None:
    world = World([Plan(next=Perform(CheckGate())), Plan(status=TRIAGING, next=Again()), Plan()])
    await drive(world)
    assert world.facts == [Facts(), Facts("7", gate=Gate(safe=True)), Facts()]


async def test_facts_of_an_incident_that_somebody_changed_since_are_dropped(drive: Callable[..., Any]) -> None:
    """An answer about one attempt, or a preview of other arguments, must not be taken for what is asked now."""

    class Changing(World):
        async def gather(self, key: Key, facts: Facts, samples: tuple[Sample, ...]) -> Snapshot | None:
            if len(self.facts) == 1:
                self.incident = incident(resourceVersion="8")
            return await super().gather(key, facts, samples)

    world = Changing([Plan(next=Perform(AskLedger("h", "a"))), Plan(next=Perform(CheckGate())), Plan()])
    await drive(world)
    ledger, gate = Facts("7", ledger=LedgerAnswer(LedgerState.ABSENT)), Facts("8", gate=Gate(safe=True))
    assert world.facts == [Facts(), ledger, Facts(), gate]
    assert world.log == ["decide", "ask_ledger", "decide", "check_gate", "decide"]


@pytest.mark.parametrize(
    ("effect", "brought"),
    [
        (Pin("Runbook", "r-1"), Facts(pinned="r-1")),
        (CheckGate(), Facts(gate=Gate(safe=True))),
        (Observe("r", (), ()), Facts(observation=Observation(NOW, ()))),
        (RunPreview("h", PreviewRequest("a", (), 1)), Facts(preview=PreviewAnswer(result="success"))),
        (AskLedger("h", "a"), Facts(ledger=LedgerAnswer(LedgerState.ABSENT))),
        (
            SendOrder("h", "order", 1.0),
            Facts(ledger=LedgerAnswer(LedgerState.ABSENT, refused="busy"), refusal="busy"),
        ),
        (Seal("h", "a"), Facts(ledger=LedgerAnswer(LedgerState.SEALED), sealing=True)),
    ],
)
async def test_what_an_effect_brings_back_is_known_at_the_next_pass(
    drive: Callable[..., Any], effect: Effect, brought: Facts
) -> None:
    world = World([Plan(next=Perform(effect)), Plan()])
    await drive(world)
    assert world.facts == [Facts(), replace(brought, version="7")]


async def test_a_preview_is_known_together_with_what_was_observed_before_it(drive: Callable[..., Any]) -> None:
    world = World(
        [
            Plan(next=Perform(Observe("r", (), ()))),
            Plan(next=Perform(RunPreview("h", PreviewRequest("a", (), 1)))),
            Plan(),
        ]
    )
    await drive(world)
    assert world.facts[-1] == Facts("7", observation=Observation(NOW, ()), preview=PreviewAnswer(result="success"))


async def test_samples_are_remembered_until_the_incident_is_gone(drive: Callable[..., Any]) -> None:
    sample = Sample(NOW, {"cpu": True}, {})
    world = World([Plan(samples=(sample,), next=Wait(timedelta(seconds=2)))])
    await drive(world, times=2)
    assert world.samples == [(), (sample,)]


async def test_the_plan_says_when_to_look_again(drive: Callable[..., Any]) -> None:
    assert await drive(World([Plan(next=Wait(timedelta(seconds=9)))])) == timedelta(seconds=9)
    assert await drive(World([Plan()])) is None


async def test_an_event_that_is_refused_does_not_stop_the_incident(drive: Callable[..., Any]) -> None:
    plan = Plan(status=TRIAGING, events=(Event("Triaging", "begins"),), next=Perform(CheckGate()))
    world = World([plan, Plan()], events_forbidden=True)
    await drive(world)
    assert world.log[-2:] == ["check_gate", "decide"]


async def test_plans_that_turn_in_circles_pause(drive: Callable[..., Any]) -> None:
    world = World([Plan(next=Perform(CheckGate()))])
    assert await drive(world) == timedelta(seconds=2)
    assert world.log.count("decide") == 24


async def test_an_incident_that_is_gone_asks_for_nothing(drive: Callable[..., Any]) -> None:
    world = World([Plan(next=Perform(CheckGate()))], gone=True)
    assert await drive(world) is None
    assert world.log == []


async def test_an_incident_that_is_being_deleted_begins_nothing(drive: Callable[..., Any]) -> None:
    world = World([Plan(next=Perform(CheckGate()))], incident=incident(deletionTimestamp="2026-03-14T03:00:00Z"))
    assert await drive(world) is None
    assert world.log == []


async def test_a_started_action_is_followed_to_its_end_even_when_its_incident_is_being_deleted(
    drive: Callable[..., Any],
) -> None:
    acting = incident(deletionTimestamp="2026-03-14T03:00:00Z").model_copy(
        update={"status": IncidentStatus(phase=Phase.ACTING)}
    )
    world = World([Plan(next=Perform(AskLedger("h", "a"))), Plan()], incident=acting)
    await drive(world)
    assert world.log == ["decide", "ask_ledger", "decide"]


async def test_each_pass_is_progress_and_a_host_may_be_silent_for_as_long_as_it_may_act(
    drive: Callable[..., Any],
) -> None:
    order, preview = SendOrder("h", "order", 3600.0), RunPreview("h", PreviewRequest("a", (), 600))
    world = World([*(Plan(next=Perform(each)) for each in (AskLedger("h", "a"), preview, order)), Plan()])
    await drive(world)
    assert world.silences == [0, 0, 0, 600, 0, 3600, 0]


async def test_each_line_of_the_log_tells_the_phase_that_the_incident_is_in_then(
    drive: Callable[..., Any], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.handler.setFormatter(logs.formatter("text"))
    told = Plan(status=TRIAGING, events=(Event("Triaging", "begins"),))
    with caplog.at_level(logging.INFO):
        await drive(World([told, Plan()], events_forbidden=True))
    changed, refused = caplog.text.splitlines()
    assert changed.endswith("Pending → Triaging [phase=Pending]")
    assert refused.endswith("no Events here [phase=Triaging]")
