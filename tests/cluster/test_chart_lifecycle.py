"""The life of a release: a real Helm installs, upgrades, rolls back and removes it by the commands of the documents.

Each test has a cluster of its own that holds nothing yet. There are no nodes, so no pod gets ready, and `--wait` is
left out of what the documents have people type.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.cluster.test_approval_policy import document, reviews
from tests.cluster.test_chart import FILE, OWN
from tests.testbed import helm, processes
from tests.testbed.api import ApiError
from tests.testbed.cluster import ADMIN, ALICE, DANA, Cluster
from tests.testbed.operator import Operator
from tests.testbed.processes import wait_until
from tests.testbed.stage import Stage, shipped

ROOT = Path(__file__).parents[2]
FIRST = Path(__file__).with_name("charts") / "first.tgz"
"""The chart as the project first had it: `helm package` of charts/firstresponder at commit 5b1e893."""

INSTALL = "helm install firstresponder"
UPGRADE = "helm upgrade firstresponder"
NEW_KINDS = "kubectl apply --server-side"
VALUES = {**OWN, "approvers": {"restart-unit": ["oncall"], "restart-database": ["dba"]}}

KEPT = {
    f"{kind} {name}.firstresponder.dev"
    for kind in ("ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding")
    for name in ("approvalrequests", "incidents")
}
"""What of a release outlives it."""

RELEASED = (
    "deployments,poddisruptionbudgets,networkpolicies,serviceaccounts,roles,rolebindings,clusterroles,"
    "clusterrolebindings,validatingadmissionpolicies,validatingadmissionpolicybindings"
)
DEFAULTS = "actionclasses,escalationpolicies"
OURS = "incidents,approvalrequests,runbooks,hosts"

Object = dict[str, Any]


def command(page: str, beginning: str) -> list[str]:
    """The one command of a page of docs/ that begins so, as a shell reads it, but for `--wait`."""
    text = (ROOT / "docs" / page).read_text()
    lines = [
        line
        for block in re.findall(r"^```sh\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
        for line in block.splitlines()
    ]
    [line] = [line for line in lines if line.startswith(beginning)]
    return [word for word in shlex.split(line, comments=True) if word != "--wait"]


def instead(word: str, other: str | Path) -> list[str | Path]:
    """The command that installs, with something else for one of its words."""
    return [other if each == word else each for each in command("install.md", INSTALL)]


class Administrator:
    """Somebody at a shell, in a copy of the project with a values.yaml, who types what the documents say."""

    def __init__(self, cluster: Cluster, directory: Path) -> None:
        self.cluster = cluster
        self._directory = directory
        (directory / "charts").symlink_to(ROOT / "charts")
        environment = cluster.environment()
        path = os.pathsep.join([str(helm.ensure().parent), environment["PATH"]])
        self._environment = {**environment, **helm.homes(directory / "helm"), "PATH": path}
        self.values(**VALUES)

    def values(self, **values: Any) -> None:
        (self._directory / "values.yaml").write_text(yaml.safe_dump(values))

    def types(self, *words: str | Path, check: bool = True) -> subprocess.CompletedProcess[str]:
        return processes.run(words, self._environment, check=check, cwd=self._directory)

    def follows(self, page: str, beginning: str) -> None:
        self.types(*command(page, beginning))

    def prepares(self) -> None:
        """The namespaces of docs/install.md."""
        for line in ("kubectl create namespace first-responder", "kubectl label", "kubectl create namespace prod"):
            self.follows("install.md", line)

    # What they find

    def released(self, kinds: str = f"{RELEASED},{DEFAULTS}") -> dict[str, Object]:
        """All that belongs to a release, by kind, namespace and name, without what the API server adds."""
        found = self._list(kinds, "--selector=app.kubernetes.io/managed-by=Helm")
        return {_name(each): _content(each) for each in found}

    def stored(self) -> str:
        """Incidents, their approvals, runbooks and hosts, byte for byte, with who owns each of their fields."""
        return json.dumps(self._list(OURS, "--show-managed-fields"))

    def definitions(self) -> list[str]:
        return [each["metadata"]["name"] for each in self._list("customresourcedefinitions")]

    def releases(self) -> list[tuple[str, str]]:
        """Each release with its revision."""
        found = json.loads(self.types("helm", "list", "--all-namespaces", "--output=json").stdout)
        return [(each["name"], each["revision"]) for each in found]

    def may_approve(self, *people: str) -> bool:
        """Whether these people, and nobody else of the testbed's, may approve the fix of the incident that waits."""
        return [self._is_approver(person) for person in (ALICE, DANA)] == [each in people for each in (ALICE, DANA)]

    def _is_approver(self, person: str) -> bool:
        stage = Stage(self.cluster, "prod")
        digest = stage.get("approvalrequests", "waiting")["spec"]["packetDigest"]
        review = {person: {"verdict": "Approved", "packetDigest": digest}}
        try:
            path = stage.path("approvalrequests", "waiting")
            self.cluster.api(person).patch(path, {"spec": {"reviews": review}}, dryRun="All")
        except ApiError as refused:
            assert refused.code == 403
            return False
        return True

    def _list(self, kinds: str, *options: str) -> list[Object]:
        done = self.types("kubectl", "get", kinds, "--all-namespaces", "--output=json", *options)
        found: list[Object] = json.loads(done.stdout)["items"]
        return found


