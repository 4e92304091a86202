"""The runbook that docs/runbook-guide.md builds, on the worker that it is for: which hangs, or whose relay is gone."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.e2e import truth
from tests.e2e.scenes import EmptyScene, Scenes
from tests.testbed import surroundings
from tests.testbed.hosts import Host
from tests.testbed.stage import ROOT, quick, shipped

pytestmark = pytest.mark.slow

EXAMPLE = ROOT / "examples" / "mail-worker.yaml"
UNIT = f"{surroundings.MAILS}.service"


@contextmanager
def delivered(scenes: Scenes, mode: str) -> Iterator[tuple[EmptyScene, Host, Host]]:
    """A scene with the runbook in that mode, its worker and its relay."""
    runbook = quick(shipped(EXAMPLE))
    runbook["spec"]["mode"] = mode
    with scenes.empty() as scene:
        cast = surroundings.mail_worker(scene.hosts, scene.stage)
        scene.operator()
        scene.stage.add_runbook(runbook)
        yield scene, cast[surroundings.MAIL_HOST], cast[surroundings.RELAY]


def report(scene: EmptyScene, host: Host, waiting: int = 20) -> str:
    """The incident, once so many mails wait and none was sent for as long as the runbook looks back."""
    count = ["sh", "-c", "ls /var/spool/mail-worker | wc -l"]
    sent = ["journalctl", f"--unit={UNIT}", "--since=-10s", "--grep=^sent mail", "--quiet"]
    scene.stage.wait(lambda: int(host.run(count).stdout) > waiting, "mails to pile up")
    scene.stage.wait(lambda: host.run(sent, check=False).stdout == "", "no mail to be sent for 10 s")
    return scene.stage.open_incident(
        "mails-1",
        type="MailBacklog",
        service=surroundings.MAILS,
        hosts=[{"role": "target", "name": host.name}],
        summary="mails are late",
        parameters={"maxWaiting": waiting, "silence": "10s"},
    )


def verdicts(status: dict[str, Any]) -> dict[str, str]:
    return {each["name"]: each["verdict"] for each in status["hypotheses"] if each["kind"] == "Hypothesis"}


def test_a_worker_that_hangs_is_restarted_and_works_off_its_queue(scenes: Scenes) -> None:
    with delivered(scenes, "Approve") as (scene, host, _):
        host.order("hang")
        before = truth.invocation(host, UNIT)
        incident = report(scene, host)
        packet = scene.stage.wait_for_phase(incident, "AwaitingApproval")["decisionPacket"]
        assert packet["bound"]["hypothesis"] == "worker-hangs"
        assert packet["bound"]["acknowledge"] == ["One mail may go out twice."]
        assert any("experiment worker" in each for each in packet["shown"]["findings"]["evidence"])
        assert truth.actions(host) == []
        scene.approve(incident)
        status = scene.stage.wait_for_phase(incident, "Resolved")
        assert {each["name"]: each["holds"] for each in status["verification"]["criteria"]} == {
            "shrinking": True,
            "sending": True,
            "running": True,
        }
        assert truth.actions(host) == ["restart-unit"]
        assert truth.invocation(host, UNIT) != before


def test_in_mode_observe_it_says_what_it_would_do_and_does_nothing(scenes: Scenes) -> None:
    with delivered(scenes, "Observe") as (scene, host, _):
        host.order("hang")
        before = truth.invocation(host, UNIT)
        status = scene.escalated(report(scene, host), "ManualActionRequired")
        assert status["escalation"]["message"] == (
            "in mode Observe nothing is carried out; otherwise it would restart mail-worker.service on mail-01"
        )
        assert status["decisionPacket"]["bound"]["proposedAction"]["target"] == UNIT
        assert "approvalRequestRef" not in status
        truth.assert_nothing_ran(host, before, UNIT)


def test_a_relay_that_is_down_is_not_mended_by_restarting_the_worker(scenes: Scenes) -> None:
    with delivered(scenes, "Approve") as (scene, host, relay):
        relay.run(["systemctl", "stop", "relay.service"])
        before = truth.invocation(host, UNIT)
        status = scene.escalated(report(scene, host), "ManualActionRequired")
        assert status["escalation"]["humanAction"].startswith("Bring back mail-relay")
        assert verdicts(status) == {"relay-down": "Holds", "worker-hangs": "Refuted", "too-many-mails": "Refuted"}
        truth.assert_nothing_ran(host, before, UNIT)
