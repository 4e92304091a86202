"""The client tells of each request what RBAC calls it, how it was answered, and never of which object it was."""

from __future__ import annotations

import asyncio
import gc
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from firstresponder.api.approvalrequest import ApprovalRequest
from firstresponder.api.incident import Incident
from firstresponder.kube.client import Client, Observer
from firstresponder.kube.connection import Connection
from firstresponder.kube.errors import Forbidden, NotFound, Unreachable
from firstresponder.kube.resources import Resources, path_of

HOLDER = Incident.model_validate(
    {
        "metadata": {"name": "high-cpu-1", "namespace": "shop", "uid": "u-1"},
        "spec": {"type": "HighCPU", "service": "api-gateway"},
    }
)


class Told(Observer):
    """What the client told, without the time."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, str, int | None]] = []

    def requested(self, verb: str, resource: str, status: int | None, seconds: float) -> None:
        assert seconds >= 0
        self.requests.append((verb, resource, status))


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
def stored() -> list[dict[str, Any]]:
    """What was created, and by which options something was deleted."""
    return []


@pytest.fixture
async def server(stored: list[dict[str, Any]]) -> AsyncIterator[TestServer]:
    """Answers whatever it is asked with an empty list, and anything about ``gone`` with 404."""

    async def answer(request: web.Request) -> web.Response:
        if request.method in {"POST", "DELETE"}:
            stored.append(json.loads(await request.text()))
        status = 404 if "gone" in request.path else 200
        return web.json_response({"items": [], "metadata": {}}, status=status)

    application = web.Application()
    application.router.add_route("*", "/{path:.*}", answer)
    async with TestServer(application) as running:
        assert isinstance(running, TestServer)
        yield running


@asynccontextmanager
async def watched(
    directory: Path, answer: Callable[[web.Request], Awaitable[web.StreamResponse]], told: Told
) -> AsyncIterator[Client]:
    """A client of a server that answers so."""
    application = web.Application()
    application.router.add_route("*", "/{path:.*}", answer)
    (directory / "token").write_text("token")
    async with TestServer(application) as running:
        client = Client(Connection(str(running.make_url("")).rstrip("/"), "", directory / "token"), told)
        try:
            yield client
        finally:
            await client.close()


@pytest.fixture
async def client(server: TestServer, told: Told, tmp_path: Path) -> AsyncIterator[Client]:
    (tmp_path / "token").write_text("token")
    found = Client(Connection(str(server.make_url("")).rstrip("/"), "", tmp_path / "token"), told)
    yield found
    await found.close()


async def test_each_request_is_told_by_its_verb_its_resource_and_its_status(client: Client, told: Told) -> None:
    assert [each async for each in client.items(path_of(Incident, "shop"))] == []
    await client.get(path_of(Incident, "shop", "high-cpu-1"))
    await client.merge(path_of(Incident, "shop", "high-cpu-1", "status"), {})
    await client.create("/apis/events.k8s.io/v1/namespaces/shop/events", {})
    with pytest.raises(NotFound):
        await client.get("/api/v1/namespaces/shop/secrets/gone")
    await client.create("/apis/authentication.k8s.io/v1/selfsubjectreviews", {})
    await client.get("/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies/gate")
    await client.get("/api/v1/namespaces/shop")
    await client.get("/apis/firstresponder.dev/v1alpha1")
    await client.delete(path_of(Incident, "shop", "high-cpu-1"), {})
    assert told.requests == [
        ("list", "incidents", 200),
        ("get", "incidents", 200),
        ("patch", "incidents/status", 200),
        ("create", "events", 200),
        ("get", "secrets", 404),
        ("create", "selfsubjectreviews", 200),
        ("get", "validatingadmissionpolicies", 200),
        ("get", "namespaces", 200),
        ("get", "", 200),
        ("delete", "incidents", 200),
    ]


async def test_a_request_without_an_answer_is_told_too(client: Client, told: Told, server: TestServer) -> None:
    await server.close()
    with pytest.raises(Unreachable):
        await client.get(path_of(Incident, "shop", "high-cpu-1"))
    assert told.requests == [("get", "incidents", None)]


@pytest.mark.parametrize("owner", [HOLDER, None], ids=["owned", "on its own"])
async def test_an_object_goes_with_its_owner_if_it_has_one(
    client: Client, stored: list[dict[str, Any]], owner: Incident | None
) -> None:
    with pytest.raises(ValueError, match="validation error"):  # this server does not answer what it stored
        await Resources(client).create(ApprovalRequest, "shop", "request-1", {"some": "thing"}, owner)
    reference = {"apiVersion": "firstresponder.dev/v1alpha1", "kind": "Incident", "name": "high-cpu-1", "uid": "u-1"}
    (body,) = stored
    assert body == {
        "apiVersion": "firstresponder.dev/v1alpha1",
        "kind": "ApprovalRequest",
        "metadata": {"name": "request-1", "namespace": "shop", **({"ownerReferences": [reference]} if owner else {})},
        "spec": {"some": "thing"},
    }


async def test_only_exactly_the_version_that_was_read_is_deleted(client: Client, stored: list[dict[str, Any]]) -> None:
    metadata = {"name": "high-cpu-1", "namespace": "shop", "uid": "u-1", "resourceVersion": "7"}
    await Resources(client).delete(Incident, {"metadata": metadata})
    (options,) = stored
    assert options["preconditions"] == {"uid": "u-1", "resourceVersion": "7"}
    assert options["propagationPolicy"] == "Background"


async def test_a_watch_is_told_event_by_event_however_it_is_cut_into_pieces(tmp_path: Path, told: Told) -> None:
    events = [{"type": "ADDED", "object": {"metadata": {"name": "x" * size}}} for size in (1, 300_000, 2)]
    text = b"".join(json.dumps(each).encode() + b"\n" for each in events)

    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        for start in range(0, len(text), 70_001):
            await response.write(text[start : start + 70_001])
        return response

    async with watched(tmp_path, answer, told) as client:
        assert [each async for each in client.stream("/apis/g/v1/namespaces/n/incidents", 5)] == events
    assert told.requests == [("watch", "incidents", 200)]


async def test_a_watch_without_a_word_is_no_watch(tmp_path: Path, told: Told) -> None:
    silent = asyncio.Event()

    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await silent.wait()
        return response

    async with watched(tmp_path, answer, told) as client:
        with pytest.raises(Unreachable, match="watch /apis/g/v1/namespaces/n/incidents"):
            _ = [each async for each in client.stream("/apis/g/v1/namespaces/n/incidents", 0.05)]
        silent.set()


async def test_a_watch_that_is_refused_says_why(tmp_path: Path, told: Told) -> None:
    async def answer(_: web.Request) -> web.StreamResponse:
        return web.json_response({"reason": "Forbidden", "message": "no"}, status=403)

    async with watched(tmp_path, answer, told) as client:
        with pytest.raises(Forbidden):
            _ = [each async for each in client.stream("/apis/g/v1/namespaces/n/incidents", 5)]


async def test_a_write_whose_caller_is_cancelled_is_finished_and_waited_for(tmp_path: Path, told: Told) -> None:
    arrived, going_on = asyncio.Event(), asyncio.Event()

    async def slow(_: web.Request) -> web.Response:
        arrived.set()
        await going_on.wait()
        return web.json_response({})

    async with watched(tmp_path, slow, told) as client:
        caller = asyncio.create_task(client.merge("/apis/g/v1/namespaces/shop/things/one", {}))
        await arrived.wait()
        caller.cancel()
        with pytest.raises(asyncio.CancelledError):
            await caller
        await client.finish_writes(0.01)
        assert told.requests == []
        going_on.set()
        await client.finish_writes(60)
        assert told.requests == [("patch", "things", 200)]


async def test_a_write_that_fails_after_its_caller_was_cancelled_is_no_complaint(
    tmp_path: Path, told: Told, caplog: pytest.LogCaptureFixture
) -> None:
    arrived, going_on = asyncio.Event(), asyncio.Event()

    async def slow(_: web.Request) -> web.Response:
        arrived.set()
        await going_on.wait()
        return web.json_response({}, status=409)

    async with watched(tmp_path, slow, told) as client:
        caller = asyncio.create_task(client.merge("/apis/g/v1/namespaces/shop/things/one", {}))
        await arrived.wait()
        caller.cancel()
        await asyncio.gather(caller, return_exceptions=True)
        going_on.set()
        await client.finish_writes(60)
    del caller
    gc.collect()
    assert told.requests == [("patch", "things", 409)]
    assert caplog.records == []