def _name(each: Object) -> str:
    where = [each["metadata"]["namespace"]] if "namespace" in each["metadata"] else []
    return " ".join([each["kind"], *where, each["metadata"]["name"]])


def _content(each: Object) -> Object:
    kept = {key: each["metadata"].get(key) for key in ("labels", "annotations")}
    return {key: value for key, value in each.items() if key not in ("metadata", "status")} | kept


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    with Cluster.start(tmp_path / "cluster", empty=True) as running:
        yield running


@pytest.fixture
def admin(cluster: Cluster, tmp_path: Path) -> Administrator:
    administrator = Administrator(cluster, tmp_path)
    administrator.prepares()
    return administrator


def put_up(cluster: Cluster) -> None:
    """A host, a runbook, and an incident that waits for the approval of its fix."""
    stage = Stage(cluster, "prod")
    accounts = {"observe": {"user": "fr-observe", "credentialsRef": {"name": "observe"}}}
    host = {"address": "192.0.2.3", "hostKeys": ["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ"], "accounts": accounts}
    stage.apply({"kind": "Host", "metadata": {"name": "api-gateway-03"}, "spec": host})
    stage.apply(shipped())
    stage.open_incident("waiting", user=ADMIN)
    request = cluster.api().create(stage.path("approvalrequests"), document("waiting", requested_by=ADMIN))
    status = {"phase": "AwaitingApproval", "approvalRequestRef": {"name": "waiting", "uid": request["metadata"]["uid"]}}
    cluster.api().patch(f"{stage.path('incidents', 'waiting')}/status", {"status": status}, fieldValidation="Strict")


def is_ready(cluster: Cluster) -> bool:
    """What the pod of `helm test` asks: whether the operator has its rights, and the gate holds."""
    config = f"--kubeconfig={cluster.operator_kubeconfig()}"
    check = [sys.executable, "-m", "firstresponder.main", "check", "--namespace=prod", config]
    return processes.run(check, os.environ, check=False).returncode == 0


def test_an_upgrade_and_the_way_back_change_the_release_and_no_incident(admin: Administrator, cluster: Cluster) -> None:
    admin.follows("install.md", INSTALL)
    put_up(cluster)
    wait_until(lambda: admin.may_approve(ALICE) and is_ready(cluster), 60, "the roles of the release")
    before, incidents = admin.released(), admin.stored()

    admin.types("kubectl", "create", "namespace", "shop")
    other = {"watchedNamespaces": ["prod", "shop"], "approvers": {"restart-unit": ["dba"]}, "archive": FILE}
    admin.values(**{**VALUES, **other})
    admin.follows("upgrade.md", UPGRADE)
    after = admin.released()
    assert admin.releases() == [("firstresponder", "2")]
    assert before.keys() - after.keys() == {
        f"{kind} prod firstresponder-approve-restart-database" for kind in ("Role", "RoleBinding")
    }
    assert {
        "Role prod firstresponder-operator-archive",
        "Role shop firstresponder-operator-archive",
        "RoleBinding shop firstresponder-operator",
        "EscalationPolicy shop default",
    } <= after.keys() - before.keys()
    assert "--namespace=shop" in str(after["Deployment first-responder firstresponder-operator"])
    wait_until(lambda: admin.may_approve(DANA), 60, "the roles of the upgrade")
    assert admin.stored() == incidents

    admin.follows("upgrade.md", "helm rollback firstresponder")
    assert admin.released() == before
    wait_until(lambda: admin.may_approve(ALICE), 60, "the roles of before")
    assert admin.stored() == incidents
    assert is_ready(cluster)


def test_a_removed_release_leaves_incidents_protected_and_the_next_goes_on_with_them(
    admin: Administrator, cluster: Cluster
) -> None:
    admin.follows("install.md", INSTALL)
    put_up(cluster)
    before, incidents, kinds = admin.released(), admin.stored(), admin.definitions()

    admin.follows("install.md", "helm uninstall firstresponder")
    wait_until(lambda: admin.released().keys() == KEPT, 60, "the objects of the release to be gone")
    assert (admin.stored(), admin.definitions(), admin.releases()) == (incidents, kinds, [])
    in_anothers_name = reviews(alice={"verdict": "Approved", "packetDigest": document("any")["spec"]["packetDigest"]})
    with pytest.raises(ApiError, match="a review can be added only under your own name"):
        cluster.api().patch(Stage(cluster, "prod").path("approvalrequests", "waiting"), in_anothers_name)

    admin.follows("install.md", INSTALL)
    assert (admin.released(), admin.stored()) == (before, incidents)
    wait_until(lambda: admin.may_approve(ALICE) and is_ready(cluster), 60, "the roles of the release")


