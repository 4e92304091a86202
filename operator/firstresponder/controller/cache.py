"""What the operator last heard of each object; a cache of the API server and never the truth.

Fed by watch events one by one, and replaced whole by each re-list, so that a deletion which fell into a gap
between two watches is noticed too.
"""

from __future__ import annotations

import contextlib
import logging
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, TypeVar

from pydantic import ValidationError

from firstresponder.api.base import Resource
from firstresponder.safety import shown

Body = Mapping[str, Any]
Heard = Callable[[str, str, Body | None], None]
"""Hears of each change: namespace, name, and the object as it is now; None when it is gone."""

R = TypeVar("R", bound=Resource)

_log = logging.getLogger(__name__)


class Cache:
    """Objects as stored (kind, namespace, name → body)."""

    def __init__(self) -> None:
        self._bodies: dict[tuple[str, str], dict[str, Body]] = {}
        self._moment = 0
        self._lists = 0
        self._changed: dict[tuple[str, str, str], int] = {}
        """When each object was last told of by a watch, remembered while a list is under way."""
        self._listeners: defaultdict[str, list[Heard]] = defaultdict(list)
        self._parsed: dict[tuple[str, str, str], tuple[Body, Resource | None]] = {}
        self._lent: set[tuple[str, str]] = set()

    def listen(self, kind: str, heard: Heard) -> None:
        """Call ``heard`` with every change of that kind from now on."""
        self._listeners[kind].append(heard)

    def get(self, kind: str, namespace: str, name: str) -> Body | None:
        return self._bodies.get((kind, namespace), {}).get(name)

    def all(self, kind: str, namespace: str) -> list[Body]:
        """Every object of a kind in a namespace, ordered by name."""
        return [body for _, body in sorted(self._bodies.get((kind, namespace), {}).items())]

    def readable(self, kind: type[R], namespace: str) -> Mapping[str, R]:
        """The objects of a kind by name as they are now, whatever comes later. Each content is read as its type once,
        when it is looked at; one that cannot be read is left out, and must not stop incidents."""
        self._lent.add((kind.__name__, namespace))
        return _Readable(self._bodies.get((kind.__name__, namespace), {}), lambda body: self._read(kind, body))

    def _read(self, kind: type[R], body: Body) -> R | None:
        metadata = body["metadata"]
        key = (kind.__name__, metadata["namespace"], metadata["name"])
        content, parsed = self._parsed.get(key, (None, None))
        if content is not body:
            try:
                parsed = kind.model_validate(body)
            except ValidationError as error:
                _log.warning("%s %s/%s cannot be read: %s", *key, shown(str(error), 500))
                parsed = None
            self._parsed[key] = (body, parsed)
        return parsed if isinstance(parsed, kind) else None

    def put(self, kind: str, namespace: str, body: Body) -> None:
        """A watch event: the object is there. One older than what is known already changes nothing."""
        name = body["metadata"]["name"]
        known = self.get(kind, namespace, name)
        if known is not None and _version(known) > _version(body):
            return
        self._own(kind, namespace)[name] = body
        self._touch(kind, namespace, name)
        self._notify(kind, namespace, name)

    def remove(self, kind: str, namespace: str, name: str) -> None:
        """A watch event: the object is gone."""
        self._own(kind, namespace).pop(name, None)
        self._touch(kind, namespace, name)
        self._notify(kind, namespace, name)

    @contextlib.contextmanager
    def listing(self) -> Iterator[int]:
        """While a list is under way, from before it is asked for; gives that moment, for :meth:`replace`."""
        self._lists += 1
        try:
            yield self._moment
        finally:
            self._lists -= 1
            if not self._lists:
                self._changed.clear()

    def replace(self, kind: str, namespace: str, bodies: Iterable[Body], since: int) -> set[str]:
        """A list: these objects are there and no others. Returns the names that it shows to be new, other or gone.

        What a watch event changed after ``since`` is newer than the list and stays.
        """
        before = self._bodies.get((kind, namespace), {})
        after = {body["metadata"]["name"]: body for body in bodies}
        for name in {*before, *after}:
            if self._changed.get((kind, namespace, name), 0) > since:
                after.pop(name, None)
                if name in before:
                    after[name] = before[name]
        self._bodies[kind, namespace] = after
        old = {name: _version(body) for name, body in before.items()}
        new = {name: _version(body) for name, body in after.items()}
        changed = {name for name in {*old, *new} if old.get(name) != new.get(name)}
        for name in changed:
            self._notify(kind, namespace, name)
        return changed

    def _own(self, kind: str, namespace: str) -> dict[str, Body]:
        """The objects of a kind, to be changed: whoever was lent them keeps them as they were."""
        bodies = self._bodies.setdefault((kind, namespace), {})
        if (kind, namespace) in self._lent:
            self._lent.discard((kind, namespace))
            bodies = self._bodies[kind, namespace] = dict(bodies)
        return bodies

    def _touch(self, kind: str, namespace: str, name: str) -> None:
        if self._lists:
            self._moment += 1
            self._changed[kind, namespace, name] = self._moment

    def _notify(self, kind: str, namespace: str, name: str) -> None:
        body = self.get(kind, namespace, name)
        if body is None:
            self._parsed.pop((kind, namespace, name), None)
        for heard in self._listeners[kind]:
            heard(namespace, name, body)


class _Readable(Mapping[str, R]):
    """Objects of a kind by name, read when they are looked at."""

    def __init__(self, bodies: Mapping[str, Body], read: Callable[[Body], R | None]) -> None:
        self._bodies = bodies
        self._read = read

    def __getitem__(self, name: str) -> R:
        found = self._read(self._bodies[name])
        if found is None:
            raise KeyError(name)
        return found

    def __iter__(self) -> Iterator[str]:
        return (name for name in sorted(self._bodies) if name in self)

    def __len__(self) -> int:
        return sum(1 for _ in self)


def _version(body: Body) -> int:
    """Resource versions are decimal numbers that grow (Kubernetes API concepts, "Resource versions")."""
    return int(body["metadata"]["resourceVersion"])
