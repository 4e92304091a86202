"""Archives as a command line names them: files of lines, or the standard input."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import click

from firstresponder.reporting.archive import Archive
from firstresponder.safety.neutralise import neutralise

_SHOWN = 10
"""Broken lines that are named."""


def read_archive(files: Sequence[str], name: str | None = None) -> Archive:
    """What these files hold, of one incident alone where its ``name`` is given. What is not as it should be is said.

    Raises UsageError for a file that cannot be read.
    """
    archive = Archive(name)
    for file in files:
        if file == "-":
            archive.read("standard input", sys.stdin.buffer)
            continue
        try:
            with Path(file).open("rb") as lines:
                archive.read(file, lines)
        except OSError as error:
            raise click.UsageError(f"--archive: {neutralise(file, 4096)}: {error.strerror}") from None
    _warn(archive)
    return archive


def _warn(archive: Archive) -> None:
    for each in archive.broken[:_SHOWN]:
        where, problem = neutralise(f"{each.file}:{each.number}", 4096), neutralise(each.problem, 500)
        click.echo(f"Warning: {where} {problem}. It is not counted: copy the file again, or delete the line", err=True)
    if (more := len(archive.broken) - _SHOWN) > 0:
        click.echo(f"Warning: lines besides these that cannot be read and are not counted: {more}", err=True)
    if archive.repeated:
        text = "lines that repeat an incident, which was archived more than once and counts once"
        click.echo(f"Note: {text}: {archive.repeated}", err=True)
