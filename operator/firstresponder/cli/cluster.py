"""The cluster as the caller's own kubectl sees it: same kubeconfig, same context, same namespace, same user."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote

import click
import yaml
from kubernetes import config
from kubernetes.client.exceptions import ApiException
from kubernetes.config import ConfigException
from pydantic import ValidationError
from urllib3.exceptions import HTTPError

from firstresponder.api.approvalrequest import ApprovalRequest, Review
from firstresponder.api.base import GROUP, JSON, VERSION, Resource
from firstresponder.api.incident import Incident
from firstresponder.safety.neutralise import neutralise

_DEFAULT_KUBECONFIG = "~/.kube/config"
_TIMEOUT = (10, 30)
"""Seconds to connect and to wait for an answer."""

C = TypeVar("C", bound=Callable[..., Any])
R = TypeVar("R", bound=Resource)


class Refused(click.ClickException):
    """It was refused or declined; nothing was written."""

    exit_code = 1


class NoAnswer(click.ClickException):
    """There is no usable kubeconfig, or the API server gave no answer."""

    exit_code = 2


def cluster_options(command: C) -> C:
    """The options of kubectl that say which cluster, who and where."""
    command = click.option("--context", metavar="NAME", help="The kubeconfig's context to use.")(command)
    command = click.option(
        "--kubeconfig", metavar="FILE", help="The kubeconfig file; otherwise $KUBECONFIG or ~/.kube/config."
    )(command)
    return click.option(
        "-n", "--namespace", metavar="NS", help="The namespace; otherwise that of the context, otherwise default."
    )(command)


class Cluster:
    """Requests of the caller. Every method raises Refused with the API server's words, or NoAnswer."""

    def __init__(self, api: Any, namespace: str, flags: tuple[str, ...] = ()) -> None:
        self._api = api
        self.namespace = namespace
        self.flags = flags
        """What kubectl needs on its command line to reach the same cluster."""

    @classmethod
    def connect(cls, kubeconfig: str | None, context: str | None, namespace: str | None) -> Cluster:
        """The cluster that kubectl would talk to with the same options. Raises NoAnswer."""
        files = kubeconfig or os.environ.get("KUBECONFIG") or _DEFAULT_KUBECONFIG
        try:
            name = context or _current_context(files)
            library: Any = config  # it has no types
            contexts, active = library.list_kube_config_contexts(files)
            chosen = next((each for each in contexts if each["name"] == name), active)
            api = library.new_client_from_config(files, context=name)
        except (ConfigException, OSError, yaml.YAMLError, KeyError, TypeError) as error:
            raise NoAnswer(f"no usable kubeconfig ({neutralise(files, 300)}): {neutralise(str(error), 500)}") from None
        given = (("--kubeconfig", kubeconfig), ("--context", context))
        flags = tuple(f"{flag}={value}" for flag, value in given if value)
        return cls(api, namespace or chosen["context"].get("namespace") or "default", flags)

    def whoami(self) -> str:
        """The caller's user name, as the API server knows it."""
        path = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
        body = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
        username: str = self._request("POST", path, body)["status"]["userInfo"]["username"]
        return username

    def incident(self, name: str) -> Incident | None:
        """The incident of that name, if there is one."""
        return self._get(Incident, name)

    def request(self, name: str) -> ApprovalRequest | None:
        """The approval request of that name, if there is one."""
        return self._get(ApprovalRequest, name)

    def revision(self, name: str) -> Mapping[str, JSON] | None:
        """The data of the ControllerRevision of that name, if there is one."""
        namespace, revision = quote(self.namespace, safe=""), quote(name, safe="")
        path = f"/apis/apps/v1/namespaces/{namespace}/controllerrevisions/{revision}"
        try:
            data: Mapping[str, JSON] = self._request("GET", path)["data"]
        except _NotFound:
            return None
        return data

    def review(self, name: str, user: str, review: Review) -> ApprovalRequest:
        """Write the caller's review as ``kubectl patch --type=merge`` would; the request as it is then."""
        body = {"spec": {"reviews": {user: review.wire()}}}
        answer = self._request("PATCH", self._path(ApprovalRequest, name), body, "application/merge-patch+json")
        return _read(ApprovalRequest, answer)

    def _get(self, kind: type[R], name: str) -> R | None:
        try:
            return _read(kind, self._request("GET", self._path(kind, name)))
        except _NotFound:
            return None

    def _path(self, kind: type[Resource], name: str) -> str:
        namespace = quote(self.namespace, safe="")
        return f"/apis/{GROUP}/{VERSION}/namespaces/{namespace}/{kind.plural}/{quote(name, safe='')}"

    def _request(self, method: str, path: str, body: Any = None, content_type: str = "application/json") -> Any:
        try:
            method, url, headers, body, _ = self._api.param_serialize(
                method,
                path,
                header_params={"Accept": "application/json", "Content-Type": content_type},
                body=body,
                auth_settings=["BearerToken"],
            )
            response = self._api.call_api(method, url, headers, body, _request_timeout=_TIMEOUT)
            text = response.read()
        except (HTTPError, ApiException, OSError) as error:
            where = neutralise(str(self._api.configuration.host), 300)
            raise NoAnswer(f"no answer from {where}: {neutralise(str(error), 500)}") from None
        if response.status >= 400:
            raise _refusal(response.status, text)
        return json.loads(text)


class _NotFound(Refused):
    """There is no such object, or no such kind."""


def _refusal(code: int, text: bytes) -> Refused:
    """The API server's own words, which say what a policy or a role did not allow."""
    try:
        message = str(json.loads(text)["message"])
    except (ValueError, KeyError, TypeError):
        message = f"HTTP {code}: {text[:300].decode('utf-8', 'replace')}"
    return (_NotFound if code == 404 else Refused)(neutralise(message, 4096))


def _read(kind: type[R], body: Any) -> R:
    try:
        return kind.model_validate(body)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"])
        message = neutralise(f"{kind.__name__}: {field}: {first['msg']}", 500)
        raise Refused(f"{message} (is this plugin older than the operator?)") from None


def _current_context(files: str) -> str | None:
    """The first ``current-context`` of several files, as kubectl has it (the client library takes the last)."""
    for each in files.split(os.pathsep):
        path = Path(each).expanduser()
        content = yaml.safe_load(path.read_text()) if each and path.is_file() else None
        if isinstance(content, dict) and content.get("current-context"):
            return str(content["current-context"])
    return None
