"""The same evidence gives the same decision, and every expression can be asked why."""

from __future__ import annotations

from collections.abc import Callable
from io import StringIO
from typing import Any

import pytest
from rich.console import Console

from firstresponder.api.incident import Incident
from firstresponder.cli.views.explain import explain_view
from firstresponder.replay.explain import Explanation, NotDecided, explain
from firstresponder.runbooks.models import RunbookSpec
from tests.unit.incident.world import (
    DIGEST,
    World,
    action_class,
    awaiting_approval,
    busy,
    control_node,
    disk_full,
    full,
    high_cpu,
    host,
    incident,
    leak,
    recovered,
)

SPEC = RunbookSpec.model_validate(high_cpu()["spec"])
POOL = {"api-gateway-03": host(), "control-1": control_node()}


def scaled_runbook(room: str = "replicas.count < 8.0") -> dict[str, Any]:
    runbook = high_cpu()
    over = {"escalate": {"reason": "CapacityLimit", "humanAction": "Judge."}}
    runbook["spec"]["actions"][1]["preconditions"] = [{"name": "room", "require": room, "otherwise": over}]
    return runbook


def acted(world: World) -> World:
    """Approved and done; nothing has changed for it."""
    world.review("alice@example.com")
    world.settle()
    return world


def _explained(world: World, changed: Incident | None = None) -> Explanation:
    return explain(changed or world.incident, "high-cpu", RunbookSpec.model_validate(world.runbook["spec"]))


def test_every_expression_is_shown_with_what_it_saw_and_what_came_out() -> None:
    explanation = explain(awaiting_approval().incident, "high-cpu", SPEC)
    found = {(each.kind, each.name): each for each in explanation.judged}
    high = found["Variable", "cpuHigh"]
    assert high.expression == "processes.hostCpuPercent > cpuThreshold"
    assert high.saw == "cpuThreshold = 80, processes.hostCpuPercent = 97.5"
    assert high.verdict == "true"
    assert found["Variable", "group"].verdict == "api_gateway"
    assert found["Guard", "unexpected-process"].verdict == "false"
    assert found["Hypothesis", "memory-leak"].verdict == "true"
    assert explanation.conclusion == (
        "cause memory-leak: propose restart (restart api-gateway.service on api-gateway-03)"
    )


def test_how_much_of_an_action_is_proposed_is_shown_with_what_it_saw() -> None:
    runbook = scaled_runbook()
    explanation = _explained(awaiting_approval(runbook=runbook, values=busy(), hosts=POOL))
    judged = [(each.kind, each.name, each.saw, each.verdict) for each in explanation.judged]
    assert judged[-5:] == [
        ("Precondition", "room", "replicas.count = 4", "true"),
        ("Count", "current", "replicas.count = 4", "4"),
        ("Count", "desired", "replicas.count = 4", "6"),
        ("Count", "minimum", "", "1"),
        ("Count", "maximum", "replicas.max = 8", "8"),
    ]
    assert explanation.conclusion == (
        "cause legitimate-load: propose scale-out (scale api-gateway on control-1: 4 → 6 instances)"
    )


def test_a_precondition_that_does_not_hold_is_shown_and_nothing_is_counted() -> None:
    world = World(runbook=scaled_runbook("replicas.count < 4.0"), values=busy(), hosts=POOL)
    world.settle()
    explanation = _explained(world)
    assert [(each.kind, each.verdict) for each in explanation.judged][-1] == ("Precondition", "false")
    assert explanation.conclusion == (
        "cause legitimate-load: escalate: CapacityLimit: precondition room is false: replicas.count = 4"
    )
    assert explanation.differences == ()


def test_the_target_and_every_method_are_shown_whether_they_are_called_for_or_not() -> None:
    explanation = _explained(awaiting_approval(runbook=disk_full(), values=full()))
    assert [(each.kind, each.name, each.verdict) for each in explanation.judged][-4:] == [
        ("Target", "until", "false"),
        ("Method", "journald-vacuum", "true"),
        ("Method", "logrotate-force", "true"),
        ("Method", "tmpfiles-clean", "false"),
    ]


