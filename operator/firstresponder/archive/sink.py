"""What an archive is: it says yes only when a line is safe."""

from __future__ import annotations

from typing import Protocol


class ArchiveError(Exception):
    """A line is not known to be in the archive; says what is wrong and what to do."""


class Sink(Protocol):
    """Where lines are kept."""

    async def write(self, line: str, identity: str) -> None:
        """Returns when the line is safe, whatever crashes then. Raises ArchiveError when that is not known.

        ``identity`` is the same for the same line, and for no other.
        """

    async def close(self) -> None:
        """Nothing is written any more."""
