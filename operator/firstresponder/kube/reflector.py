"""A list by pages, then a watch from where it ended, again and again: for kinds of which there are many.

Nothing is kept here, so memory does not grow with what is there. Whatever a gap between two watches could hide (a
deletion above all) is found by the list that follows it. As client-go's Reflector does; the rules are those of
Kubernetes API concepts, "Efficient detection of changes".
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
from collections.abc import AsyncIterator
from typing import Any, NoReturn, Protocol

from firstresponder.kube.client import Body, Client
from firstresponder.kube.errors import ApiError, Forbidden, Unreachable

_PAGE = 200
_WATCH = 300
"""Seconds after which the API server ends a watch in good order; it goes on from where it was."""
_SILENCE = 70.0
"""Seconds without a word (a bookmark comes every minute) after which a watch is held for dead."""
_FIRST_PAUSE, _LAST_PAUSE = 0.5, 15.0
_REFUSALS = 8
"""In a row, some 45 s of them, after which a right is held for taken away: an API server that has just started
refuses whatever it is asked until it has read its rules."""

_log = logging.getLogger(__name__)


class Store(Protocol):
    """Who hears of what is there."""

    async def replace(self, items: AsyncIterator[Body]) -> None:
        """These objects are there and no others."""

    def change(self, kind: str, body: Body) -> None:
        """An object was ADDED, MODIFIED or DELETED; it may have been reported already."""


class _Expired(Exception):
    """The API server no longer knows what happened since the watch's version."""


async def reflect(client: Client, path: str, store: Store) -> NoReturn:
    """List and watch until cancelled. Raises Forbidden when that is not allowed (any more)."""
    clock = asyncio.get_running_loop().time
    pause, refusals = _FIRST_PAUSE, 0
    while True:
        begin = clock()
        try:
            listing = _Listing(client, path)
            await store.replace(listing.items())
            await _watch(client, path, listing.version, store)
        except _Expired:
            _log.info("%s: the watch is too old, so everything is listed again", path)
        except (ApiError, Unreachable) as problem:
            if clock() - begin > _LAST_PAUSE:  # it held for a while, so this is a new trouble
                pause, refusals = _FIRST_PAUSE, 0
            refusals = refusals + 1 if isinstance(problem, Forbidden) else 0
            if refusals == _REFUSALS:
                raise
            _log.warning("%s: %s; trying again", path, problem)
            await asyncio.sleep(pause * random.uniform(0.8, 1.2))  # noqa: S311 - only spreads the load
            pause = min(2 * pause, _LAST_PAUSE)


class _Listing:
    """One list, read page by page."""

    def __init__(self, client: Client, path: str) -> None:
        self._client = client
        self._path = path
        self.version = ""
        """From where a watch goes on, once the list is read."""

    async def items(self) -> AsyncIterator[Body]:
        async for page in self._client.pages(self._path, _PAGE):
            for item in page["items"]:
                yield item
            self.version = page["metadata"]["resourceVersion"]


async def _watch(client: Client, path: str, version: str, store: Store) -> NoReturn:
    """Tell of every change since that version. Raises _Expired, ApiError or Unreachable when that is over."""
    while True:
        query = {"watch": "1", "resourceVersion": version, "allowWatchBookmarks": "true", "timeoutSeconds": str(_WATCH)}
        async with contextlib.aclosing(client.stream(path, _SILENCE, **query)) as events:
            async for event in events:
                _raise_error(event)
                body: Body = event["object"]
                version = body["metadata"]["resourceVersion"]
                if event["type"] != "BOOKMARK":
                    store.change(event["type"], body)


def _raise_error(event: dict[str, Any]) -> None:
    if event["type"] != "ERROR":
        return
    status = event["object"]
    if status.get("code") == 410:
        raise _Expired
    raise ApiError(int(status.get("code", 500)), str(status.get("reason", "")), str(status.get("message", "")))
