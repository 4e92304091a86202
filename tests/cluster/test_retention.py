"""Ended incidents leave a real API server for an archive, and never before the archive has them."""

from __future__ import annotations

import json
import shutil
import ssl
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from firstresponder.api.base import format_time
from firstresponder.api.incident import KEEP
from firstresponder.kube.permissions import OPERATOR_USER
from tests.testbed import certificates
from tests.testbed.certificates import Certificates
from tests.testbed.cluster import ALICE
from tests.testbed.operator import ROOT, Operator
from tests.testbed.stage import Stage

ARCHIVE = ROOT / "deploy" / "archive"
DIGEST = "sha256:" + "a" * 64


class Archive:
    """A namespace whose operator archives into a directory."""

    def __init__(self, stage: Stage, directory: Path) -> None:
        self.stage = stage
        self.files = directory / "archive"
        self.files.mkdir()
        self._directory = directory

    def operator(self, *program: str, options: Sequence[str] = (), lease: str | None = None) -> Operator:
        """One that archives into the directory, unless ``options`` say where."""
        return Operator(
            self.stage.cluster,
            self.stage.namespace,
            self._directory / "operator",
            program=program or ("firstresponder.main",),
            options=options or [f"--archive=file://{self.files}"],
            preloaded=not program,
            lease=lease,
        )

    def grant(self) -> None:
        """The right that an administrator gives in addition."""
        self.stage.cluster.apply(ARCHIVE, namespace=self.stage.namespace)
        what = {"verb": "delete", "resource": "incidents"}
        self.stage.cluster.wait_until_allowed({"user": OPERATOR_USER}, self.stage.namespace, what)

    def keep(self, **retention: Any) -> None:
        path = self.stage.path("escalationpolicies", "default")
        self.stage.cluster.api().patch(path, {"spec": {"retention": retention}})

    def ended(self, name: str, days: float, *, revision: str = DIGEST) -> str:
        """An incident that ended so many days ago, as the operator would have left it; it must not be running."""
        self.stage.open_incident(name)
        moment = format_time(datetime.now(UTC) - timedelta(days=days))
        closed = {
            "type": "Closed", "status": "True", "reason": "Resolved", "message": "", "lastTransitionTime": moment,
        }  # fmt: skip
        status = {
            "phase": "Resolved",
            "observedGeneration": 1,
            "conditions": [closed],
            "runbookRevisionRef": {"runbook": "high-cpu", "name": f"high-cpu-{revision[-8:]}", "digest": revision},
        }
        path = f"{self.stage.path('incidents', name)}/status"
        self.stage.cluster.api().patch(path, {"status": status})
        return name

    def asked(self, incident: str, name: str) -> str:
        """A request of that incident, as the operator would have made it."""
        operator = self.stage.cluster.api_with(self.stage.cluster.operator_token())
        uid = self.stage.get("incidents", incident)["metadata"]["uid"]
        owner = {"apiVersion": "firstresponder.dev/v1alpha1", "kind": "Incident", "name": incident, "uid": uid}
        spec = {
            "incidentRef": {"name": incident, "uid": uid},
            "actionClass": "restart-unit",
            "packet": {},
            "packetDigest": DIGEST,
            "requestedBy": OPERATOR_USER,
            "requiredApprovals": 1,
            "expirationTime": "2026-03-14T04:00:00Z",
        }
        body = {
            "apiVersion": "firstresponder.dev/v1alpha1",
            "kind": "ApprovalRequest",
            "metadata": {"name": name, "ownerReferences": [owner]},
            "spec": spec,
        }
        operator.create(self.stage.path("approvalrequests"), body)
        return name

    @property
    def lines(self) -> list[dict[str, Any]]:
        files = sorted(self.files.iterdir()) if self.files.is_dir() else []
        return [json.loads(line) for file in files for line in file.read_text().splitlines()]

    @property
    def archived(self) -> list[str]:
        return [each["incident"]["metadata"]["name"] for each in self.lines]

    @property
    def stored(self) -> list[str]:
        return self.names("incidents")

    def names(self, plural: str) -> list[str]:
        items = self.stage.cluster.api().get(self.stage.path(plural))["items"]
        return [each["metadata"]["name"] for each in items]

    def wait_until_stored(self, *names: str) -> None:
        self.stage.wait(lambda: self.stored == sorted(names), f"only {names} to be stored")

    def deletions(self) -> list[tuple[str, int]]:
        """Name and answer of each deletion that the operator asked for."""
        writes = self.stage.cluster.writes(namespace=self.stage.namespace, user=OPERATOR_USER)
        return [(each.name, each.code) for each in writes if each.verb == "delete"]


@pytest.fixture
def archive(stage: Stage, tmp_path: Path) -> Archive:
    made = Archive(stage, tmp_path)
    made.grant()
    return made


