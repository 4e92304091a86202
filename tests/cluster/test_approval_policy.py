"""Attacks on an approval, as a person or a program with a token would try them, and the honest ways that stay open.

An attack counts as refused only when the server says why in words for a person, and when the request is then
exactly what it was before.
"""

from __future__ import annotations

import itertools
import json
import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import pytest

from firstresponder.api.base import API_VERSION, GROUP
from firstresponder.kube.approval_policy import BINDING as SHIPPED_BINDING
from firstresponder.kube.approval_policy import POLICY as SHIPPED_POLICY
from firstresponder.kube.permissions import access_reviews
from tests.testbed.api import APPLY, JSON_PATCH, MERGE, Api, ApiError
from tests.testbed.cluster import ADMIN, ALICE, DANA, MALLORY, OPERATOR, Cluster
from tests.testbed.processes import wait_until

DIGEST, OTHER_DIGEST = "sha256:" + "a" * 64, "sha256:" + "b" * 64
CLASS = "restart-unit"
POLICY = "approvalrequests.firstresponder.dev"
BY_POLICY = f"ValidatingAdmissionPolicy '{POLICY}' with binding '{POLICY}' denied request: "
DEFINITION = f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/approvalrequests.{GROUP}"
RBAC = "/apis/rbac.authorization.k8s.io/v1"

FINAL = "a review is final: it can neither change nor be removed"
FROZEN = "labels, annotations, owner references and finalizers of an ApprovalRequest do not change"
UNCHANGED = "only spec.reviews may change after creation"
NOT_A_PERSON = "a review is given by a person: service accounts, nodes and system users cannot review"
CLOSED = "this ApprovalRequest is closed: it takes no more reviews"


def review(verdict: str = "Approved", digest: str = DIGEST, **more: str) -> dict[str, str]:
    return {"verdict": verdict, "packetDigest": digest, **more}


def reviews(**people: Any) -> dict[str, Any]:
    """A merge patch; `alice=…` stands for alice@example.com."""
    return {"spec": {"reviews": {f"{name}@example.com": said for name, said in people.items()}}}


def incident(name: str) -> dict[str, Any]:
    spec = {"type": "HighCPU", "service": "api-gateway"}
    return {"apiVersion": API_VERSION, "kind": "Incident", "metadata": {"name": name}, "spec": spec}


def document(name: str, *, requested_by: str = OPERATOR, action_class: str = CLASS, **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": API_VERSION,
        "kind": "ApprovalRequest",
        "metadata": {
            "name": name,
            "labels": {"team": "platform"},
        },
        "spec": {
            "incidentRef": {"name": "high-cpu-x7k2p", "uid": "6f0c"},
            "actionClass": action_class,
            "packet": {"bound": {"orders": [{"attempt": 1}]}, "shown": {}},
            "packetDigest": DIGEST,
            "requestedBy": requested_by,
            "requiredApprovals": 1,
            "expirationTime": "2026-03-14T03:37:12Z",
            **spec,
        },
    }


REVIEWING = {"verb": "patch", "resource": "approvalrequests"}


