"""The operator before its first lists are complete, against an API server that is slow to give them."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from firstresponder.api.base import GROUP, VERSION
from firstresponder.api.kinds import KINDS
from firstresponder.controller.operator import Options, run
from firstresponder.kube.connection import Connection
from firstresponder.kube.permissions import OPERATOR_USER


@pytest.fixture
async def connection(tmp_path: Path) -> AsyncIterator[Connection]:
    """A prepared cluster whose API server never comes to the end of a list."""
    over = asyncio.Event()

    async def kinds(_: web.Request) -> web.Response:
        return web.json_response({"resources": [{"name": kind.plural} for kind in KINDS]})

    async def admission(_: web.Request) -> web.Response:
        return web.json_response({"resources": [{"name": "validatingadmissionpolicies"}]})

    async def review(_: web.Request) -> web.Response:
        return web.json_response({"status": {"userInfo": {"username": OPERATOR_USER}, "allowed": True}})

    async def never(_: web.Request) -> web.Response:
        await over.wait()
        return web.Response()

    application = web.Application()
    application.add_routes(
        [
            web.get(f"/apis/{GROUP}/{VERSION}", kinds),
            web.get("/apis/admissionregistration.k8s.io/v1", admission),
            web.post("/{path:.*}", review),
            web.get("/{path:.*}", never),
        ]
    )
    (tmp_path / "token").write_text("token")
    async with TestServer(application) as server:
        yield Connection(str(server.make_url("")).rstrip("/"), "", tmp_path / "token")
        over.set()


async def test_as_long_as_the_first_lists_are_not_complete_it_is_alive_and_not_ready(
    connection: Connection, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    running = asyncio.create_task(run(Options(connection, ("shop", "web"), "lease", "me", health_port=0), lambda: None))
    while not (port := re.search(r"health is served on port ([0-9]+)", caplog.text)):
        await asyncio.sleep(0.01)
        assert not running.done(), running.exception()
    async with aiohttp.ClientSession(f"http://127.0.0.1:{port[1]}") as session:
        assert (await session.get("/healthz")).status == 200
        ready = await session.get("/readyz")
        assert (ready.status, (await ready.text()).splitlines()) == (
            503,
            [
                "the first lists are not complete",
                "approval gate in shop: not tested yet",
                "approval gate in web: not tested yet",
            ],
        )
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
