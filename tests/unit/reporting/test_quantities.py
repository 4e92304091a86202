"""Measured quantities in words and numbers of people, and the lines that criteria draw."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from firstresponder.api.incident import Measurement, Stage
from firstresponder.evidence.field import Unit
from firstresponder.reporting.quantities import (
    Point,
    Quantity,
    amount,
    measured_table,
    quantities,
    scale,
)
from firstresponder.reporting.thresholds import Threshold, thresholds, worth_plotting
from firstresponder.runbooks.models import Runbook, RunbookSpec
from tests.unit.incident import test_scale
from tests.unit.incident.test_measurements import resolved
from tests.unit.incident.test_playbook import BUSY, unavailable
from tests.unit.incident.world import START, World, awaiting_approval, high_cpu, incident


def quantity(name: str, unit: Unit, *points: tuple[Stage, float], host: str = "app-01") -> Quantity:
    at = (Point(START + timedelta(seconds=n), stage, value) for n, (stage, value) in enumerate(points))
    return Quantity("high-cpu", name, unit, host, tuple(at))


@pytest.mark.parametrize(
    ("value", "unit", "said"),
    [
        (97.5, Unit.PERCENT, "97.5 %"),
        (0, Unit.PERCENT, "0 %"),
        (2 * 2**30, Unit.BYTES, "2 GiB"),
        (1536, Unit.BYTES, "1.5 KiB"),
        (0, Unit.BYTES, "0 bytes"),
        (3 * 2**40, Unit.BYTES, "3 TiB"),
        (12, Unit.COUNT, "12"),
        (24.5, Unit.PER_MINUTE, "24.5 /min"),
        (0.012, Unit.SECONDS, "12 ms"),
        (1.25, Unit.SECONDS, "1.25 s"),
        (0, Unit.SECONDS, "0 s"),
        (0.4, Unit.MILLISECONDS, "0.4 ms"),
        (None, Unit.PERCENT, "–"),
    ],
)
def test_an_amount_is_written_as_people_write_it(value: float | None, unit: Unit, said: str) -> None:
    assert amount(value, unit) == said


@pytest.mark.parametrize(
    ("name", "title"),
    [
        ("processes.hostCpuPercent", "processes: host CPU"),
        ("memory.availableBytes", "memory: available"),
        ("disk.inodesUsedPercent", "disk: inodes used"),
        ("errors.count", "errors: count"),
        ("errors.perMinute", "errors: rate"),
        ("health.latencySeconds", "health: latency"),
        ("gateway.rttMs", "gateway: round trip"),
    ],
)
def test_a_title_is_the_diagnostic_and_what_it_measures_without_the_unit(name: str, title: str) -> None:
    unit = Unit.of(name.partition(".")[2])
    assert unit is not None
    assert quantity(name, unit, ("Triage", 1)).title == title


def test_all_values_of_a_quantity_are_scaled_alike() -> None:
    assert scale(quantity("m.availableBytes", Unit.BYTES, ("Triage", 2**20), ("Verification", 2**31))) == (2**30, "GiB")
    assert scale(quantity("h.latencySeconds", Unit.SECONDS, ("Triage", 0.002), ("Verification", 1.5))) == (1, "s")


def test_the_three_numbers_are_the_last_of_their_stage_before_the_first_action_and_after_it() -> None:
    found = quantity(
        "processes.hostCpuPercent",
        Unit.PERCENT,
        *(("Triage", 97), ("Triage", 96), ("BeforeAction", 95), ("BeforeAction", 94), ("BeforeAction", 60)),
        *(("Verification", 50), ("Verification", 12), ("BeforeAction", 99)),
    )
    acted = replace(found, acted=found.points[3].time)
    assert (acted.in_triage, acted.before_action, acted.afterwards) == (96, 94, 12)
    assert replace(acted, points=acted.points[4:]).before_action is None
    once = quantity("processes.hostCpuPercent", Unit.PERCENT, ("Triage", 97))
    assert (once.in_triage, once.before_action, once.afterwards) == (97, None, None)


def test_the_three_numbers_are_told_by_the_order_of_looks_though_a_clock_was_set_back() -> None:
    found = quantity("a.count", Unit.COUNT, ("Triage", 3), ("BeforeAction", 2), ("Verification", 1))
    back = [replace(each, time=each.time - timedelta(hours=place)) for place, each in enumerate(found.points)]
    told = replace(found, points=tuple(back), acted=back[1].time)
    assert (told.in_triage, told.before_action, told.afterwards) == (3, 2, 1)


def test_a_look_at_the_way_back_is_none_of_before_the_action_even_of_what_verification_does_not_measure() -> None:
    found = {each.name: each for each in quantities(test_scale.offered().incident)}
    assert [each.stage for each in found["replicas.count"].points] == ["Triage", "BeforeAction", "BeforeAction"]
    points = [replace(each, value=float(place)) for place, each in enumerate(found["replicas.count"].points)]
    assert replace(found["replicas.count"], points=tuple(points)).before_action == 1


def test_what_a_playbook_measured_too_is_told_apart_from_its_runbook_s() -> None:
    world = unavailable(BUSY)
    world.settle()
    _, rows = measured_table(quantities(world.incident))
    told = [title for title, *_ in rows]
    assert told[:1] == ["memory: available (service-unavailable)"]
    assert "memory: available (high-cpu)" in told
    assert "processes: host CPU" in told
    assert len(told) == len(set(told))


def test_the_table_leaves_out_what_nothing_is_known_of() -> None:
    once = quantity("processes.hostCpuPercent", Unit.PERCENT, ("Triage", 97))
    assert measured_table([once]) == (("Quantity", "On", "In triage"), [("processes: host CPU", "app-01", "97 %")])
    header, rows = measured_table(quantities(resolved().incident))
    assert header == ("Quantity", "On", "In triage", "Just before acting", "At the end")
    assert ("processes: host CPU", "api-gateway-03", "97.5 %", "97.5 %", "12 %") in rows


def test_what_is_not_a_quantity_of_any_probe_is_not_shown() -> None:
    world = awaiting_approval()
    odd = Measurement(time=START, stage="Triage", runbook="high-cpu", values={"<script>.x": 1.0, "plain": 2.0})
    status = world.incident.status.model_copy(update={"samples": [odd]})
    assert quantities(world.incident.model_copy(update={"status": status})) == ()


@pytest.mark.parametrize(
    "value",
    [float("nan"), float("inf"), 1e308, 10**400, -5, True, None, "12", [1], {"a": 1}],
    ids=lambda each: str(each)[:8],
)
def test_what_cannot_have_been_measured_is_not_shown(value: Any) -> None:
    world = awaiting_approval()
    [round_] = world.incident.status.samples
    odd = round_.model_copy(update={"values": {**round_.values, "memory.availableBytes": value}})
    status = world.incident.status.model_copy(update={"samples": [odd]})
    found = quantities(world.incident.model_copy(update={"status": status}))
    assert [each.name for each in found] == ["processes.hostCpuPercent", "errors.count", "oom.count"]


def test_a_line_that_no_quantity_can_reach_is_not_drawn() -> None:
    assert limits("processes.hostCpuPercent < 1e308 && processes.hostCpuPercent > -1.0") == {}


def test_quantities_come_in_the_order_of_the_runbook_s_diagnostics_however_the_rounds_name_them() -> None:
    world = awaiting_approval()
    [round_] = world.incident.status.samples
    for names in (sorted(round_.values), sorted(round_.values, reverse=True)):
        told = round_.model_copy(update={"values": {name: round_.values[name] for name in names}})
        status = world.incident.status.model_copy(update={"samples": [told]})
        found = quantities(world.incident.model_copy(update={"status": status}))
        assert [each.name.partition(".")[0] for each in found] == ["processes", "errors", "oom", "memory"]


def spec(**verify: Any) -> RunbookSpec:
    runbook = high_cpu()
    runbook["spec"]["verify"] |= verify
    return Runbook.model_validate(runbook).spec


def limits(*required: str, world: World | None = None) -> dict[str, list[float]]:
    criteria = [{"name": f"c{number}", "require": each} for number, each in enumerate(required)]
    found = thresholds((world or awaiting_approval()).incident, spec(criteria=criteria))
    return {name: [each.value for each in lines] for name, lines in found.items()}


def test_a_line_is_drawn_where_a_criterion_compares_with_a_number_or_a_parameter() -> None:
    assert limits("processes.hostCpuPercent < 70") == {"processes.hostCpuPercent": [70]}
    assert limits("70.5 >= processes.hostCpuPercent") == {"processes.hostCpuPercent": [70.5]}
    assert limits("processes.hostCpuPercent < cpuThreshold")["processes.hostCpuPercent"] == [80]
    world = awaiting_approval(incident=incident(parameters={"minAvailableMemory": "256Mi"}))
    assert limits("memory.availableBytes > minAvailableMemory", world=world)["memory.availableBytes"] == [256 * 2**20]


def test_a_line_is_found_behind_variables_and_in_parts_of_a_condition() -> None:
    assert limits("!cpuHigh")["processes.hostCpuPercent"] == [80]
    both = limits("errors.count == 0 && (memory.usedPercent < 90 || health.ok)")
    assert both == {"errors.count": [0], "memory.usedPercent": [90]}


def test_what_is_no_plain_comparison_draws_no_line() -> None:
    assert limits("processes.hostCpuPercent < cpuThreshold * 2.0", "health.json.status == 'healthy'") == {}
    assert limits("processes.list.all(p, p.cpuPercent < 20.0)") == {}
    assert limits("processes.hostCpuPercent < baseline.processes.hostCpuPercent") == {}


def test_the_line_is_at_the_parameter_that_the_incident_was_triaged_with() -> None:
    world = World()
    world.incident = world.incident.model_copy(
        update={"spec": world.incident.spec.model_copy(update={"parameters": {"cpuThreshold": 55}})}
    )
    world.settle()
    runbook = Runbook.model_validate(high_cpu()).spec
    assert thresholds(world.incident, runbook)["processes.hostCpuPercent"] == [Threshold("cpu", 55)]


def test_an_incident_whose_parameters_were_refused_has_no_lines_at_them() -> None:
    world = awaiting_approval()
    status = world.incident.status.model_copy(update={"parameters": {"cpuThreshold": "1000"}})
    refused = world.incident.model_copy(update={"status": status})
    assert "processes.hostCpuPercent" not in thresholds(refused, Runbook.model_validate(high_cpu()).spec)


def test_of_one_diagnostic_what_the_runbook_reads_is_plotted_or_else_the_first() -> None:
    twice: tuple[tuple[Stage, float], ...] = (("Triage", 1), ("Verification", 2))
    found = [
        quantity("memory.availableBytes", Unit.BYTES, *twice),
        quantity("memory.usedPercent", Unit.PERCENT, *twice),
        quantity("errors.count", Unit.COUNT, *twice),
        quantity("errors.perMinute", Unit.PER_MINUTE, *twice),
        quantity("other.count", Unit.COUNT, *twice),
        quantity("other.perMinute", Unit.PER_MINUTE, *twice),
        quantity("replicas.count", Unit.COUNT, ("Triage", 4)),
    ]
    read = spec(criteria=[{"name": "calm", "require": "errors.perMinute < 1 && memory.usedPercent < 90"}])
    read = read.model_copy(update={"variables": [], "hypotheses": []})
    chosen = [each.name for each in worth_plotting(found, "high-cpu", read)]
    assert chosen == ["memory.usedPercent", "errors.perMinute", "other.count"]
    assert [each.name for each in worth_plotting(found, "", None)] == [
        "memory.availableBytes",
        "errors.count",
        "other.count",
    ]
