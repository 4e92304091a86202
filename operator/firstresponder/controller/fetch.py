"""The GET that the operator makes itself: bounded in time and bytes, and never to where only the operator can go.

A runbook's URL is filled in from an incident, so it must not be a way out: only Hosts of the incident's namespace are
asked, by the one address that their name was resolved to. Redirects are not followed, no proxy or credential of the
operator is used, and nothing of an answer (a cookie) is there at the next look.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Collection
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

from firstresponder.api.base import JSON
from firstresponder.evidence.http import BODY_LIMIT, Reply, answer, no_answer, require_url
from firstresponder.evidence.probe import Reason, Unobserved

AddressInfo = tuple[int, int, int, str, tuple[str, int] | tuple[str, int, int, int]]


class _NotAllowed(Exception):
    """The name or address leads to where the operator does not look."""


def is_elsewhere(address: str) -> bool:
    """Whether an address is that of another machine, whoever asks: not loopback, link-local, multicast or none."""
    found = _address(address)
    return not (found.is_loopback or found.is_link_local or found.is_unspecified or found.is_multicast)


async def fetch(
    url: str, seconds: float, hosts: Collection[str], elsewhere: Callable[[str], bool] = is_elsewhere
) -> dict[str, JSON]:
    """What the probe ``http`` sees of this URL from here.

    ``hosts`` are the addresses, and DNS names, that may be asked; ``elsewhere`` says of one of them whether it is
    another machine at all, for a name may lead anywhere. Raises Unobserved when the URL cannot be used.
    """
    progress = _Progress()
    try:
        return answer(await _get(require_url(url), seconds, _Door(hosts, elsewhere), progress))
    except _NotAllowed as where:
        text = (
            f"url: leads to {where}, and the operator asks only Hosts of this namespace that are other machines: use "
            "$(hosts.ROLE.address), register the Host, or ask by from: host"
        )
        raise Unobserved(Reason.NOT_ALLOWED, text) from None
    except aiohttp.InvalidURL:
        raise Unobserved(Reason.BAD_ARGUMENT, "cannot be read", "url") from None
    except (TimeoutError, aiohttp.ClientError) as problem:  # of which a bad certificate is a ValueError too
        error = next(error for kind, error in _ERRORS if isinstance(problem, kind))
        return no_answer(error, connected=progress.connected or error in _SAID_BY_A_SERVER, begun=progress.begun)
    except (ValueError, LookupError):  # what the libraries make of labels that are empty, too long, or a wildcard
        raise Unobserved(Reason.BAD_ARGUMENT, "cannot be read", "url") from None


@dataclass
class _Progress:
    """How far a request came."""

    connected: bool = False
    begun: bool = False
    """Whether the status of an answer came."""


class _Door(AbstractResolver):
    """Where a request may go. A name is resolved once, and what was found is what is connected to."""

    def __init__(self, hosts: Collection[str], elsewhere: Callable[[str], bool]) -> None:
        self._elsewhere = elsewhere
        self._names = {host.lower() for host in hosts}
        self._addresses = {found for host in hosts if (found := _address_or_none(host)) is not None}

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """The addresses of a name that may be asked. Raises OSError when there is no such name."""
        loop = asyncio.get_running_loop()
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM, family=family, flags=socket.AI_ADDRCONFIG)
        if host.lower() in self._names:
            self._addresses |= {_address(str(info[4][0])) for info in found}
        open_to = [info for info in found if self._is_open(str(info[4][0]))]
        if not open_to:
            raise _NotAllowed(host)
        return [
            ResolveResult(
                hostname=host,
                host=str(sockaddr[0]),
                port=port,
                family=kind,
                proto=protocol,
                flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
            )
            for kind, _, protocol, _, sockaddr in open_to
        ]

    def socket_for(self, info: AddressInfo) -> socket.socket:
        """The socket of a connection: whatever was resolved or written, nothing else is connected to."""
        family, kind, protocol, _, (address, *_) = info
        if not self._is_open(address):
            raise _NotAllowed(address)
        return socket.socket(family, kind, protocol)

    async def close(self) -> None:
        """Nothing is kept open."""

    def _is_open(self, address: str) -> bool:
        return _address(address) in self._addresses and self._elsewhere(address)


def _address(text: str) -> IPv4Address | IPv6Address:
    found = ip_address(text.partition("%")[0])
    mapped = found.ipv4_mapped if isinstance(found, IPv6Address) else None
    return mapped or found


def _address_or_none(text: str) -> IPv4Address | IPv6Address | None:
    try:
        return _address(text)
    except ValueError:
        return None


async def _get(url: str, seconds: float, door: _Door, progress: _Progress) -> Reply:
    async def note_connection(*_: object) -> None:
        progress.connected = True

    trace = aiohttp.TraceConfig()
    trace.on_connection_create_end.append(note_connection)
    clock = asyncio.get_running_loop().time
    start = clock()
    async with (
        aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(force_close=True, resolver=door, socket_factory=door.socket_for),
            timeout=aiohttp.ClientTimeout(total=seconds),
            trace_configs=[trace],
            # Nothing is unpacked: a small answer could become a large one.
            auto_decompress=False,
            headers={"Accept": "*/*", "Accept-Encoding": "identity"},
        ) as session,
        session.get(url, allow_redirects=False) as response,
    ):
        progress.begun = True
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
_SAID_BY_A_SERVER = {"TlsFailed", "ConnectionClosed", "BadReply"}
"""Those of them that nobody says before there is a connection."""
