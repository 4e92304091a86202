"""What a host's log and health endpoint say in confidence is told nowhere, from triage to report."""

from __future__ import annotations

import copy
from typing import Any

from tests.e2e.scenes import RUNBOOK, Scenes
from tests.testbed.cluster import ALICE

CONFIDENTIAL = [
    "hunter2-of-the-database",
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJldmUifQ.c2lnbmF0dXJl",
    "eve@customer.example",
    "4111 1111 1111 1111",
    "ghp_0123456789abcdefghijklmnopqrstuvwxyz",
]
SAID = "db_password={} Bearer {} for {} card {} {}".format(*CONFIDENTIAL)


def talkative() -> dict[str, Any]:
    """The runbook of the fault tests, looking at the log too and telling whatever it can of it."""
    runbook = copy.deepcopy(RUNBOOK)
    spec = runbook["spec"]
    journal = {"unit": "$(service).service", "match": "OutOfMemoryError", "extract": {"rest": "heap space (.*)"}}
    spec["diagnostics"].append({"name": "oom", "journal": journal})
    told = "$(oom.count) errors, $(oom.extracted.rest), $(health.json.detail)"
    spec["variables"].append({"name": "failing", "expression": "oom.count > 0", "signal": told})
    (leak,) = spec["hypotheses"]
    leak |= {"when": "health.json.status == 'degraded' && failing", "rootCause": {"summary": told, "request": told}}
    spec["actions"][0]["approval"]["prompt"] = told
    return runbook


def test_no_secret_of_a_host_is_told_in_status_events_requests_reports_or_logs(scenes: Scenes) -> None:
    with scenes.open() as scene:
        operator = scene.operator()
        scene.stage.add_runbook(talkative())
        scene.host.degrade(said=SAID)
        incident = scene.stage.open_incident("unhealthy-1", type="Unhealthy", summary="/health answers 503")
        scene.stage.wait_for_phase(incident, "AwaitingApproval")
        scene.approve(incident)
        scene.stage.wait_for_phase(incident, "Resolved")
        kubectl, inside = scene.cluster.kubectl, ("-n", scene.namespace)
        everything = [
            kubectl("get", "incidents,approvalrequests,events.events.k8s.io", *inside, "-o", "yaml").stdout,
            kubectl("incident", "report", incident, *inside, user=ALICE).stdout,
            kubectl("incident", "report", incident, *inside, "-o", "json", user=ALICE).stdout,
            kubectl("incident", "describe", incident, *inside, user=ALICE).stdout,
            kubectl("incident", "explain", incident, *inside, user=ALICE).stdout,
            operator.log,
        ]
        text = "\n".join(everything)
        assert "OutOfMemoryError" in text
        assert "[redacted]" in text
        assert [secret for secret in CONFIDENTIAL if secret in text] == []
        scene.assert_restarted_once(incident)
