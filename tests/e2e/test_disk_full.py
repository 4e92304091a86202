"""A disk that is really full: of an old journal and a log that nobody rotates, or of forgotten temporary files."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.e2e import records, truth
from tests.e2e.scenes import EmptyScene, Scenes
from tests.testbed import faults
from tests.testbed.faults import MIB
from tests.testbed.hosts import Host

pytestmark = pytest.mark.slow

SERVICE = "report-service"
SIZE = 64 * MIB


@contextmanager
def small_disk(scenes: Scenes, path: str) -> Iterator[tuple[EmptyScene, Host]]:
    """A scene and its host, where a small file system holds this folder."""
    with scenes.empty() as scene:
        host = scene.hosts.start("app-02", service=SERVICE)
        faults.mount_small(host, path, SIZE)
        scene.stage.add_host(host)
        scene.catalogue("disk-full")
        yield scene, host


def report(scene: EmptyScene, path: str) -> str:
    return scene.stage.open_incident(
        "disk-1",
        type="DiskFull",
        service=SERVICE,
        hosts=[{"role": "target", "name": "app-02"}],
        summary=f"{path} is full on app-02",
        alert={"name": "HostOutOfDiskSpace", "fingerprint": "5f1c", "labels": {"mountpoint": path}},
        parameters={"retention": "2d"},
    )


def used(host: Host, path: str) -> int:
    """The percent of the file system that is used."""
    return int(host.run(["df", "--output=pcent", path]).stdout.split()[-1].rstrip("%"))


@pytest.mark.rule(15)
def test_an_old_journal_is_vacuumed_and_that_is_enough(scenes: Scenes) -> None:
    with small_disk(scenes, "/var/log") as (scene, host):
        faults.keep_journal(host, old=40 * MIB)
        faults.fill_up_to(host, "/var/log/report-service.log", 95)
        incident = report(scene, "/var/log")
        packet = scene.stage.wait_for_phase(incident, "AwaitingApproval")["decisionPacket"]
        assert packet["bound"]["proposedAction"]["methods"] == ["journald-vacuum", "logrotate-force"]
        assert [order["arguments"] for order in packet["bound"]["orders"]] == [["172800"], ["/etc/logrotate.conf"]]
        assert packet["bound"]["acknowledge"][0] == "the impact on running investigations is assessed"
        assert used(host, "/var/log") > 90
        assert truth.actions(host) == []

        scene.approve(incident)
        status = scene.stage.wait_for_phase(incident, "Resolved")
        assert truth.actions(host) == ["journal-vacuum"], "the target was met, the rest is skipped"
        assert used(host, "/var/log") < 80
        assert [attempt["state"] for attempt in status["attempts"]] == ["Succeeded"]
        assert host.run(["journalctl", "--quiet", "--lines=1", "--output=cat"]).stdout, "what is young is kept"


def test_a_log_that_nobody_rotates_is_rotated_after_the_journal_gave_too_little(scenes: Scenes) -> None:
    with small_disk(scenes, "/var/log") as (scene, host):
        faults.keep_journal(host, old=4 * MIB)
        faults.fill_up_to(host, "/var/log/report-service.log", 95)
        host.write("/etc/logrotate.d/report-service", "/var/log/report-service.log {\n  rotate 0\n  size 1G\n}\n")
        incident = report(scene, "/var/log")
        scene.stage.wait_for_phase(incident, "AwaitingApproval")
        scene.approve(incident)
        status = scene.stage.wait_for_phase(incident, "Resolved")
        assert truth.actions(host) == ["journal-vacuum", "logrotate"]
        assert [attempt["state"] for attempt in status["attempts"]] == ["Succeeded", "Succeeded"]
        assert used(host, "/var/log") < 80
        assert {"disk: used", "health: latency"} <= records.plotted(scene.stage, incident)


def test_a_rotation_that_fails_for_another_log_is_judged_by_the_disk(scenes: Scenes) -> None:
    with small_disk(scenes, "/var/log") as (scene, host):
        faults.keep_journal(host, old=4 * MIB)
        faults.fill_up_to(host, "/var/log/report-service.log", 95)
        host.run(["install", "--directory", "--mode=777", "/var/log/open"])
        host.run(["sh", "-c", "echo a line >/var/log/open/other.log"])
        others = "/var/log/open/*.log {\n  rotate 0\n}\n"
        host.write("/etc/logrotate.d/a-other", others)
        host.write("/etc/logrotate.d/report-service", "/var/log/report-service.log {\n  rotate 0\n  size 1G\n}\n")
        incident = report(scene, "/var/log")
        scene.stage.wait_for_phase(incident, "AwaitingApproval")
        scene.approve(incident)
        status = scene.stage.wait_for_phase(incident, "Resolved")
        assert [attempt["state"] for attempt in status["attempts"]] == ["Succeeded", "Failed"]
        assert "insecure permissions" in status["attempts"][1]["message"]
        [acted] = [each for each in status["conditions"] if each["type"] == "Acted"]
        assert (acted["status"], acted["reason"]) == ("True", "TargetMet")
        assert used(host, "/var/log") < 80


def test_forgotten_temporary_files_are_cleaned_away_and_young_ones_stay(scenes: Scenes) -> None:
    with small_disk(scenes, "/tmp") as (scene, host):
        faults.fill(host, "/tmp/forgotten/export", 50 * MIB)
        host.run(["find", "/tmp/forgotten", "-exec", "touch", "--date=40 days ago", "{}", "+"])
        faults.fill(host, "/tmp/young", 9 * MIB)
        host.write("/etc/tmpfiles.d/tmp.conf", "d /tmp 1777 root root m:10d\n")
        incident = report(scene, "/tmp")
        packet = scene.stage.wait_for_phase(incident, "AwaitingApproval")["decisionPacket"]
        assert packet["bound"]["proposedAction"]["methods"] == ["tmpfiles-clean"]
        scene.approve(incident)
        scene.stage.wait_for_phase(incident, "Resolved")
        assert truth.actions(host) == ["tmpfiles-clean"]
        assert host.run(["ls", "/tmp/young"]).stdout
        assert used(host, "/tmp") < 80


def test_a_disk_that_something_else_fills_is_left_to_a_human(scenes: Scenes) -> None:
    with small_disk(scenes, "/srv/data") as (scene, host):
        faults.fill(host, "/srv/data/dumps/monday", 60 * MIB)
        status = scene.escalated(report(scene, "/srv/data"), "UnknownRootCause")
        assert status["parameters"]["mountPoint"] == "/srv/data"
        [largest] = [each for each in status["evidence"] if each["name"] == "largest"]
        assert largest["values"]["paths"][0]["path"] == "/srv/data/dumps"
        assert truth.actions(host) == []


def test_a_disk_without_an_inode_left_is_full_although_its_bytes_are_free(scenes: Scenes) -> None:
    with small_disk(scenes, "/srv/data") as (scene, host):
        host.run(["mount", "-o", "remount,nr_inodes=400", "/srv/data"])
        make = "mkdir -p /srv/data/spool && cd /srv/data/spool && for n in $(seq 500); do : >$n || break; done"
        host.run(["sh", "-c", make], check=False)
        status = scene.escalated(report(scene, "/srv/data"), "ManualActionRequired")
        assert status["escalation"]["message"] == "the cause is too-many-files, which the runbook leaves to people"
        assert "below /srv/data/spool of app-02" in status["escalation"]["humanAction"]
        assert used(host, "/srv/data") < 5
        assert truth.actions(host) == []


@pytest.mark.parametrize("label", ["var/log", "/var/log; rm -rf /", "/var/$(id)"])
def test_a_mount_point_that_an_alert_invents_is_refused(scenes: Scenes, label: str) -> None:
    with small_disk(scenes, "/srv/data") as (scene, host):
        scene.escalated(report(scene, label), "PreconditionFailed")
        assert truth.requested(host) == 0
