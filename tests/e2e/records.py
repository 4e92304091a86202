"""What is left of an incident when it has ended: its report in every form, the same decision made again, a test case
of its runbook, and its part in the statistics."""

from __future__ import annotations

import contextlib
import json
import re
import threading
from collections import Counter
from pathlib import Path
from typing import Any

import yaml

from firstresponder.api.approvalrequest import ApprovalRequest
from firstresponder.api.incident import Incident, Phase
from firstresponder.api.runbook import Tests, Triage
from firstresponder.cli.views import stats as stats_view
from firstresponder.cli.views.report_page import page
from firstresponder.replay.explain import NotDecided, explain
from firstresponder.replay.fixtures import Fixture, fixture, fixture_yaml
from firstresponder.replay.test_cases import run_tests
from firstresponder.reporting.quantities import quantities
from firstresponder.reporting.report import Report, report_of
from firstresponder.reporting.report_json import document
from firstresponder.reporting.report_markdown import markdown
from firstresponder.reporting.statistics import statistics_of
from firstresponder.reporting.thresholds import worth_plotting
from firstresponder.runbooks.lint.test_cases import evidence_problems
from firstresponder.runbooks.models import RunbookSpec, TriagePlaybookSpec
from firstresponder.runbooks.revision import digest_of
from tests.testbed.cluster import ALICE
from tests.testbed.stage import Stage

SLI = {
    "incident_id": str,
    "detected_at": str,
    "agent_started_at": str,
    "resolved_at": str | None,
    "escalated": bool,
    "fix_correct": bool | None,
    "mttd_seconds": int,
    "mttr_seconds": int | None,
}
"""The fields of a service level record and their types."""
_drawing = threading.Lock()
"""Scenes end in threads of one process, whose settings of matplotlib they share; an engineer's page has its own."""


def assert_records(stage: Stage) -> None:
    """Of every incident of the namespace that has ended there is a report in each form, and it is counted."""
    bodies = _all(stage, "incidents")
    for body in bodies:
        incident = Incident.model_validate(body)
        if incident.status.phase in {Phase.RESOLVED, Phase.ESCALATED}:
            _assert_record(stage, incident)
    _assert_counted(bodies)


def _assert_counted(bodies: list[dict[str, Any]]) -> None:
    counted: dict[str, Any] = stats_view.document(statistics_of(map(Incident.model_validate, bodies)))
    ends = [each["status"] for each in bodies if each.get("status", {}).get("phase") in {"Resolved", "Escalated"}]
    phases = Counter(each["phase"] for each in ends)
    total = counted["total"]
    assert total["incidents"] == len(bodies)
    assert total["open"] == len(bodies) - len(ends)
    assert (total["resolved"]["count"], total["escalated"]["count"]) == (phases["Resolved"], phases["Escalated"])
    told = Counter[str]()
    for each in counted["escalated_most"]:
        told.update(each["reasons"])
    assert told == Counter(each["escalation"]["reason"] for each in ends if each["phase"] == "Escalated")
    used = {(each.get("runbookRevisionRef") or each.get("playbookRevisionRef") or {}).get("digest") for each in ends}
    assert used <= {each["digest"] for each in counted["revisions"]}
    judged = [each["sli"]["fixCorrect"] for each in ends if each["sli"].get("fixCorrect") is not None]
    assert total["incorrect_fixes"]["count"] == judged.count(False)
    assert total["incorrect_fixes"]["of"] == len(judged)
    times = [each["sli"]["mttrSeconds"] for each in ends if each["phase"] == "Resolved"]
    assert (total["mttr_seconds"] or {"of": 0})["of"] == len(times)
    if times:
        assert total["mttr_seconds"]["maximum"] == max(times)


def _assert_record(stage: Stage, incident: Incident) -> None:
    ref = incident.status.approval_request_ref
    requests = {each["metadata"]["name"]: each for each in _all(stage, "approvalrequests")}
    request = ApprovalRequest.model_validate(requests[ref.name]) if ref is not None and ref.name in requests else None
    report = report_of(incident, request)
    _assert_json(incident, json.loads(json.dumps(document(report))))
    text = markdown(report)
    assert text.startswith(f"# Incident {incident.name}: {incident.status.phase}\n")
    assert ("## What was measured" in text) is bool(quantities(incident))
    assert ("## Escalation" in text) is (incident.status.escalation is not None)
    spec = _pinned(stage, incident)
    _assert_page(report, spec)
    if spec is not None:
        _assert_decided_again(incident, spec)


