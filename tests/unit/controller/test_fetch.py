"""The operator's own GET, against real servers on this machine: bounded, and never where it must not look."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from firstresponder.controller.fetch import fetch, is_elsewhere
from firstresponder.evidence.http import BODY_LIMIT
from firstresponder.evidence.probe import Reason, Unobserved


class Server:
    """Answers every connection with these bytes, then closes it unless told to hang."""

    def __init__(self, answer: bytes, hang: bool = False) -> None:
        self._answer = answer
        self._hang = hang
        self.heard = b""
        self.connections = 0
        self.port = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            self.heard = await reader.read(4096)
            writer.write(self._answer)
            await writer.drain()
            if self._hang:
                await reader.read()
        except ConnectionError:
            pass
        finally:
            writer.close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/health"


@asynccontextmanager
async def running(answer: bytes, *, hang: bool = False) -> AsyncIterator[Server]:
    server = Server(answer, hang)
    listener = await asyncio.start_server(server.serve, "127.0.0.1", 0)
    server.port = listener.sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        listener.close()


def reply(body: bytes = b"", status: str = "200 OK", headers: str = "") -> bytes:
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n{headers}\r\n".encode() + body


async def seen(url: str, seconds: float = 10.0) -> dict[str, Any]:
    return await fetch(url, seconds, allowed=lambda _: True)


async def test_a_healthy_answer_is_the_same_value_as_that_of_a_host() -> None:
    async with running(reply(b'{"status": "healthy", "token": "abc"}')) as server:
        found = await seen(server.url)
    assert found.pop("latencySeconds") >= 0
    assert found == {"ok": True, "status": 200, "json": {"status": "healthy"}}
    assert server.heard.startswith(b"GET /health HTTP/1.1\r\n")
    assert b"authorization" not in server.heard.lower()
    assert b"cookie" not in server.heard.lower()


@pytest.mark.parametrize("status", ["503 Down", "404 No", "500 Broken"])
async def test_a_bad_status_is_an_observation(status: str) -> None:
    async with running(reply(status=status)) as server:
        found = await seen(server.url)
    assert (found["ok"], found["status"]) == (False, int(status[:3]))


async def test_a_redirect_is_told_and_not_followed() -> None:
    async with running(reply(b"secret")) as other:
        async with running(reply(status="302 Found", headers=f"Location: {other.url}\r\n")) as server:
            found = await seen(server.url)
        assert (found["ok"], found["status"]) == (False, 302)
        assert other.connections == 0


async def test_a_body_is_read_up_to_its_bound_and_no_further() -> None:
    body = b'"' + b"x y " * (BODY_LIMIT // 4)
    async with running(reply(body[: BODY_LIMIT - 1] + b'"')) as server:
        assert "json" in await seen(server.url)
    endless = b"HTTP/1.1 200 OK\r\nContent-Length: 9999999999\r\n\r\n" + body * 4
    async with running(endless, hang=True) as server:  # the rest of it never comes, and is not waited for
        found = await seen(server.url, 60.0)
    assert found["status"] == 200
    assert "json" not in found


async def test_a_packed_answer_is_not_unpacked() -> None:
    async with running(reply(b"{}", headers="Content-Encoding: gzip\r\n")) as server:
        assert (await seen(server.url))["json"] == {}
    assert b"Accept-Encoding: identity" in server.heard


async def test_a_server_that_hangs_is_an_observation() -> None:
    async with running(b"", hang=True) as server:
        assert await seen(server.url, 0.05) == {"ok": False, "error": "TimedOut"}
    half = b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n{"
    async with running(half, hang=True) as server:
        assert await seen(server.url, 0.05) == {"ok": False, "error": "TimedOut"}


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (b"", "ConnectionClosed"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n{", "ConnectionClosed"),
        (b"SSH-2.0-OpenSSH_9.2\r\n\r\n", "BadReply"),
        (b"HTTP/1.1 999 OK\r\nContent-Length: 0\r\n\r\n", "BadReply"),
    ],
)
async def test_half_an_answer_or_another_protocol_is_none(answer: bytes, error: str) -> None:
    async with running(answer) as server:
        assert await seen(server.url) == {"ok": False, "error": error}


async def test_nobody_listening_no_such_name_and_no_tls_are_told_apart() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound, but not listening
        port = taken.getsockname()[1]
        assert await seen(f"http://127.0.0.1:{port}/") == {"ok": False, "error": "ConnectionFailed"}
    assert await seen("http://nobody.invalid/") == {"ok": False, "error": "NameNotResolved"}
    async with running(reply()) as server:
        assert await seen(server.url.replace("http:", "https:")) == {"ok": False, "error": "TlsFailed"}


@pytest.mark.parametrize(
    "address",
    ["127.0.0.1", "127.1.2.3", "::1", "::ffff:127.0.0.1", "169.254.169.254", "fe80::1%eth0", "0.0.0.0", "::"],  # noqa: S104
)
def test_this_machine_and_link_local_addresses_are_not_elsewhere(address: str) -> None:
    assert not is_elsewhere(address)


@pytest.mark.parametrize("address", ["10.0.0.3", "192.168.7.1", "203.0.113.9", "fd00::3", "::ffff:10.0.0.3"])
def test_hosts_of_a_network_are_elsewhere(address: str) -> None:
    assert is_elsewhere(address)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "0x7f.1", "[::ffff:127.0.0.1]", "[::1]"])
async def test_the_operators_own_ports_are_not_asked_whatever_leads_to_them(host: str) -> None:
    async with running(reply(b'{"status": "healthy"}')) as server:
        url = f"http://{host}:{server.port}/health"
        try:
            found = await fetch(url, 10.0)
        except Unobserved as problem:
            assert problem.reason is Reason.BAD_ARGUMENT
        else:
            assert not found["ok"]  # a resolver that does not know such names
        assert server.connections == 0


async def test_where_it_leads_is_said() -> None:
    with pytest.raises(
        Unobserved, match=r"leads to 169\.254\.169\.254, which the operator does not ask; use from: host"
    ):
        await fetch("http://169.254.169.254/latest/meta-data/", 10.0)


@pytest.mark.parametrize(
    "url", ["ftp://10.0.0.3/", "http://", "http://u:p@10.0.0.3/", "http://10.0.0.3:0/", "x", "http://a b/"]
)
async def test_what_is_no_usable_url_is_refused_before_anything_is_asked(url: str) -> None:
    with pytest.raises(Unobserved) as unobserved:
        await seen(url)
    assert unobserved.value.reason is Reason.BAD_ARGUMENT
