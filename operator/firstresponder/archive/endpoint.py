"""An archive behind HTTP: each line is posted, and safe when the answer says so."""

from __future__ import annotations

import ssl
from pathlib import Path

import aiohttp

from firstresponder.archive.sink import ArchiveError

_TIMEOUT = aiohttp.ClientTimeout(total=30, connect=10)
"""Seconds."""


class EndpointSink:
    """Posts each line. An answer that got lost has it posted again, with the same ``Idempotency-Key``."""

    def __init__(
        self, url: str, token_file: Path | None, trust: ssl.SSLContext, timeout: aiohttp.ClientTimeout = _TIMEOUT
    ) -> None:
        self._url = url
        self._shown, *_ = url.split("?")
        """The address as it is logged: a query can hold what nobody else should read."""
        self._token_file = token_file
        self._trust = trust
        self._timeout = timeout
        self._session: aiohttp.ClientSession | None = None

    async def write(self, line: str, identity: str) -> None:
        headers = {"Content-Type": "application/json", "Idempotency-Key": identity, **self._authorization()}
        if self._session is None:
            connector = aiohttp.TCPConnector(ssl=self._trust)
            self._session = aiohttp.ClientSession(
                connector=connector, timeout=self._timeout, cookie_jar=aiohttp.DummyCookieJar()
            )
        post = self._session.post(self._url, data=line.encode(), headers=headers, allow_redirects=False)
        try:
            async with post as answer:
                status = answer.status
        except TimeoutError:
            raise ArchiveError(f"{self._shown} did not answer in time: see whether it is up") from None
        except aiohttp.ClientSSLError as error:
            text = f"{self._shown}: {error}: name its authority with --archive-ca-file"
            raise ArchiveError(text) from error
        except (aiohttp.ClientError, OSError) as error:
            text = f"{self._shown} gave no answer: {error or type(error).__name__}: see whether it is up"
            raise ArchiveError(text) from error
        if not 200 <= status < 300:
            raise ArchiveError(f"{self._shown} answered {status}: {_advice(status)}")

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()

    def _authorization(self) -> dict[str, str]:
        """The token as it is in the file now: it changes."""
        if self._token_file is None:
            return {}
        try:
            token = self._token_file.read_text().strip()
        except (OSError, UnicodeDecodeError) as error:
            raise ArchiveError(f"the token of --archive-token-file cannot be read: {error}") from error
        if not token or not token.isascii() or not token.isprintable():
            raise ArchiveError(f"{self._token_file} holds no token: write one line of letters and digits")
        return {"Authorization": f"Bearer {token}"}


def _advice(status: int) -> str:
    if status in {401, 403}:
        return "see whether the token of --archive-token-file is right"
    if 300 <= status < 400:
        return "redirects are not followed: give the address that it leads to"
    if status in {404, 405}:
        return "see whether --archive is the right address"
    return "see its own log"