def _all(stage: Stage, plural: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = stage.cluster.api().get(stage.path(plural))["items"]
    return found


def _pinned(stage: Stage, incident: Incident) -> Triage | None:
    """The revision that the incident ran, while it is there and nobody has changed it."""
    runbook, playbook = incident.status.runbook_revision_ref, incident.status.playbook_revision_ref
    ref, kind = (runbook, RunbookSpec) if runbook is not None else (playbook, TriagePlaybookSpec)
    stored = stage.cluster.api().get(f"/apis/apps/v1/namespaces/{stage.namespace}/controllerrevisions")["items"]
    found = {each["metadata"]["name"]: each["data"] for each in stored}
    if ref is None or ref.name not in found or digest_of(found[ref.name]) != ref.digest:
        return None
    return kind.model_validate(found[ref.name]["spec"])


def _assert_json(incident: Incident, record: dict[str, Any]) -> None:
    sli = record["sli"]
    assert sli.keys() == SLI.keys()
    assert [name for name, kind in SLI.items() if not isinstance(sli[name], kind)] == []
    resolved = incident.status.phase == Phase.RESOLVED
    assert record["escalated"] is sli["escalated"] is not resolved
    assert (record["resolution_time"] is not None) is (sli["resolved_at"] is not None) is resolved
    assert record["resolved_by"] == (("agent" if record["attempts"] else "itself") if resolved else None)
    assert record["timeline"][0]["event"] == "alert_fired"
    assert record["timeline"][-1]["event"] in {"resolved", "escalated", "fix_marked_incorrect"}
    assert (record["escalation"] is None) is resolved
    if not resolved:
        assert record["escalation"]["human_action_required"]
    for each in record["samples"]:
        assert all(isinstance(value, int | float) for value in each["values"].values())


def _assert_page(report: Report, spec: Triage | None) -> None:
    incident = report.incident
    with _drawing:
        text = page(report, spec)
    assert f"<title>Incident {incident.name}: {incident.status.phase}</title>" in text
    assert "<script" not in text
    ref = incident.status.runbook_revision_ref
    chosen = worth_plotting(quantities(incident), ref.runbook if ref is not None else "", spec)
    drawn = re.findall(r"<figure>.*?</figure>", text, re.DOTALL)
    assert [_points(each) for each in drawn] == [len(each.points) for each in chosen]


def _points(drawn: str) -> int:
    """The measurements that a figure shows; the marks of its axes are none."""
    groups: list[str] = re.findall(r'<g class="points [a-z]+">(.*?)</g>\s*</g>', drawn, re.DOTALL)
    return sum(each.count("<use ") for each in groups)


def _assert_decided_again(incident: Incident, spec: Triage) -> None:
    """The stored evidence and the pinned revision give the recorded decision."""
    ref = incident.status.runbook_revision_ref or incident.status.playbook_revision_ref
    assert ref is not None
    with contextlib.suppress(NotDecided):  # it ended before anything was seen
        assert explain(incident, ref.runbook, spec).differences == ()
        _assert_test_case(incident, fixture(incident, ref.runbook, spec), spec)


def _assert_test_case(incident: Incident, recorded: Fixture, spec: Triage) -> None:
    """What is printed of it fits the runbook and comes to the recorded decision."""
    text = fixture_yaml(recorded)
    printed = spec.model_copy(update={"tests": Tests.model_validate(yaml.safe_load(text)["tests"])})
    assert list(evidence_problems(printed)) == []
    own = spec.tests.hosts.values() if spec.tests is not None else ()
    for each in incident.status.roles:
        assert each.name not in text or each.name in {host.name for host in own}
        assert each.address not in text
    # A case is decided with the parameters' defaults: where others were given, it may come to something else.
    if "# The parameter " not in text:
        assert recorded.differences == ()
        assert [each.differences for each in run_tests(printed)] == [()]


def plotted(stage: Stage, incident: str) -> set[str]:
    """What has figures on the page that an engineer makes with kubectl."""
    command = ("incident", "report", incident, "-n", stage.namespace, "-o", "html")
    made = stage.cluster.kubectl(*command, user=ALICE).stdout
    assert made.startswith("<!DOCTYPE html>")
    assert 'class="action"' in made
    return set(re.findall(r"<figcaption><b>([^<]*)</b>", made))


def recorded_and_tested(
    stage: Stage, incident: str, file: Path, *, kind: str = "runbooks", name: str
) -> dict[str, Any]:
    """What the one case expects that an engineer records with kubectl, once `kubectl runbook test` passed it."""
    printed = stage.cluster.kubectl("runbook", "record", incident, "-n", stage.namespace, user=ALICE).stdout
    made = yaml.safe_load(printed)["tests"]
    runbook = stage.get(kind, name)
    runbook["spec"]["tests"] = made
    file.write_text(yaml.safe_dump({part: runbook[part] for part in ("apiVersion", "kind", "metadata", "spec")}))
    assert "1 case, 0 failed" in stage.cluster.kubectl("runbook", "test", file, user=ALICE).stderr
    (case,) = made["cases"]
    expected: dict[str, Any] = case["expect"]
    return expected