def test_what_is_due_is_archived_with_its_requests_and_deleted_and_the_rest_stays(archive: Archive) -> None:
    stage = archive.stage
    archive.keep(after="30d", keepLast=2)
    for name, days in (("one", 60), ("two", 50), ("three", 45), ("four", 40)):
        archive.ended(name, days)
    archive.ended("alone", 90, revision="sha256:" + "b" * 64)
    archive.asked("one", "one-first")
    archive.asked("one", "one-second")
    before = stage.get("incidents", "one")
    with archive.operator() as operator:
        archive.wait_until_stored("three", "four", "alone")
        stage.wait(lambda: "one-first" not in archive.names("approvalrequests"), "the requests to be collected")
        assert operator.running
    assert archive.archived == ["one", "two"]
    del before["metadata"]["managedFields"]
    line = archive.lines[0]
    assert line["incident"] == before
    requests = {each["metadata"]["name"]: each["spec"]["incidentRef"]["name"] for each in line["approvalRequests"]}
    assert requests == {"one-first": "one", "one-second": "one"}
    assert archive.deletions() == [("one", 200), ("two", 200)]


def test_a_standby_archives_and_deletes_nothing_before_it_leads(archive: Archive, tmp_path: Path) -> None:
    stage = archive.stage
    archive.keep(after="7d", keepLast=0)
    archive.ended("old", 20)
    with Operator(stage.cluster, stage.namespace, tmp_path / "leader", lease=stage.namespace, preloaded=True) as leader:
        stage.wait(lambda: leader.leads, "it to lead")
        with archive.operator(lease=stage.namespace) as standby:
            stage.wait(lambda: standby.health("/readyz")[0] == 200, "the standby to be ready")
            stage.wait_until_ended(stage.open_incident("fresh", type="Unheard"))
            assert (archive.archived, archive.stored) == ([], ["fresh", "old"])
            leader.stop()
            archive.wait_until_stored("fresh")
    assert archive.archived == ["old"]


def test_an_incident_that_ends_while_it_runs_goes_when_the_policy_says_so(archive: Archive) -> None:
    archive.ended("old", 20)
    with archive.operator() as operator:
        archive.stage.wait_until_ended(archive.stage.open_incident("fresh", type="Unheard"))
        archive.keep(after="7d", keepLast=0)
        archive.wait_until_stored("fresh")
        assert operator.running


def test_while_the_archive_is_not_there_nothing_is_deleted_and_the_policy_says_so(archive: Archive) -> None:
    stage = archive.stage
    archive.keep(after="30d", keepLast=0)
    archive.ended("old", 60)
    archive.files.rmdir()
    with archive.operator() as operator:
        [event] = stage.events("ArchiveFailed")
        assert event["regarding"]["kind"] == "EscalationPolicy"
        assert "no such directory: mount the archive's volume there" in event["note"]
        stage.wait_until_ended(stage.open_incident("fresh", type="Unheard"))
        assert archive.stored == ["fresh", "old"]
        assert archive.deletions() == []
        assert operator.log.count("ended incidents stay") == 1
        archive.files.mkdir()
        operator.restart()  # the next try is minutes away
        archive.wait_until_stored("fresh")
    assert archive.archived == ["old"]


def test_a_kill_between_the_archive_and_the_deletion_archives_twice_and_deletes_once(archive: Archive) -> None:
    stage = archive.stage
    archive.keep(after="30d", keepLast=0)
    archive.ended("old", 60)
    killed = archive.operator("tests.testbed.crashing", "after:write")
    killed.launch()
    assert killed.wait() == -9
    assert (archive.archived, archive.stored) == (["old"], ["old"])
    with archive.operator():
        archive.wait_until_stored()
    assert archive.archived == ["old", "old"]
    assert archive.deletions() == [("old", 200)]
    environment = stage.cluster.environment(ALICE)
    assert shutil.which("kubectl", path=environment["PATH"])
    [file] = archive.files.iterdir()
    told = stage.cluster.kubectl(
        "incident", "stats", "-n", stage.namespace, "-o", "json", "--archive", file, user=ALICE
    )
    assert json.loads(told.stdout)["total"]["incidents"] == 1
    assert "lines that repeat an incident" in told.stderr


