"""The debugger on real hosts: the operator's own look, tables read by jc, and an experiment that never answers."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from tests.e2e.scenes import RUNBOOK, Scenes

pytestmark = pytest.mark.slow

SLOW = "import socket, time; s = socket.create_server(('127.0.0.1', 81)); time.sleep(3600)"
"""A server that takes every connection and never says a word."""


def runbook() -> dict[str, Any]:
    changed = copy.deepcopy(RUNBOOK)
    spec = changed["spec"]
    spec["diagnostics"].append(
        {"name": "outside", "http": {"url": "http://$(hosts.target.address)/health", "from": "operator"}}
    )
    spec["hypotheses"][0]["when"] = "health.json.status == 'degraded' && outside.json.status == 'degraded'"
    spec["experiments"] = [
        {"name": "table", "command": {"argv": ["free", "-b"], "output": "jc", "parser": "free"}},
        {"name": "mute", "timeout": "120s", "http": {"url": "http://127.0.0.1:81/"}},
    ]
    return changed


@pytest.mark.rule(24)
def test_experiments_tell_more_of_the_cause_and_delay_the_packet_no_longer_than_they_may(scenes: Scenes) -> None:
    with scenes.open() as scene:
        scene.operator()
        scene.host.run(["systemd-run", "--unit=mute", "/usr/bin/python3", "-c", SLOW])
        incident = scene.incident(runbook())
        status = scene.stage.status(incident)
        evidence = {each["name"]: each for each in status["evidence"]}
        assert {name for name, each in evidence.items() if each.get("experiment")} == {"table", "mute"}
        assert evidence["table"]["values"]["jc"][0]["type"] == "Mem"
        assert evidence["mute"]["unavailable"]["reason"] == "TimedOut"
        assert "all of them had together" in evidence["mute"]["unavailable"]["message"]
        assert (evidence["outside"]["source"], evidence["outside"]["values"]["status"]) == ("operator", 503)
        findings = status["decisionPacket"]["shown"]["findings"]
        assert findings == status["rootCause"]
        assert [each for each in findings["evidence"] if each.startswith("experiment table: {jc: [{")]
        assert [each for each in findings["evidence"] if each.startswith("experiment mute: nothing seen: TimedOut")]
        scene.assert_nothing_ran()
        scene.approve(incident)
        scene.assert_resolved_by_one_restart(incident)
