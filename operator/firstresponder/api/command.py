"""What a command left behind when it ran on a host."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class CommandOutput:
    """The end of one command, as far as it is known.

    ``exit_status`` is None when nobody knows it: the connection was lost, the command was ended by a signal, or
    it was cut off because it printed too much. None is never success.
    """

    stdout: bytes
    stderr: bytes
    exit_status: int | None
    truncated: bool = False
    """Whether one of the two was cut at the limit; what there is of it is its beginning."""
