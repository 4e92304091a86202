"""What a queue reports of itself, to whoever counts, measures or logs it."""

from __future__ import annotations

from typing import Generic, TypeVar

K = TypeVar("K")


class Observer(Generic[K]):
    """Hears nothing; a subclass hears what it overrides. None of its methods may raise."""

    def added(self, key: K) -> None:
        """Somebody put the key on the queue. It may be there already."""

    def taken(self, key: K, waited: float) -> None:
        """Work on the key begins, ``waited`` seconds after it was due."""

    def done(self, key: K, worked: float) -> None:
        """Work on the key ended, well or not, and took ``worked`` seconds."""

    def retried(self, key: K, error: Exception, delay: float) -> None:
        """Work on the key failed, and is tried again in ``delay`` seconds."""
