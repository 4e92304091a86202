"""Requests to the API server as JSON in and JSON out, with refusals as exceptions that can be told apart."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

import aiohttp
from kubernetes.aio.client import ApiClient, Configuration

from firstresponder.kube.connection import Connection
from firstresponder.kube.errors import Unreachable, refusal

_TIMEOUT = aiohttp.ClientTimeout(total=30, connect=10)
"""Seconds. A request that takes longer is given up: the API server bounds its own at 60."""
_PAGE = 500

Body = Mapping[str, Any]


class Client:
    """The API server as the operator's ServiceAccount sees it, over one pool of connections.

    Every method raises a kind of ApiError for a refusal and Unreachable when there is no answer.
    """

    def __init__(self, connection: Connection) -> None:
        def authorise(configuration: Any) -> None:
            configuration.api_key["authorization"] = f"Bearer {connection.token()}"

        # Typed as Any: the generated client declares its hook as None and leaves methods without types.
        configuration: Any = Configuration(host=connection.server)
        configuration.ca_cert_data = connection.authority
        configuration.refresh_api_key_hook = authorise  # before every request: the token file changes
        authorise(configuration)
        self._api: Any = ApiClient(configuration)
        self._api.user_agent = "firstresponder-operator"

    async def close(self) -> None:
        await self._api.close()

    async def get(self, path: str, **query: str) -> Any:
        return await self._request("GET", path, query=query)

    async def items(self, path: str) -> AsyncIterator[dict[str, Any]]:
        """The items of a list, however many pages it has."""
        page = {"limit": str(_PAGE)}
        while True:
            answer = await self.get(path, **page)
            for item in answer["items"]:
                yield item
            if not (rest := answer["metadata"].get("continue")):
                return
            page["continue"] = rest

    async def create(self, path: str, body: Body, **query: str) -> Any:
        # Sent as YAML, of which JSON is a part: the client would otherwise put spaces into the JSON. The API
        # server keeps a ControllerRevision's data as it came, and spaced data makes every later patch fail.
        text = json.dumps(body, separators=(",", ":"), sort_keys=True, allow_nan=False)
        return await self._request("POST", path, text, content_type="application/yaml", query=query)

    async def merge(self, path: str, patch: Body, **query: str) -> Any:
        """A JSON merge patch (RFC 7396)."""
        return await self._request("PATCH", path, patch, content_type="application/merge-patch+json", query=query)

    async def _request(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        content_type: str = "application/json",
        query: Mapping[str, str],
    ) -> Any:
        pairs: Sequence[tuple[str, str]] = list(query.items())
        try:
            method, url, headers, body, _ = await self._api.param_serialize(
                method,
                path,
                query_params=pairs,
                header_params={"Accept": "application/json", "Content-Type": content_type},
                body=body,
                auth_settings=["BearerToken"],
            )
            response = await self._api.call_api(method, url, headers, body, _request_timeout=_TIMEOUT)
            text = await response.read()
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise Unreachable(f"{method} {path}: {error or type(error).__name__}") from error
        if response.status >= 400:
            raise _refusal(response.status, text)
        return json.loads(text)


def _refusal(code: int, text: bytes) -> Exception:
    try:
        status = json.loads(text)
        return refusal(code, str(status.get("reason", "")), str(status.get("message", "")))
    except (ValueError, AttributeError):
        return refusal(code, "", text[:300].decode("utf-8", "replace"))