def test_the_criteria_are_shown_as_they_stood_at_the_last_look() -> None:
    assert _explained(awaiting_approval()).verified == ()
    world = acted(awaiting_approval())
    world.values = recovered() | {"errors": {"count": 2, "mostRepeated": 1}}
    del world.values["health"]
    world.pass_time(minutes=16)
    assert world.reason == "FixFailed"
    verified = {each.name: each for each in _explained(world).verified}
    assert (
        verified["cpu"].expression
        == "processes.hostCpuPercent < cpuThreshold && processes.notIdlePercent < cpuThreshold"
    )
    assert verified["cpu"].verdict.startswith("true since 2026-03-14T03:")
    assert (verified["no-new-errors"].saw, verified["no-new-errors"].verdict) == ("errors.count = 2", "not true")
    assert (verified["healthy"].saw, verified["healthy"].verdict) == (
        "not known: health.json.status, health.status",
        "not true",
    )


def miner() -> World:
    values = leak()
    values["processes"]["list"].append({"cpuPercent": 150.0, "unit": "", "names": [], "kernelThread": False})
    return World(values=values)


def test_the_stranger_that_a_guard_is_about_is_among_what_it_saw() -> None:
    world = miner()
    world.settle()
    guard = next(each for each in _explained(world).judged if each.kind == "Guard")
    assert guard.verdict == "true"
    assert "cpuPercent: 150" in guard.saw


def without(name: str) -> World:
    return World(values={each: seen for each, seen in leak().items() if each != name})


def superseded() -> World:
    world = World(incident=incident(parameters={"window": "1m"}))
    world.settle()
    world.values = recovered()
    world.patch(parameters={"window": "2m"})
    return world


def failed() -> World:
    runbook = high_cpu()
    alongside = {"to": ["dba"], "text": "Look at $(service)."}
    runbook["spec"]["hypotheses"][0]["then"]["recommendations"] = [alongside]
    runbook["spec"]["verify"]["onFailure"]["recommendations"] = [alongside]
    world = acted(awaiting_approval(runbook=runbook))
    world.pass_time(minutes=16)
    assert len(world.incident.status.recommendations) == 2
    return world


def way_back() -> World:
    world = acted(awaiting_approval(values=busy(), hosts=POOL))
    world.values["replicas"] = {"count": 6, "max": 8}
    world.pass_time(minutes=16)
    assert world.incident.status.decision_packet is not None
    assert world.incident.status.decision_packet.bound.undoes is not None
    return world


def observing() -> World:
    runbook = high_cpu()
    runbook["spec"]["mode"] = "Observe"
    return World(runbook=runbook)


WORLDS: dict[str, Callable[[], World]] = {
    "a leak": World,
    "recovered by itself": lambda: World(values=recovered()),
    "a miner": miner,
    "nothing about processes": lambda: without("processes"),
    "nothing about the unit to restart": lambda: without("restart/unit"),
    "a pool": lambda: World(values=busy(), hosts=POOL),
    "a pool that is full": lambda: World(values=busy() | {"replicas": {"count": 7, "max": 8}}, hosts=POOL),
    "no host to scale on": lambda: World(values=busy()),
    "a silent host to scale on": lambda: World(values=busy(), hosts=POOL, unreachable={"control-1": "timed out"}),
    "a silent target": lambda: World(unreachable={"api-gateway-03": "timed out"}),
    "a disk": lambda: World(runbook=disk_full(), values=full()),
    "no class of actions": lambda: World(classes={"other": action_class("other", "command")}),
    "a clock that is wrong": lambda: World(clock_offset=3600),
    "only observing": observing,
    "superseded and gone": superseded,
    "a fix that failed": failed,
    "a rollback": way_back,
}


@pytest.mark.parametrize("name", WORLDS)
def test_the_stored_evidence_decides_the_same_again(name: str) -> None:
    world = WORLDS[name]()
    world.settle()
    assert world.incident.status.evidence
    assert _explained(world).differences == ()


def changed(world: World, **values: dict[str, Any]) -> tuple[str, ...]:
    """The differences when the stored evidence is another than the one that was judged."""
    evidence = [
        each.model_copy(update={"values": values[each.name]}) if each.name in values else each
        for each in world.incident.status.evidence
    ]
    status = world.incident.status.model_copy(update={"evidence": evidence})
    return _explained(world, world.incident.model_copy(update={"status": status})).differences


def test_another_action_is_noticed() -> None:
    nothing = {"count": 0, "extracted": {}}
    differences = changed(awaiting_approval(), oom=nothing, errors=nothing)
    assert any(each.startswith("Hypothesis memory-leak: recorded Holds") for each in differences)
    assert any(each.startswith("action: recorded restart") for each in differences)


