"""``kubectl approve`` and ``kubectl deny`` as a person meets them, with a cluster in memory."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result

from firstresponder.api.approvalrequest import ApprovalRequest, Review
from firstresponder.api.base import JSON, conditions_with
from firstresponder.api.incident import Incident
from firstresponder.cli.kubectl import Cluster, Refused
from firstresponder.cli.plugins.approve import approve, deny
from tests.revisions import revision_of
from tests.unit.cli.nowhere import NOWHERE
from tests.unit.incident.test_derivation import FORGERIES, Forgery, runs_another_unit, swap
from tests.unit.incident.world import World, awaiting_approval

ALICE = "alice@example.com"


class InMemory(Cluster):
    """A cluster that holds one incident and its request, and remembers what was written."""

    def __init__(self, world: World) -> None:
        super().__init__(NOWHERE, namespace="prod")
        assert world.request is not None
        self.user = ALICE
        self.incidents = {world.incident.name: world.incident}
        self.requests = {world.request.name: world.request}
        stored = revision_of("high-cpu", world.runbook["spec"])
        self.revisions: dict[str, Mapping[str, JSON]] = {stored.name: stored.data}
        self.written: list[tuple[str, str, Review]] = []
        self.refusal = ""

    def whoami(self) -> str:
        return self.user

    def incident(self, name: str) -> Incident | None:
        return self.incidents.get(name)

    def request(self, name: str) -> ApprovalRequest | None:
        return self.requests.get(name)

    def revision(self, name: str) -> Mapping[str, JSON] | None:
        return self.revisions.get(name)

    def review(self, name: str, user: str, review: Review) -> ApprovalRequest:
        if self.refusal:
            raise Refused(self.refusal)
        self.written.append((name, user, review))
        spec = self.requests[name].spec
        self.change(name, reviews={**spec.reviews, user: review})
        return self.requests[name]

    def change(self, name: str, **spec: Any) -> None:
        """Change the request behind everybody's back."""
        request = self.requests[name]
        self.requests[name] = request.model_copy(update={"spec": request.spec.model_copy(update=spec)})


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> InMemory:
    return use(monkeypatch, awaiting_approval(now=datetime.now(UTC).replace(microsecond=0)))


def use(monkeypatch: pytest.MonkeyPatch, world: World) -> InMemory:
    made = InMemory(world)
    monkeypatch.setattr(Cluster, "connect", lambda *_: made)
    return made


def run(command: click.Command, *arguments: str, answers: str = "") -> Result:
    result = CliRunner().invoke(command, arguments, input=answers, env={"COLUMNS": "80"})
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


def test_a_packet_is_shown_in_full_and_approved_after_yes(cluster: InMemory) -> None:
    result = run(approve, "high-cpu-1-1", "--comment", "checked", answers="yes\n")
    assert result.exit_code == 0
    request = cluster.requests["high-cpu-1-1"]
    expected = Review(verdict="Approved", packet_digest=request.spec.packet_digest, comment="checked")
    assert cluster.written == [("high-cpu-1-1", ALICE, expected)]
    shown = re.sub(r"\s+", "", result.output)
    for value in leaves(request.spec.packet["bound"]):
        if not re.fullmatch(r"restartUnit|target|[0-9T:-]+Z", value):
            assert re.sub(r"\s+", "", value) in shown, f"{value} is bound, but not shown"
    assert "out of memory × 9" in result.output
    assert "0 of 1 approvals given, 1 still needed" in result.output
    assert "kubectl incident describe high-cpu-1 -n prod" in result.output


def leaves(value: Any) -> list[str]:
    match value:
        case dict():
            return [leaf for each in value.values() for leaf in leaves(each)]
        case list():
            return [leaf for each in value for leaf in leaves(each)]
    return [str(value)]


def forged(monkeypatch: pytest.MonkeyPatch, forgery: Forgery) -> InMemory:
    world = awaiting_approval(now=datetime.now(UTC).replace(microsecond=0))
    swap(world, forgery)
    return use(monkeypatch, world)