def test_the_first_release_is_upgraded_to_todays_with_all_that_it_holds(
    admin: Administrator, cluster: Cluster, tmp_path: Path
) -> None:
    stage = Stage(cluster, "prod")
    admin.types(*instead("charts/firstresponder", FIRST))
    put_up(cluster)
    stage.open_incident("unheard", user=ADMIN, type="Unheard")
    incidents = admin.stored()
    retained = {"contacts": [{"name": "on-call"}], "retention": {"after": "90d"}}
    policy = {"kind": "EscalationPolicy", "metadata": {"name": "own"}, "spec": retained}
    with pytest.raises(ApiError, match="retention"):
        stage.apply(policy)

    admin.follows("upgrade.md", NEW_KINDS)
    admin.follows("upgrade.md", UPGRADE)
    upgraded = admin.released()
    assert admin.stored() == incidents
    assert stage.get("escalationpolicies", "default")["spec"]["retention"] == {"after": "30d", "keepLast": 20}
    assert stage.apply(policy)["spec"]["retention"] == {"after": "90d", "keepLast": 20}

    # As if it had been installed today.
    wait_until(lambda: is_ready(cluster), 60, "the roles of the release")
    with Operator(cluster, "prod", tmp_path / "operator", lease="firstresponder-operator"):
        stage.wait(lambda: stage.condition("runbooks", "high-cpu", "Ready") == "True", "the runbook to be Ready")
        stage.wait_for_phase("unheard", "Escalated")
    admin.follows("install.md", "helm uninstall firstresponder")
    admin.types("kubectl", "delete", *(name.replace(" ", "/") for name in KEPT))
    admin.follows("install.md", INSTALL)
    assert admin.released() == upgraded


def test_an_upgrade_without_the_new_kinds_says_so_and_succeeds_with_them(
    admin: Administrator, cluster: Cluster
) -> None:
    admin.types(*instead("charts/firstresponder", FIRST))
    put_up(cluster)
    incidents = admin.stored()
    done = admin.types(*command("upgrade.md", UPGRADE), check=False)
    assert done.returncode != 0
    assert "spec.retention: field not declared in schema" in done.stderr

    admin.follows("upgrade.md", NEW_KINDS)
    admin.follows("upgrade.md", UPGRADE)
    assert Stage(cluster, "prod").get("escalationpolicies", "default")["spec"]["retention"]["after"] == "30d"
    assert admin.stored() == incidents


def test_a_second_release_is_refused_by_its_name_and_changes_nothing(admin: Administrator, cluster: Cluster) -> None:
    admin.types("kubectl", "create", "namespace", "elsewhere")
    in_another_namespace = instead("first-responder", "elsewhere")
    done = admin.types(*in_another_namespace, check=False)
    assert done.returncode != 0
    assert "install it with --namespace first-responder, not into elsewhere" in done.stderr
    assert (admin.released(RELEASED), admin.releases()) == ({}, [])

    admin.follows("install.md", INSTALL)
    put_up(cluster)
    before = admin.released(), admin.stored(), admin.releases()
    assert before[2] == [("firstresponder", "1")]
    assert admin.types(*in_another_namespace, check=False).returncode != 0
    done = admin.types(*instead("firstresponder", "second"), check=False)
    assert done.returncode != 0
    assert 'key "meta.helm.sh/release-name" must equal "second": current value is "firstresponder"' in done.stderr
    assert (admin.released(), admin.stored(), admin.releases()) == before


class TestWithoutAdmissionPolicies:
    WORDS = (
        "the cluster serves no ValidatingAdmissionPolicy, so nothing could hold the approvals: upgrade it to "
        "Kubernetes 1.30 or newer, and do not turn admissionregistration.k8s.io/v1 off (--runtime-config)"
    )

    @pytest.fixture
    def cluster(self, tmp_path: Path) -> Iterator[Cluster]:
        version = "admissionregistration.k8s.io/v1"
        off = ",".join(
            f"{version}/{kind}=false" for kind in ("validatingadmissionpolicies", "validatingadmissionpolicybindings")
        )
        options = [f"--runtime-config={off}", "--disable-admission-plugins=ValidatingAdmissionPolicy"]
        with Cluster.start(tmp_path / "cluster", empty=True, options=options) as running:
            yield running

    def test_the_chart_says_what_is_missing_and_releases_nothing(self, admin: Administrator) -> None:
        done = admin.types(*command("install.md", INSTALL), check=False)
        assert done.returncode != 0
        assert self.WORDS in done.stderr
        assert (admin.released("deployments,serviceaccounts,clusterroles"), admin.releases()) == ({}, [])

    @pytest.mark.parametrize("what", ["check", "run"])
    def test_the_operator_says_what_is_missing_and_does_nothing(
        self, admin: Administrator, cluster: Cluster, what: str
    ) -> None:
        admin.types("kubectl", "create", "serviceaccount", "operator", "--namespace=first-responder")
        config = f"--kubeconfig={cluster.operator_kubeconfig()}"
        started = [sys.executable, "-m", "firstresponder.main", what, "--namespace=prod", config]
        done = processes.run(started, os.environ, check=False)
        assert done.returncode == 3
        assert self.WORDS in done.stderr
