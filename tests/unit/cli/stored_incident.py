"""An API server that holds one incident, waiting for its approval: as much of one as the plugins ask for."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import yaml

from firstresponder.api.base import API_VERSION, GROUP, VERSION, Resource
from tests.revisions import revision_of
from tests.unit.incident.world import awaiting_approval, recovered

USER = "alice@example.com"
WAITING = "high-cpu-1"
RESOLVED = "high-cpu-2"
"""The same incident when all is well again."""


def stored_incident() -> dict[str, Any]:
    """Objects by their paths."""
    now = datetime.now(UTC).replace(microsecond=0)
    waiting, resolved = awaiting_approval(now=now), awaiting_approval(now=now)
    resolved.review(USER)
    resolved.settle()
    resolved.values = recovered()
    resolved.pass_time(minutes=6)
    revision = revision_of("high-cpu", waiting.runbook["spec"])
    incidents = [_object(waiting.incident, WAITING), _object(resolved.incident, RESOLVED)]
    requests = [_object(each.request, each.request.name) for each in (waiting, resolved) if each.request is not None]
    runbook = {"apiVersion": API_VERSION, "kind": "Runbook", "metadata": {"name": "high-cpu", "namespace": "prod"}}
    return {
        **_collection("incidents", incidents),
        **_collection("approvalrequests", requests[:1]),
        **_collection("runbooks", [runbook | {"spec": waiting.runbook["spec"]}]),
        **_collection("triageplaybooks", []),
        **_collection("hosts", []),
        f"/apis/apps/v1/namespaces/prod/controllerrevisions/{revision.name}": {
            "apiVersion": "apps/v1",
            "kind": "ControllerRevision",
            "metadata": {"name": revision.name},
            "data": revision.data,
        },
        "/apis/authentication.k8s.io/v1/selfsubjectreviews": {
            "kind": "SelfSubjectReview",
            "status": {"userInfo": {"username": USER}},
        },
    }


def _object(resource: Resource, name: str) -> dict[str, Any]:
    wire = resource.wire()
    return wire | {"metadata": wire["metadata"] | {"name": name}}


def _collection(plural: str, items: list[dict[str, Any]]) -> dict[str, Any]:
    path = f"/apis/{GROUP}/{VERSION}/namespaces/prod/{plural}"
    return {
        path: {"kind": "List", "metadata": {}, "items": items},
        **{f"{path}/{each['metadata']['name']}": each for each in items},
    }


@contextmanager
def served(folder: Path) -> Iterator[Path]:
    """A kubeconfig for a server of :func:`stored_incident` on loopback; it answers what is written and forgets it."""
    objects = stored_incident()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1  # an answer is one packet

        def do_GET(self) -> None:
            self._answer(objects.get(self.path.partition("?")[0]))

        def do_POST(self) -> None:
            body = self._body()
            self._answer(objects[self.path] if body["kind"] == "SelfSubjectReview" else {**body, "status": {}})

        def do_PATCH(self) -> None:
            stored = objects[self.path]
            spec = stored["spec"] | {"reviews": self._body()["spec"]["reviews"]}
            self._answer(stored | {"spec": spec})

        def _body(self) -> dict[str, Any]:
            body: dict[str, Any] = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            return body

        def _answer(self, content: dict[str, Any] | None) -> None:
            missing = {"kind": "Status", "message": f"there is no {self.path}", "details": {"name": self.path}}
            text = json.dumps(content or missing).encode()
            self.send_response(404 if content is None else 200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, format: str, *args: Any) -> None:
            """Nothing is logged."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield _kubeconfig(folder / "kubeconfig", f"http://127.0.0.1:{server.server_port}")
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _kubeconfig(file: Path, server: str) -> Path:
    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "benchmark",
        "clusters": [{"name": "benchmark", "cluster": {"server": server}}],
        "users": [{"name": "benchmark", "user": {"token": "any"}}],
        "contexts": [
            {"name": "benchmark", "context": {"cluster": "benchmark", "user": "benchmark", "namespace": "prod"}}
        ],
    }
    file.write_text(yaml.safe_dump(content))
    return file
