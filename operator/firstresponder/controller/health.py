"""Liveness and readiness over HTTP, and whatever else is served alongside them."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Awaitable, Callable, Mapping, Sequence

from aiohttp import web

STALLED_SECONDS = 1800.0
"""Work on one key without progress for so long hangs. Longer than whatever is only slow: 64 keys may each wait for the
judgement of a runbook, one after another, 15 s each; a long list may come in pages that take 30 s each."""

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

_log = logging.getLogger(__name__)


async def serve(port: int, routes: Mapping[str, Handler]) -> None:
    """Answer GET for each path of ``routes`` until cancelled."""
    application = web.Application()
    application.add_routes([web.get(path, handler) for path, handler in routes.items()])
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    try:
        listener = _listen(port)
        await web.SockSite(runner, listener).start()
        _log.info("health is served on port %d", listener.getsockname()[1])
        await asyncio.Event().wait()
    finally:
        await runner.cleanup()


def liveness(stalled_seconds: Callable[[], float]) -> Handler:
    """Alive is who answers at all, and has no work at hand that has stood still for too long; who has none is alive."""

    async def alive(_: web.Request) -> web.Response:
        seconds = stalled_seconds()
        status = 200 if seconds < STALLED_SECONDS else 503
        return web.Response(status=status, text=f"longest work without progress: {seconds:.0f} s\n")

    return alive


def readiness(problems: Callable[[], Sequence[str]]) -> Handler:
    """Ready is who has no problem."""

    async def ready(_: web.Request) -> web.Response:
        found = problems()
        return web.Response(status=503 if found else 200, text="".join(f"{each}\n" for each in found or ["ready"]))

    return ready


def text(content: Callable[[str], tuple[bytes, str]]) -> Handler:
    """Whatever there is to read at the moment: by what the request accepts, the body and its content type."""

    async def answer(request: web.Request) -> web.Response:
        body, content_type = content(request.headers.get("Accept", ""))
        return web.Response(body=body, headers={"Content-Type": content_type})

    return answer


def _listen(port: int) -> socket.socket:
    """One socket for both protocol versions: two would get two ports where any free one is asked for."""
    if socket.has_dualstack_ipv6():
        return socket.create_server(("", port), family=socket.AF_INET6, dualstack_ipv6=True)
    return socket.create_server(("", port))
