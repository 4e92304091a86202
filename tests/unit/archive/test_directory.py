"""An archive in a directory: whole lines, whatever crashes and however full the disk is."""

from __future__ import annotations

import asyncio
import fcntl
import os
import resource
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from firstresponder.archive.directory import DirectorySink
from firstresponder.archive.sink import ArchiveError

MARCH = datetime(2026, 3, 14, tzinfo=UTC)


def sink_in(path: Path, now: datetime = MARCH) -> DirectorySink:
    return DirectorySink(path, lambda: now)


@contextmanager
def files_of_at_most(size: int) -> Iterator[None]:
    """As on a disk with so much room: what is written beyond is refused in the middle of a line."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)


def contents(path: Path) -> dict[str, str]:
    return {each.name: each.read_text() for each in path.iterdir()}


async def test_each_line_is_appended_to_the_file_of_its_month(tmp_path: Path) -> None:
    for now, line in ((MARCH, "one"), (MARCH, "zwei – ß"), (MARCH.replace(month=4), "three")):
        await sink_in(tmp_path, now).write(line, "uid")
    assert contents(tmp_path) == {
        "incidents-2026-03.jsonl": "one\nzwei – ß\n",
        "incidents-2026-04.jsonl": "three\n",
    }


def file_of_march(path: Path, content: str) -> Path:
    file = path / "incidents-2026-03.jsonl"
    file.write_text(content)
    return file


@pytest.mark.parametrize("torn", ["t", "t" * 200_000], ids=["short", "longer than what is read at once"])
@pytest.mark.parametrize("before", ["", "one\n"], ids=["first", "second"])
async def test_a_line_that_a_crash_cut_off_does_not_spoil_the_next(tmp_path: Path, before: str, torn: str) -> None:
    file = file_of_march(tmp_path, before + torn)
    await sink_in(tmp_path).write("two", "uid")
    assert file.read_text() == f"{before}two\n"


async def test_a_full_disk_leaves_whole_lines_and_is_no_yes(tmp_path: Path) -> None:
    file = tmp_path / "incidents-2026-03.jsonl"
    sink = sink_in(tmp_path)
    await sink.write("one", "uid")
    with files_of_at_most(1000):
        with pytest.raises(ArchiveError, match=r"incidents-2026-03\.jsonl: .*make room"):
            await sink.write("x" * 5000, "uid")
        assert file.read_text() == "one\n"
        await sink.write("two", "uid")
    assert file.read_text() == "one\ntwo\n"


async def test_what_the_disk_did_not_confirm_is_no_yes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A mock, for a disk that loses what it took cannot be had."""

    def lost(_: int) -> None:
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", lost)
        with pytest.raises(ArchiveError, match="Input/output error: make room, or mend the volume"):
            await sink_in(tmp_path).write("one", "uid")
    assert (tmp_path / "incidents-2026-03.jsonl").read_text() == ""


async def test_a_line_is_on_the_disk_and_so_is_the_name_of_a_new_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[str] = []
    really = os.fsync

    def fsync(descriptor: int) -> None:
        synced.append(Path(f"/proc/self/fd/{descriptor}").readlink().name)
        really(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    await sink_in(tmp_path).write("one", "uid")
    await sink_in(tmp_path).write("two", "uid")
    assert synced == ["incidents-2026-03.jsonl", tmp_path.name, "incidents-2026-03.jsonl"]


async def test_lines_that_are_written_at_once_are_whole(tmp_path: Path) -> None:
    sink = sink_in(tmp_path)
    lines = [str(number) * 50_000 for number in range(8)]
    await asyncio.gather(*(sink.write(line, "uid") for line in lines))
    assert sorted((tmp_path / "incidents-2026-03.jsonl").read_text().splitlines()) == lines


async def test_a_volume_that_hangs_is_no_yes_and_takes_one_thread(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A mock, for a network volume that hangs cannot be had."""
    hanging, before = threading.Event(), set(threading.enumerate())
    sink = DirectorySink(tmp_path, lambda: MARCH, timeout=1)
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", lambda _: hanging.wait(60))
        for _ in range(2):
            with pytest.raises(ArchiveError, match="the volume does not answer: mend it"):
                await sink.write("one", "uid")
        assert len(set(threading.enumerate()) - before) == 1
        hanging.set()
    await sink.write("two", "uid")
    await sink.close()
    assert (tmp_path / "incidents-2026-03.jsonl").read_text() == "one\ntwo\n"


async def test_another_program_that_writes_is_not_disturbed(tmp_path: Path) -> None:
    file = file_of_march(tmp_path, "half a li")
    with file.open() as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        with pytest.raises(ArchiveError, match="another program writes there: only the operator may"):
            await sink_in(tmp_path).write("one", "uid")
    assert file.read_text() == "half a li"


@pytest.mark.parametrize(
    ("prepare", "says"),
    [
        (lambda path: path / "nowhere", "no such directory: mount the archive's volume there"),
        (lambda path: (path / "file").touch() or path / "file", "no such directory"),
    ],
    ids=["nothing there", "a file"],
)
async def test_a_volume_that_is_not_there_is_not_made_up(tmp_path: Path, prepare: Any, says: str) -> None:
    with pytest.raises(ArchiveError, match=says):
        await sink_in(prepare(tmp_path)).write("one", "uid")
    assert not (tmp_path / "nowhere").exists()
