"""The cluster as the caller's own kubectl sees it: same kubeconfig, same context, same namespace, same user."""

from __future__ import annotations

import json
import os
import re
import shlex
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeVar
from urllib.parse import quote

import click
from pydantic import ValidationError

from firstresponder.api.approvalrequest import ApprovalRequest, Review
from firstresponder.api.base import GROUP, JSON, VERSION, Label, ObjectName, Resource, fits
from firstresponder.api.incident import Incident
from firstresponder.cli.connection import Connection, NoConnection, Response, connect
from firstresponder.cli.unreadable import first_problem
from firstresponder.safety.neutralise import neutralise

_DEFAULT_KUBECONFIG = "~/.kube/config"
_TIMEOUTS = (10.0, 30.0)
"""Seconds to connect and to wait for an answer."""
_PAGE = 500
_NAMED_AFTER_A_KIND = re.compile(r"^(?:incidents?|inc)(?:\.[a-z0-9.]+)?/")

_HINTS = {
    401: "the API server does not know you: log in again, and see whether kubectl get pods works",
    404: "is First Responder installed in this cluster?",
    410: "the list changed too long while it was read: try again",
}
"""What to do, by the status of an answer that does not say it."""

R = TypeVar("R", bound=Resource)


class Refused(click.ClickException):
    """It was refused or declined; nothing was written."""

    exit_code = 1


class Unreadable(Refused):
    """What is stored is in a form that this plugin does not know; asking again changes nothing."""


class NoAnswer(click.ClickException):
    """There is no usable kubeconfig, or the API server gave no answer."""

    exit_code = 2


