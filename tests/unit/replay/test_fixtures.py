"""An incident becomes a test case that comes to what the incident came to, and tells nobody where it was."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from firstresponder.api.hosts import Host
from firstresponder.api.runbook import Tests as RunbookTests
from firstresponder.api.runbook import Triage
from firstresponder.evidence.catalogue import PROBES
from firstresponder.replay.explain import NotDecided
from firstresponder.replay.fixtures import Fixture, fixture, fixture_yaml
from firstresponder.replay.test_cases import run_tests
from firstresponder.runbooks.models import RunbookSpec, TriagePlaybookSpec
from firstresponder.runbooks.source import read_documents
from tests.unit.incident.test_playbook import BUSY, STARVED, playbook, unavailable
from tests.unit.incident.world import (
    World,
    awaiting_approval,
    busy,
    control_node,
    disk_full,
    full,
    host,
    incident,
    leak,
    recovered,
)

POOL = {"api-gateway-03": host(), "control-1": control_node()}


def settled(world: World) -> World:
    world.settle()
    return world


def denied() -> World:
    world = awaiting_approval()
    world.review("alice@example.com", "Denied")
    return settled(world)


def acted(values: dict[str, dict[str, Any]]) -> World:
    world = awaiting_approval()
    world.review("alice@example.com")
    world.settle()
    world.values = values
    for _ in range(200):
        world.pass_time(seconds=15)
        world.settle()
    return world


def stranger() -> dict[str, dict[str, Any]]:
    values = leak()
    values["processes"]["list"] = [{"unit": "", "names": [], "cpuPercent": 150.0, "kernelThread": False}]
    return values


def without(*names: str) -> dict[str, dict[str, Any]]:
    return {name: values for name, values in leak().items() if name not in names}


def recorded(world: World) -> Fixture:
    status = world.incident.status
    if status.runbook_revision_ref is None and world.playbook is not None:
        spec: Triage = TriagePlaybookSpec.model_validate(world.playbook["spec"])
        return fixture(world.incident, "service-unavailable", spec)
    return fixture(world.incident, "high-cpu", RunbookSpec.model_validate(world.runbook["spec"]))


ENDS: dict[str, tuple[Callable[[], World], dict[str, Any]]] = {
    "waiting": (awaiting_approval, {"cause": "memory-leak", "action": "restart"}),
    "denied": (denied, {"cause": "memory-leak", "action": "restart"}),
    "resolved": (lambda: acted(recovered()), {"cause": "memory-leak", "action": "restart"}),
    "fix failed": (lambda: acted(leak()), {"cause": "memory-leak", "action": "restart"}),
    "recovered by itself": (lambda: settled(World(values=recovered())), {"verifyOnly": True}),
    "scaled": (
        lambda: awaiting_approval(values=busy(), hosts=POOL),
        {"cause": "legitimate-load", "action": "scale-out", "desired": 6},
    ),
    "methods": (
        lambda: awaiting_approval(runbook=disk_full(), values=full()),
        {"cause": "full", "action": "free-disk-space", "methods": ["journald-vacuum", "logrotate-force"]},
    ),
    "a guard": (lambda: settled(World(values=stranger())), {"escalate": "SecurityIncident"}),
    "nobody knows": (lambda: settled(World(values=without("processes"))), {"escalate": "EvidenceUnavailable"}),
    "a silent host": (
        lambda: settled(World(unreachable={"api-gateway-03": "timed out"})),
        {"escalate": "EvidenceUnavailable"},
    ),
    "no cause": (
        lambda: settled(World(values={**busy(), "errors": {"count": 1, "mostRepeated": 1}})),
        {"escalate": "UnknownRootCause"},
    ),
    "at the limit": (
        lambda: settled(World(values={**busy(), "replicas": {"count": 8, "max": 8}}, hosts=POOL)),
        {"cause": "legitimate-load", "escalate": "CapacityLimit"},
    ),
    "led by a playbook": (lambda: settled(unavailable(BUSY)), {"cause": "memory-leak", "action": "restart"}),
    "ended with the playbook": (lambda: settled(unavailable(STARVED)), {"escalate": "UnknownIncidentType"}),
}


@pytest.mark.parametrize("end", ENDS)
def test_an_incident_of_every_end_becomes_a_case_that_passes(end: str) -> None:
    world, expected = ENDS[end]
    found = recorded(world())
    assert found.differences == ()
    (case,) = found.tests.cases
    assert case.expect.wire() == expected
    assert case.name == "high-cpu-1"


@pytest.mark.parametrize("end", ENDS)
def test_what_is_printed_is_what_a_runbook_takes(end: str) -> None:
    made = ENDS[end][0]()
    found = recorded(made)
    printed = RunbookTests.model_validate(yaml.safe_load(fixture_yaml(found))["tests"])
    led = end == "ended with the playbook"
    kind: type[Triage] = TriagePlaybookSpec if led else RunbookSpec
    spec = kind.model_validate((playbook(STARVED) if led else made.runbook)["spec"])
    (result,) = run_tests(spec.model_copy(update={"tests": printed}))
    assert result.passed


def test_a_case_of_another_decision_is_told() -> None:
    world = awaiting_approval()
    evidence = [
        each.model_copy(update={"values": {"count": 0, "extracted": {}, "mostRepeated": 0}})
        if each.name in {"oom", "errors"}
        else each
        for each in world.incident.status.evidence
    ]
    status = world.incident.status.model_copy(update={"evidence": evidence})
    world.incident = world.incident.model_copy(update={"status": status})
    assert any("recorded otherwise: Hypothesis memory-leak" in each for each in recorded(world).differences)


def test_a_parameter_that_decided_it_is_told_for_cases_have_the_defaults() -> None:
    world = awaiting_approval(
        values={**leak(), **{"processes": {**leak()["processes"], "hostCpuPercent": 60.0, "notIdlePercent": 60.0}}},
        incident=incident(parameters={"cpuThreshold": 50}),
    )
    found = recorded(world)
    assert "The parameter cpuThreshold was 50; cases are decided with its default, 80." in found.notes
    assert "cause: expected memory-leak, got nothing" in found.differences


def test_nobody_is_told_where_it_was() -> None:
    runbook = World().runbook
    runbook["spec"].pop("tests")
    runbook["spec"]["variables"].append({"name": "answered", "expression": "health.json.status != health.json"})
    values = leak()
    values["health"]["json"] = {
        "status": "degraded",
        "peer": "10.0.0.3:8080",
        "other": "172.16.4.9",
        "again": "http://172.16.4.9/x",
        "self": "api-gateway-03.prod.example.com",
        "near": "api-gateway-031",
        "loop": "127.0.0.1",
        "six": "fd00::17",
    }
    found = recorded(awaiting_approval(runbook=runbook, values=values))
    assert found.differences == ()
    assert found.tests.hosts["target"].wire() == {
        "name": "host-1",
        "address": "192.0.2.1",
        "expectedUnits": ["api-gateway.service"],
    }
    assert found.tests.evidence["high-cpu-1"]["health"]["json"] == {
        "status": "degraded",
        "peer": "192.0.2.1:8080",
        "other": "198.51.100.2",
        "again": "http://198.51.100.2/x",
        "self": "host-1",
        "near": "api-gateway-031",
        "loop": "127.0.0.1",
        "six": "2001:db8::3",
    }


def test_the_runbooks_own_hosts_and_service_stand_for_those_of_the_incident() -> None:
    world = awaiting_approval(
        incident=incident(service="checkout", hosts=[{"role": "target", "name": "checkout-7"}]),
        hosts={"checkout-7": _expecting("checkout-7", "checkout.service")},
        values=_of("checkout"),
    )
    found = recorded(world)
    assert found.differences == ()
    assert found.tests.service == "api-gateway"
    assert found.tests.hosts["target"].name == "api-gateway-03"
    assert found.tests.evidence["high-cpu-1"]["processes"]["top"]["unit"] == "api-gateway.service"
    assert "checkout" not in fixture_yaml(found)


def _expecting(name: str, unit: str) -> Host:
    found = host(name)
    return found.model_copy(update={"spec": found.spec.model_copy(update={"expected_units": [unit]})})


def _of(service: str) -> dict[str, dict[str, Any]]:
    text = yaml.safe_dump(leak()).replace("api-gateway.service", f"{service}.service")
    found: dict[str, dict[str, Any]] = yaml.safe_load(text.replace("unit: api-gateway", f"unit: {service}"))
    return found


def test_secrets_people_and_lines_of_logs_are_left_out_and_told() -> None:
    values = leak()
    values["errors"]["lines"] = ["login of bob@example.com"]
    values["health"]["json"] = {"status": "bob@example.com"}
    values["oom"]["extracted"] = {"request": "/login?token=hunter2secret"}
    values["memory"]["said"] = [{"password": "swordfish"}]
    values["memory"]["below"] = {"credentials": {"of": {"all": ["swordfish"]}}}
    values["memory"]["beside"] = [{"name": "DB_PASSWORD", "value": "swordfish"}]
    found = recorded(awaiting_approval(values=values))
    text = fixture_yaml(found)
    assert "bob@" not in text
    assert "hunter2" not in text
    assert "swordfish" not in text
    for name in ("said", "below", "beside"):
        assert f"# Not in it: memory.{name}, which may hold a secret or personal data.\n" in text
    assert "# Not in it: health.json, which may hold a secret or personal data.\n" in text
    assert "# Not in it: what no condition reads of errors.lines, which quotes others.\n" in text
    assert "# Not in it: what no condition reads of oom.extracted, which quotes others.\n" in text
    assert found.differences == (), "nothing that decided it was left out"


def test_what_was_not_seen_is_told() -> None:
    notes = recorded(settled(World(values=without("memory", "processes")))).notes
    assert any(each.startswith("Not in it: memory, which was not observed (") for each in notes)
    assert "Not in it: replicas, which was not observed: no host had the role control-node." in notes
    assert "Not in it: how it ended afterwards, ApprovalDenied." in recorded(denied()).notes


def test_an_incident_that_ended_before_triage_cannot_be_recorded() -> None:
    with pytest.raises(NotDecided, match="it has no evidence: it ended before triage"):
        fixture(incident(), "high-cpu", RunbookSpec.model_validate(World().runbook["spec"]))


@pytest.mark.parametrize(
    ("name", "case"),
    [
        ("cpu-api-gateway-03-x", "cpu-api-gateway-03-x"),
        ("cpu-checkout-7-x", "cpu-host-1-x"),
        (f"xoxb-{'1' * 12}", "recorded"),
    ],
)
def test_the_name_of_a_case_tells_neither_a_host_nor_a_secret(name: str, case: str) -> None:
    runbook = World().runbook
    runbook["spec"].pop("tests")
    world = awaiting_approval(
        runbook=runbook,
        incident=incident(hosts=[{"role": "target", "name": "checkout-7"}]),
        hosts={"checkout-7": host("checkout-7")},
    )
    metadata = world.incident.metadata.model_copy(update={"name": name})
    world.incident = world.incident.model_copy(update={"metadata": metadata})
    found = recorded(world)
    assert [each.name for each in found.tests.cases] == [case]
    assert list(found.tests.evidence) == [case]
    assert "checkout-7" not in fixture_yaml(found)


def test_no_text_that_was_a_parameter_is_told() -> None:
    runbook = World().runbook
    runbook["spec"]["parameters"].append({"name": "peer", "type": "hostname", "default": "db"})
    world = awaiting_approval(runbook=runbook, incident=incident(parameters={"peer": "ldap.prod.example.com"}))
    assert "The parameter peer was another one; cases are decided with its default, db." in recorded(world).notes
    assert "ldap" not in fixture_yaml(recorded(world))


def test_what_others_wrote_is_named_as_the_probes_name_it() -> None:
    quoted = {name: probe.quoted for name, probe in PROBES.items() if probe.quoted}
    assert quoted.keys() == {"journal", "http", "command", "directories", "unit", "postgresConnections"}
    assert all(set(fields) <= PROBES[name].fields.keys() for name, fields in quoted.items())


def test_of_what_others_wrote_only_that_is_in_it_which_a_condition_reads() -> None:
    values = leak()
    values["health"]["json"] = {"status": "degraded", "customer": "Alice Smith", "peers": [{"name": "Bob"}]}
    values["oom"]["extracted"] = {"request": "/users/alice"}
    found = recorded(awaiting_approval(values=values))
    assert found.differences == ()
    assert found.tests.evidence["high-cpu-1"]["health"]["json"] == {"status": "degraded"}
    assert "extracted" not in found.tests.evidence["high-cpu-1"]["oom"]
    assert "Not in it: what no condition reads of health.json, which quotes others." in found.notes


TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=6) | st.from_regex(r"[-+]?[0-9.eox]{1,6}")
VALUES = st.recursive(
    TEXTS | st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(TEXTS, VALUES, max_size=3))
@example({text: text for text in ("yes", "y", "1e3", "08", "0o17", "+.5", "1_000", "2026-01-01", "1:30", "~", "=", "")})
@example({"a: b": "# x", "- x": "a\n\n b\n", "\u2028": "\u0085\x00\x1b", "ü": "😀\u202e", "<<": "&x *y !z"})
def test_whatever_was_seen_can_be_read_again_and_shown(seen: dict[str, Any]) -> None:
    tests = RunbookTests(service="x", evidence={"1e3": {"d": seen}})
    text = fixture_yaml(Fixture("x", tests, (), ()))
    (document,) = read_documents(text)
    assert document.problems == []
    assert document.content["tests"]["evidence"] == {"1e3": {"d": seen}}
    assert text.isascii()
    assert yaml.safe_load(text) == document.content
