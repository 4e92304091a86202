"""The operator's own GET, against real servers on this machine: bounded, and never where it must not look."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from firstresponder.controller.fetch import fetch, is_elsewhere
from firstresponder.evidence.http import BODY_LIMIT
from firstresponder.evidence.probe import Reason, Unobserved
from firstresponder.safety import REDACTED

HERE = ("127.0.0.1", "::1", "localhost", "nobody.invalid")


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
async def running(
    answer: bytes, *, hang: bool = False, on: str = "127.0.0.1", tls: ssl.SSLContext | None = None
) -> AsyncIterator[Server]:
    server = Server(answer, hang)
    listener = await asyncio.start_server(server.serve, on, 0, ssl=tls)
    server.port = listener.sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        listener.close()


def certificate(folder: Path) -> tuple[Path, Path]:
    """A certificate for localhost that signed itself, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), now, now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    files = (folder / "certificate", folder / "key")
    files[0].write_bytes(made.public_bytes(serialization.Encoding.PEM))
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    files[1].write_bytes(key.private_bytes(*form))
    return files


def reply(body: bytes = b"", status: str = "200 OK", headers: str = "") -> bytes:
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n{headers}\r\n".encode() + body


async def seen(url: str, seconds: float = 10.0) -> dict[str, Any]:
    """What is seen where this machine itself is a Host."""
    return await fetch(url, seconds, HERE, elsewhere=lambda _: True)