@pytest.mark.parametrize("forgery", FORGERIES)
def test_a_packet_that_its_runbook_does_not_lead_to_is_put_to_nobody(
    monkeypatch: pytest.MonkeyPatch, forgery: Forgery
) -> None:
    cluster = forged(monkeypatch, forgery)
    result = run(approve, "high-cpu-1-1", answers="yes\nyes\n")
    assert (result.exit_code, cluster.written) == (1, [])
    assert "do not trust ApprovalRequest high-cpu-1-1" in result.output
    assert "Type yes" not in result.output


def test_a_forged_packet_may_still_be_denied(monkeypatch: pytest.MonkeyPatch) -> None:
    cluster = forged(monkeypatch, runs_another_unit)
    assert run(deny, "high-cpu-1-1", answers="yes\n").exit_code == 0
    assert [review.verdict for _, _, review in cluster.written] == ["Denied"]


def test_without_the_pinned_runbook_nothing_can_be_approved_for_nothing_can_be_derived(cluster: InMemory) -> None:
    cluster.revisions.clear()
    result = run(approve, "high-cpu-1-1", answers="yes\n")
    assert (result.exit_code, cluster.written) == (1, [])
    assert "is gone or no longer holds what the incident recorded" in result.output


def test_a_request_of_an_incident_that_was_deleted_cannot_be_approved(cluster: InMemory) -> None:
    made = cluster.incidents["high-cpu-1"]
    other = made.metadata.model_copy(update={"uid": "another"})
    cluster.incidents["high-cpu-1"] = made.model_copy(update={"metadata": other})
    result = run(approve, "high-cpu-1-1", answers="yes\n")
    assert (result.exit_code, cluster.written) == (1, [])
    assert "is for an incident high-cpu-1 that was deleted" in result.output


@pytest.mark.parametrize("answers", ["no\n", "y\n", "\n", ""])
def test_anything_but_yes_writes_nothing(cluster: InMemory, answers: str) -> None:
    result = run(approve, "high-cpu-1-1", answers=answers)
    assert (result.exit_code, cluster.written) == (1, [])
    assert "nothing was written" in result.output


def test_a_denial_is_written_with_its_comment(cluster: InMemory) -> None:
    result = run(deny, "high-cpu-1-1", "--comment", "not during the sale", answers="yes\n")
    assert result.exit_code == 0
    assert [(review.verdict, review.comment) for _, _, review in cluster.written] == [("Denied", "not during the sale")]
    assert "Nothing will run" in result.output


def with_acknowledgements(world: World) -> World:
    restart = next(each for each in world.runbook["spec"]["actions"] if each["name"] == "restart")
    restart["approval"]["acknowledge"] = ["open requests are lost", "caches are cold for an hour"]
    world.settle()
    return world


def test_each_text_to_acknowledge_is_asked_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    cluster = use(monkeypatch, with_acknowledgements(World(now=datetime.now(UTC).replace(microsecond=0))))
    result = run(approve, "high-cpu-1-1", answers="yes\nno\n")
    assert (result.exit_code, cluster.written) == (1, [])
    assert "Do you accept: open requests are lost?" in result.output
    assert "Do you accept: caches are cold for an hour?" in result.output
    assert run(approve, "high-cpu-1-1", answers="yes\nyes\nyes\n").exit_code == 0
    assert len(cluster.written) == 1


def test_a_denial_acknowledges_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    cluster = use(monkeypatch, with_acknowledgements(World(now=datetime.now(UTC).replace(microsecond=0))))
    assert run(deny, "high-cpu-1-1", answers="yes\n").exit_code == 0
    assert len(cluster.written) == 1


def test_yes_on_the_command_line_answers_every_question(cluster: InMemory) -> None:
    result = run(approve, "high-cpu-1-1", "--yes")
    assert (result.exit_code, len(cluster.written)) == (0, 1)
    assert "Type yes" not in result.output
    assert "restart api-gateway.service on api-gateway-03" in result.output