class Cluster:
    """Requests of the caller. Every method raises Refused with the API server's words, Unreadable, or NoAnswer."""

    def __init__(
        self,
        connection: Connection,
        namespace: str,
        flags: tuple[str, ...] = (),
        timeouts: tuple[float, float] = _TIMEOUTS,
    ) -> None:
        self._connection = connection
        self._timeouts = timeouts
        self.namespace = namespace
        self.flags = flags
        """What kubectl needs on its command line to reach the same cluster."""

    @classmethod
    def connect(
        cls,
        kubeconfig: str | None,
        context: str | None,
        namespace: str | None,
        *,
        timeouts: tuple[float, float] = _TIMEOUTS,
    ) -> Cluster:
        """The cluster that kubectl would talk to with the same options. Raises NoAnswer, and UsageError for a
        namespace that there cannot be.

        ``timeouts`` is how many seconds each request may take to connect, and then to be answered.
        """
        files = kubeconfig_files(kubeconfig)
        try:
            connection, usual = connect(files, context)
        except NoConnection as problem:
            where, why = neutralise(files, 300), neutralise(str(problem), 500)
            raise NoAnswer(f"no usable kubeconfig ({where}): {why}") from None
        space = namespace or usual or "default"
        if not fits(Label, space):
            raise click.UsageError(f"{space!r} is not the name of a namespace: give one with --namespace")
        given = (("--kubeconfig", kubeconfig), ("--context", context))
        flags = tuple(f"{flag}={value}" for flag, value in given if value)
        return cls(connection, space, flags, timeouts)

    def command(self, *words: str) -> str:
        """A command of kubectl for the same namespace of the same cluster, quoted for a shell."""
        return shlex.join(["kubectl", *words, "-n", self.namespace, *self.flags])

    def whoami(self) -> str:
        """The caller's user name, as the API server knows it."""
        path = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
        body = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
        username: str = self._request("POST", path, body)["status"]["userInfo"]["username"]
        return username

    def incident(self, name: str) -> Incident | None:
        """The incident of that name, if there is one."""
        return self._get(Incident, name)

    def the_incident(self, name: str) -> Incident:
        """The incident of that name, which may be written as in ``incident/NAME``. Refused where there is none."""
        name = _NAMED_AFTER_A_KIND.sub("", name, count=1)
        incident = self.incident(name)
        if incident is None:
            raise Refused(f"there is no incident {neutralise(name, 256)} in namespace {self.namespace}")
        return incident

    def items(self, kind: type[Resource], *, everywhere: bool = False) -> Iterator[dict[str, Any]]:
        """All objects of a kind in the namespace, or in every one, as they are stored, however many pages they fill."""
        path = f"/apis/{GROUP}/{VERSION}/{kind.plural}" if everywhere else self._path(kind)
        query = {"limit": str(_PAGE)}
        while True:
            answer = self._request("GET", path, query=query)
            yield from answer["items"]
            if not (rest := answer["metadata"].get("continue")):
                return
            query["continue"] = rest

    def create(self, incident: Mapping[str, JSON], *, dry_run: bool = False) -> dict[str, Any]:
        """Create an incident; as it is stored then, or with ``dry_run`` as it would be. Unknown fields are refused."""
        query = {"fieldValidation": "Strict"} | ({"dryRun": "All"} if dry_run else {})
        created: dict[str, Any] = self._request("POST", self._path(Incident), incident, query=query)
        return created

    def changes(self, incident: Incident, within: int) -> Iterator[tuple[str, Incident]]:
        """Each change (ADDED, MODIFIED or DELETED) after the state given, for so many seconds.

        It ends early where the API server no longer remembers that state: read the incident again.
        """
        query = {
            "watch": "true",
            "fieldSelector": f"metadata.name={incident.name}",
            "resourceVersion": incident.metadata.resource_version,
            "timeoutSeconds": str(within),
        }
        # A connection that died without a word is noticed soon after the end of the time.
        timeouts = (self._timeouts[0], self._timeouts[1] + within)
        with self._answering(), self._send("GET", self._path(Incident), query=query, timeouts=timeouts) as stream:
            for line in stream:
                change = json.loads(line)
                if change["type"] == "ERROR":  # 410 Gone above all
                    return
                yield change["type"], _read(Incident, change["object"])

    def request(self, name: str) -> ApprovalRequest | None:
        """The approval request of that name, if there is one."""
        return self._get(ApprovalRequest, name)

    def namespaces(self) -> list[str]:
        """The names of all namespaces."""
        return [each["metadata"]["name"] for each in self._request("GET", "/api/v1/namespaces")["items"]]

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
        if not fits(ObjectName, name):  # without any, or with a slash, it would ask for something else
            return None
        try:
            return _read(kind, self._request("GET", self._path(kind, name)))
        except _NotFound:
            return None

    def _path(self, kind: type[Resource], name: str | None = None) -> str:
        namespace = quote(self.namespace, safe="")
        collection = f"/apis/{GROUP}/{VERSION}/namespaces/{namespace}/{kind.plural}"
        return collection if name is None else f"{collection}/{quote(name, safe='')}"

    def _request(
        self,
        method: str,
        path: str,
        body: Any = None,
        content_type: str = "application/json",
        query: Mapping[str, str] | None = None,
    ) -> Any:
        response = self._send(method, path, body, content_type, query)
        with self._answering():
            answer = json.loads(response.read())
            if not isinstance(answer, dict) or "kind" not in answer:
                raise ValueError("what answers there is no Kubernetes API server")
            return answer

    def _send(
        self,
        method: str,
        path: str,
        body: Any = None,
        content_type: str = "application/json",
        query: Mapping[str, str] | None = None,
        timeouts: tuple[float, float] | None = None,
    ) -> Response:
        """The response whose content is still to be read."""
        with self._answering():
            response = self._connection.send(method, path, body, content_type, query or {}, timeouts or self._timeouts)
            if response.status >= 400:
                raise _refusal(response.status, response.read())
            return response

    @contextmanager
    def _answering(self) -> Iterator[None]:
        failures: tuple[type[Exception], ...] = (OSError, ValueError, *self._connection.failures)
        try:
            yield
        except failures as error:
            where = neutralise(str(self._connection.server), 300)
            raise NoAnswer(f"no answer from {where}: {neutralise(str(error), 500)}") from None


class _NotFound(Refused):
    """There is no such object."""


def _refusal(code: int, text: bytes) -> Refused:
    """The API server's own words, which say what a policy or a role did not allow."""
    try:
        status = json.loads(text)
        message, named = str(status["message"]), bool((status.get("details") or {}).get("name"))
    except (ValueError, KeyError, TypeError, AttributeError):
        message, named = f"HTTP {code}: {text[:300].decode('utf-8', 'replace').strip()}", False
    if code == 404 and named:
        return _NotFound(neutralise(message, 4096))
    # A kind that is not served is also a 404, but one that names no object.
    hint = f" ({_HINTS[code]})" if code in _HINTS else ""
    return Refused(f"{neutralise(message, 4096)}{hint}")


def _read(kind: type[R], body: Any) -> R:
    try:
        return kind.model_validate(body)
    except ValidationError as error:
        message = neutralise(f"{kind.__name__}: {first_problem(error)}", 500)
        raise Unreadable(f"{message} (is this plugin older than the operator?)") from None


def kubeconfig_files(given: str | None) -> str:
    """Where kubectl would look: one file, or several as in $KUBECONFIG."""
    return given or os.environ.get("KUBECONFIG") or _DEFAULT_KUBECONFIG
