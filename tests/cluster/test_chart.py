"""The chart by a real Helm: what it renders, what it refuses, and that a real API server takes it."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.testbed import helm
from tests.testbed.cluster import Cluster

ROOT = Path(__file__).parents[2]
CHART = ROOT / "charts" / "firstresponder"
OWN = {
    "image": {"repository": "registry.example.com/firstresponder"},
    "watchedNamespaces": ["prod"],
    "approvers": {"restart-unit": ["oncall", "dba"], "restart-database": ["dba"]},
}
"""The three values that a company must set."""

Helm = Callable[..., subprocess.CompletedProcess[str]]
Manifest = dict[str, Any]


@pytest.fixture
def run(tmp_path: Path) -> Helm:
    """Helm on the chart with values: `run("template", values)`."""

    def on_the_chart(command: str, values: Any, *, namespace: str = "first-responder") -> Any:
        file = tmp_path / "values.yaml"
        file.write_text(yaml.safe_dump(values))
        name = ["firstresponder"] if command == "template" else []
        where = [f"--namespace={namespace}", f"--values={file}"]
        strict = ["--strict"] if command == "lint" else []
        return helm.run(command, *name, CHART, *where, *strict, home=tmp_path / "helm", check=False)

    return on_the_chart


@pytest.fixture
def render(run: Helm) -> Callable[..., list[Manifest]]:
    """The manifests that the chart renders to, of the company's own values and others."""

    def manifests(**values: Any) -> list[Manifest]:
        done = run("template", {**OWN, **values})
        assert done.returncode == 0, done.stderr
        return [each for each in yaml.safe_load_all(done.stdout) if each]

    return manifests


Render = Callable[..., list[Manifest]]


def of_kind(kind: str, manifests: list[Manifest]) -> list[Manifest]:
    return [each for each in manifests if each["kind"] == kind]


def names(manifests: list[Manifest]) -> list[tuple[str, str, str]]:
    return sorted((each["kind"], each["metadata"].get("namespace", ""), each["metadata"]["name"]) for each in manifests)


def documents(files: Iterable[Path]) -> list[Manifest]:
    """What lies in deploy/, without the namespace."""
    found = [document for path in files for document in yaml.safe_load_all(path.read_text())]
    return [each for each in found if each["kind"] != "Namespace"]


def test_it_is_without_a_complaint_of_the_strict_linter(run: Helm) -> None:
    done = run("lint", OWN)
    assert (done.returncode, "0 chart(s) failed" in done.stdout) == (0, True), done.stdout + done.stderr


def test_the_three_values_of_a_company_are_named_when_they_are_missing(run: Helm) -> None:
    done = run("template", {})
    assert done.returncode != 0
    for value in ("repository", "watchedNamespaces", "approvers"):
        assert value in done.stderr


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"replica": 2}, "replica"),
        ({"replicas": 0}, "replicas"),
        ({"image": {"repository": "example.com/it", "tags": "1"}}, "tags"),
        ({"image": {"repository": "example.com/it", "pullPolicy": "Sometimes"}}, "pullPolicy"),
        ({"watchedNamespaces": []}, "watchedNamespaces"),
        ({"watchedNamespaces": "prod"}, "watchedNamespaces"),
        ({"watchedNamespaces": ["Prod"]}, "watchedNamespaces"),
        ({"approvers": {"restart-unit": []}}, "restart-unit"),
        ({"approvers": {"restart-unit": "oncall"}}, "restart-unit"),
        ({"defaults": "yes please"}, "defaults"),
        ({"resources": {"request": {}}}, "request"),
        ({"networkPolicy": {"sshPorts": [70000]}}, "sshPorts"),
        ({"archive": {"http": {"url": "http://archive.example.com"}}}, "url"),
        ({"archive": {"http": {"url": "https://me:hunter2@archive.example.com"}}}, "url"),
        ({"archive": {"directory": "/tmp"}}, "directory"),
        (
            {"archive": {"file": {"claimName": "archive"}, "http": {"url": "https://archive.example.com"}}},
            "archive.file.claimName and archive.http.url are both set",
        ),
    ],
)
def test_a_value_that_is_unknown_or_wrong_is_named(run: Helm, wrong: dict[str, Any], named: str) -> None:
    done = run("template", {**OWN, **wrong})
    assert done.returncode != 0
    assert named in done.stderr


def test_another_namespace_is_refused_with_the_one_to_use(run: Helm) -> None:
    done = run("template", OWN, namespace="elsewhere")
    assert done.returncode != 0
    assert "install it with --namespace first-responder, not into elsewhere" in done.stderr