class Room:
    """A watched namespace with the operator's requests in it, and whoever comes to review them."""

    def __init__(self, cluster: Cluster, namespace: str) -> None:
        self.cluster = cluster
        self.namespace = namespace
        self.operator = cluster.api_with(cluster.operator_token())
        self.admin = cluster.api()
        self._numbers = itertools.count(1)
        self.incidents = f"/apis/{API_VERSION}/namespaces/{namespace}/incidents"
        self._owner = self.owner_reference("high-cpu-x7k2p")

    def collection(self, version: str = "v1alpha1") -> str:
        return f"/apis/{GROUP}/{version}/namespaces/{self.namespace}/approvalrequests"

    def path(self, name: str, version: str = "v1alpha1") -> str:
        return f"{self.collection(version)}/{name}"

    def owner_reference(self, name: str) -> dict[str, Any]:
        """A new Incident, as its requests refer to it."""
        owner = self.admin.create(self.incidents, incident(name))["metadata"]
        return {"apiVersion": API_VERSION, "kind": "Incident", "name": name, "uid": owner["uid"]}

    def open_request(
        self, owner: dict[str, Any] | None = None, finalizers: list[str] | None = None, **spec: Any
    ) -> str:
        """A request as the operator creates it; returns its name."""
        request = document(f"request-{next(self._numbers)}", **spec)
        request["metadata"] |= {"ownerReferences": [owner or self._owner], "finalizers": finalizers}
        self.operator.create(self.collection(), request, fieldValidation="Strict")
        return str(request["metadata"]["name"])

    def get(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = self.admin.get(self.path(name))
        return found

    def reviews(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = self.get(name)["spec"].get("reviews", {})
        return found

    def approve(self, name: str, user: str = ALICE, verdict: str = "Approved") -> None:
        self.cluster.api(user).patch(self.path(name), {"spec": {"reviews": {user: review(verdict)}}})

    def refusal(self, name: str, attempt: Callable[[], Any]) -> str:
        """What the server says to an attempt on a request, which must leave no trace in it."""
        before = self.get(name)
        with pytest.raises(ApiError) as refused:
            attempt()
        assert self.get(name) == before
        return refused.value.message

    def grant_approving(self, subject: dict[str, str], action_class: str = CLASS) -> None:
        """The rights of a reviewer and the approval of one class, as an administrator grants them."""
        name = f"{action_class}-{secrets.token_hex(3)}"
        approve = {"apiGroups": [GROUP], "resources": ["actionclasses"], "resourceNames": [action_class]}
        roles = f"{RBAC}/namespaces/{self.namespace}/roles"
        self.admin.create(roles, {"metadata": {"name": name}, "rules": [{**approve, "verbs": ["approve"]}]})
        approving = {"verb": "approve", "resource": "actionclasses", "name": action_class}
        self.bind(name, {"kind": "Role", "name": name}, subject, approving)
        self.bind(f"{name}-review", {"kind": "ClusterRole", "name": "firstresponder-reviewer"}, subject, REVIEWING)

    def bind(self, name: str, role: dict[str, str], subject: dict[str, str], right: dict[str, str]) -> None:
        """Give somebody a role; returns when they have the right that comes with it."""
        self.admin.create(
            f"{RBAC}/namespaces/{self.namespace}/rolebindings",
            {
                "metadata": {"name": name},
                "roleRef": {"apiGroup": "rbac.authorization.k8s.io", **role},
                "subjects": [subject],
            },
        )
        user = subject["name"]
        if subject["kind"] == "ServiceAccount":
            user = f"system:serviceaccount:{subject['namespace']}:{user}"
        self.cluster.wait_until_allowed({"user": user}, self.namespace, right)

    def service_account(self, name: str) -> tuple[Api, dict[str, str]]:
        """A ServiceAccount's view of the API, and itself as a subject."""
        accounts = f"/api/v1/namespaces/{self.namespace}/serviceaccounts"
        self.admin.create(accounts, {"metadata": {"name": name}})
        token = self.admin.create(f"{accounts}/{name}/token", {"spec": {}})["status"]["token"]
        return self.cluster.api_with(token), {"kind": "ServiceAccount", "name": name, "namespace": self.namespace}


@pytest.fixture(scope="module")
def room(cluster: Cluster) -> Iterator[Room]:
    """One for all attacks: each has a request of its own."""
    name = f"test-{secrets.token_hex(4)}"
    cluster.api().create("/api/v1/namespaces", {"metadata": {"name": name}})
    cluster.watch(name)
    yield Room(cluster, name)
    cluster.api().delete(f"/api/v1/namespaces/{name}")


@pytest.fixture
def own_room(cluster: Cluster, namespace: str) -> Room:
    """For a test that grants rights."""
    return Room(cluster, namespace)


# --- Born approved ----------------------------------------------------------------------------


@pytest.mark.parametrize("reviewer", [OPERATOR, ALICE])
def test_a_request_cannot_be_born_with_reviews(room: Room, reviewer: str) -> None:
    born_approved = document("born-approved", reviews={reviewer: review()})
    with pytest.raises(ApiError) as refused:
        room.operator.create(room.collection(), born_approved)
    assert refused.value.code == 403
    assert BY_POLICY in refused.value.message
    assert "an ApprovalRequest starts without reviews" in refused.value.message


def test_not_even_an_administrator_makes_a_request_that_is_born_approved(room: Room) -> None:
    born_approved = document("born-approved", requested_by=ADMIN, reviews={ADMIN: review()})
    with pytest.raises(ApiError, match="an ApprovalRequest starts without reviews"):
        room.admin.create(room.collection(), born_approved)


@pytest.mark.parametrize("named", [ALICE, "system:serviceaccount:other:operator", "operator"])
def test_a_request_names_its_creator_truly(room: Room, named: str) -> None:
    with pytest.raises(ApiError) as refused:
        room.operator.create(room.collection(), document("in-anothers-name", requested_by=named))
    assert f"{BY_POLICY}spec.requestedBy must be {OPERATOR}" in refused.value.message


def test_nobody_else_makes_a_request_in_the_operators_name(room: Room) -> None:
    with pytest.raises(ApiError) as refused:
        room.admin.create(room.collection(), document("forged"))
    assert f"{BY_POLICY}spec.requestedBy must be {ADMIN}" in refused.value.message


def test_a_reviewer_makes_no_requests(room: Room) -> None:
    with pytest.raises(ApiError, match=f'User "{ALICE}" cannot create resource "approvalrequests"'):
        room.cluster.api(ALICE).create(room.collection(), document("by-alice", requested_by=ALICE))
    with pytest.raises(ApiError, match="approvalrequests"):  # server-side apply creates what is not there
        room.cluster.api(ALICE).patch(
            room.path("applied-by-alice"), document("applied-by-alice"), kind=APPLY, fieldManager="alice"
        )


# --- Attacks on an open request ---------------------------------------------------------------


@dataclass(frozen=True)
class Attack:
    """What somebody sends to an open request that nobody has reviewed, and what they are told."""

    __test__ = False

    title: str
    who: str
    patch: Any
    told: str
    kind: str = MERGE


def _frozen_field(field: str, value: Any) -> Attack:
    return Attack(f"alice changes spec.{field}", ALICE, {"spec": {field: value}}, f"spec.{field}: Invalid value: ")


def _metadata(field: str, value: Any) -> Attack:
    return Attack(f"alice changes metadata.{field} to {value}", ALICE, {"metadata": {field: value}}, BY_POLICY + FROZEN)


def _other_name(who: str, names: dict[str, Any]) -> Attack:
    told = f"{BY_POLICY}you are {who}: a review can be added only under your own name"
    return Attack(f"{who} signs as {' and '.join(names)}", who, {"spec": {"reviews": names}}, told)


ON_AN_OPEN_REQUEST = [
    # In another's name.
    _other_name(ALICE, {DANA: review()}),
    _other_name(ALICE, {ALICE: review(), DANA: review()}),
    _other_name(ALICE, {"Alice@example.com": review()}),
    _other_name(ALICE, {"alice@example.com ": review()}),
    _other_name(ALICE, {OPERATOR: review()}),
    _other_name(DANA, {ALICE: review()}),
    _other_name(ADMIN, {ALICE: review()}),
    Attack(
        "alice signs as dana by a JSON patch",
        ALICE,
        [{"op": "add", "path": "/spec/reviews", "value": {DANA: review()}}],
        "a review can be added only under your own name",
        JSON_PATCH,
    ),
    Attack("alice signs as nobody", ALICE, {"spec": {"reviews": {"": review()}}}, "name has 1 to 1024 characters"),
    # Without the right.
    Attack("dana approves without the right", DANA, reviews(dana=review()), f"{BY_POLICY}{DANA} may not approve "),
    Attack("dana denies without the right", DANA, reviews(dana=review("Denied")), f"{DANA} may not approve "),
    Attack(
        "mallory, who has no right at all",
        MALLORY,
        reviews(mallory=review()),
        f'User "{MALLORY}" cannot patch resource "approvalrequests" in API group "{GROUP}"',
    ),
    # Of another packet.
    Attack(
        "alice approves a digest that she read before",
        ALICE,
        reviews(alice=review(digest=OTHER_DIGEST)),
        "spec.reviews: Invalid value: a review must echo spec.packetDigest: read the packet again",
    ),
    Attack(
        "alice approves no digest at all",
        ALICE,
        reviews(alice={"verdict": "Approved"}),
        f"spec.reviews.{ALICE}.packetDigest: Required value",
    ),
    Attack(
        "alice gives a verdict that is none",
        ALICE,
        reviews(alice=review("Yes")),
        f'spec.reviews.{ALICE}.verdict: Unsupported value: "Yes"',
    ),
    Attack(
        "alice approves a packet that she changed",
        ALICE,
        {"spec": {"packet": {"bound": {"orders": []}}, "reviews": {ALICE: review()}}},
        "spec.packet: Invalid value: ",
    ),
    Attack(
        "alice moves packet, digest and review to another packet at once",
        ALICE,
        {
            "spec": {
                "packet": {"bound": None},
                "packetDigest": OTHER_DIGEST,
                "reviews": {ALICE: review(digest=OTHER_DIGEST)},
            }
        },
        "spec.packetDigest: Invalid value: ",
    ),
    # What was asked for.
    _frozen_field("packet", {"bound": {"orders": [{"attempt": 2}]}}),
    _frozen_field("packet", {"more": "text"}),
    _frozen_field("packetDigest", OTHER_DIGEST),
    _frozen_field("requiredApprovals", 2),
    _frozen_field("expirationTime", "2027-03-14T03:37:12Z"),
    _frozen_field("actionClass", "no-op"),
    _frozen_field("incidentRef", {"name": "another"}),
    _frozen_field("requestedBy", ALICE),
    Attack("alice takes the packet away", ALICE, {"spec": {"packet": None}}, "spec.packet: Required value"),
    Attack("alice takes the spec away", ALICE, {"spec": None}, "spec: Required value"),
    # What holds the request in its place.
    _metadata("labels", {"team": "other"}),
    _metadata("labels", {"more": "labels"}),
    _metadata("labels", None),
    _metadata("annotations", {"note": "approved by phone"}),
    _metadata("ownerReferences", None),
    _metadata("ownerReferences", [{"apiVersion": "v1", "kind": "ConfigMap", "name": "gone", "uid": "1-1-1-1"}]),
    _metadata("finalizers", ["example.com/stuck"]),
    Attack(
        "alice adds a label beside an honest review",
        ALICE,
        {"metadata": {"labels": {"more": "labels"}}, **reviews(alice=review())},
        BY_POLICY + FROZEN,
    ),
    # With other verbs.
    Attack(
        "alice writes the status",
        ALICE,
        {"status": {"conditions": []}},
        'cannot patch resource "approvalrequests/status"',
        "status",
    ),
]


@pytest.mark.parametrize("attack", ON_AN_OPEN_REQUEST, ids=lambda attack: attack.title)
def test_an_attack_on_an_open_request_is_refused_in_words(room: Room, attack: Attack) -> None:
    name = room.open_request()
    api = room.cluster.api(attack.who)
    if attack.kind == "status":
        told = room.refusal(name, lambda: api.patch(f"{room.path(name)}/status", attack.patch))
    else:
        told = room.refusal(name, lambda: api.patch(room.path(name), attack.patch, kind=attack.kind))
    assert attack.told in told


@pytest.mark.parametrize("verb", ["replace", "delete"])
def test_a_reviewer_neither_replaces_nor_deletes_a_request(room: Room, verb: str) -> None:
    name = room.open_request()
    api = room.cluster.api(ALICE)
    attempts = {
        "replace": lambda: api.replace(room.path(name), room.get(name)),
        "delete": lambda: api.delete(room.path(name)),
    }
    shown = {"replace": "update", "delete": "delete"}[verb]
    assert f'cannot {shown} resource "approvalrequests"' in room.refusal(name, attempts[verb])


def test_the_right_to_approve_counts_for_its_class_and_its_namespace_only(room: Room, own_room: Room) -> None:
    own_room.grant_approving({"kind": "User", "name": DANA, "apiGroup": "rbac.authorization.k8s.io"})
    elsewhere = room.open_request()
    patch = reviews(dana=review())
    told = room.refusal(elsewhere, lambda: room.cluster.api(DANA).patch(room.path(elsewhere), patch))
    assert f"{BY_POLICY}{DANA} may not approve actionclasses/{CLASS} in {room.namespace}" in told

    other_class = own_room.open_request(action_class="ansible-scale")
    told = own_room.refusal(other_class, lambda: own_room.approve(other_class, DANA))
    assert f"{BY_POLICY}{DANA} may not approve actionclasses/ansible-scale in {own_room.namespace}" in told


def test_kubectl_shows_a_person_why_and_exits_nonzero(room: Room) -> None:
    name = room.open_request()
    done = room.cluster.kubectl(
        *("patch", "approvalrequest", name, f"--namespace={room.namespace}", "--type=merge"),
        f'--patch={{"spec":{{"reviews":{{"{DANA}":{{"verdict":"Approved","packetDigest":"{DIGEST}"}}}}}}}}',
        user=DANA,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.startswith("Error from server (Forbidden): ")
    assert f"{DANA} may not approve actionclasses/{CLASS} in {room.namespace}" in done.stderr
    assert room.reviews(name) == {}


# --- A review stays what it is ----------------------------------------------------------------

ON_A_REVIEW = {
    "flips it": reviews(alice=review("Denied")),
    "takes it away": reviews(alice=None),
    "takes all away": {"spec": {"reviews": None}},
    "changes its comment": reviews(alice=review(comment="on second thought")),
    "moves it to another digest": reviews(alice=review(digest=OTHER_DIGEST)),
}


@pytest.mark.parametrize("who", [ALICE, DANA, ADMIN])
@pytest.mark.parametrize("what", ON_A_REVIEW)
def test_nobody_changes_a_review_that_was_given(room: Room, who: str, what: str) -> None:
    name = room.open_request()
    room.approve(name)
    told = room.refusal(name, lambda: room.cluster.api(who).patch(room.path(name), ON_A_REVIEW[what]))
    assert f"spec.reviews: Invalid value: {FINAL}" in told


def test_a_review_is_not_exchanged_by_replacing_the_map(room: Room) -> None:
    name = room.open_request()
    room.approve(name)
    exchange = [{"op": "replace", "path": "/spec/reviews", "value": {ADMIN: review("Denied")}}]
    told = room.refusal(name, lambda: room.admin.patch(room.path(name), exchange, kind=JSON_PATCH))
    assert f"spec.reviews: Invalid value: {FINAL}" in told


def test_a_review_is_not_disowned_by_server_side_apply(room: Room) -> None:
    name = room.open_request()
    alice = room.cluster.api(ALICE)
    mine = {"apiVersion": API_VERSION, "kind": "ApprovalRequest", "metadata": {"name": name}, **reviews(alice=review())}
    alice.patch(room.path(name), mine, kind=APPLY, fieldManager="alice")
    nothing = {**mine, "spec": {}}
    told = room.refusal(name, lambda: alice.patch(room.path(name), nothing, kind=APPLY, fieldManager="alice"))
    assert FINAL in told


def test_a_closed_request_takes_no_more_reviews(room: Room) -> None:
    name = room.open_request()
    condition = {
        "type": "Closed",
        "status": "True",
        "reason": "Superseded",
        "lastTransitionTime": "2026-03-14T03:07:12Z",
    }
    room.operator.patch(f"{room.path(name)}/status", {"status": {"conditions": [condition]}})
    assert BY_POLICY + CLOSED in room.refusal(name, lambda: room.approve(name))


def test_a_request_that_is_being_deleted_takes_no_more_reviews(room: Room) -> None:
    name = room.open_request(finalizers=["example.com/hold"])
    room.admin.delete(room.path(name))
    assert BY_POLICY + CLOSED in room.refusal(name, lambda: room.approve(name))


# --- Reviewers that are not people ------------------------------------------------------------


def test_a_service_account_with_every_right_of_a_reviewer_cannot_review(own_room: Room) -> None:
    name = own_room.open_request()
    robot, subject = own_room.service_account("robot")
    own_room.grant_approving(subject)
    user = f"system:serviceaccount:{own_room.namespace}:robot"
    patch = {"spec": {"reviews": {user: review()}}}
    assert BY_POLICY + NOT_A_PERSON in own_room.refusal(name, lambda: robot.patch(own_room.path(name), patch))


def test_git_automation_that_is_cluster_admin_cannot_review(own_room: Room) -> None:
    name = own_room.open_request()
    robot, subject = own_room.service_account("git-automation")
    own_room.bind("git-automation", {"kind": "ClusterRole", "name": "cluster-admin"}, subject, REVIEWING)
    user = f"system:serviceaccount:{own_room.namespace}:git-automation"
    for reviewer, told in [(user, NOT_A_PERSON), (ALICE, f"you are {user}: a review can be added only under")]:
        attempt = partial(robot.patch, own_room.path(name), {"spec": {"reviews": {reviewer: review()}}})
        assert told in own_room.refusal(name, attempt)


@pytest.mark.parametrize(
    ("user", "group"),
    [
        ("system:admin", "system:masters"),
        ("system:node:worker-1", "system:nodes"),
        ("ci@example.com", "system:nodes"),
        ("ci@example.com", "system:serviceaccounts"),
        ("ci@example.com", "system:unauthenticated"),
    ],
)
def test_system_users_cannot_review_whatever_their_name_or_right(room: Room, user: str, group: str) -> None:
    name = room.open_request()
    done = room.cluster.kubectl(
        *("patch", "approvalrequest", name, f"--namespace={room.namespace}", "--type=merge"),
        f'--patch={{"spec":{{"reviews":{{"{user}":{{"verdict":"Approved","packetDigest":"{DIGEST}"}}}}}}}}',
        *(f"--as={user}", f"--as-group={group}", "--as-group=system:masters"),
        check=False,
    )
    assert NOT_A_PERSON in done.stderr
    assert room.reviews(name) == {}


# --- The operator's own token -----------------------------------------------------------------


def test_the_operator_cannot_review_its_own_request(room: Room) -> None:
    name = room.open_request()
    patch = {"spec": {"reviews": {OPERATOR: review()}}}
    told = room.refusal(name, lambda: room.operator.patch(room.path(name), patch))
    assert f'User "{OPERATOR}" cannot patch resource "approvalrequests"' in told


def test_the_operator_may_patch_its_canary_and_even_there_cannot_review(room: Room) -> None:
    canary = "firstresponder-selftest"
    room.operator.create(room.collection(), document(canary))
    patch = {"spec": {"reviews": {OPERATOR: review()}}}
    told = room.refusal(canary, lambda: room.operator.patch(room.path(canary), patch))
    assert BY_POLICY + NOT_A_PERSON in told
    for_alice = reviews(alice=review())
    told = room.refusal(canary, lambda: room.operator.patch(room.path(canary), for_alice))
    assert f"you are {OPERATOR}: a review can be added only under your own name" in told


def test_the_operators_status_patch_cannot_smuggle_a_review_or_a_label(room: Room) -> None:
    name = room.open_request()
    before = room.get(name)
    smuggled = {
        "metadata": {"labels": {"team": "other"}, "ownerReferences": None},
        "spec": {"reviews": {ALICE: review()}, "requiredApprovals": 2},
        "status": {"attemptIds": ["a1"]},
    }
    room.operator.patch(f"{room.path(name)}/status", smuggled)
    after = room.get(name)
    assert after["status"] == {"attemptIds": ["a1"]}
    assert after["spec"] == before["spec"]
    assert (after["metadata"]["labels"], after["metadata"]["ownerReferences"]) == (
        before["metadata"]["labels"],
        before["metadata"]["ownerReferences"],
    )


def test_the_operator_cannot_review_as_somebody_else(room: Room) -> None:
    name = room.open_request()
    approved = room.get(name)
    approved["spec"] |= reviews(alice=review())["spec"]
    as_alice = room.cluster.kubectl(  # raw: without kubectl's discovery, which would be refused first
        f"--kubeconfig={room.cluster.operator_kubeconfig()}",
        *("replace", f"--raw={room.path(name)}", "--filename=-", f"--as={ALICE}"),
        stdin=json.dumps(approved),
        check=False,
    )
    assert f'User "{OPERATOR}" cannot impersonate' in as_alice.stderr
    assert room.reviews(name) == {}


ADMISSION = "/apis/admissionregistration.k8s.io/v1"
BEYOND_THE_OPERATOR: list[tuple[str, Callable[[Room], Any]]] = [
    ('delete resource "approvalrequests"', lambda room: room.operator.delete(room.path("any"))),
    ('update resource "approvalrequests"', lambda room: room.operator.replace(room.path("any"), document("any"))),
    (
        'patch resource "validatingadmissionpolicies"',
        lambda room: room.operator.patch(f"{ADMISSION}/validatingadmissionpolicies/{POLICY}", {"spec": {}}),
    ),
    (
        'delete resource "validatingadmissionpolicybindings"',
        lambda room: room.operator.delete(f"{ADMISSION}/validatingadmissionpolicybindings/{POLICY}"),
    ),
    (
        'patch resource "customresourcedefinitions"',
        lambda room: room.operator.patch(DEFINITION, {"spec": {}}),
    ),
    (
        'create resource "rolebindings"',
        lambda room: room.operator.create(
            f"{RBAC}/namespaces/{room.namespace}/rolebindings", {"metadata": {"name": "x"}}
        ),
    ),
    (
        'patch resource "actionclasses"',
        lambda room: room.operator.patch(
            f"/apis/{API_VERSION}/namespaces/{room.namespace}/actionclasses/{CLASS}", {"spec": {"requiredApprovals": 1}}
        ),
    ),
    (
        'patch resource "incidents"',
        lambda room: room.operator.patch(
            f"/apis/{API_VERSION}/namespaces/{room.namespace}/incidents/any", {"spec": {"abort": False}}
        ),
    ),
    (
        'create resource "serviceaccounts/token"',
        lambda room: room.operator.create(
            f"/api/v1/namespaces/{room.namespace}/serviceaccounts/default/token", {"spec": {}}
        ),
    ),
    ('get resource "secrets"', lambda room: room.operator.get(f"/api/v1/namespaces/{room.namespace}/secrets/any")),
    ('list resource "secrets"', lambda room: room.operator.get("/api/v1/namespaces/first-responder/secrets")),
]


@pytest.mark.parametrize(("told", "attempt"), BEYOND_THE_OPERATOR, ids=[told for told, _ in BEYOND_THE_OPERATOR])
def test_the_operator_has_no_right_to_what_guards_approvals(
    room: Room, told: str, attempt: Callable[[Room], Any]
) -> None:
    with pytest.raises(ApiError) as refused:
        attempt(room)
    assert refused.value.code == 403
    assert f'User "{OPERATOR}" cannot {told}' in refused.value.message


# --- Around the CRD: a second served version without any rule ---------------------------------

LAX = "v1alpha0"  # ranks below v1alpha1, so kubectl and the garbage collector stay with the version they know


@pytest.fixture(scope="module")
def lax_room(room: Room) -> Iterator[Room]:
    """The room with the kind served in a second version, which has no schema and no rules."""
    versions = room.admin.get(DEFINITION)["spec"]["versions"]
    lax = {
        "name": LAX,
        "served": True,
        "storage": False,
        "subresources": {"status": {}},
        "schema": {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}},
    }

    def serve(what: list[dict[str, Any]]) -> None:
        room.admin.patch(DEFINITION, [{"op": "replace", "path": "/spec/versions", "value": what}], kind=JSON_PATCH)

    def served(version: str) -> bool:
        try:
            room.admin.get(room.collection(version))
        except ApiError:
            return False
        return True

    serve([*versions, lax])
    wait_until(lambda: served(LAX), 60, "the second version")
    yield room
    serve(versions)
    wait_until(lambda: not served(LAX), 60, "the end of the second version")
    wait_until(lambda: served("v1alpha1"), 60, "the first version")


AROUND_THE_CRD = [
    Attack("flips a review", ALICE, reviews(alice=review("Denied")), BY_POLICY + FINAL),
    Attack("changes a review's comment", ALICE, reviews(alice={"comment": "no"}), BY_POLICY + FINAL),
    Attack("takes a review away", ALICE, reviews(alice=None), BY_POLICY + FINAL),
    Attack("takes all reviews away", ALICE, {"spec": {"reviews": None}}, BY_POLICY + FINAL),
    Attack("takes the spec away", ALICE, {"spec": None}, f"ValidatingAdmissionPolicy '{POLICY}'"),
    Attack("signs as dana", ALICE, reviews(dana=review()), "a review can be added only under your own name"),
    Attack("dana has no right", DANA, reviews(dana=review()), f"{DANA} may not approve actionclasses/{CLASS}"),
    Attack("an old digest", ADMIN, reviews(admin=review(digest=OTHER_DIGEST)), "a review must echo spec.packetDigest"),
    Attack("no digest", ADMIN, reviews(admin={"verdict": "Approved"}), f"ValidatingAdmissionPolicy '{POLICY}'"),
    Attack("changes the packet", ALICE, {"spec": {"packet": {"bound": {"more": 1}}}}, BY_POLICY + UNCHANGED),
    Attack("takes the packet away", ALICE, {"spec": {"packet": None}}, BY_POLICY + UNCHANGED),
    Attack("changes the digest", ADMIN, {"spec": {"packetDigest": OTHER_DIGEST}}, BY_POLICY + UNCHANGED),
    Attack("asks for fewer", ADMIN, {"spec": {"requiredApprovals": 0}}, BY_POLICY + UNCHANGED),
    Attack("adds a field", ADMIN, {"spec": {"approved": True}}, BY_POLICY + UNCHANGED),
    Attack("changes a label", ADMIN, {"metadata": {"labels": {"team": "x"}}}, BY_POLICY + FROZEN),
]


@pytest.mark.parametrize("attack", AROUND_THE_CRD, ids=lambda attack: attack.title)
def test_a_served_version_without_rules_is_no_way_around_them(lax_room: Room, attack: Attack) -> None:
    name = lax_room.open_request()
    lax_room.approve(name)
    api = lax_room.cluster.api(attack.who)
    told = lax_room.refusal(name, lambda: api.patch(lax_room.path(name, LAX), attack.patch))
    assert attack.told in told


def test_a_served_version_without_rules_takes_no_request_that_is_born_approved(lax_room: Room) -> None:
    born_approved = document("born-approved", reviews={OPERATOR: review()})
    born_approved["apiVersion"] = f"{GROUP}/{LAX}"
    with pytest.raises(ApiError, match="an ApprovalRequest starts without reviews"):
        lax_room.operator.create(lax_room.collection(LAX), born_approved)


def test_an_attack_there_fails_by_the_policy_alone(lax_room: Room) -> None:
    """The version is as lax as it should be: what no rule of the policy forbids goes through."""
    name = lax_room.open_request()
    lax_room.admin.patch(lax_room.path(name, LAX), reviews(admin={**review(), "verdict": "Maybe"}))
    assert lax_room.reviews(name)[ADMIN]["verdict"] == "Maybe"


# --- The honest ways --------------------------------------------------------------------------


@pytest.mark.parametrize("verdict", ["Approved", "Denied"])
def test_plain_kubectl_patch_is_enough_to_review(room: Room, verdict: str) -> None:
    name = room.open_request()
    said = room.cluster.kubectl(
        *("patch", "approvalrequest", name, f"--namespace={room.namespace}", "--type=merge"),
        f'--patch={{"spec":{{"reviews":{{"{ALICE}":{{"verdict":"{verdict}","packetDigest":"{DIGEST}",'
        '"comment":"ok"}}}}',
        user=ALICE,
    )
    assert said.stdout == f"approvalrequest.firstresponder.dev/{name} patched\n"
    assert room.reviews(name) == {ALICE: review(verdict, comment="ok")}


def test_kubectl_tells_truly_who_may_approve(room: Room) -> None:
    question = (
        "auth",
        "can-i",
        "approve",
        f"actionclasses.firstresponder.dev/{CLASS}",
        f"--namespace={room.namespace}",
    )
    assert room.cluster.kubectl(*question, user=ALICE).stdout == "yes\n"
    assert room.cluster.kubectl(*question, user=DANA, check=False).stdout == "no\n"


def test_a_second_reviewer_adds_to_the_first(own_room: Room) -> None:
    name = own_room.open_request(requiredApprovals=2)
    own_room.grant_approving({"kind": "User", "name": DANA, "apiGroup": "rbac.authorization.k8s.io"})
    own_room.approve(name, ALICE)
    own_room.approve(name, DANA, "Denied")
    assert own_room.reviews(name) == {ALICE: review(), DANA: review("Denied")}


def test_a_user_name_may_hold_whatever_an_identity_provider_puts_there(own_room: Room) -> None:
    name = own_room.open_request()
    user = "https://issuer.example.com/realms/x#c~arol/1:2"
    own_room.grant_approving({"kind": "User", "name": user, "apiGroup": "rbac.authorization.k8s.io"})
    own_room.cluster.kubectl(
        *("patch", "approvalrequest", name, f"--namespace={own_room.namespace}", "--type=merge", f"--as={user}"),
        f'--patch={{"spec":{{"reviews":{{"{user}":{{"verdict":"Approved","packetDigest":"{DIGEST}"}}}}}}}}',
    )
    assert own_room.reviews(name) == {user: review()}


def test_repeating_the_same_review_is_no_change(room: Room) -> None:
    name = room.open_request()
    room.approve(name)
    before = room.get(name)
    room.approve(name)
    assert room.get(name) == before


def test_the_operator_closes_a_reviewed_request_by_its_status(room: Room) -> None:
    name = room.open_request()
    room.approve(name)
    closed = {"type": "Closed", "status": "True", "reason": "Consumed", "lastTransitionTime": "2026-03-14T03:07:12Z"}
    patch = {"status": {"attemptIds": ["f" * 64], "conditions": [closed], "observedGeneration": 2}}
    room.operator.patch(f"{room.path(name)}/status", patch)
    assert room.get(name)["status"] == patch["status"]
    assert room.reviews(name) == {ALICE: review()}


def test_a_review_that_comes_first_makes_the_operators_patch_a_conflict(room: Room) -> None:
    name = room.open_request()
    version = room.get(name)["metadata"]["resourceVersion"]
    room.approve(name, verdict="Denied")
    consumed = {"metadata": {"resourceVersion": version}, "status": {"attemptIds": ["f" * 64]}}
    with pytest.raises(ApiError) as refused:
        room.operator.patch(f"{room.path(name)}/status", consumed)
    assert (refused.value.code, refused.value.reason) == (409, "Conflict")
    assert "status" not in room.get(name)


@pytest.mark.parametrize("policy", ["Foreground", "Background", "Orphan"])
def test_the_garbage_collector_still_does_its_work(room: Room, policy: str) -> None:
    owner = room.owner_reference(f"owner-{policy.lower()}")
    name = room.open_request({**owner, "blockOwnerDeletion": True})
    room.admin.delete(f"{room.incidents}/{owner['name']}", propagationPolicy=policy)

    def done() -> bool:
        left = {each["metadata"]["name"]: each["metadata"] for each in room.admin.get(room.collection())["items"]}
        if policy != "Orphan":
            return name not in left
        return "ownerReferences" not in left[name]

    wait_until(done, 60, "the garbage collector")


# --- The policy itself ------------------------------------------------------------------------


def test_the_server_finds_nothing_wrong_with_the_policys_expressions(cluster: Cluster) -> None:
    path = f"{ADMISSION}/validatingadmissionpolicies/{POLICY}"
    wait_until(lambda: "observedGeneration" in cluster.api().get(path).get("status", {}), 60, "the type check")
    assert cluster.api().get(path)["status"].get("typeChecking", {}) == {}


def test_the_live_policy_equals_the_shipped_one_so_that_they_can_be_compared(cluster: Cluster) -> None:
    for resource, shipped in [
        ("validatingadmissionpolicies", SHIPPED_POLICY),
        ("validatingadmissionpolicybindings", SHIPPED_BINDING),
    ]:
        live = cluster.api().get(f"{ADMISSION}/{resource}/{POLICY}")
        assert live["spec"] == shipped["spec"]


def test_every_right_in_the_table_is_granted_where_the_manifests_are_applied(room: Room) -> None:
    for spec in access_reviews((room.namespace,)):
        answer = room.operator.create(
            "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews",
            {"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview", "spec": spec},
        )
        assert answer["status"]["allowed"], spec