async def test_a_healthy_answer_is_the_same_value_as_that_of_a_host() -> None:
    async with running(reply(b'{"status": "healthy", "token": "abc"}')) as server:
        found = await seen(server.url)
    assert found.pop("latencySeconds") >= 0
    assert found == {
        "ok": True,
        "connected": True,
        "status": 200,
        "error": "",
        "json": {"status": "healthy", "token": REDACTED},
    }
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
        assert await seen(server.url, 0.5) == {"ok": False, "connected": True, "error": "TimedOut"}
    half = b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n{"
    async with running(half, hang=True) as server:
        assert await seen(server.url, 0.5) == {"ok": False, "connected": True, "error": "AnswerIncomplete"}


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (b"", "ConnectionClosed"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n{", "AnswerIncomplete"),
        (b"SSH-2.0-OpenSSH_9.2\r\n\r\n", "BadReply"),
        (b"HTTP/1.1 999 OK\r\nContent-Length: 0\r\n\r\n", "BadReply"),
    ],
)
async def test_half_an_answer_or_another_protocol_is_none(answer: bytes, error: str) -> None:
    async with running(answer) as server:
        assert await seen(server.url) == {"ok": False, "connected": True, "error": error}


async def test_nobody_listening_no_such_name_and_no_tls_are_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound, but not listening
        port = taken.getsockname()[1]
        assert await seen(f"http://127.0.0.1:{port}/") == {"ok": False, "connected": False, "error": "ConnectionFailed"}
    async with running(reply()) as server:
        assert await seen(server.url.replace("http:", "https:")) == {
            "ok": False,
            "connected": True,
            "error": "TlsFailed",
        }

    def no_such_name(*_: object, **__: object) -> None:  # not this machine's resolver, which may be slow to say so
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", no_such_name)
    assert await seen("http://nobody.invalid/") == {"ok": False, "connected": False, "error": "NameNotResolved"}


async def test_a_certificate_that_nobody_vouches_for_is_told_as_that(tmp_path: Path) -> None:
    files = certificate(tmp_path)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(*files)
    async with running(reply(), tls=context) as server:
        url = f"https://localhost:{server.port}/"
        assert await seen(url) == {"ok": False, "connected": True, "error": "TlsFailed"}


async def test_a_cookie_of_one_look_is_not_there_at_the_next() -> None:
    async with running(reply(headers="Set-Cookie: a=b; Path=/\r\n")) as server:
        url = f"http://localhost:{server.port}/"  # of an address no cookie would be kept anyway
        await seen(url)
        await seen(url)
    assert server.connections == 2
    assert b"cookie" not in server.heard.lower()


@pytest.mark.parametrize(
    "address",
    ["127.0.0.1", "127.1.2.3", "::1", "::ffff:127.0.0.1", "169.254.169.254", "fe80::1%eth0", "0.0.0.0", "::"],  # noqa: S104
)
def test_this_machine_and_link_local_addresses_are_not_elsewhere(address: str) -> None:
    assert not is_elsewhere(address)


@pytest.mark.parametrize("address", ["10.0.0.3", "192.168.7.1", "203.0.113.9", "fd00::3", "::ffff:10.0.0.3"])
def test_hosts_of_a_network_are_elsewhere(address: str) -> None:
    assert is_elsewhere(address)


async def refused(url: str, hosts: Sequence[str], elsewhere: Callable[[str], bool] = is_elsewhere) -> Unobserved:
    with pytest.raises(Unobserved) as unobserved:
        await fetch(url, 10.0, hosts, elsewhere)
    assert unobserved.value.reason is Reason.NOT_ALLOWED
    return unobserved.value


@pytest.mark.parametrize("family", ["127.0.0.1", "::1"])
async def test_only_what_is_a_host_is_asked(family: str) -> None:
    host = f"[{family}]" if ":" in family else family
    async with running(reply(b"{}"), on=family) as server:
        url = f"http://{host}:{server.port}/"
        assert (await fetch(url, 10.0, [family], lambda _: True))["ok"]
        await refused(url, ["10.0.0.3"], lambda _: True)
        await refused(url, [], lambda _: True)
        await refused(url, [family])  # a Host, but no other machine
        assert server.connections == 1


@pytest.mark.parametrize(
    ("host", "on"),
    [
        ("127.0.0.1", "127.0.0.1"),
        ("localhost", "127.0.0.1"),
        ("0x7f.1", "127.0.0.1"),
        ("[::ffff:127.0.0.1]", "127.0.0.1"),
        ("[::1]", "::1"),
        ("localhost", "::1"),
    ],
)
async def test_the_operators_own_ports_are_not_asked_whatever_leads_to_them(host: str, on: str) -> None:
    async with running(reply(b'{"status": "healthy"}'), on=on) as server:
        url = f"http://{host}:{server.port}/health"
        for hosts in (["10.0.0.3"], [host.strip("[]")], HERE):
            try:
                found = await fetch(url, 10.0, hosts)
            except Unobserved as problem:
                assert problem.reason is Reason.NOT_ALLOWED
            else:
                assert not found["ok"]  # a resolver that does not know such names
        assert server.connections == 0


@pytest.mark.parametrize(
    "address",
    [
        "169.254.169.254",
        "10.0.0.4",
        "100.100.100.200",
        "168.63.129.16",
        "192.0.0.192",
        "10.96.0.1",
        "[fd00:ec2::254]",
        "[fd20:ce::254]",
        "[64:ff9b::a9fe:a9fe]",
        "[64:ff9b::a00:3]",
        "[2002:a00:3::1]",
        "[::127.0.0.1]",
        "[::10.0.0.3]",
    ],
)
async def test_an_address_of_no_host_is_refused_whatever_it_is(address: str) -> None:
    problem = await refused(f"http://{address}/", ["10.0.0.3", "fd00::3", "db.example"])
    assert problem.message.endswith(": use $(hosts.ROLE.address), register the Host, or ask by from: host")


async def test_a_mapped_address_is_that_of_its_host() -> None:
    async with running(reply(b"{}")) as server:
        url = f"http://[::ffff:127.0.0.1]:{server.port}/"
        assert (await fetch(url, 10.0, ["127.0.0.1"], lambda _: True))["ok"]


class Resolver:
    """Names as these answers have them, one after the other; counts how often it is asked."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *answers: Sequence[str]) -> None:
        self._answers = list(answers)
        self.asked = 0
        monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", self._look_up)

    async def _look_up(self, _: str, port: int, **__: Any) -> list[Any]:
        found = self._answers[min(self.asked, len(self._answers) - 1)]
        self.asked += 1
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in found]


async def test_a_name_is_resolved_once_and_what_was_found_is_connected_to(monkeypatch: pytest.MonkeyPatch) -> None:
    async with running(reply(b"{}")) as server:
        resolver = Resolver(monkeypatch, ["127.0.0.1"], ["127.0.0.2"])
        for hosts in (["127.0.0.1"], ["API.example"]):
            resolver.asked = 0
            assert (await fetch(f"http://api.example:{server.port}/", 10.0, hosts, lambda _: True))["ok"]
            assert resolver.asked == 1


async def test_of_a_names_addresses_only_hosts_are_connected_to(monkeypatch: pytest.MonkeyPatch) -> None:
    async with running(reply(b"{}")) as server, running(reply(b"{}"), on="127.0.0.2") as other:
        Resolver(monkeypatch, ["127.0.0.2", "127.0.0.1"])
        assert (await fetch(f"http://api.example:{server.port}/", 10.0, ["127.0.0.1"], lambda _: True))["ok"]
        await refused(f"http://api.example:{other.port}/", ["127.0.0.3"], lambda _: True)
        assert other.connections == 0


async def test_a_hosts_name_that_leads_to_the_operator_itself_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    for address in ("127.0.0.1", "169.254.169.254"):
        Resolver(monkeypatch, [address])
        await refused("http://api.example/", ["api.example"])


@pytest.mark.parametrize("host", ["a..b", ".a", "a" * 64 + ".example"])
async def test_a_host_that_no_library_can_read_is_a_bad_argument(host: str) -> None:
    with pytest.raises(Unobserved) as unobserved:
        await seen(f"http://{host}/")
    assert unobserved.value.reason is Reason.BAD_ARGUMENT


@pytest.mark.parametrize("problem", [IndexError("*"), UnicodeError("label empty or too long"), ValueError("host")])
async def test_whatever_a_resolver_makes_of_a_name_is_a_bad_argument(
    monkeypatch: pytest.MonkeyPatch, problem: Exception
) -> None:
    async def raises(*_: Any, **__: Any) -> Any:
        raise problem

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", raises)
    with pytest.raises(Unobserved) as unobserved:
        await seen("http://*/")
    assert unobserved.value.reason is Reason.BAD_ARGUMENT


@pytest.mark.parametrize(
    "url", ["ftp://10.0.0.3/", "http://", "http://u:p@10.0.0.3/", "http://10.0.0.3:0/", "x", "http://a b/"]
)
async def test_what_is_no_usable_url_is_refused_before_anything_is_asked(url: str) -> None:
    with pytest.raises(Unobserved) as unobserved:
        await seen(url)
    assert unobserved.value.reason is Reason.BAD_ARGUMENT
