"""High CPU as its users see it: a leaking service, from the alert to a verified restart, and an intruder."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.e2e import records
from tests.e2e.truth import assert_nothing_ran, claims, invocation
from tests.testbed.hosts import Host
from tests.testbed.operator import Operator
from tests.testbed.stage import Stage

pytestmark = pytest.mark.quiet


def test_a_leak_is_restarted_once_after_approval_and_resolved(
    stage: Stage, host: Host, operator: Operator, tmp_path: Path
) -> None:
    before = invocation(host)
    host.leak()
    incident = stage.open_incident()
    status = stage.wait_for_phase(incident, "AwaitingApproval")

    packet = status["decisionPacket"]
    proposed = dict(packet["bound"]["proposedAction"])
    assert ["reset-failed" in each for each in proposed.pop("notes")] == [True]
    assert proposed == {
        "name": "restart",
        "type": "restartUnit",
        "target": "api-gateway.service",
        "host": "api-gateway-03",
        "role": "target",
        "methods": [],
    }
    signals = " ".join(each["signal"] for each in packet["shown"]["evidence"])
    assert "out of memory" in signals
    assert re.search(r"api-gateway uses [0-9.]+ % of the busy CPU", signals)
    assert status["rootCause"]["failurePoint"]["request"] == "/api/v1/reports"
    assert {v["name"]: v["verdict"] for v in status["hypotheses"]} == {
        "unexpected-process": "Refuted",
        "cpuShort": "Holds",
        "memory-leak": "Holds",
        "legitimate-load": "Refuted",
        "taken-from-outside": "Refuted",
        "another-unit": "Refuted",
        "waiting-for-disks": "Refuted",
    }
    assert invocation(host) == before
    assert claims(host) == []

    stage.review(stage.request_of(incident), comment="go ahead")
    status = stage.wait_for_phase(incident, "Resolved")

    assert invocation(host) != before
    assert len(claims(host)) == 1
    assert host.health() == 200
    (attempt,) = status["attempts"]
    assert attempt["state"] == "Succeeded"
    assert attempt["id"] == claims(host)[0]
    assert any(line.startswith("result=restarted") for line in attempt["proof"])
    assert [entry["event"] for entry in status["timeline"]] == [
        "Detected",
        "TriageStarted",
        "TriageCompleted",
        "ApprovalRequested",
        "ApprovalGranted",
        "ActionStarted",
        "ActionCompleted",
        "VerificationPassed",
        "Resolved",
    ]
    granted = next(entry for entry in status["timeline"] if entry["event"] == "ApprovalGranted")
    assert (granted["by"], granted["details"]) == ("alice@example.com", "go ahead")
    conditions = {each["type"]: each["status"] for each in status["conditions"]}
    assert conditions == dict.fromkeys(["Triaged", "Approved", "Acted", "Verified", "Resolved", "Closed"], "True")
    assert all(each["observedGeneration"] == 1 for each in status["conditions"])

    kubectl = stage.cluster.kubectl
    told = kubectl("incident", "explain", incident, "-n", stage.namespace, user="alice@example.com").stdout
    assert "processes.hostCpuPercent > cpuThreshold" in told
    assert "cause memory-leak: propose restart" in told
    again = kubectl("incident", "replay", incident, "-n", stage.namespace, user="alice@example.com").stdout
    assert again.endswith("The same as recorded.\n")
    case = records.recorded_and_tested(stage, incident, tmp_path / "high-cpu.yaml", name="high-cpu")
    assert case == {"cause": "memory-leak", "action": "restart"}
    assert {"processes: host CPU", "memory: available", "errors: count"} <= records.plotted(stage, incident)
    for form, begins in (("markdown", f"# Incident {incident}: Resolved\n"), ("json", "{\n")):
        made = kubectl(
            "incident", "report", incident, "-n", stage.namespace, "-o", form, user="alice@example.com"
        ).stdout
        assert made.startswith(begins)
    table = kubectl("get", "incidents", "-n", stage.namespace, user="alice@example.com").stdout
    assert table.splitlines()[1].split()[:5] == [incident, "HighCPU", "api-gateway", "Resolved", "Resolved"]
    kubectl("wait", "--for=condition=Closed", f"incident/{incident}", "-n", stage.namespace, "--timeout=60s")
    assert len(stage.events("Resolved")) == 1, "the last of them"
    events = kubectl("get", "events.events.k8s.io", "-n", stage.namespace, "-o", "jsonpath={.items[*].reason}").stdout
    assert sorted(events.split()) == ["Acted", "ApprovalRequested", "Resolved"]


@pytest.mark.rule(4)
def test_a_miner_goes_to_security_and_no_state_changing_command_reaches_the_host(
    stage: Stage, host: Host, operator: Operator
) -> None:
    before = invocation(host)
    host.mine()
    incident = stage.open_incident()
    status = stage.wait_until_ended(incident)
    assert status["escalation"]["reason"] == "SecurityIncident"
    assert status["escalation"]["to"] == ["security"]
    assert status["escalation"]["humanAction"].startswith("Investigate a possible compromise of ")
    assert "attempts" not in status
    assert "kworkerds" in status["escalation"]["message"]
    assert "since: 20" in status["escalation"]["message"]
    assert "decisionPacket" not in status
    assert_nothing_ran(host, before)
    assert len(stage.events("SecurityIncident")) == 1
