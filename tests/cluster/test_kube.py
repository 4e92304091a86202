"""The room ``kube`` against a real API server, under the operator's own ServiceAccount."""

from __future__ import annotations

import asyncio
import base64
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from firstresponder.api.approvalrequest import SELFTEST_NAME
from firstresponder.api.base import conditions_with
from firstresponder.api.incident import Incident, IncidentStatus, Phase, RevisionReference
from firstresponder.kube import preflight
from firstresponder.kube.approval_policy import POLICY
from firstresponder.kube.client import Client
from firstresponder.kube.connection import from_kubeconfig
from firstresponder.kube.credentials import ALLOWED_NAMESPACES, Credentials, CredentialsUnusable
from firstresponder.kube.errors import ApiError, Conflict, Forbidden, NotFound, Unreachable
from firstresponder.kube.events import Events
from firstresponder.kube.gate import ApprovalGate
from firstresponder.kube.permissions import OPERATOR, OPERATOR_USER, POLICY_NAME, Permission, Scope
from firstresponder.kube.resources import Resources, path_of
from firstresponder.kube.revisions import OWNERS, Revisions
from firstresponder.runbooks.models import Runbook
from firstresponder.runbooks.revision import digest_of
from tests.revisions import revision_of
from tests.testbed import api as testbed_api
from tests.testbed.cluster import Cluster
from tests.testbed.stage import Stage, shipped

NOW = datetime(2026, 3, 14, 3, 7, 12, 345678, tzinfo=UTC)
ADMISSION = "/apis/admissionregistration.k8s.io/v1"
GRANTED_OTHERWISE = {
    "leases",  # tests/testbed/leases.yaml
    "selfsubjectreviews",  # by Kubernetes, to everybody
    "selfsubjectaccessreviews",
}


@pytest.fixture
async def client(cluster: Cluster) -> AsyncIterator[Client]:
    found = Client(from_kubeconfig(cluster.operator_kubeconfig()))
    yield found
    await found.close()


@pytest.fixture
async def incident(client: Client, stage: Stage) -> Incident:
    name = stage.open_incident()
    found = await Resources(client).get(Incident, stage.namespace, name)
    assert found is not None
    return found


async def read(client: Client, incident: Incident) -> Incident:
    found = await Resources(client).get(Incident, incident.namespace, incident.name)
    assert found is not None
    return found


async def write(client: Client, incident: Incident, status: IncidentStatus) -> None:
    await Resources(client).write_status(Incident, incident.metadata, incident.status, status)


def restore_policy(cluster: Cluster) -> None:
    """Exactly the shipped policy again: an apply alone would leave what a test added."""
    for resource in ("validatingadmissionpolicies", "validatingadmissionpolicybindings"):
        with suppress(testbed_api.ApiError):
            cluster.api().delete(f"{ADMISSION}/{resource}/{POLICY_NAME}")
    cluster.install()


async def once(asked: Callable[[], Awaitable[tuple[str, ...]]], holds: Callable[[tuple[str, ...]], bool]) -> Any:
    """The answer once it is as expected: the API server takes a moment to go by changed roles."""
    for _ in range(300):
        if holds(answer := await asked()):
            return answer
        await asyncio.sleep(0.05)
    raise AssertionError(answer)


