"""What the queue works on: the name of one thing to look at, never its content."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, order=True)
class Key:
    """One object of a kind, or (without a name) a recurring duty in a namespace."""

    kind: str
    namespace: str
    name: str = ""

    @property
    def fields(self) -> dict[str, str]:
        """What the log says of it, such as ``namespace`` and ``incident``."""
        fields = {"namespace": self.namespace}
        return {**fields, self.kind.lower(): self.name} if self.name else fields

    def __str__(self) -> str:
        return f"{self.kind} {self.namespace}/{self.name}" if self.name else f"{self.kind} {self.namespace}"
