"""An incident as the person who reports it lives it: one command to its end, and what is learnt from it later."""

from __future__ import annotations

import re
import shlex
import subprocess

import pytest

from tests.e2e import truth
from tests.e2e.scenes import RUNBOOK, Scenes
from tests.testbed.cluster import ALICE
from tests.testbed.following import following

pytestmark = pytest.mark.slow


def test_an_incident_is_opened_followed_approved_by_the_line_shown_and_later_marked_as_wrong(scenes: Scenes) -> None:
    with scenes.open() as scene:
        scene.operator()
        scene.stage.add_runbook(RUNBOOK)
        scene.host.degrade()
        about = ["--type", "Unhealthy", "--service", "api-gateway", "--host", "api-gateway-03"]
        where = ["-n", scene.namespace, "--name", "unhealthy-1", "--summary", "/health answers 503"]
        with following(scene.cluster, scene.directory, "incident", "open", *about, *where) as told:
            told.wait_for("→ AwaitingApproval")
            told.wait_for("\nkubectl approve ")
            (line,) = re.findall("(?m)^kubectl approve .*$", told.out)
            alice = scene.cluster.environment(ALICE)
            subprocess.run([*shlex.split(line), "--yes"], env=alice, check=True, capture_output=True)
            assert told.end() == 0
            assert told.err == ""
        status = scene.stage.status("unhealthy-1")
        assert re.findall(r"(?m)^\d\d:\d\d:\d\dZ  (\w+)", told.out) == [each["event"] for each in status["timeline"]]
        phases = re.findall("(?m)^ +→ (\\w+)", told.out)
        assert phases[-4:] == ["AwaitingApproval", "Acting", "Verifying", "Resolved"]
        assert "by alice@example.com" in told.out
        assert len(truth.claims(scene.host)) == 1

        fixes = scene.statistics()["total"]["incorrect_fixes"]
        assert fixes == {"count": 0, "of": 1, "rate": 0.0}
        kubectl = scene.cluster.kubectl
        described = kubectl("incident", "describe", "unhealthy-1", "-n", scene.namespace, user=ALICE).stdout
        (patch,) = re.findall(r"kubectl patch incident unhealthy-1 [^}]*}}'", described)
        subprocess.run(shlex.split(patch.replace("\\\n", " ")), env=alice, check=True, capture_output=True)
        scene.stage.wait(
            lambda: scene.stage.status("unhealthy-1")["sli"]["fixCorrect"] is False, "the mark to be counted"
        )
        assert scene.statistics()["total"]["incorrect_fixes"] == {"count": 1, "of": 1, "rate": 1.0}

        unheard = ["incident", "open", "--type", "Unheard", "--service", "shop", "-n", scene.namespace]
        handed_over = kubectl(*unheard, user=ALICE, check=False)
        assert handed_over.returncode == 1
        assert handed_over.stderr.startswith("Warning: no Runbook and no TriagePlaybook is for the type Unheard;")
        assert "UnknownIncidentType" in handed_over.stdout
        assert scene.statistics()["escalated_most"] == [
            {
                "type": "Unheard",
                "escalated": {"count": 1, "of": 1, "rate": 1.0},
                "reasons": {"UnknownIncidentType": 1},
            }
        ]
