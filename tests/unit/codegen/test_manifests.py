"""What is installed beside the CRDs, and the rights of the operator in it."""

from __future__ import annotations

from typing import Any

import pytest

from firstresponder.api.approvalrequest import SELFTEST_NAME
from firstresponder.codegen import manifests
from firstresponder.kube import permissions
from firstresponder.kube.permissions import OPERATOR, Permission, Scope


def test_what_lies_in_deploy_is_what_the_code_says() -> None:
    for path, text in manifests.files().items():
        assert path.read_text() == text, f"{path.name}: run `make generate`"


def test_nothing_else_lies_in_deploy() -> None:
    generated = manifests.files()
    [folder] = {path.parent for path in generated if path.name == "namespace.yaml"}
    assert {path for path in folder.rglob("*") if path.is_file()} == generated.keys()


def test_the_operator_patches_no_approval_request_but_the_canary() -> None:
    writes = [
        (permission.names, permission.verbs)
        for permission in OPERATOR
        if permission.resource == "approvalrequests" and {"patch", "update", "*"} & set(permission.verbs)
    ]
    assert writes == [((SELFTEST_NAME,), ("patch",))]


def test_the_operator_deletes_incidents_alone_and_only_where_it_archives_them() -> None:
    assert [(each.resource, each.verbs) for each in permissions.ARCHIVE] == [("incidents", ("delete",))]
    archiving = permissions.archiving_namespace_manifests()
    assert [each["kind"] for each in archiving] == ["Role", "RoleBinding"]
    assert archiving[0]["rules"] == [each.rule() for each in permissions.ARCHIVE]
    everywhere = [*permissions.cluster_manifests(), *permissions.watched_namespace_manifests()]
    assert not [rule for each in everywhere for rule in each.get("rules", ()) if "delete" in rule["verbs"]]


@pytest.mark.parametrize("verb", ["approve", "delete", "deletecollection", "impersonate", "escalate", "bind", "*"])
def test_the_operator_has_no_right_that_leads_to_an_approval(verb: str) -> None:
    assert [permission for permission in OPERATOR if verb in permission.verbs] == []


def test_the_operator_reads_secrets_of_its_own_namespace_one_by_one() -> None:
    assert [permission for permission in OPERATOR if permission.resource == "secrets"] == [
        Permission(Scope.OPERATOR, "", "secrets", ("get",))
    ]


def test_the_preflight_asks_for_every_verb_of_the_table_in_every_place() -> None:
    asked = []
    asked_for = list(permissions.access_reviews(("one", "two")))
    for spec in asked_for:
        of = {"namespace": "", "group": "", "subresource": "", "name": "", **spec["resourceAttributes"]}
        resource = of["resource"] + ("/" if of["subresource"] else "") + of["subresource"]
        asked.append((of["namespace"], of["group"], resource, of["verb"], of["name"]))

    archiving = [each for each in permissions.access_reviews(("one",), archiving=True) if each not in asked_for]
    assert [each["resourceAttributes"]["verb"] for each in archiving] == ["delete"]

    places = {Scope.CLUSTER: [""], Scope.OPERATOR: ["first-responder"], Scope.WATCHED: ["one", "two"]}
    assert sorted(asked) == sorted(
        (namespace, permission.group, permission.resource, verb, name)
        for permission in OPERATOR
        for namespace in places[permission.scope]
        for verb in permission.verbs
        for name in permission.names or ("",)
    )


def test_the_manifests_grant_the_table_and_nothing_more() -> None:
    granted: dict[str, list[Any]] = {}
    for manifest in permissions.cluster_manifests():
        if "rules" in manifest and manifest["metadata"]["name"].startswith("firstresponder-operator"):
            granted.setdefault(f"{manifest['kind']}/{manifest['metadata']['name']}", []).extend(manifest["rules"])
    assert granted == {
        "ClusterRole/firstresponder-operator": [p.rule() for p in OPERATOR if p.scope is Scope.WATCHED],
        "ClusterRole/firstresponder-operator-cluster": [p.rule() for p in OPERATOR if p.scope is Scope.CLUSTER],
        "Role/firstresponder-operator": [p.rule() for p in OPERATOR if p.scope is Scope.OPERATOR],
    }