@contextmanager
def endpoint(identity: Certificates, statuses: list[int]) -> Iterator[tuple[str, list[tuple[str, dict[str, Any]]]]]:
    """An HTTPS endpoint that answers with these one after the other; its address, and what it was sent with which
    token."""
    received: list[tuple[str, dict[str, Any]]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            received.append((self.headers["Authorization"], json.loads(body)))
            self.send_response(statuses[len(received) - 1])
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(identity.serving_certificate, identity.serving_key)
        server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"https://127.0.0.1:{server.server_port}/incidents", received
        finally:
            server.shutdown()


def test_an_endpoint_that_answers_500_gets_it_again_and_nothing_is_deleted_before_it_has_it(
    archive: Archive, tmp_path: Path
) -> None:
    stage = archive.stage
    archive.keep(after="30d", keepLast=0)
    archive.ended("old", 60)
    (tmp_path / "token").write_text("a-token")
    identity = certificates.issue(tmp_path)
    with endpoint(identity, [500, 201]) as (url, received):
        files = [f"--archive-token-file={tmp_path}/token", f"--archive-ca-file={identity.authority}"]
        with archive.operator(options=[f"--archive={url}", *files]) as operator:
            [event] = stage.events("ArchiveFailed")
            assert f"{url} answered 500: see its own log" in event["note"]
            assert (archive.stored, archive.deletions()) == (["old"], [])
            operator.restart()  # the next try is a minute away
            archive.wait_until_stored()
    assert [token for token, _ in received] == ["Bearer a-token"] * 2
    assert {line["incident"]["metadata"]["name"] for _, line in received} == {"old"}


def test_a_torn_line_of_a_crash_is_repaired(archive: Archive) -> None:
    archive.keep(after="30d", keepLast=0)
    archive.ended("old", 60)
    torn = archive.files / f"incidents-{datetime.now(UTC):%Y-%m}.jsonl"
    torn.write_text('{"archived":"2026-06-01T00:0')
    with archive.operator():
        archive.wait_until_stored()
    assert archive.archived == ["old"]


def test_an_incident_that_somebody_looks_at_stays_until_that_is_taken_back(archive: Archive) -> None:
    stage = archive.stage
    archive.keep(after="30d", keepLast=0)
    archive.ended("kept", 60)
    archive.ended("old", 50)
    path = stage.path("incidents", "kept")
    stage.cluster.api(ALICE).patch(path, {"metadata": {"annotations": {KEEP: "alice reads it"}}})
    with archive.operator():
        archive.wait_until_stored("kept")
        stage.cluster.api(ALICE).patch(path, {"metadata": {"annotations": {KEEP: None}}})
        archive.wait_until_stored()
    assert archive.archived == ["old", "kept"]


def test_one_that_changes_after_it_was_archived_is_not_deleted_as_it_was(archive: Archive, tmp_path: Path) -> None:
    stage = archive.stage
    archive.keep(after="30d", keepLast=0)
    archive.ended("old", 60)
    held = tmp_path / "held"
    with archive.operator("tests.testbed.crashing", f"after:write@{held}"):
        stage.wait(held.exists, "the line to be written")
        path = stage.path("incidents", "old")
        stage.cluster.api(ALICE).patch(path, {"metadata": {"annotations": {KEEP: "alice reads it"}}})
        held.unlink()
        stage.wait(lambda: archive.deletions() == [("old", 409)], "the deletion to be refused")
        stage.wait_until_ended(stage.open_incident("fresh", type="Unheard"))
        assert archive.stored == ["fresh", "old"]
        stage.cluster.api(ALICE).patch(path, {"metadata": {"annotations": {KEEP: None}}})
        archive.wait_until_stored("fresh")
    assert archive.archived == ["old", "old"]
    assert archive.deletions() == [("old", 409), ("old", 200)]


def test_without_the_right_it_does_not_start_and_names_what_grants_it(stage: Stage, tmp_path: Path) -> None:
    archive = Archive(stage, tmp_path)
    operator = archive.operator()
    operator.launch()
    assert operator.wait() == 3
    command = f"kubectl apply --server-side --namespace {stage.namespace} --filename deploy/archive/"
    assert f"may not delete incidents in namespace {stage.namespace}: {command}" in operator.log


def test_without_an_archive_the_operator_may_delete_nothing_and_does_not(stage: Stage, tmp_path: Path) -> None:
    archive = Archive(stage, tmp_path)
    archive.keep(after="1d", keepLast=0)
    archive.ended("old", 400)
    with Operator(stage.cluster, stage.namespace, tmp_path / "operator", preloaded=True):
        stage.wait_until_ended(stage.open_incident("fresh", type="Unheard"))
    assert (archive.stored, archive.deletions()) == (["fresh", "old"], [])
    what = {"verb": "delete", "resource": "incidents", "group": "firstresponder.dev", "namespace": stage.namespace}
    review = {"kind": "SubjectAccessReview", "spec": {"user": OPERATOR_USER, "resourceAttributes": what}}
    answer = stage.cluster.api().create("/apis/authorization.k8s.io/v1/subjectaccessreviews", review)
    assert answer["status"]["allowed"] is False
