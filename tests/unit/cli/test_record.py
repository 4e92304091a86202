"""``kubectl runbook record``: what it prints, and the exit code that tells whether the case decides the same."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
import yaml
from click.testing import CliRunner, Result

from firstresponder.api.base import JSON
from firstresponder.api.incident import Incident
from firstresponder.cli.kubectl import Cluster
from firstresponder.cli.plugins.runbook import main
from firstresponder.runbooks.revision import digest_of
from tests.unit.incident.world import World, awaiting_approval, incident, leak


class Store:
    """A cluster that holds one incident and the revision that it pinned."""

    def __init__(self, world: World) -> None:
        self._incident, self._data = world.incident, {"spec": world.runbook["spec"]}

    def the_incident(self, name: str) -> Incident:
        del name
        status = self._incident.status
        if (ref := status.runbook_revision_ref) is not None:
            ref = ref.model_copy(update={"digest": digest_of(self._data)})
        return self._incident.model_copy(update={"status": status.model_copy(update={"runbook_revision_ref": ref})})

    def revision(self, name: str) -> Mapping[str, JSON]:
        del name
        return self._data


def record(world: World, monkeypatch: pytest.MonkeyPatch) -> Result:
    monkeypatch.setattr(Cluster, "connect", lambda *_: Store(world))
    return CliRunner().invoke(main, ["record", "high-cpu-1"])


def test_a_case_that_decides_the_same_is_printed_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    result = record(awaiting_approval(), monkeypatch)
    assert (result.exit_code, result.stderr) == (0, "")
    (case,) = yaml.safe_load(result.stdout)["tests"]["cases"]
    assert case["expect"] == {"cause": "memory-leak", "action": "restart"}


OTHERWISE: dict[str, tuple[Any, Any, str]] = {
    "a parameter of its own": (
        {**leak(), "processes": {**leak()["processes"], "hostCpuPercent": 60.0, "notIdlePercent": 60.0}},
        {"cpuThreshold": 50},
        "cause: expected memory-leak, got nothing",
    ),
    "a secret that decided it": (
        {**leak(), "health": {**leak()["health"], "json": {"status": "bob@example.com"}}},
        {},
        "action: expected restart, got nothing",
    ),
}


@pytest.mark.parametrize("why", OTHERWISE)
def test_one_that_decides_otherwise_is_printed_too_and_ends_with_1(why: str, monkeypatch: pytest.MonkeyPatch) -> None:
    values, parameters, words = OTHERWISE[why]
    runbook = World().runbook
    spoilt = "health.json.status != 'well'"
    runbook["spec"]["hypotheses"][0]["when"] += f" && {spoilt}"
    world = awaiting_approval(runbook=runbook, values=values, incident=incident(parameters=parameters))
    result = record(world, monkeypatch)
    assert result.exit_code == 1
    assert yaml.safe_load(result.stdout)["tests"]["cases"]
    assert result.stderr.startswith("Error: the case does not decide as the incident was decided:\n  ")
    assert words in result.stderr
    assert "bob@" not in result.output


def test_one_that_ended_before_triage_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    result = record(World(), monkeypatch)
    assert (result.exit_code, result.stdout) == (1, "")
    assert "incident high-cpu-1 has no runbook: it ended before triage, or is not triaged yet" in result.stderr
