"""List and watch: every gap is closed by a list, a watch that ends in good order goes on from where it was."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any, cast

import pytest

from firstresponder.kube import reflector
from firstresponder.kube.client import Body, Client
from firstresponder.kube.errors import ApiError, Forbidden, Unreachable
from firstresponder.kube.reflector import reflect

Event = dict[str, Any]


def item(name: str, version: str = "1") -> Event:
    return {"metadata": {"name": name, "resourceVersion": version}}


def event(kind: str, name: str, version: str) -> Event:
    return {"type": kind, "object": item(name, version)}


GONE = {"type": "ERROR", "object": {"code": 410, "reason": "Expired", "message": "too old resource version"}}
BROKEN = {"type": "ERROR", "object": {"code": 500, "reason": "InternalError", "message": "etcd"}}


class Server:
    """Answers lists page by page and watches one after the other; the last watch never ends."""

    def __init__(self, pages: list[list[str]], watches: list[list[Event | Exception]]) -> None:
        self.names = pages
        self.watches = watches
        self.asked: list[str] = []
        self.over = asyncio.Event()

    async def get(self, path: str, **query: str) -> Event:
        assert path == "/incidents"
        at = int(query.get("continue", "0"))
        self.asked.append(f"list {at}")
        rest = str(at + 1) if at + 1 < len(self.names) else ""
        metadata = {"resourceVersion": "10", "continue": rest}
        return {"items": [item(name) for name in self.names[at]], "metadata": metadata}

    def pages(self, path: str, limit: int) -> AsyncIterator[Event]:
        return Client.pages(cast(Client, self), path, limit)

    async def stream(self, path: str, silence: float, **query: str) -> AsyncGenerator[Event, None]:
        assert (path, query["allowWatchBookmarks"], silence > 60) == ("/incidents", "true", True)
        self.asked.append(f"watch {query['resourceVersion']}")
        if not self.watches:
            self.over.set()
            await asyncio.Event().wait()
        for each in self.watches.pop(0):
            if isinstance(each, Exception):
                raise each
            yield each


class Told:
    """What a store was told."""

    def __init__(self) -> None:
        self.lists: list[list[str]] = []
        self.changes: list[str] = []

    async def replace(self, items: AsyncIterator[Body]) -> None:
        self.lists.append([each["metadata"]["name"] async for each in items])

    def change(self, kind: str, body: Body) -> None:
        self.changes.append(f"{kind} {body['metadata']['name']}")


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reflector, "_FIRST_PAUSE", 0.0)


async def reflected(server: Server) -> Told:
    told = Told()
    task = asyncio.create_task(reflect(cast(Client, server), "/incidents", told))
    over = asyncio.create_task(server.over.wait())
    await asyncio.wait([task, over], return_when=asyncio.FIRST_COMPLETED, timeout=10)
    if task.done():
        await task
    task.cancel()
    over.cancel()
    return told


async def test_a_list_is_read_to_its_last_page_and_then_watched_from_there() -> None:
    server = Server([["a", "b"], ["c"]], [])
    told = await reflected(server)
    assert told.lists == [["a", "b", "c"]]
    assert server.asked == ["list 0", "list 1", "watch 10"]


async def test_a_watch_that_ends_in_good_order_goes_on_from_the_last_word_also_of_a_bookmark() -> None:
    watches: list[list[Event | Exception]] = [
        [event("MODIFIED", "a", "11"), event("BOOKMARK", "", "15")],
        [event("DELETED", "a", "16")],
    ]
    server = Server([["a"]], watches)
    told = await reflected(server)
    assert told.changes == ["MODIFIED a", "DELETED a"]
    assert server.asked == ["list 0", "watch 10", "watch 15", "watch 16"]


@pytest.mark.parametrize(
    "end",
    [GONE, BROKEN, Unreachable("cut"), ApiError(504, "Timeout", "")],
    ids=["too old", "an error in the stream", "no connection", "a refusal"],
)
async def test_after_every_gap_everything_is_listed_again(end: Event | Exception) -> None:
    server = Server([["a"]], [[event("ADDED", "b", "12"), end]])
    told = await reflected(server)
    assert told.lists == [["a"], ["a"]]
    assert server.asked == ["list 0", "watch 10", "list 0", "watch 10"]


REFUSED = Forbidden(403, "Forbidden", "no list")


class Refusing(Server):
    """Refuses so many lists before it answers one."""

    def __init__(self, refusals: int) -> None:
        super().__init__([["a"]], [])
        self.refusals = refusals

    async def get(self, path: str, **query: str) -> Event:
        self.refusals -= 1
        if self.refusals >= 0:
            raise REFUSED
        return await super().get(path, **query)


async def test_refusals_while_the_api_server_starts_are_outlasted() -> None:
    assert (await reflected(Refusing(7))).lists == [["a"]]


async def test_a_right_that_is_taken_away_ends_it() -> None:
    with pytest.raises(Forbidden):
        await reflected(Refusing(8))


async def test_a_watch_that_is_refused_after_each_list_ends_it_too() -> None:
    with pytest.raises(Forbidden):
        await reflected(Server([["a"]], [[REFUSED] for _ in range(8)]))