@pytest.mark.parametrize("name", ["high-cpu-1", "incident/high-cpu-1", "incident.firstresponder.dev/high-cpu-1"])
def test_an_incident_s_name_finds_its_open_request(cluster: InMemory, name: str) -> None:
    assert run(approve, name, "--yes").exit_code == 0
    assert [request for request, _, _ in cluster.written] == ["high-cpu-1-1"]


def test_a_name_that_is_both_incident_and_request_must_be_said_more_clearly(cluster: InMemory) -> None:
    cluster.incidents["high-cpu-1-1"] = cluster.incidents["high-cpu-1"]
    result = run(approve, "high-cpu-1-1", "--yes")
    assert (result.exit_code, cluster.written) == (1, [])
    assert "approvalrequest/high-cpu-1-1 or incident/high-cpu-1-1" in result.output
    assert run(approve, "apr/high-cpu-1-1", "--yes").exit_code == 0


def test_an_incident_that_asks_for_nothing_says_its_phase(cluster: InMemory) -> None:
    incident = cluster.incidents["high-cpu-1"]
    status = incident.status.model_copy(update={"approval_request_ref": None})
    cluster.incidents["high-cpu-1"] = incident.model_copy(update={"status": status})
    result = run(approve, "high-cpu-1", "--yes")
    assert result.exit_code == 1
    assert "asks for no approval: its phase is AwaitingApproval" in result.output


def test_an_incident_that_names_another_incident_s_request_is_refused(cluster: InMemory) -> None:
    ref = cluster.requests["high-cpu-1-1"].spec.incident_ref.model_copy(update={"uid": "another"})
    cluster.change("high-cpu-1-1", incident_ref=ref)
    result = run(approve, "high-cpu-1", "--yes")
    assert (result.exit_code, cluster.written) == (1, [])
    assert "is for another incident" in result.output


def test_an_unknown_name_is_told_with_the_namespace(cluster: InMemory) -> None:
    result = run(approve, "nope", "--yes")
    assert result.exit_code == 1
    assert "there is no approvalrequest or incident nope in namespace prod" in result.output
    assert cluster.written == []


def test_a_kind_that_cannot_be_approved_is_wrong_usage(cluster: InMemory) -> None:
    assert run(approve, "deployment/web", "--yes").exit_code == 2
    assert cluster.written == []


def closed(cluster: InMemory) -> None:
    request = cluster.requests["high-cpu-1-1"]
    conditions = conditions_with([], "Closed", "True", "Superseded", "it rebooted", generation=1, now=datetime.now(UTC))
    status = request.status.model_copy(update={"conditions": conditions})
    cluster.requests["high-cpu-1-1"] = request.model_copy(update={"status": status})


def expired(cluster: InMemory) -> None:
    cluster.change("high-cpu-1-1", expiration_time=datetime.now(UTC) - timedelta(minutes=1))


def denied(cluster: InMemory) -> None:
    review = Review(verdict="Denied", packet_digest=cluster.requests["high-cpu-1-1"].spec.packet_digest)
    cluster.change("high-cpu-1-1", reviews={"dana@example.com": review})


def being_deleted(cluster: InMemory) -> None:
    request = cluster.requests["high-cpu-1-1"]
    metadata = request.metadata.model_copy(update={"deletion_timestamp": datetime.now(UTC)})
    cluster.requests["high-cpu-1-1"] = request.model_copy(update={"metadata": metadata})


def tampered(cluster: InMemory) -> None:
    packet = json.loads(json.dumps(cluster.requests["high-cpu-1-1"].spec.packet))
    packet["bound"]["rollbackPlan"] = "none"
    cluster.change("high-cpu-1-1", packet=packet)


