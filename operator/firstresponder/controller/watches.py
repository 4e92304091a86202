"""kopf as the informer: it hears of changes, and all that follows is a cache entry and a key on the queue.

None of kopf's own handling of state is used: no finalizers, no annotations, no progress, no Events of its own, no
peering. The handlers cannot fail, so kopf has nothing to retry.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import kopf

from firstresponder.api.base import GROUP, VERSION, Resource
from firstresponder.controller.cache import Cache
from firstresponder.controller.keys import Key
from firstresponder.controller.relist import CACHED_KINDS, RECONCILED
from firstresponder.kube.connection import Connection


def settings() -> kopf.OperatorSettings:
    """kopf reduced to list and watch."""
    chosen = kopf.OperatorSettings()
    chosen.peering.standalone = True
    chosen.scanning.disabled = True
    chosen.posting.enabled = False
    # A watch that the network silently swallowed is found by its silence: the API server sends bookmarks every minute.
    chosen.watching.inactivity_timeout = 70
    chosen.networking.connect_timeout = 10
    return chosen


def registry(connection: Connection, cache: Cache, changed: Callable[[Key], None]) -> kopf.OperatorRegistry:
    """The handlers: one for the login, one for each kind."""
    handlers = kopf.OperatorRegistry()

    @kopf.on.login(registry=handlers, errors=kopf.ErrorsMode.TEMPORARY, backoff=1, retries=30)
    def login(**_: Any) -> kopf.ConnectionInfo:
        # Called again after a 401; the token in the file is then another one.
        return kopf.ConnectionInfo(server=connection.server, ca_data=connection.authority, token=connection.token())

    for kind in CACHED_KINDS:
        _on_event(handlers, kind, _cached_handler(kind.__name__, cache, changed))
    return handlers


async def watch(handlers: kopf.OperatorRegistry, namespaces: Sequence[str], take_signals: Callable[[], None]) -> None:
    """Watch these namespaces until cancelled.

    Raises whatever makes kopf give up: a kind or a permission that was taken away. Starting again is the remedy. As it
    ends, kopf cancels every task of this loop that was begun after it. ``take_signals`` takes SIGTERM and SIGINT back
    from kopf, which would let our tasks go on for seconds.
    """
    ours = asyncio.all_tasks()
    tasks = await kopf.spawn_tasks(registry=handlers, settings=settings(), namespaces=list(namespaces), standalone=True)
    take_signals()
    await kopf.run_tasks(tasks, ignored=ours)


Handler = Callable[[Mapping[str, Any]], None]


def _on_event(handlers: kopf.OperatorRegistry, kind: type[Resource], handle: Handler) -> None:
    @kopf.on.event(GROUP, VERSION, kind.plural, registry=handlers, id=kind.plural)
    async def heard(event: Mapping[str, Any], **_: Any) -> None:  # a plain function would run in another thread
        handle(event)


def _cached_handler(kind: str, cache: Cache, changed: Callable[[Key], None]) -> Handler:
    def handle(event: Mapping[str, Any]) -> None:
        key = _key(kind, event)
        if event["type"] == "DELETED":
            cache.remove(kind, key.namespace, key.name)
        else:
            cache.put(kind, key.namespace, event["object"])
        if kind in RECONCILED:
            changed(key)

    return handle


def _key(kind: str, event: Mapping[str, Any]) -> Key:
    metadata = event["object"]["metadata"]
    return Key(kind, metadata["namespace"], metadata["name"])
