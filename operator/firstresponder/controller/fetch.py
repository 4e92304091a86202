"""The GET that the operator makes itself: bounded in time and bytes, and never to where only the operator can go.

A runbook's URL is filled in from an incident, so it must not open a door: addresses of the machine that the operator
runs on and link-local ones (cloud metadata) are refused, redirects are not followed, and no proxy, cookie or
credential of the operator is used.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from ipaddress import IPv6Address, ip_address

import aiohttp

from firstresponder.api.base import JSON
from firstresponder.evidence.http import BODY_LIMIT, Reply, answer, no_answer, require_url
from firstresponder.evidence.probe import Reason, Unobserved

AddressInfo = tuple[int, int, int, str, tuple[str, int] | tuple[str, int, int, int]]


class _Forbidden(Exception):
    """The name or address leads to where the operator does not look."""


def is_elsewhere(address: str) -> bool:
    """Whether an address is that of another machine, and one that all can reach."""
    found = ip_address(address.partition("%")[0])
    if isinstance(found, IPv6Address) and found.ipv4_mapped is not None:
        found = found.ipv4_mapped
    return not (found.is_loopback or found.is_link_local or found.is_unspecified or found.is_multicast)


async def fetch(url: str, seconds: float, allowed: Callable[[str], bool] = is_elsewhere) -> dict[str, JSON]:
    """What the probe ``http`` sees of this URL from here. ``allowed`` says of an address whether it may be asked.

    Raises Unobserved when the URL cannot be used.
    """

    def guarded(info: AddressInfo) -> socket.socket:
        if not allowed(info[4][0]):
            raise _Forbidden(info[4][0])
        family, kind, protocol, *_ = info
        return socket.socket(family, kind, protocol)

    try:
        return answer(await _get(require_url(url), seconds, guarded))
    except _Forbidden as address:
        text = f"url: leads to {address}, which the operator does not ask; use from: host"
        raise Unobserved(Reason.BAD_ARGUMENT, text) from None
    except aiohttp.InvalidURL:
        raise Unobserved(Reason.BAD_ARGUMENT, "url: cannot be read") from None
    except (TimeoutError, aiohttp.ClientError) as problem:
        return no_answer(next(error for kind, error in _ERRORS if isinstance(problem, kind)))


async def _get(url: str, seconds: float, sockets: Callable[[AddressInfo], socket.socket]) -> Reply:
    clock = asyncio.get_running_loop().time
    start = clock()
    async with (
        aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(force_close=True, socket_factory=sockets),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=seconds),
            # Nothing is unpacked: a small answer could become a large one.
            auto_decompress=False,
            headers={"Accept": "*/*", "Accept-Encoding": "identity"},
        ) as session,
        session.get(url, allow_redirects=False) as response,
    ):
        body = bytearray()
        async for chunk in response.content.iter_chunked(BODY_LIMIT):
            body += chunk
            if len(body) > BODY_LIMIT:
                return Reply(response.status, clock() - start, None)
        return Reply(response.status, clock() - start, bytes(body))


_ERRORS: tuple[tuple[type[Exception], str], ...] = (  # the first that fits
    (TimeoutError, "TimedOut"),
    (aiohttp.ClientConnectorDNSError, "NameNotResolved"),
    (aiohttp.ClientSSLError, "TlsFailed"),
    (aiohttp.ClientConnectorError, "ConnectionFailed"),
    (aiohttp.ServerDisconnectedError, "ConnectionClosed"),
    (aiohttp.ClientOSError, "ConnectionClosed"),
    (aiohttp.ClientPayloadError, "ConnectionClosed"),
    (aiohttp.ClientError, "BadReply"),
)
"""The words of the probe for what keeps an answer away."""
