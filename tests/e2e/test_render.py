"""The page of `kubectl runbook render`, followed by hand on real hosts beside an operator that triages the same fault.

An ordinary user runs the page's commands in the page's order, judges the page's conditions by what they print, comes to
the operator's verdict, carries out the page's steps, and sees the page's criteria hold.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from firstresponder.api.command import CommandOutput
from firstresponder.cli.plugins.runbook import main
from tests.e2e import truth
from tests.e2e.scenes import EmptyScene, Scenes
from tests.testbed import database, surroundings
from tests.testbed.follower import Found, Page, Shell, Verdict, act, decide, look, verify
from tests.testbed.hosts import Host
from tests.testbed.operator import Operator
from tests.testbed.scenarios import SHARED
from tests.testbed.stage import RUNBOOKS, Stage

pytestmark = pytest.mark.slow

PERSON, STRANGER = "oncall", "visitor"


def rendered(
    stage: Stage, directory: Path, runbook: str, service: str, hosts: Mapping[str, str], **given: str | int
) -> Page:
    """The page that the command prints for these hosts (role to name), as the cluster knows them."""
    known = directory / f"{runbook}-hosts.yaml"
    found = [stage.get("hosts", name) for name in hosts.values()]
    known.write_text(
        yaml.safe_dump_all([{key: each[key] for key in ("apiVersion", "kind", "metadata", "spec")} for each in found])
    )
    options = [f"--service={service}", *(f"--host={role}={name}" for role, name in hosts.items())]
    options += [f"--parameter={name}={value}" for name, value in given.items()]
    printed = CliRunner().invoke(main, ["render", str(RUNBOOKS / f"{runbook}.yaml"), str(known), *options])
    assert printed.exit_code == 0, printed.output
    return Page(printed.output)


def people(*hosts: Host) -> tuple[dict[str, Shell], dict[str, Shell]]:
    """A shell on each host for the person on call, who may read the journal and use sudo, and for one who may not."""
    for host in hosts:
        host.run(["useradd", "--create-home", "--shell=/bin/bash", "--groups=systemd-journal", PERSON])
        host.run(["useradd", "--create-home", "--shell=/bin/bash", STRANGER])
        host.write(f"/etc/sudoers.d/{PERSON}", f"{PERSON} ALL=(ALL) NOPASSWD: ALL\n", mode=0o440)
    return _shells(hosts, PERSON), _shells(hosts, STRANGER)


def _shells(hosts: tuple[Host, ...], user: str) -> dict[str, Shell]:
    def shell(host: Host) -> Shell:
        def run(lines: str) -> CommandOutput:
            done = host.run(["su", "--login", user, "--command", lines], timeout=180, check=False)
            return CommandOutput(done.stdout.encode(), done.stderr.encode(), done.returncode)

        return run

    return {host.name: shell(host) for host in hosts}


def of_operator(stage: Stage, incident: str) -> tuple[Verdict, dict[str, Any]]:
    """What the operator concluded, in the words of a page; and the packet, if there is one."""
    stage.wait(
        lambda: stage.ended(incident) or stage.phase(incident) == "AwaitingApproval", "the operator's verdict", 60
    )
    status = stage.status(incident)
    if "decisionPacket" not in status:
        return Verdict("STOP", status["escalation"]["reason"]), {}
    packet = status["decisionPacket"]
    return Verdict("Do", packet["bound"]["proposedAction"]["name"]), packet


def wait_until_verified(stage: Stage, page: Page, found: Found, ended: str, shells: Mapping[str, Shell]) -> None:
    """Until every criterion holds, and then once more."""
    stage.wait(lambda: verify(page, found, ended, shells) == [], "the page's criteria to hold", 120)
    assert verify(page, found, ended, shells) == []


@pytest.mark.quiet
def test_a_leak_is_found_and_restarted_by_hand(stage: Stage, host: Host, operator: Operator, tmp_path: Path) -> None:
    shells, strangers = people(host)
    host.leak()
    page = rendered(stage, tmp_path, "high-cpu", "api-gateway", {"target": host.name}, **SHARED)
    verdict, packet = of_operator(stage, stage.open_incident())
    before = truth.invocation(host)
    shells["CONTROL-NODE"] = strangers["CONTROL-NODE"] = lambda _: CommandOutput(b"", b"no such host", 255)

    found = look(page, shells)
    assert decide(page, found) == verdict == Verdict("Do", "restart")
    assert packet["bound"]["hypothesis"] == "memory-leak"
    seen = {each["name"]: each.get("values", {}) for each in stage.status("high-cpu-1")["evidence"]}
    assert found["oom"]["extracted"] == seen["oom"]["extracted"] == {"request": "/api/v1/reports"}
    assert found["processes"]["own"]["unit"] == seen["processes"]["own"]["unit"] == "api-gateway.service"
    assert "replicas" not in found
    assert decide(page, look(page, strangers)) == Verdict("STOP", "EvidenceUnavailable"), "could not look is not a no"

    ended = act(page, "restart", found, shells)
    assert truth.invocation(host) != before
    wait_until_verified(stage, page, found, ended, shells)
    assert host.health() == 200


@pytest.mark.quiet
def test_a_miner_stops_whoever_follows_the_page(stage: Stage, host: Host, operator: Operator, tmp_path: Path) -> None:
    shells, _ = people(host)
    host.mine()
    page = rendered(stage, tmp_path, "high-cpu", "api-gateway", {"target": host.name}, **SHARED)
    shells["CONTROL-NODE"] = lambda _: CommandOutput(b"", b"no such host", 255)
    verdict, _ = of_operator(stage, stage.open_incident())
    assert decide(page, look(page, shells)) == verdict == Verdict("STOP", "SecurityIncident")


def test_a_full_disk_is_cleaned_by_hand(scenes: Scenes) -> None:
    with scenes.empty() as scene:
        cast = surroundings.small_disk(scene.hosts, scene.stage)
        host = cast[surroundings.REPORTS_HOST]
        surroundings.fill_with_logs(host, journal=4)
        scene.catalogue("disk-full")
        shells, _ = people(host)
        given = {"mountPoint": "/var/log", "retention": "2d"}
        page = rendered(scene.stage, scene.directory, "disk-full", surroundings.REPORTS, {"target": host.name}, **given)
        incident = scene.stage.open_incident(
            "disk-1",
            type="DiskFull",
            service=surroundings.REPORTS,
            hosts=[{"role": "target", "name": host.name}],
            parameters=given,
        )
        verdict, packet = of_operator(scene.stage, incident)
        found = look(page, shells)
        assert decide(page, found) == verdict == Verdict("Do", "free-disk-space")
        assert packet["bound"]["proposedAction"]["methods"] == ["journald-vacuum", "logrotate-force"]

        ended = act(page, "free-disk-space", found, shells)
        wait_until_verified(scene.stage, page, found, ended, shells)
        assert look(page, shells)["disk"]["usedPercent"] < 80
        assert truth.actions(host) == [], "nothing of it was the operator's"


def test_a_database_that_died_is_started_by_hand(scenes: Scenes) -> None:
    with scenes.empty() as scene:
        cast = surroundings.database_and_service(scene.hosts, scene.stage)
        server, client = cast[surroundings.DATABASE], cast[surroundings.APPS[0]]
        scene.catalogue("restore-db-connectivity")
        shells, strangers = people(server, client)
        for user in (PERSON, STRANGER):
            database.query(server, f"CREATE ROLE {user} LOGIN; GRANT pg_monitor TO {user}")
        roles = {"target": client.name, "database": server.name}
        page = rendered(
            scene.stage, scene.directory, "restore-db-connectivity", database.CLIENT, roles, dbUnit=database.UNIT
        )
        found = look(page, shells)
        assert decide(page, found) == Verdict("Verify"), found

        database.crash(server)
        scene.stage.wait(lambda: client.health() == 503, "payroll to suffer")
        verdict, _ = of_operator(scene.stage, _report(scene))
        found = look(page, shells)
        assert decide(page, found) == verdict == Verdict("Do", "restart-database")
        assert found["db"]["error"] == "Refused"
        assert decide(page, look(page, strangers)) == Verdict("STOP", "EvidenceUnavailable")

        before = truth.invocation(server, database.UNIT)
        ended = act(page, "restart-database", found, shells)
        assert truth.invocation(server, database.UNIT) != before
        wait_until_verified(scene.stage, page, found, ended, shells)
        assert (client.health(), truth.actions(server)) == (200, [])


def _report(scene: EmptyScene) -> str:
    return scene.stage.open_incident(
        "db-1",
        type="DBConnectivity",
        service=database.CLIENT,
        hosts=[{"role": "target", "name": surroundings.APPS[0]}],
        parameters={"dbUnit": database.UNIT},
    )


def test_a_pool_is_scaled_out_by_hand(scenes: Scenes) -> None:
    with scenes.empty() as scene:
        cast = surroundings.gateway_pool(scene.hosts, scene.stage)
        host, control = cast[surroundings.GATEWAY_HOST], cast[surroundings.CONTROL]
        shells, _ = people(host, control)
        roles = {"target": host.name, "control-node": control.name}
        page = rendered(scene.stage, scene.directory, "high-cpu", surroundings.GATEWAY, roles)
        found = look(page, shells)
        assert found["replicas"] == {"count": 1, "max": 4}
        # How busy the machine is, is for the tests that run alone: here a person sees that one asks too much of it.
        busy = {"hostCpuPercent": 97.0, "notIdlePercent": 97.0, "cpu": {"iowait": 0.0, "steal": 0.0}, "list": []}
        share = {"unit": "api-gateway.service", "cpuSharePercent": 97.0}
        found["processes"] |= {**busy, "own": share, "topUnit": share, "units": [], "unexplainedSharePercent": 0.0}
        assert decide(page, found) == Verdict("Do", "scale-out")
        act(page, "scale-out", found, shells)
        assert len(surroundings.running(cast, surroundings.GATEWAY)) == 3
        assert look(page, shells)["replicas"]["count"] == 3
