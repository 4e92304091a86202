"""Requests to the API server as JSON in and JSON out, with refusals as exceptions that can be distinguished."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from typing import Any

import aiohttp
from kubernetes.aio.client import ApiClient, Configuration

from firstresponder.kube.connection import Connection
from firstresponder.kube.errors import Unreachable, refusal

_TIMEOUT = aiohttp.ClientTimeout(total=30, connect=10)
"""Seconds. A request that takes longer is given up: the API server bounds its own at 60."""
_PAGE = 500

Body = Mapping[str, Any]


class Observer:
    """Hears nothing; a subclass hears of each request that has ended."""

    def requested(self, verb: str, resource: str, status: int | None, seconds: float) -> None:
        """A ``verb`` and a ``resource`` (``incidents/status``) as in RBAC, and the answer's HTTP status.

        ``status`` is None when there was no answer. Must not raise.
        """


class Client:
    """The API server as the operator's ServiceAccount sees it, over one pool of connections.

    Every method raises a kind of ApiError for a refusal and Unreachable when there is no answer. A write that has begun
    is not cut off when its caller is cancelled.
    """

    def __init__(self, connection: Connection, observer: Observer | None = None) -> None:
        self._observer = observer or Observer()

        def authorise(configuration: Any) -> None:
            configuration.api_key["authorization"] = f"Bearer {connection.token()}"

        # Typed as Any: the generated client declares its hook as None and leaves methods without types.
        configuration: Any = Configuration(host=connection.server)
        configuration.ca_cert_data = connection.authority
        configuration.refresh_api_key_hook = authorise  # before every request: the token file changes
        authorise(configuration)
        self._api: Any = ApiClient(configuration)
        self._api.user_agent = "firstresponder-operator"
        self._writes: set[asyncio.Task[Any]] = set()

    async def close(self) -> None:
        await self._api.close()

    async def finish_writes(self, seconds: float) -> None:
        """Wait, at most so long, for the answers to writes whose callers were cancelled."""
        if self._writes:
            await asyncio.wait(self._writes, timeout=seconds)

    async def get(self, path: str, **query: str) -> Any:
        return await self._request("GET", path, query=query)

    async def items(self, path: str) -> AsyncIterator[dict[str, Any]]:
        """The items of a list, however many pages it has."""
        async for page in self.pages(path):
            for item in page["items"]:
                yield item

    async def pages(self, path: str, limit: int = _PAGE) -> AsyncIterator[dict[str, Any]]:
        """A list by its pages, each with at most so many items."""
        query = {"limit": str(limit)}
        while True:
            page = await self.get(path, **query)
            yield page
            if not (rest := page["metadata"].get("continue")):
                return
            query["continue"] = rest

    async def stream(self, path: str, silence: float, **query: str) -> AsyncGenerator[dict[str, Any], None]:
        """The events of a watch, until the API server ends it.

        Raises Unreachable too when nothing came for ``silence`` seconds.
        """
        bounds = aiohttp.ClientTimeout(total=None, connect=10, sock_read=silence)
        begin, status = time.monotonic(), None
        try:
            answer = (await self._send("GET", path, query=query, bounds=bounds)).response
            status = answer.status
            async with answer:
                if status >= 400:
                    raise _refusal(status, await answer.read())
                rest = b""
                async for chunk in answer.content.iter_any():
                    *lines, rest = (rest + chunk).split(b"\n")
                    for line in lines:
                        yield json.loads(line)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise Unreachable(f"watch {path}: {error or type(error).__name__}") from error
        finally:
            self._observer.requested("watch", _as_in_rbac("GET", path)[1], status, time.monotonic() - begin)

    async def create(self, path: str, body: Body, **query: str) -> Any:
        # Sent as YAML, of which JSON is a part: the client would otherwise put spaces into the JSON. The API
        # server keeps a ControllerRevision's data as it came, and spaced data makes every later patch fail.
        text = json.dumps(body, separators=(",", ":"), sort_keys=True, allow_nan=False)
        return await self._write("POST", path, text, content_type="application/yaml", query=query)

    async def merge(self, path: str, patch: Body, **query: str) -> Any:
        """A JSON merge patch (RFC 7396)."""
        return await self._write("PATCH", path, patch, content_type="application/merge-patch+json", query=query)

    async def delete(self, path: str, options: Body) -> Any:
        """``options`` are DeleteOptions (meta/v1), with their preconditions."""
        return await self._write("DELETE", path, options, query={})

    async def _write(
        self,
        method: str,
        path: str,
        body: Body | str,
        *,
        content_type: str = "application/json",
        query: Mapping[str, str],
    ) -> Any:
        """A request that goes on when its caller is cancelled."""
        write = asyncio.create_task(self._request(method, path, body, content_type=content_type, query=query))
        self._writes.add(write)
        write.add_done_callback(self._written)
        return await asyncio.shield(write)

    def _written(self, write: asyncio.Task[Any]) -> None:
        self._writes.discard(write)
        if not write.cancelled():
            write.exception()  # looked at, or asyncio complains where the caller is gone

    async def _request(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        content_type: str = "application/json",
        query: Mapping[str, str],
    ) -> Any:
        begin, status = time.monotonic(), None
        try:
            response = await self._send(method, path, body, content_type=content_type, query=query)
            text = await response.read()
            status = response.status
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise Unreachable(f"{method} {path}: {error or type(error).__name__}") from error
        finally:
            self._observer.requested(*_as_in_rbac(method, path), status, time.monotonic() - begin)
        if status >= 400:
            raise _refusal(status, text)
        return json.loads(text)

    async def _send(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        content_type: str = "application/json",
        query: Mapping[str, str],
        bounds: aiohttp.ClientTimeout = _TIMEOUT,
    ) -> Any:
        pairs: Sequence[tuple[str, str]] = list(query.items())
        # Without the body, of which the client would make a copy: it is JSON already.
        method, url, headers, _, _ = await self._api.param_serialize(
            method,
            path,
            query_params=pairs,
            header_params={"Accept": "application/json", "Content-Type": content_type},
            auth_settings=["BearerToken"],
        )
        return await self._api.call_api(method, url, headers, body, _request_timeout=bounds)


def _as_in_rbac(method: str, path: str) -> tuple[str, str]:
    """The verb and the resource of a request, empty for discovery: never a name, of which there is no end."""
    parts = path.strip("/").split("/")
    parts = parts[2:] if parts[0] == "api" else parts[3:]  # /api/VERSION or /apis/GROUP/VERSION
    if parts[:1] == ["namespaces"] and len(parts) > 2:
        parts = parts[2:]
    resource, name, subresource = (*parts, "", "", "")[:3]
    verb = {"GET": "get" if name or not resource else "list", "POST": "create", "PATCH": "patch", "DELETE": "delete"}[
        method
    ]
    return verb, f"{resource}/{subresource}" if subresource else resource


def _refusal(code: int, text: bytes) -> Exception:
    try:
        status = json.loads(text)
        return refusal(code, str(status.get("reason", "")), str(status.get("message", "")))
    except (ValueError, AttributeError):
        return refusal(code, "", text[:300].decode("utf-8", "replace"))
