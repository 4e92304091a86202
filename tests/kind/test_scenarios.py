"""Incidents of the catalogue, killed leaders, and a storm: the operator in its pods, and real systemd hosts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.e2e.scenes import RUNBOOK, patient
from tests.e2e.test_playbook import PLAYBOOK
from tests.e2e.truth import actions, assert_nothing_ran, claims, invocation, starts
from tests.kind.test_installed import leader, report
from tests.kind.test_replicas import NAMESPACE, leader_killed
from tests.testbed import surroundings
from tests.testbed.hosts import Host, Hosts
from tests.testbed.kind.cluster import KindCluster
from tests.testbed.stage import RUNBOOKS, Stage, quick, shipped

pytestmark = pytest.mark.timeout(1200)

STORM = 30


def target(host: Host) -> list[dict[str, str]]:
    return [{"role": "target", "name": host.name}]


def approve(stage: Stage, incident: str) -> None:
    stage.review(stage.request_of(incident))


# --- The catalogue ----------------------------------------------------------------------------------------------------


def test_a_miner_goes_to_security_and_nothing_runs(stage: Stage, host: Host) -> None:
    stage.add_runbook(quick(shipped()))
    before = invocation(host)
    host.mine()
    status = stage.wait_until_ended(stage.open_incident("miner-1", hosts=target(host)))
    assert (status["escalation"]["reason"], status["escalation"]["to"]) == ("SecurityIncident", ["security"])
    assert_nothing_ran(host, before)


def test_a_full_disk_is_freed_after_approval(hosts: Hosts, stage: Stage) -> None:
    [host] = surroundings.small_disk(hosts, stage).values()
    surroundings.fill_with_logs(host, journal=4)
    stage.add_runbook(quick(shipped(RUNBOOKS / "disk-full.yaml")))
    alert = {"name": "HostOutOfDiskSpace", "labels": {"mountpoint": "/var/log"}}
    about: dict[str, Any] = {"type": "DiskFull", "service": surroundings.REPORTS, "hosts": target(host)}
    incident = stage.open_incident("disk-1", **about, alert=alert, parameters={"retention": "2d"})
    stage.wait_for_phase(incident, "AwaitingApproval")
    assert (used(host), actions(host)) == (95, [])
    approve(stage, incident)
    stage.wait_for_phase(incident, "Resolved")
    assert actions(host) == ["journal-vacuum", "logrotate"]
    assert used(host) < 80
    host.stop()


def used(host: Host) -> int:
    """The percent of /var/log that is used."""
    return int(host.run(["df", "--output=pcent", "/var/log"]).stdout.split()[-1].rstrip("%"))


def test_the_cause_found_by_a_playbook_is_fixed_by_its_runbook(stage: Stage, host: Host) -> None:
    stage.add_runbook(RUNBOOK)
    stage.add_runbook(PLAYBOOK)
    host.degrade()
    incident = stage.open_incident("down-1", type="ServiceDown", hosts=target(host))
    stage.wait_for_phase(incident, "AwaitingApproval")
    approve(stage, incident)
    status = stage.wait_for_phase(incident, "Resolved")
    assert status["playbookRevisionRef"]["runbook"] == "service-down"
    assert (starts(host), actions(host)) == (2, ["restart-unit"])


# --- A leader is killed -----------------------------------------------------------------------------------------------


def while_triaging(kind: KindCluster, stage: Stage, host: Host) -> str:
    """The host stands still, so that a diagnostic waits for its answer."""
    host.freeze()
    try:
        incident = report(stage, f"leak-{host.name}", host)
        stage.wait_for_phase(incident, "Triaging")
        leader_killed(kind)
    finally:
        host.thaw()
    approve(stage, incident)
    return incident


def while_it_awaits_approval(kind: KindCluster, stage: Stage, host: Host) -> str:
    incident = report(stage, f"leak-{host.name}", host)
    stage.wait_for_phase(incident, "AwaitingApproval")
    stage.request_of(incident)
    leader_killed(kind)
    approve(stage, incident)
    return incident


def while_verifying(kind: KindCluster, stage: Stage, host: Host) -> str:
    incident = report(stage, f"leak-{host.name}", host)
    approve(stage, incident)
    stage.wait_for_phase(incident, "Verifying")
    leader_killed(kind)
    assert stage.phase(incident) == "Verifying", "the leader was killed too late"
    return incident


# While Acting: tests/kind/test_replicas.py.
@pytest.mark.parametrize("killed", [while_triaging, while_it_awaits_approval, while_verifying])
def test_a_leader_killed_in_a_phase_costs_no_second_restart(
    kind: KindCluster, stage: Stage, host: Host, killed: Callable[[KindCluster, Stage, Host], str]
) -> None:
    stage.add_runbook(patient("8s"))
    host.degrade()
    incident = killed(kind, stage, host)
    status = stage.wait_for_phase(incident, "Resolved", 180)
    assert claims(host) == [attempt["id"] for attempt in status["attempts"]]
    assert (starts(host), actions(host), host.health()) == (2, ["restart-unit"], 200)


# --- A storm ----------------------------------------------------------------------------------------------------------


def test_a_storm_ends_well_while_replicas_are_killed_in_turn(kind: KindCluster, stage: Stage, hosts: Hosts) -> None:
    pool = [hosts.start(f"storm-0{number}") for number in (1, 2)]
    stage.add_runbook(patient("5s"))
    for host in pool:
        stage.add_host(host)
        host.degrade()
    names = [report(stage, f"storm-{at}", pool[at % 2]) for at in range(STORM)]

    kills = 0
    while not all(stage.ended(name) for name in names):
        stage.approve_all()
        if kills < 4 and (leads := leader(kind)):
            kind.kubectl("delete", "pod", NAMESPACE, leads, "--grace-period=0", "--force")
            kills += 1
            stage.wait(lambda: leader(kind) not in {"", leads}, "another leader", 120)

    assert kills > 1
    phases = {name: stage.phase(name) for name in names}
    assert set(phases.values()) == {"Resolved"}, phases
    for host in pool:
        assert (starts(host), actions(host)) == (2, ["restart-unit"])
    assert {attempt for host in pool for attempt in claims(host)} <= stage.approved_attempts()
    for host in pool:
        host.stop()
