"""Conditions that CEL takes and no evidence can ever answer, and those beside them that evidence can."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from firstresponder.runbooks.lint import lint
from tests.unit.runbooks.refused import GOOD

DIAGNOSTICS = [
    {"name": "disk", "disk": {"path": "/"}},
    {"name": "health", "http": {"url": "http://$(hosts.target.address)/health"}},
    {"name": "processes", "processes": {}},
    {"name": "errors", "journal": {"kernel": True, "extract": {"request": "GET (/.*)"}}},
    {"name": "dns", "resolve": {"name": "db"}},
    {"name": "link", "interfaces": {}},
    {"name": "raw", "command": {"argv": ["uptime"]}},
]


def runbook(when: str, **changes: Any) -> dict[str, Any]:
    spec: dict[str, Any] = yaml.safe_load(GOOD)["spec"]
    spec["diagnostics"] = DIAGNOSTICS
    spec["parameters"] += [
        {"name": "path", "type": "path", "default": "/var"},
        {"name": "limitBytes", "type": "quantity", "default": "1Gi"},
        {"name": "silence", "type": "duration", "default": "5m"},
    ]
    spec["hypotheses"][1]["when"] = when
    return spec | changes


def said(when: str) -> list[str]:
    return [each.message for each in lint("Runbook", runbook(when)) if each.field == "spec.hypotheses[1].when"]


NEVER = "they are never equal"


@pytest.mark.parametrize(
    ("when", "problem"),
    [
        ('health.status == "503"', f"compares health.status, a number, with '503', a text: {NEVER}"),
        ('health.status != "503"', NEVER),
        ('"503" == health.status', NEVER),
        ("health.ok == 'true'", NEVER),
        ("health.ok == 1", NEVER),
        ("health.error == 28", NEVER),
        ("service == 5", NEVER),
        ("path == 5.0", NEVER),
        ("limit == '90'", NEVER),
        ("silence > 5.0", NEVER),
        ("health.status in ['500', '503']", NEVER),
        ("health.status in [500.0, '503']", "looks for health.status, a number, with '503', a text"),
        ("5.0 in dns.addresses", "looks for 5 in dns.addresses, whose entries are of another kind"),
        ("health.status > '500'", NEVER),
        (
            "processes.list.exists(p, p.cpuPercent == '90')",
            "compares cpuPercent of an entry, a number, with '90', a text",
        ),
        ("processes.list.exists(p, p.unit == 5.0)", NEVER),
        ("link.list.exists(i, i.addresses.exists(a, a == 5.0))", NEVER),
        ("processes.top.unit == 5.0", NEVER),
        ("processes.list[0].pid == 'x'", NEVER),
        ("dns.addresses == 'x'", NEVER),
        ("isFull == 'yes'", NEVER),
        ("health.status + '' == '503'", "+ cannot join"),
        ("health.ok + 1.0 > 1.0", "+ cannot be applied to health.ok, which is true or false"),
        ("health.error * 2.0 > 1.0", "* cannot be applied to health.error, which is a text"),
        ("health.status.startsWith('5')", "startsWith() is for texts, and health.status is a number"),
        ("dns.addresses.contains('10.')", "contains() is for texts, and dns.addresses is a list"),
        ("size(health.status) == 3", "asks for the size of health.status, which is a number: it has none"),
        ("dns.addresses.length > 1.0", "dns.addresses is a list: it has no field length"),
        ("service.name == 'x'", "service is a text: it has no field name"),
        ("limit.max > 5.0", "limit is a number: it has no field max"),
        ("isFull.x == 'x'", "isFull is true or false: it has no field x"),
        ("disk.usedPercent.value > 5.0", "disk.usedPercent is a number: it has no field value"),
        ("disk.usedPrecent > 5.0", "disk has no field usedPrecent: did you mean usedPercent? it has availableBytes"),
        ("processes.top.unti == 'x'", "processes.top has no field unti: did you mean unit? it has"),
        ("processes.list.exists(p, p.cpu > 5.0)", "an entry has no field cpu; it has command, commandLine, cpuPercent"),
        ("hosts.typo.name == 'x'", "hosts has no role typo; it has target"),
        ("hosts.target.names == 'x'", "hosts.target has no field names: did you mean name? it has address"),
        ("'x' in hosts.target.name", "looks for 'x' in hosts.target.name, which is a text and no list"),
        ("disk.usedPercent == [1.0]", "compares disk.usedPercent, a number, with […], a list"),
        ("hosts.target.expectedUnits == [1.0]", NEVER),
        ("processes.list.map(p, p.cpuPercent).exists(c, c == 'x')", "compares an entry, a number, with 'x', a text"),
        ("processes.list.filter(p, p.cpuPercent > 20.0).exists(p, p.unit == 5.0)", NEVER),
        ("processes.list.map(p, p.cpuPercent > 3.0, p.unit).exists(n, n == 3.0)", NEVER),
        ("processes.list.exists(p, p.cpuPercent)", "cpuPercent of an entry is a number, not true or false"),
        ("!disk.usedPercent && isFull", "disk.usedPercent is a number, not true or false: compare it with something"),
        ("disk.usedPercent ? isFull : !isFull", "disk.usedPercent is a number, not true or false"),
        ("dns.addresses", "dns.addresses is a list, not true or false"),
        ("isFull ? disk.usedPercent : disk.usedBytes", "is a number, not true or false"),
        ("health.status.exists(p, true)", "goes through health.status, which is a number and no list"),
    ],
)
def test_what_no_evidence_can_answer_is_refused_in_words(when: str, problem: str) -> None:
    assert any(problem in each for each in said(when)), said(when)


@pytest.mark.parametrize(
    "when",
    [
        "'request' in errors.extracted",
        "!('request' in errors.extracted)",
        "errors.extracted == {}",
        "errors.extracted != {}",
        "size(errors.extracted) == 0",
        "errors.extracted.exists(name, name == 'request')",
        "errors.extracted.all(name, name != 'request')",
        "'unit' in processes.top",
        "processes.list.exists(p, 'unit' in p)",
        "processes.list.exists(p, p == {})",
        "processes.list.exists(p, size(p) < 6)",
        "disk.inodesUsedPercent == null",
        "disk.inodesUsedPercent != null",
        "null == processes.top.unit",
    ],
)
def test_a_question_whether_evidence_is_there_is_refused_in_every_form(when: str) -> None:
    assert any("what is missing there was not seen, which is not an answer" in each for each in said(when)), said(when)


@pytest.mark.parametrize(
    "when",
    [
        "health.status == 503",
        "health.status in [500.0, 503.0]",
        "health.json.status == 'degraded' || health.json.waiting > 5.0",
        "'lastError' in health.json",
        "size(health.json.items) == 0",
        "health.json != {}",
        "health.json.code == '503'",
        "health.json.items.exists(i, i.name == 'x' && i.size > 1.0)",
        "processes.list.exists(p, p.cpuPercent > 20 && !(p.unit in hosts.target.expectedUnits))",
        "processes.top.unit == service + '.service'",
        "errors.extracted.request == '/x'",
        "errors.extracted.request.startsWith('/x')",
        "size(errors.lines) > 3",
        "'10.0.0.1' in dns.addresses",
        "disk.availableBytes < limitBytes",
        "raw.text.contains('load')",
        "raw.json.x == 5.0 || raw.jc.y == 'z'",
        "math.floor(disk.usedPercent / 2.0) > 3.0",
        "string(health.status) == '503'",
        "double(health.json.code) > 3.0",
        "link.list.exists(i, i.up && i.addresses.exists(a, a.startsWith('10.')))",
        "(isFull ? 'a' : 'b') == 'a'",
        "processes.list.map(p, p.cpuPercent).exists(c, c > 20.0)",
        "processes.list.filter(p, p.cpuPercent > 20.0).exists(p, p.unit == 'x.service')",
        "size(dns.addresses.filter(a, a.startsWith('10.'))) > 1",
        "dns.addresses == ['10.0.0.1']",
        "dns.addresses == []",
        "dns.addresses.map(a, a.split('.')[0]).exists(part, part == '10')",
        "processes.list.exists_one(p, p.cpuPercent > 20.0)",
        "[500.0, 503.0].exists(code, code == health.status)",
        "isFull ? health.ok : !health.ok",
    ],
)
def test_what_evidence_can_answer_is_left_alone(when: str) -> None:
    assert said(when) == []


@pytest.mark.parametrize("source", ["baseline.disk.usedPercent > 5.0", "wasFull", "isFull && wasFull"])
def test_the_baseline_is_refused_wherever_it_is_never_known(source: str) -> None:
    spec = runbook(source)
    spec["variables"].append({"name": "wasFull", "expression": "baseline.disk.usedPercent > limit"})
    found = [(each.field, each.message) for each in lint("Runbook", spec)]
    text = "rests on baseline, which is known in spec.verify only: name the evidence itself"
    assert found == [("spec.hypotheses[1].when", text)]


def test_verification_may_compare_with_the_baseline() -> None:
    spec = runbook("disk.availableBytes < 1000")
    spec["verify"]["criteria"][0]["require"] = "disk.usedPercent < baseline.disk.usedPercent"
    assert lint("Runbook", spec) == []


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("$(hosts.upstream.address)", "hosts has no role upstream; it has target"),
        ("$(hosts.target.adress)", "hosts.target has no field adress: did you mean address?"),
        ("$(service.name)", "service is a text: it has no field name"),
        ("$(processes.top.unti)", "processes.top has no field unti: did you mean unit?"),
        ("$(limit.value)", "limit is a number: it has no field value"),
    ],
)
def test_a_text_that_names_what_cannot_be_there_is_refused(text: str, problem: str) -> None:
    spec = runbook("disk.availableBytes < 1000")
    spec["otherwise"]["escalate"]["humanAction"] = f"Look at {text}."
    [found] = lint("Runbook", spec)
    assert (found.field, problem in found.message) == ("spec.otherwise.escalate.humanAction", True), found


def test_an_argument_that_names_a_role_which_is_not_declared_is_refused() -> None:
    spec = runbook("disk.availableBytes < 1000")
    spec["diagnostics"] = [*DIAGNOSTICS, {"name": "up", "tcp": {"host": "$(hosts.upstream.address)", "port": 80}}]
    [found] = lint("Runbook", spec)
    assert str(found) == "spec.diagnostics[7].tcp.host: hosts has no role upstream; it has target"
