"""An archive in a directory: a file a month, a line an incident."""

from __future__ import annotations

import asyncio
import fcntl
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path

from firstresponder.archive.sink import ArchiveError

_BLOCK = 65536
_TIMEOUT = 60.0
"""Seconds. A network volume can hang for ever; the operator must not."""


class DirectorySink:
    """Appends to ``incidents-YYYY-MM.jsonl``. A file holds whole lines: what a crash or a full disk left of one is cut
    off before the next is written."""

    def __init__(self, directory: Path, now: Callable[[], datetime], timeout: float = _TIMEOUT) -> None:
        """``now`` says in which month a line is written."""
        self._directory = directory
        self._now = now
        self._timeout = timeout
        # One thread: lines are written one after the other, and a volume that hangs takes no thread of anybody else.
        self._writer = ThreadPoolExecutor(1, "archive")

    async def write(self, line: str, identity: str) -> None:  # noqa: ARG002 - readers know repeated ones
        path = self._directory / f"incidents-{self._now():%Y-%m}.jsonl"
        writing = asyncio.get_running_loop().run_in_executor(self._writer, _append, path, f"{line}\n".encode())
        try:
            async with asyncio.timeout(self._timeout):
                await writing
        except OSError as error:  # of which a TimeoutError is one
            raise ArchiveError(f"{path}: {_advice(error)}") from error

    async def close(self) -> None:
        self._writer.shutdown(wait=False, cancel_futures=True)


def _append(path: Path, line: bytes) -> None:
    """The line is on the disk, or nothing of it is in the file. Raises OSError."""
    # The directory is not made: where its volume is not mounted, what is written would be lost.
    file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        end = _end_of_lines(file)
        os.ftruncate(file, end)
        try:
            _write(file, line, end)
        except OSError:
            os.ftruncate(file, end)
            raise
    finally:
        os.close(file)
    if end == 0:
        _sync_directory(path.parent)


def _write(file: int, line: bytes, end: int) -> None:
    written = 0
    while written < len(line):
        written += os.pwrite(file, line[written:], end + written)
    os.fsync(file)


def _end_of_lines(file: int) -> int:
    """Where the last whole line ends."""
    end = os.fstat(file).st_size
    while end:
        begin = max(0, end - _BLOCK)
        found = os.pread(file, end - begin, begin).rfind(b"\n")
        if found >= 0:
            return begin + found + 1
        end = begin
    return 0


def _sync_directory(directory: Path) -> None:
    """A new file has a name after a crash only when its directory was written, too."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _advice(error: OSError) -> str:
    match error:
        case FileNotFoundError() | NotADirectoryError():
            return "there is no such directory: mount the archive's volume there"
        case PermissionError():
            return f"{error.strerror}: let the user {os.geteuid()} write there"
        case TimeoutError():
            return "the volume does not answer: mend it"
        case BlockingIOError():
            return "another program writes there: only the operator may"
        case _:
            return f"{error.strerror}: make room, or mend the volume"
