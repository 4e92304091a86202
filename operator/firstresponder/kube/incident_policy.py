"""The admission policy that keeps an Incident where it is until it has ended.

Who may patch incidents may patch their metadata. An owner reference to what does not exist makes the garbage collector
delete the incident and its request, also in the middle of an action; a finalizer keeps what should go; labels and
annotations are how other programs find an incident again. None of that belongs to a responder's work, so all of it
stays as it was created, without owners and finalizers. What ``kubectl apply`` notes down for itself is let through, and
so is the annotation that keeps an incident from being archived.
"""

from __future__ import annotations

import json
from typing import Final

from firstresponder.api.base import GROUP, JSON
from firstresponder.api.incident import KEEP
from firstresponder.kube.admission import COLLECTORS, OLD_META, binding, policy, rule, unchanged

NAME: Final = f"incidents.{GROUP}"

_FREE: Final = json.dumps(["kubectl.kubernetes.io/last-applied-configuration", KEEP])

_VARIABLES: Final = {
    "collector": f"request.userInfo.username in {COLLECTORS}",
    "oldMeta": OLD_META,
    "annotations": "object.metadata.?annotations.orValue({})",
    "oldAnnotations": "variables.oldMeta.?annotations.orValue({})",
}


def _within(one: str, other: str) -> str:
    """That each annotation of one map is in the other, but for those that may change."""
    return (
        f"variables.{one}.all(k, k in {_FREE} || "
        f"(k in variables.{other} && variables.{one}[k] == variables.{other}[k]))"
    )


_VALIDATIONS: Final = [
    rule(
        "request.operation != 'CREATE' || (!has(object.metadata.ownerReferences) && !has(object.metadata.finalizers))",
        message="an Incident starts without owner references and finalizers",
    ),
    rule(
        "request.operation == 'CREATE' || variables.collector || ("
        + " && ".join(
            [
                unchanged("labels", "{}"),
                unchanged("ownerReferences", "[]"),
                unchanged("finalizers", "[]"),
                _within("annotations", "oldAnnotations"),
                _within("oldAnnotations", "annotations"),
            ]
        )
        + ")",
        message=f"labels, annotations (but {KEEP}), owner references and finalizers of an Incident do not change",
    ),
]

POLICY: Final[dict[str, JSON]] = policy(NAME, "incidents", _VARIABLES, _VALIDATIONS)
BINDING: Final[dict[str, JSON]] = binding(NAME)
