"""The API server as one user sees it: plain HTTPS and JSON, one connection a request.

Tests speak it rather than a client library, so that what they prove does not depend on how one
library builds its requests, and a refusal is compared by its status and message.
"""

from __future__ import annotations

import http.client
import json
import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

MERGE = "application/merge-patch+json"
JSON_PATCH = "application/json-patch+json"
APPLY = "application/apply-patch+yaml"


class ApiError(Exception):
    """The server refused: HTTP status code, the Status object's reason and message."""

    def __init__(self, code: int, reason: str, message: str) -> None:
        super().__init__(f"{code} {reason}: {message}")
        self.code = code
        self.reason = reason
        self.message = message


class Api:
    """Requests of one user. Paths are the server's, for example `/api/v1/namespaces`.

    Every method raises ApiError for a refusal and OSError (or http.client.HTTPException) when
    the connection fails.
    """

    def __init__(
        self, host: str, port: int, authority: str, token: str | None = None, certificate: Path | None = None
    ) -> None:
        """`authority` is PEM text; whose requests they are is said by a token, or by a PEM file with a key."""
        self._address = (host, port)
        self._tls = ssl.create_default_context(cadata=authority)
        if certificate is not None:
            self._tls.load_cert_chain(certificate)
        self._who = {} if token is None else {"Authorization": f"Bearer {token}"}

    def get(self, path: str, **query: str) -> Any:
        return self.request("GET", path, query=query)

    def create(self, path: str, body: Mapping[str, Any], **query: str) -> Any:
        return self.request("POST", path, body, query=query)

    def replace(self, path: str, body: Mapping[str, Any], **query: str) -> Any:
        return self.request("PUT", path, body, query=query)

    def patch(self, path: str, body: Any, *, kind: str = MERGE, **query: str) -> Any:
        """Patch with `kind` MERGE, JSON_PATCH or APPLY (which also wants `fieldManager=`)."""
        return self.request("PATCH", path, body, content_type=kind, query=query)

    def delete(self, path: str, **query: str) -> Any:
        return self.request("DELETE", path, query=query)

    def request(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        content_type: str = "application/json",
        query: Mapping[str, str] | None = None,
        timeout: float = 30.0,
    ) -> Any:
        """One request; the answer parsed when it is JSON, else its text. `timeout` in seconds."""
        host, port = self._address
        connection = http.client.HTTPSConnection(host, port, timeout=timeout, context=self._tls)
        try:
            connection.request(
                method,
                f"{path}?{urlencode(query)}" if query else path,
                body=None if body is None else json.dumps(body),
                headers={**self._who, "Content-Type": content_type},
            )
            response = connection.getresponse()
            text = response.read().decode()
        finally:
            connection.close()
        if response.status >= 400:
            raise _refusal(response.status, text)
        return json.loads(text) if text.startswith(("{", "[")) else text


def _refusal(code: int, text: str) -> ApiError:
    try:
        status = json.loads(text)
        return ApiError(code, status.get("reason", ""), status.get("message", ""))
    except ValueError:
        return ApiError(code, "", text)