def test_it_holds_what_deploy_holds(render: Render) -> None:
    """But for the namespace, which Helm makes, the approvers, the operator itself, its network policy and its test."""
    by_hand = documents(path for path in (ROOT / "deploy").rglob("*.yaml") if path.parent.name != "archive")
    for each in by_hand:
        if each["metadata"].get("namespace") is None and not each["kind"].startswith(("Cluster", "Validating")):
            each["metadata"]["namespace"] = "prod"
    rendered = render()
    for each in rendered:
        if each["kind"].startswith("Validating"):
            assert each["metadata"].pop("annotations") == {"helm.sh/resource-policy": "keep"}
    assert [each for each in by_hand if each not in rendered] == []
    rest = [each for each in rendered if each not in by_hand]
    assert names(rest) == [
        ("Deployment", "first-responder", "firstresponder-operator"),
        ("NetworkPolicy", "first-responder", "firstresponder-operator"),
        ("Pod", "first-responder", "firstresponder-check"),
        ("PodDisruptionBudget", "first-responder", "firstresponder-operator"),
        ("Role", "prod", "firstresponder-approve-restart-database"),
        ("Role", "prod", "firstresponder-approve-restart-unit"),
        ("RoleBinding", "prod", "firstresponder-approve-restart-database"),
        ("RoleBinding", "prod", "firstresponder-approve-restart-unit"),
        ("RoleBinding", "prod", "firstresponder-incident-responder"),
        ("RoleBinding", "prod", "firstresponder-reviewer"),
    ]


def test_every_watched_namespace_gets_the_same(render: Render) -> None:
    manifests = render(watchedNamespaces=["one", "two"])
    [one, two] = [
        [(each["kind"], each["metadata"]["name"]) for each in manifests if each["metadata"].get("namespace") == name]
        for name in ("one", "two")
    ]
    assert one == two
    assert ("RoleBinding", "firstresponder-operator") in one
    [deployment] = of_kind("Deployment", manifests)
    arguments = deployment["spec"]["template"]["spec"]["containers"][0]["args"]
    assert [each for each in arguments if "namespace" in each] == ["--namespace=one", "--namespace=two"]


def test_defaults_can_be_left_out(render: Render) -> None:
    without = render(defaults=False)
    assert of_kind("ActionClass", without) == of_kind("EscalationPolicy", without) == []
    assert of_kind("ActionClass", render()) != []


def test_two_replicas_are_spread_and_one_is_always_there(render: Render) -> None:
    manifests = render()
    [deployment], [budget] = of_kind("Deployment", manifests), of_kind("PodDisruptionBudget", manifests)
    spec = deployment["spec"]
    labels = spec["template"]["metadata"]["labels"].items()
    assert spec["replicas"] == 2
    assert spec["strategy"]["rollingUpdate"] == {"maxSurge": 1, "maxUnavailable": 0}
    assert budget["spec"]["minAvailable"] == 1
    assert budget["spec"]["selector"]["matchLabels"].items() <= labels
    [spread] = spec["template"]["spec"]["topologySpreadConstraints"]
    assert spread["labelSelector"]["matchLabels"].items() <= labels
    [container] = spec["template"]["spec"]["containers"]
    assert container["env"] == [{"name": "POD_NAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}]


def test_no_pod_waits_for_a_volume_that_another_one_has(render: Render) -> None:
    [deployment] = of_kind("Deployment", render(archive=FILE))
    assert deployment["spec"]["strategy"]["rollingUpdate"] == {"maxSurge": 0, "maxUnavailable": 1}


def test_a_single_replica_keeps_no_node_from_being_drained(render: Render) -> None:
    assert of_kind("PodDisruptionBudget", render(replicas=1)) == []


FILE = {"file": {"claimName": "firstresponder-archive"}}
HTTP = {
    "http": {
        "url": "https://archive.example.com:8443/incidents",
        "tokenSecret": "archive-token",
        "caConfigMap": "archive-ca",
    }
}


@pytest.mark.parametrize("archive", [FILE, HTTP], ids=["file", "http"])
def test_only_with_an_archive_the_operator_may_delete_incidents_in_each_namespace(
    render: Render, archive: dict[str, Any]
) -> None:
    without = [rule for each in render() for rule in each.get("rules", ()) if "delete" in rule["verbs"]]
    assert without == []
    granted = documents([ROOT / "deploy" / "archive" / "rbac.yaml"])
    manifests = render(archive=archive, watchedNamespaces=["one", "two"])
    for namespace in ("one", "two"):
        for each in granted:
            each["metadata"]["namespace"] = namespace
            assert each in manifests


def operators_pod(manifests: list[Manifest]) -> tuple[dict[str, Any], list[str]]:
    [deployment] = of_kind("Deployment", manifests)
    pod = deployment["spec"]["template"]["spec"]
    return pod, [each for each in pod["containers"][0]["args"] if "archive" in each]


def test_only_whoever_may_read_the_metrics_reaches_the_pod(render: Render) -> None:
    [policy] = of_kind("NetworkPolicy", render())
    assert policy["spec"]["policyTypes"] == ["Ingress", "Egress"]
    assert "ingress" not in policy["spec"]
    peer = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}}
    [policy] = of_kind("NetworkPolicy", render(networkPolicy={"metricsFrom": [peer]}))
    assert policy["spec"]["ingress"] == [{"from": [peer], "ports": [{"protocol": "TCP", "port": "health"}]}]


