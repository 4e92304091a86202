"""The admission policy that keeps approvals honest, as shipped: the manifests and the self-test read it here.

It repeats what the CRD's own rules say, because those belong to one served version of the CRD, and adds what they
cannot know: who is asking and what that person may approve.
"""

from __future__ import annotations

from typing import Final

from firstresponder.api.base import GROUP, JSON
from firstresponder.kube.admission import COLLECTORS, OLD_META, binding, policy, rule, unchanged
from firstresponder.kube.permissions import POLICY_NAME

_NOT_PEOPLE: Final = "['system:serviceaccounts', 'system:nodes', 'system:unauthenticated']"

_VARIABLES: Final = {
    "old": "oldObject != null && has(oldObject.spec.reviews) ? oldObject.spec.reviews : {}",
    "new": "has(object.spec.reviews) ? object.spec.reviews : {}",
    "added": "variables.new.map(u, u).filter(u, !(u in variables.old))",
    "me": "request.userInfo.username",
    "closed": "oldObject != null && (has(oldObject.metadata.deletionTimestamp) || "
    "(has(oldObject.status) && has(oldObject.status.conditions) && "
    "oldObject.status.conditions.exists(c, c.type == 'Closed' && c.status == 'True')))",
    "collector": f"variables.me in {COLLECTORS}",
    # dyn: the server's type check knows the fields of a spec, but not that they can be walked like a map's keys.
    "spec": "dyn(object.spec)",
    "oldSpec": "oldObject != null ? dyn(oldObject.spec) : dyn({})",
    "oldMeta": OLD_META,
}


_VALIDATIONS: Final = [
    rule(
        "request.operation != 'CREATE' || variables.new.size() == 0",
        message="an ApprovalRequest starts without reviews",
    ),
    rule(
        "request.operation != 'CREATE' || object.spec.requestedBy == variables.me",
        message_expression="'spec.requestedBy must be ' + variables.me",
    ),
    rule(
        "variables.added.all(u, u == variables.me)",
        message_expression="'you are ' + variables.me + ': a review can be added only under your own name'",
    ),
    # Else Git automation that is cluster-admin approves: the right alone does not make a person.
    rule(
        "variables.added.size() == 0 || !(variables.me.startsWith('system:') || "
        f"(has(request.userInfo.groups) && request.userInfo.groups.exists(g, g in {_NOT_PEOPLE})))",
        message="a review is given by a person: service accounts, nodes and system users cannot review",
    ),
    rule(
        "variables.added.size() == 0 || !variables.closed",
        message="this ApprovalRequest is closed: it takes no more reviews",
    ),
    rule(
        f"variables.added.size() == 0 || authorizer.group('{GROUP}').resource('actionclasses')"
        ".namespace(request.namespace).name(object.spec.actionClass).check('approve').allowed()",
        message_expression="variables.me + ' may not approve actionclasses/' + object.spec.actionClass "
        "+ ' in ' + request.namespace",
    ),
    # A reviewer's right to patch covers metadata too.
    rule(
        "request.operation == 'CREATE' || variables.collector || ("
        + " && ".join(
            unchanged(field, empty)
            for field, empty in [
                ("labels", "{}"),
                ("annotations", "{}"),
                ("ownerReferences", "[]"),
                ("finalizers", "[]"),
            ]
        )
        + ")",
        message="labels, annotations, owner references and finalizers of an ApprovalRequest do not change",
    ),
    rule(
        "request.operation == 'CREATE' || ("
        "variables.spec.all(k, k == 'reviews' || (k in variables.oldSpec && variables.spec[k] == variables.oldSpec[k]))"
        " && variables.oldSpec.all(k, k == 'reviews' || k in variables.spec))",
        message="only spec.reviews may change after creation",
    ),
    rule(
        "variables.old.all(u, u in variables.new && variables.new[u] == variables.old[u])",
        message="a review is final: it can neither change nor be removed",
    ),
    rule(
        "variables.added.all(u, variables.new[u].packetDigest == object.spec.packetDigest)",
        message="a review must echo spec.packetDigest",
    ),
]

POLICY: Final[dict[str, JSON]] = policy(POLICY_NAME, "approvalrequests", _VARIABLES, _VALIDATIONS)
BINDING: Final[dict[str, JSON]] = binding(POLICY_NAME)
