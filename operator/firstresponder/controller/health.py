"""Liveness and readiness over HTTP: whether keys are still being worked on, and whether the approval gate holds."""

from __future__ import annotations

import asyncio
import logging
import socket
import time
from collections.abc import Callable, Mapping

from aiohttp import web

STUCK_SECONDS = 180.0
"""Recurring duties end every minute, well or not; when none has for so long, the process hangs."""

_log = logging.getLogger(__name__)


async def serve(
    port: int,
    last_end: Callable[[], float],
    gate_problems: Callable[[], Mapping[str, tuple[str, ...]]],
) -> None:
    """Answer ``/healthz`` and ``/readyz`` until cancelled. ``last_end`` is by the monotonic clock."""

    async def alive(_: web.Request) -> web.Response:
        age = time.monotonic() - last_end()
        return web.Response(status=200 if age < STUCK_SECONDS else 503, text=f"last reconcile ended {age:.0f} s ago\n")

    async def ready(_: web.Request) -> web.Response:
        lines = [
            f"approval gate in {namespace}: {problem}\n"
            for namespace, problems in sorted(gate_problems().items())
            for problem in problems
        ]
        return web.Response(status=503 if lines else 200, text="".join(lines) or "ready\n")

    application = web.Application()
    application.add_routes([web.get("/healthz", alive), web.get("/readyz", ready)])
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    try:
        listener = _listen(port)
        await web.SockSite(runner, listener).start()
        _log.info("health is served on port %d", listener.getsockname()[1])
        await asyncio.Event().wait()
    finally:
        await runner.cleanup()


def _listen(port: int) -> socket.socket:
    """One socket for both protocol versions: two would get two ports where any free one is asked for."""
    if socket.has_dualstack_ipv6():
        return socket.create_server(("", port), family=socket.AF_INET6, dualstack_ipv6=True)
    return socket.create_server(("", port))