class TestRequests:
    async def test_the_operator_is_known_by_its_service_account(self, client: Client) -> None:
        assert await preflight.user_name(client) == OPERATOR_USER

    async def test_what_is_not_there_is_none_and_what_is_not_allowed_says_so(
        self, client: Client, namespace: str
    ) -> None:
        assert await Resources(client).get(Incident, namespace, "nobody") is None
        with pytest.raises(Forbidden, match="cannot get resource"):
            await client.get("/api/v1/namespaces/kube-system/secrets/any")

    async def test_a_list_is_read_over_all_of_its_pages(
        self, client: Client, stage: Stage, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("firstresponder.kube.client._PAGE", 2)
        names = {stage.open_incident(f"incident-{n}") for n in range(5)}
        found = await Resources(client).list(Incident, stage.namespace)
        assert {each["metadata"]["name"] for each in found} == names

    async def test_no_answer_is_told_apart_from_a_refusal(self, cluster: Cluster) -> None:
        lost = Client(from_kubeconfig(cluster.operator_kubeconfig(port=1)))
        with pytest.raises(Unreachable):
            await lost.get("/version")
        await lost.close()

    async def test_a_token_that_was_replaced_is_used_at_once(self, cluster: Cluster, tmp_path: Path) -> None:
        kubeconfig = tmp_path / "kubeconfig"
        token = tmp_path / "token"
        token.write_text("worthless")
        original = cluster.operator_kubeconfig()
        kubeconfig.write_text(original.read_text().replace("tokenFile: ", f"tokenFile: {token}\n    # was: "))
        client = Client(from_kubeconfig(kubeconfig))
        with pytest.raises(ApiError, match="401"):
            await preflight.user_name(client)
        cluster.write_operator_token(token)
        assert await preflight.user_name(client) == OPERATOR_USER
        await client.close()


class TestStatus:
    async def test_a_status_written_is_the_status_read(self, client: Client, incident: Incident) -> None:
        conditions = conditions_with([], "Triaged", "False", "Triaging", "now", generation=1, now=NOW)
        reference = RevisionReference(runbook="r", name="r-1", digest="sha256:" + "0" * 64)
        status = IncidentStatus(phase=Phase.TRIAGING, conditions=conditions, runbook_revision_ref=reference)
        await write(client, incident, status)
        found = (await read(client, incident)).status
        assert (found.phase, found.runbook_revision_ref) == (Phase.TRIAGING, reference)
        assert found.conditions[0].last_transition_time == NOW.replace(microsecond=0)

    async def test_what_a_status_no_longer_has_is_gone(self, client: Client, incident: Incident) -> None:
        reference = RevisionReference(runbook="r", name="r-1", digest="sha256:" + "0" * 64)
        await write(client, incident, IncidentStatus(runbook_revision_ref=reference, parameters={"a": "1", "b": "2"}))
        await write(client, await read(client, incident), IncidentStatus(parameters={"b": "2"}))
        found = (await read(client, incident)).status
        assert (found.runbook_revision_ref, found.parameters) == (None, {"b": "2"})

    async def test_a_status_is_not_written_over_an_incident_that_somebody_changed(
        self, client: Client, incident: Incident, stage: Stage
    ) -> None:
        stage.patch_incident(incident.name, abort=True)
        with pytest.raises(Conflict):
            await write(client, incident, IncidentStatus(phase=Phase.ACTING))
        assert (await read(client, incident)).status == IncidentStatus()

    async def test_two_writers_of_the_same_state_are_one(self, client: Client, incident: Incident) -> None:
        await write(client, incident, IncidentStatus(phase=Phase.TRIAGING))
        with pytest.raises(Conflict):
            await write(client, incident, IncidentStatus(phase=Phase.TRIAGING))

    async def test_an_incident_that_is_gone_is_not_brought_back(
        self, client: Client, incident: Incident, cluster: Cluster
    ) -> None:
        cluster.api().delete(path_of(Incident, incident.namespace, incident.name))
        with pytest.raises(NotFound):
            await write(client, incident, IncidentStatus(phase=Phase.ACTING))


class TestRevisions:
    @pytest.fixture
    def runbook(self, stage: Stage) -> Runbook:
        return Runbook.model_validate(stage.apply(shipped()))

    @pytest.fixture
    async def spec(self, runbook: Runbook, stage: Stage) -> dict[str, Any]:
        found: dict[str, Any] = stage.get("runbooks", runbook.name)["spec"]
        return found

    async def test_what_is_stored_keeps_its_digest_through_every_later_patch(
        self, client: Client, runbook: Runbook, spec: dict[str, Any], incident: Incident
    ) -> None:
        revisions, wanted = Revisions(client), revision_of(runbook.name, spec)
        stored = await revisions.ensure(wanted.name, wanted.data, runbook)
        assert stored is not None
        assert digest_of(stored.data) == wanted.digest
        await revisions.add_owners(stored, [incident])
        again = await revisions.get(runbook.namespace, wanted.name)
        assert again is not None
        assert digest_of(again.data) == wanted.digest
        assert again.is_owned_by(runbook.metadata.uid)
        assert again.is_owned_by(incident.metadata.uid)

    async def test_the_same_content_is_stored_once(
        self, client: Client, runbook: Runbook, spec: dict[str, Any], cluster: Cluster
    ) -> None:
        revisions, wanted = Revisions(client), revision_of(runbook.name, spec)
        first = await revisions.ensure(wanted.name, wanted.data, runbook)
        second = await revisions.ensure(wanted.name, wanted.data, runbook)
        assert first == second
        writes = cluster.writes(namespace=runbook.namespace, user=OPERATOR_USER)
        assert [write.verb for write in writes if write.resource == "controllerrevisions"] == ["create"]

    async def test_an_owner_is_not_added_over_somebody_elses_change(
        self, client: Client, runbook: Runbook, spec: dict[str, Any], incident: Incident, cluster: Cluster
    ) -> None:
        revisions, wanted = Revisions(client), revision_of(runbook.name, spec)
        stored = await revisions.ensure(wanted.name, wanted.data, runbook)
        assert stored is not None
        path = f"/apis/apps/v1/namespaces/{runbook.namespace}/controllerrevisions/{wanted.name}"
        cluster.api().patch(path, {"metadata": {"labels": {"somebody": "else"}}})
        with pytest.raises(Conflict):
            await revisions.add_owners(stored, [incident])

    async def test_a_revision_outlives_its_runbook_as_long_as_an_incident_owns_it(
        self, client: Client, runbook: Runbook, spec: dict[str, Any], incident: Incident, stage: Stage
    ) -> None:
        revisions, wanted = Revisions(client), revision_of(runbook.name, spec)
        other = revision_of("unowned", spec)
        stored = await revisions.ensure(wanted.name, wanted.data, runbook)
        await revisions.ensure(other.name, other.data, runbook)
        assert stored is not None
        await revisions.add_owners(stored, [incident])
        stage.cluster.api().delete(stage.path("runbooks", runbook.name))
        listed = f"/apis/apps/v1/namespaces/{stage.namespace}/controllerrevisions"

        def names() -> set[str]:
            return {each["metadata"]["name"] for each in stage.cluster.api().get(listed)["items"]}

        stage.wait(lambda: other.name not in names(), "the collector to take what only the Runbook owned")
        assert names() == {wanted.name}

    async def test_as_many_owners_as_a_revision_may_have_can_be_stored(
        self, client: Client, runbook: Runbook, spec: dict[str, Any], incident: Incident
    ) -> None:
        revisions, wanted = Revisions(client), revision_of(runbook.name, spec)
        stored = await revisions.ensure(wanted.name, wanted.data, runbook)
        assert stored is not None
        others = [
            incident.model_copy(update={"metadata": incident.metadata.model_copy(update={"uid": str(uuid4())})})
            for _ in range(OWNERS)
        ]
        await revisions.add_owners(stored, [*others, incident])
        again = await revisions.get(runbook.namespace, wanted.name)
        assert again is not None
        assert again.is_owned_by(runbook.metadata.uid)
        assert again.is_owned_by(incident.metadata.uid)


class TestEvents:
    async def test_an_event_is_recorded_once_for_a_reason(
        self, client: Client, incident: Incident, stage: Stage
    ) -> None:
        for text in ("first", "again"):
            await Events(client).record(incident, NOW, "SecurityIncident", text, warning=True)
        await Events(client).record(incident, NOW, "Resolved", "ä" * 2000)
        found = stage.cluster.api().get(f"/apis/events.k8s.io/v1/namespaces/{stage.namespace}/events")["items"]
        told = {each["reason"]: each for each in found}
        assert len(found) == 2
        assert (told["SecurityIncident"]["note"], told["SecurityIncident"]["type"]) == ("first", "Warning")
        assert told["SecurityIncident"]["regarding"]["uid"] == incident.metadata.uid
        assert told["Resolved"]["note"].endswith("ä…")
        shown = stage.cluster.kubectl("describe", "incident", incident.name, "-n", stage.namespace).stdout
        assert "SecurityIncident" in shown


class TestCredentials:
    def secret(self, cluster: Cluster, allowed: str | None, **data: str) -> str:
        name = f"key-{secrets.token_hex(4)}"
        annotations = {} if allowed is None else {ALLOWED_NAMESPACES: allowed}
        cluster.api().create(
            "/api/v1/namespaces/first-responder/secrets",
            {"metadata": {"name": name, "annotations": annotations}, "data": data},
        )
        return name

    async def test_a_key_is_given_to_a_namespace_that_its_secret_lists(self, client: Client, cluster: Cluster) -> None:
        name = self.secret(cluster, "shop, bank", **{"ssh-privatekey": base64.b64encode(b"KEY\n").decode()})
        assert await Credentials(client, "first-responder").private_key(name, user_namespace="bank") == "KEY\n"

    @pytest.mark.parametrize("allowed", [None, "", "shopping", "shop bank"])
    async def test_a_key_is_refused_to_a_namespace_that_its_secret_does_not_list(
        self, client: Client, cluster: Cluster, allowed: str | None
    ) -> None:
        name = self.secret(cluster, allowed, **{"ssh-privatekey": base64.b64encode(b"KEY\n").decode()})
        with pytest.raises(CredentialsUnusable, match="does not list namespace shop") as refusal:
            await Credentials(client, "first-responder").private_key(name, user_namespace="shop")
        assert refusal.value.reason == "CredentialsNotAllowed"

    async def test_a_missing_secret_and_a_missing_key_are_named(self, client: Client, cluster: Cluster) -> None:
        credentials = Credentials(client, "first-responder")
        with pytest.raises(CredentialsUnusable, match="there is no Secret nothing"):
            await credentials.private_key("nothing", user_namespace="shop")
        name = self.secret(cluster, "shop", other="aGk=")
        with pytest.raises(CredentialsUnusable, match="no readable key ssh-privatekey"):
            await credentials.private_key(name, user_namespace="shop")


class TestGate:
    async def test_the_gate_holds_with_the_shipped_policy_and_leaves_one_canary(
        self, client: Client, namespace: str, cluster: Cluster
    ) -> None:
        gate = ApprovalGate(client, OPERATOR_USER)
        assert await gate.problems(namespace) == ()
        assert await gate.problems(namespace) == ()
        stored = [write for write in cluster.writes(namespace=namespace, user=OPERATOR_USER) if not write.dry_run]
        assert [(each.verb, each.name, each.code) for each in stored] == [("create", SELFTEST_NAME, 201)]

    @pytest.mark.parametrize(
        ("resource", "change", "told"),
        [
            ("validatingadmissionpolicybindings", {"spec": {"validationActions": ["Audit"]}}, "not the one shipped"),
            ("validatingadmissionpolicies", {"spec": {"validations": [{"expression": "true"}]}}, "not the one shipped"),
            (
                "validatingadmissionpolicybindings",
                {"spec": {"matchResources": {"namespaceSelector": {"matchLabels": {"nowhere": "at-all"}}}}},
                "not the one shipped",
            ),
            ("validatingadmissionpolicybindings", None, "is missing"),
            ("validatingadmissionpolicies", None, "is missing"),
        ],
    )
    async def test_a_weakened_gate_is_noticed(
        self, client: Client, cluster: Cluster, namespace: str, resource: str, change: Any, told: str
    ) -> None:
        gate = ApprovalGate(client, OPERATOR_USER)
        path = f"{ADMISSION}/{resource}/{POLICY_NAME}"
        try:
            if change is None:
                cluster.api().delete(path)
            else:
                cluster.api().patch(path, change)
            found = await gate.problems(namespace)
        finally:
            restore_policy(cluster)
        assert any(told in problem for problem in found), found
        assert await gate.problems(namespace) == ()

    async def test_a_policy_that_is_there_but_does_not_refuse_is_noticed_by_trying(
        self, client: Client, cluster: Cluster, namespace: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """What was shipped and what is there may agree and still let a review through."""
        weak = {"spec": {"validations": [{"expression": "true"}]}}
        path = f"{ADMISSION}/validatingadmissionpolicies/{POLICY_NAME}"
        try:
            live = cluster.api().patch(path, weak)
            monkeypatch.setitem(POLICY, "spec", live["spec"])
            gate = ApprovalGate(client, OPERATOR_USER)

            async def noticed() -> bool:
                found = await gate.problems(namespace)
                return len([each for each in found if "was not refused" in each]) == 2

            for _ in range(300):  # the API server takes a moment to go by a changed policy
                if await noticed():
                    break
                await asyncio.sleep(0.1)
            assert await noticed()
        finally:
            restore_policy(cluster)

    async def test_a_refusal_by_rbac_alone_proves_nothing(self, cluster: Cluster, namespace: str) -> None:
        kubeconfig = cluster.operator_kubeconfig()
        client = Client(from_kubeconfig(kubeconfig))
        binding = f"/apis/rbac.authorization.k8s.io/v1/namespaces/{namespace}/rolebindings/firstresponder-operator"
        assert await ApprovalGate(client, OPERATOR_USER).problems(namespace) == ()
        cluster.api().delete(binding)
        for _ in range(200):
            found = await ApprovalGate(client, OPERATOR_USER).problems(namespace)
            if len(found) == 2:
                break
        assert all("not by our policy" in each for each in found)
        assert len(found) == 2
        await client.close()


class TestPreflight:
    async def test_nothing_is_missing_where_everything_was_applied(self, client: Client, namespace: str) -> None:
        assert await preflight.missing(client, [namespace]) == ()

    async def test_a_namespace_without_the_operators_role_is_named_with_the_command_that_fixes_it(
        self, client: Client, cluster: Cluster
    ) -> None:
        name = f"bare-{secrets.token_hex(4)}"
        cluster.api().create("/api/v1/namespaces", {"metadata": {"name": name}})
        (found,) = await preflight.missing(client, [name])
        assert found == (
            f"it has no rights in namespace {name}: kubectl create namespace {name}, if there is none, and "
            f"kubectl apply --server-side --namespace {name} --filename deploy/watched-namespace/"
        )
        cluster.api().delete(f"/api/v1/namespaces/{name}")

    @pytest.mark.parametrize(
        "permission",
        [each for each in OPERATOR if each.resource not in GRANTED_OTHERWISE],
        ids=lambda each: f"{'-'.join(each.verbs)} {each.resource}",
    )
    async def test_a_rule_that_is_taken_away_is_named_verb_by_verb(
        self, client: Client, cluster: Cluster, namespace: str, permission: Permission
    ) -> None:
        role, where = {
            Scope.CLUSTER: ("clusterroles/firstresponder-operator-cluster", ""),
            Scope.WATCHED: ("clusterroles/firstresponder-operator", f" in namespace {namespace}"),
            Scope.OPERATOR: (
                "namespaces/first-responder/roles/firstresponder-operator",
                " in namespace first-responder",
            ),
        }[permission.scope]
        path = f"/apis/rbac.authorization.k8s.io/v1/{role}"
        rules = cluster.api().get(path)["rules"]
        what = " ".join([permission.resource, *permission.names])
        try:
            cluster.api().patch(path, {"rules": [each for each in rules if each != permission.rule()]})
            found = await once(lambda: preflight.missing(client, [namespace]), lambda found: found != ())
        finally:
            cluster.api().patch(path, {"rules": rules})
        assert [each.partition(":")[0] for each in found] == [
            f"may not {verb} {what}{where}" for verb in permission.verbs
        ]
        await once(lambda: preflight.missing(client, [namespace]), lambda found: found == ())

    async def test_other_credentials_than_the_operators_are_refused(self, cluster: Cluster, namespace: str) -> None:
        kubeconfig = cluster.state / "admin-token-file.kubeconfig"
        token = cluster.state / "admin-token"
        text = cluster.kubeconfig().read_text()
        token.write_text(next(line.split()[-1] for line in text.splitlines() if " token: " in line))
        kubeconfig.write_text(text.replace("    token: ", f"    tokenFile: {token}\n    # was: "))
        client = Client(from_kubeconfig(kubeconfig))
        (found,) = await preflight.missing(client, [namespace])
        assert found.startswith("these are the credentials of admin@example.com")
        await client.close()
