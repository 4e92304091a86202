"""What the operator last heard of each object; a cache of the API server and never the truth.

Fed by watch events one by one, and replaced whole by each re-list, so that a deletion which fell into a gap
between two watches is noticed too.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

Body = Mapping[str, Any]


class Cache:
    """Objects as stored (kind, namespace, name → body)."""

    def __init__(self) -> None:
        self._bodies: dict[tuple[str, str], dict[str, Body]] = {}
        self._moment = 0
        self._changed: dict[tuple[str, str, str], int] = {}

    def get(self, kind: str, namespace: str, name: str) -> Body | None:
        return self._bodies.get((kind, namespace), {}).get(name)

    def all(self, kind: str, namespace: str) -> list[Body]:
        """Every object of a kind in a namespace, ordered by name."""
        return [body for _, body in sorted(self._bodies.get((kind, namespace), {}).items())]

    def put(self, kind: str, namespace: str, body: Body) -> None:
        """A watch event: the object is there. One older than what is known already changes nothing."""
        name = body["metadata"]["name"]
        known = self.get(kind, namespace, name)
        if known is not None and _version(known) > _version(body):
            return
        self._bodies.setdefault((kind, namespace), {})[name] = body
        self._touch(kind, namespace, name)

    def remove(self, kind: str, namespace: str, name: str) -> None:
        """A watch event: the object is gone."""
        self._bodies.get((kind, namespace), {}).pop(name, None)
        self._touch(kind, namespace, name)

    def mark(self) -> int:
        """The moment just before a list is asked for; see :meth:`replace`."""
        return self._moment

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
        return {name for name in {*old, *new} if old.get(name) != new.get(name)}

    def _touch(self, kind: str, namespace: str, name: str) -> None:
        self._moment += 1
        self._changed[kind, namespace, name] = self._moment


def _version(body: Body) -> int:
    """Resource versions are decimal numbers that grow (Kubernetes API concepts, "Resource versions")."""
    return int(body["metadata"]["resourceVersion"])