def test_the_archives_volume_is_where_the_operator_writes_and_it_may(render: Render) -> None:
    pod, arguments = operators_pod(render(archive=FILE))
    assert arguments == ["--archive=file:///var/lib/firstresponder/archive"]
    assert pod["containers"][0]["volumeMounts"] == [
        {"name": "archive", "mountPath": "/var/lib/firstresponder/archive"},
    ]
    claim = {"claimName": "firstresponder-archive"}
    assert pod["volumes"] == [{"name": "archive", "persistentVolumeClaim": claim}]
    assert pod["securityContext"]["fsGroup"] == pod["securityContext"]["runAsGroup"]
    pod, arguments = operators_pod(render())
    assert (arguments, "volumes" in pod, "fsGroup" in pod["securityContext"]) == ([], False, False)


def test_the_endpoint_of_an_archive_is_reached_with_its_token_and_authority(render: Render) -> None:
    manifests = render(archive=HTTP)
    pod, arguments = operators_pod(manifests)
    assert arguments == [
        "--archive=https://archive.example.com:8443/incidents",
        "--archive-token-file=/var/run/firstresponder/archive-token/token",
        "--archive-ca-file=/var/run/firstresponder/archive-ca/ca.crt",
    ]
    mounts = {each["name"]: each["mountPath"] for each in pod["containers"][0]["volumeMounts"]}
    assert mounts == {each: f"/var/run/firstresponder/{each}" for each in ("archive-token", "archive-ca")}
    assert {each["name"] for each in pod["volumes"]} == mounts.keys()
    [policy] = of_kind("NetworkPolicy", manifests)
    ports = [each["port"] for each in policy["spec"]["egress"][0]["ports"]]
    assert sorted(set(ports)) == [22, 53, 443, 6443, 8443]


def test_an_approver_may_approve_the_classes_of_the_group_alone(render: Render) -> None:
    manifests = render()
    granted = {each["metadata"]["name"]: each["rules"] for each in of_kind("Role", manifests)}
    assert granted["firstresponder-approve-restart-database"] == [
        {
            "apiGroups": ["firstresponder.dev"],
            "resources": ["actionclasses"],
            "resourceNames": ["restart-database"],
            "verbs": ["approve"],
        }
    ]
    groups = {
        each["metadata"]["name"]: [subject["name"] for subject in each["subjects"]]
        for each in of_kind("RoleBinding", manifests)
    }
    assert groups["firstresponder-approve-restart-database"] == ["dba"]
    assert groups["firstresponder-approve-restart-unit"] == ["oncall", "dba"]
    assert groups["firstresponder-reviewer"] == groups["firstresponder-incident-responder"] == ["dba", "oncall"]


def test_every_role_that_is_bound_is_there(render: Render) -> None:
    manifests = render()
    for binding in of_kind("RoleBinding", manifests) + of_kind("ClusterRoleBinding", manifests):
        role = binding["roleRef"]
        namespace = binding["metadata"].get("namespace", "") if role["kind"] == "Role" else ""
        assert (role["kind"], namespace, role["name"]) in names(manifests)


def test_a_real_api_server_takes_all_of_it(cluster: Cluster, namespace: str, render: Render, tmp_path: Path) -> None:
    manifests = render(watchedNamespaces=[namespace], archive=FILE)
    file = tmp_path / "rendered.yaml"
    file.write_text(yaml.safe_dump_all(manifests))
    strictly = ["--server-side", "--force-conflicts", "--validate=strict", "--dry-run=server"]
    done = cluster.kubectl("apply", *strictly, "--filename", file)
    assert done.stdout.count("serverside-applied (server dry run)") == len(manifests)


@pytest.mark.parametrize("archive", [None, FILE, HTTP], ids=["without an archive", "file", "http"])
def test_its_pod_is_admitted_where_pod_security_is_restricted(
    cluster: Cluster, render: Render, archive: dict[str, Any] | None
) -> None:
    [deployment] = of_kind("Deployment", render(**({"archive": archive} if archive else {})))
    spec = deployment["spec"]["template"]["spec"]
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "operator"}, "spec": spec}
    path = "/api/v1/namespaces/first-responder/pods"
    taken = cluster.api().create(path, pod, dryRun="All")
    assert taken["spec"]["containers"][0]["securityContext"]["readOnlyRootFilesystem"] is True

    del spec["containers"][0]["securityContext"]["capabilities"]
    with pytest.raises(Exception, match='violates PodSecurity "restricted'):
        cluster.api().create(path, json.loads(json.dumps(pod)), dryRun="All")