@pytest.mark.parametrize("command", [approve, deny])
@pytest.mark.parametrize(
    ("change", "words"),
    [
        (closed, "is closed (Superseded): it rebooted"),
        (expired, "expired at "),
        (denied, "already denied by dana@example.com"),
        (being_deleted, "is being deleted"),
        (tampered, "do not trust ApprovalRequest high-cpu-1-1"),
    ],
)
def test_a_request_that_takes_no_answer_is_refused_before_anything_is_asked(
    cluster: InMemory, command: click.Command, change: Callable[[InMemory], None], words: str
) -> None:
    change(cluster)
    result = run(command, "high-cpu-1-1", answers="yes\n")
    assert (result.exit_code, cluster.written) == (1, [])
    assert words in result.output
    assert "Type yes" not in result.output


def test_the_same_answer_again_is_done_already_and_another_is_refused(cluster: InMemory) -> None:
    run(approve, "high-cpu-1-1", "--yes")
    again, otherwise = run(approve, "high-cpu-1-1", "--yes"), run(deny, "high-cpu-1-1", "--yes")
    assert (again.exit_code, otherwise.exit_code, len(cluster.written)) == (0, 1, 1)
    assert "already answered: Approved" in otherwise.output


def test_who_else_answered_and_how_many_are_still_needed_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(now=datetime.now(UTC).replace(microsecond=0))
    spec = world.classes["restart-unit"].spec.model_copy(update={"required_approvals": 2})
    world.classes["restart-unit"] = world.classes["restart-unit"].model_copy(update={"spec": spec})
    world.settle()
    cluster = use(monkeypatch, world)
    first = run(approve, "high-cpu-1-1", "--yes", "--comment", "looks right")
    assert "1 more needed before anything runs" in first.output
    cluster.user = "dana@example.com"
    second = run(approve, "high-cpu-1-1", "--yes")
    assert "1 of 2 approvals given, 1 still needed" in second.output
    assert "Approved by alice@example.com: looks right" in second.output
    assert "The operator checks everything once more" in second.output


def test_the_api_server_s_refusal_is_shown_as_it_is(cluster: InMemory) -> None:
    cluster.refusal = "mallory@example.com may not approve actionclasses/restart-unit in prod"
    result = run(approve, "high-cpu-1-1", "--yes")
    assert result.exit_code == 1
    assert result.stderr == f"Error: {cluster.refusal}\n"


def test_the_kubectl_line_holds_the_same_review_whatever_its_comment_is(cluster: InMemory) -> None:
    comment = 'it\'s "fine"; $(reboot) `x` \\ ü'
    result = run(approve, "high-cpu-1-1", "--yes", "--comment", comment)
    line = next(line for line in result.output.splitlines() if line.startswith("kubectl patch "))
    words = shlex.split(line)
    assert words[:-1] == [
        "kubectl", "patch", "approvalrequests.firstresponder.dev", "high-cpu-1-1", "-n", "prod", "--type=merge", "-p"
    ]  # fmt: skip
    review = cluster.written[0][2]
    assert json.loads(words[-1]) == {"spec": {"reviews": {ALICE: review.wire()}}}


def test_a_comment_that_is_too_long_is_wrong_usage(cluster: InMemory) -> None:
    result = run(approve, "high-cpu-1-1", "--yes", "--comment", "x" * 1025)
    assert (result.exit_code, cluster.written) == (2, [])
    assert "--comment" in result.output


def test_piped_output_is_plain_and_fits_80_columns(cluster: InMemory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    output = run(approve, "high-cpu-1-1", "--yes").output
    assert "\x1b" not in output
    assert [line for line in output.splitlines() if len(line) > 80 and not line.startswith("kubectl patch ")] == []


def test_text_of_a_host_cannot_command_the_terminal(cluster: InMemory) -> None:
    packet = json.loads(json.dumps(cluster.requests["high-cpu-1-1"].spec.packet))
    packet["shown"]["evidence"] = [{"source": "oom", "signal": "\x1b[2J[bold]gone[/bold] :warning: password=hunter2"}]
    cluster.change("high-cpu-1-1", packet=packet)
    output = run(approve, "high-cpu-1-1", "--yes").output
    assert "\x1b" not in output
    assert "\\x1b[2J[bold]gone[/bold] :warning: password=[redacted]" in re.sub(r"\s+", " ", output)
