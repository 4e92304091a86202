"""An archive behind HTTPS, by a real endpoint: what counts as a yes, and what is said of everything else."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from firstresponder.archive.endpoint import EndpointSink
from firstresponder.archive.sink import ArchiveError
from tests.testbed import certificates
from tests.testbed.certificates import Certificates

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


@pytest.fixture(scope="module")
def identity(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return certificates.issue(tmp_path_factory.mktemp("certificates"))


class Endpoint:
    """What was received, and what is answered."""

    def __init__(self, identity: Certificates) -> None:
        self._identity = identity
        self.received: list[tuple[str, str, str]] = []
        """Idempotency-Key, Authorization and body of each request that was read."""
        self.answer: Answer = self.created
        self.url = ""

    @staticmethod
    async def created(_: web.Request) -> web.StreamResponse:
        return web.Response(status=201)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        headers = request.headers
        self.received.append(
            (headers["Idempotency-Key"], headers.get("Authorization", ""), (await request.read()).decode())
        )
        return await self.answer(request)

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[None]:
        application = web.Application()
        application.router.add_route("*", "/{path:.*}", self.handle)
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(self._identity.serving_certificate, self._identity.serving_key)
        server = TestServer(application, scheme="https", host="127.0.0.1")
        await server.start_server(ssl=context)
        self.url = f"https://127.0.0.1:{server.port}/incidents"
        try:
            yield
        finally:
            await server.close()

    def sink(self, token_file: Path | None = None, *, seconds: float = 10, trusted: bool = True) -> EndpointSink:
        trust = ssl.create_default_context(cafile=self._identity.authority if trusted else None)
        return EndpointSink(self.url, token_file, trust, aiohttp.ClientTimeout(total=seconds))


@pytest.fixture
async def endpoint(identity: Certificates) -> AsyncIterator[Endpoint]:
    made = Endpoint(identity)
    async with made.serving():
        yield made


@asynccontextmanager
async def closing(sink: EndpointSink) -> AsyncIterator[EndpointSink]:
    try:
        yield sink
    finally:
        await sink.close()


@pytest.mark.parametrize("status", [200, 201, 202, 204])
async def test_a_line_is_posted_with_its_identity_and_any_2xx_is_a_yes(endpoint: Endpoint, status: int) -> None:
    async def answer(_: web.Request) -> web.StreamResponse:
        return web.Response(status=status)

    endpoint.answer = answer
    async with closing(endpoint.sink()) as sink:
        await sink.write('{"a":"ß"}', "uid-1")
        await sink.write("{}", "uid-2")
    assert endpoint.received == [("uid-1", "", '{"a":"ß"}'), ("uid-2", "", "{}")]


async def test_the_token_is_read_anew_each_time(endpoint: Endpoint, tmp_path: Path) -> None:
    file = tmp_path / "token"
    async with closing(endpoint.sink(file)) as sink:
        for token in ("first", "second\n"):
            file.write_text(token)
            await sink.write("{}", "uid")
    assert [each[1] for each in endpoint.received] == ["Bearer first", "Bearer second"]


@pytest.mark.parametrize(
    ("content", "says"),
    [(None, "the token of --archive-token-file cannot be read"), ("", "holds no token"), ("a\nb", "holds no token")],
    ids=["no file", "empty", "two lines"],
)
async def test_without_its_token_nothing_is_sent(
    endpoint: Endpoint, tmp_path: Path, content: str | None, says: str
) -> None:
    if content is not None:
        (tmp_path / "token").write_text(content)
    async with closing(endpoint.sink(tmp_path / "token")) as sink:
        with pytest.raises(ArchiveError, match=says):
            await sink.write("{}", "uid")
    assert endpoint.received == []


@pytest.mark.parametrize(
    ("status", "says"),
    [
        (500, "answered 500: see its own log"),
        (302, "answered 302: redirects are not followed"),
        (401, "answered 401: see whether the token"),
        (404, "answered 404: see whether --archive is the right address"),
        (429, "answered 429"),
    ],
)
async def test_any_other_answer_is_no_yes(endpoint: Endpoint, status: int, says: str) -> None:
    async def answer(_: web.Request) -> web.StreamResponse:
        return web.Response(status=status, headers={"Location": endpoint.url}, text="password=hunter2")

    endpoint.answer = answer
    async with closing(endpoint.sink()) as sink:
        with pytest.raises(ArchiveError, match=says) as refused:
            await sink.write("{}", "uid")
    assert "hunter2" not in str(refused.value)
    assert len(endpoint.received) == 1


async def test_an_answer_that_does_not_come_is_no_yes(endpoint: Endpoint) -> None:
    over = asyncio.Event()

    async def slow(_: web.Request) -> web.StreamResponse:
        await over.wait()
        return web.Response()

    endpoint.answer = slow
    async with closing(endpoint.sink(seconds=0.5)) as sink:
        with pytest.raises(ArchiveError, match="did not answer in time"):
            await sink.write("{}", "uid")
    over.set()
    assert len(endpoint.received) == 1


async def test_a_connection_cut_after_all_was_read_is_no_yes_and_the_line_comes_again(endpoint: Endpoint) -> None:
    async def cut(request: web.Request) -> web.StreamResponse:
        assert request.transport is not None
        request.transport.abort()
        return web.Response()

    endpoint.answer = cut
    async with closing(endpoint.sink()) as sink:
        with pytest.raises(ArchiveError, match="gave no answer"):
            await sink.write("{}", "uid")
        endpoint.answer = endpoint.created
        await sink.write("{}", "uid")
    assert {each[0] for each in endpoint.received} == {"uid"}
    assert len(endpoint.received) >= 2


async def test_nobody_there_is_no_yes(identity: Certificates) -> None:
    endpoint = Endpoint(identity)
    async with endpoint.serving():
        pass
    async with closing(endpoint.sink()) as sink:
        with pytest.raises(ArchiveError, match="gave no answer"):
            await sink.write("{}", "uid")


async def test_an_endpoint_that_nobody_vouches_for_receives_nothing(endpoint: Endpoint) -> None:
    async with closing(endpoint.sink(trusted=False)) as sink:
        with pytest.raises(ArchiveError, match="name its authority with --archive-ca-file"):
            await sink.write("{}", "uid")
    assert endpoint.received == []


async def test_a_query_is_not_shown(endpoint: Endpoint) -> None:
    endpoint.url += "?key=hunter2"

    async def answer(_: web.Request) -> web.StreamResponse:
        return web.Response(status=500)

    endpoint.answer = answer
    async with closing(endpoint.sink()) as sink:
        with pytest.raises(ArchiveError) as refused:
            await sink.write("{}", "uid")
    assert "hunter2" not in str(refused.value)