def test_another_number_of_instances_is_noticed() -> None:
    assert changed(awaiting_approval(values=busy(), hosts=POOL), replicas={"count": 5, "max": 8}) == (
        "currentCount: recorded 4, now 5",
        "desiredCount: recorded 6, now 7",
        *_other_orders("4 6", "5 7"),
    )
    assert changed(way_back(), replicas={"count": 5, "max": 8}) == (
        "currentCount: recorded 6, now 7",
        "desiredCount: recorded 4, now 5",
    )


def _other_orders(then: str, now: str) -> tuple[str]:
    order = "ansible-scale playbooks/api-gateway.yml inventories/production scale api_gateway_instances api_gateway"
    end = f"{DIGEST} within 600 s"
    return (f"orders: recorded ['{order} {then} {end}'], now ['{order} {now} {end}']",)


def test_other_methods_are_noticed() -> None:
    differences = changed(awaiting_approval(runbook=disk_full(), values=full()), temp={"sharePercent": 81})
    assert differences[0] == (
        "methods: recorded ['journald-vacuum', 'logrotate-force'], "
        "now ['journald-vacuum', 'logrotate-force', 'tmpfiles-clean']"
    )
    assert differences[1].startswith("orders: recorded ['journal-vacuum 604800 within 300 s', ")


def test_another_instance_of_the_unit_is_noticed() -> None:
    unit = leak()["restart/unit"] | {"invocationID": "d" * 32}
    (difference,) = changed(awaiting_approval(), **{"restart/unit": unit})
    assert difference.startswith("orders: recorded ['restart-unit api-gateway.service cccc")


def test_another_recommendation_is_noticed() -> None:
    runbook = high_cpu()
    alongside = {"to": ["dba"], "text": "$(errors.count) errors."}
    runbook["spec"]["hypotheses"][0]["then"]["recommendations"] = [alongside]
    assert changed(awaiting_approval(runbook=runbook), errors={"count": 8, "mostRepeated": 8}) == (
        "recommendations: recorded to dba: 9 errors., now to dba: 8 errors.",
    )


def test_a_packet_where_the_evidence_allows_none_is_noticed_and_so_is_the_reverse() -> None:
    differences = changed(awaiting_approval(values=busy(), hosts=POOL), replicas={"count": 7, "max": 8})
    assert differences == (
        "action: recorded scale-out, now cause legitimate-load: escalate: CapacityLimit: "
        "the pool may have 1 to 8 instances, not 9",
    )
    world = WORLDS["a pool that is full"]()
    world.settle()
    assert changed(world, replicas={"count": 4, "max": 8}) == ("reason: recorded CapacityLimit, now propose scale-out",)


@pytest.mark.parametrize("width", [80, 200])
def test_an_explanation_fits_the_terminal_and_loses_nothing(width: int) -> None:
    world = acted(awaiting_approval(runbook=scaled_runbook(), values=busy(), hosts=POOL))
    world.pass_time(minutes=16)
    explanation = _explained(world)
    console = Console(file=StringIO(), width=width, markup=False, emoji=False, highlight=False)
    console.print(explain_view(explanation))
    assert isinstance(console.file, StringIO)
    lines = console.file.getvalue().splitlines()
    assert max(len(line) for line in lines) <= width
    told = "".join("".join(lines).split())
    for each in (*explanation.judged, *explanation.verified):
        for text in (f"{each.name}: {each.verdict}", each.expression, each.saw):
            assert "".join(text.split()) in told


def test_an_incident_without_evidence_says_so() -> None:
    world = World(incident=World().incident)
    with pytest.raises(NotDecided, match="no evidence"):
        explain(world.incident, "high-cpu", SPEC)


@pytest.mark.parametrize(
    ("field", "value", "why"),
    [
        ("variables", [{"name": "cpuHigh", "expression": "gone(1.0)"}], "gone"),
        ("parameters", [{"name": "cpuThreshold", "type": "number", "default": 5, "maximum": 9}], "cpuThreshold"),
    ],
)
def test_a_runbook_that_another_version_took_is_told_as_not_to_be_judged(field: str, value: object, why: str) -> None:
    spec = RunbookSpec.model_validate({**high_cpu()["spec"], field: value})
    with pytest.raises(NotDecided, match=f"its runbook cannot be evaluated by this version: .*{why}"):
        explain(awaiting_approval().incident, "high-cpu", spec)
