"""Files of Runbooks and other objects, as a command line names them."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import click

from firstresponder.cli.views.terminal import console
from firstresponder.runbooks.manifest import Finding, Manifest, read_manifests
from firstresponder.runbooks.problem import Problem
from firstresponder.runbooks.source import Place
from firstresponder.safety import neutralise

_ENDINGS = (".yaml", ".yml", ".json")
_LONGEST_LINE = 4096


def read_files(files: Sequence[str]) -> tuple[list[Manifest], list[Finding]]:
    """The objects of all files, and what cannot be read. Raises click.UsageError for a folder without any file."""
    manifests: list[Manifest] = []
    unreadable: list[Finding] = []
    for name, content in _contents(files):
        try:
            found, problems = read_manifests(name, content.decode())
        except UnicodeDecodeError as error:
            line = content[: error.start].count(b"\n") + 1
            problems = [Finding(name, Place(line, 1), Problem("", "is not UTF-8: save it as that"))]
            found = []
        manifests += found
        unreadable += problems
    return manifests, unreadable


def print_findings(findings: Sequence[Finding]) -> None:
    """One a line, however wide the terminal is, for editors read them."""
    for finding in findings:
        console().print(neutralise(str(finding), _LONGEST_LINE), soft_wrap=True)


def _contents(files: Sequence[str]) -> Iterator[tuple[str, bytes]]:
    for file in files:
        if file == "-":
            yield "-", sys.stdin.buffer.read()
            continue
        for path in _paths(Path(file)):
            try:
                yield str(path), path.read_bytes()
            except OSError as error:
                raise click.FileError(str(path), error.strerror) from None


def _paths(path: Path) -> list[Path]:
    if not path.is_dir():
        return [path]
    below = (each for each in path.rglob("*") if not any(part.startswith(".") for part in each.relative_to(path).parts))
    if found := sorted(each for each in below if each.suffix in _ENDINGS and each.is_file()):
        return found
    raise click.UsageError(f"{path} holds no {', '.join(_ENDINGS[:-1])} or {_ENDINGS[-1]} file")


def counted(number: int, thing: str) -> str:
    """``1 file``, ``2 files``."""
    return f"{number} {thing}{'' if number == 1 else 's'}"
