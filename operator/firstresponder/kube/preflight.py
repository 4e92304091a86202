"""What must be there before the informer starts, because it would stay alive but deaf without it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, Final

from firstresponder.api.base import GROUP, VERSION
from firstresponder.api.kinds import KINDS
from firstresponder.kube.client import Client
from firstresponder.kube.errors import NotFound
from firstresponder.kube.permissions import OPERATOR_NAMESPACE, OPERATOR_USER, access_reviews

_AT_ONCE: Final = 16
_APPLY_CRDS: Final = "kubectl apply --server-side --filename crds/"
_APPLY_CLUSTER: Final = "kubectl apply --server-side --filename deploy/"
_APPLY_TO_NAMESPACE: Final = "kubectl apply --server-side --namespace {} --filename deploy/{}/"


async def user_name(client: Client) -> str:
    """The operator's own user name as the API server knows it."""
    review = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
    answer = await client.create("/apis/authentication.k8s.io/v1/selfsubjectreviews", review)
    name: str = answer["status"]["userInfo"]["username"]
    return name


async def missing(client: Client, namespaces: Sequence[str], *, archiving: bool = False) -> tuple[str, ...]:
    """What the operator lacks to work in these namespaces, each with the command that fixes it; empty when ready.

    ``archiving`` is whether it is to delete the incidents that it archived.

    Raises ApiError for anything but a missing kind or permission, Unreachable without an answer.
    """
    if absent := await absent_kinds(client):
        return absent
    user = await user_name(client)
    if user != OPERATOR_USER:
        return (f"these are the credentials of {user}: the operator acts only as {OPERATOR_USER}",)
    gathering = asyncio.Semaphore(_AT_ONCE)

    async def denied(spec: dict[str, Any]) -> bool:
        async with gathering:
            return not await _is_allowed(client, spec)

    reviews = list(access_reviews(tuple(namespaces), archiving=archiving))
    answers = await asyncio.gather(*(denied(spec) for spec in reviews))
    return tuple(_missing_right(spec["resourceAttributes"]) for spec, no in zip(reviews, answers, strict=True) if no)


async def absent_kinds(client: Client) -> tuple[str, ...]:
    """Kinds that the API server does not serve, each with the command that fixes it. Raises ApiError, Unreachable."""
    try:
        answer = await client.get(f"/apis/{GROUP}/{VERSION}")
        served = {resource["name"] for resource in answer["resources"]}
    except NotFound:
        served = set()
    absent = (kind.__name__ for kind in KINDS if kind.plural not in served)
    return tuple(f"the kind {kind} is not served: {_APPLY_CRDS}" for kind in absent)


async def _is_allowed(client: Client, spec: dict[str, Any]) -> bool:
    review = {"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview", "spec": spec}
    answer = await client.create("/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", review)
    return bool(answer["status"]["allowed"])


def _missing_right(attributes: dict[str, str]) -> str:
    resource = "/".join(filter(None, [attributes["resource"], attributes.get("subresource")]))
    name = f" {attributes['name']}" if "name" in attributes else ""
    namespace = attributes.get("namespace")
    where = f" in namespace {namespace}" if namespace else ""
    fix = _APPLY_CLUSTER
    if attributes["verb"] == "delete":
        fix = f"{_APPLY_TO_NAMESPACE.format(namespace, 'archive')} (with Helm: the values archive.file or archive.http)"
    elif namespace and namespace != OPERATOR_NAMESPACE:
        fix = _APPLY_TO_NAMESPACE.format(namespace, "watched-namespace")
    return f"may not {attributes['verb']} {resource}{name}{where}: {fix}"
