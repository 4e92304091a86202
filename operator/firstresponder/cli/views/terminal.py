"""What goes to the terminal: plain text when piped, colours only for a person, and layout for any width from 40."""

from __future__ import annotations

import re
import shlex
import sys
from collections.abc import Iterable, Sequence
from io import TextIOWrapper
from typing import Any, TextIO

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

LABEL = 10
"""Columns of the labels at the left."""
_PADDING = re.compile(r" +(?=\n)")
_NARROWEST = 40
"""Columns that all is laid out for at least. In fewer, or in the none that some terminals claim, words get lost."""
_UNBOUNDED = 100_000
"""Columns; more than any line has."""


class _WithoutPadding:
    """A pipe whose lines do not end in the blanks that fill the last column of a table."""

    def __init__(self, pipe: TextIO) -> None:
        self._pipe = pipe

    def write(self, text: str) -> int:
        return self._pipe.write(_PADDING.sub("", text))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._pipe, name)


def console() -> Console:
    """The standard output. Markup and emoji codes are off: texts of others would be read as such."""
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # whatever a locale lacks, no traceback
    terminal = sys.stdout.isatty()
    out: Any = sys.stdout if terminal else _WithoutPadding(sys.stdout)
    made = Console(file=out, force_terminal=terminal, markup=False, emoji=False, highlight=False)
    if made.width < _NARROWEST:  # noqa: PLR1730 - a width that was set would not change with the terminal
        made.width = _NARROWEST
    return made


def line_console() -> Console:
    """The same, for lines that come one by one: in a pipe none is folded, so that other programs can read them."""
    out = console()
    if not out.is_terminal:
        out.width = _UNBOUNDED
    return out


def labelled(rows: Iterable[tuple[str, RenderableType]]) -> Table:
    """Labels at the left, whatever they name at the right."""
    grid = Table.grid(padding=(0, 1, 0, 0))
    grid.add_column(width=LABEL, style="bold", no_wrap=True)
    grid.add_column(overflow="fold", ratio=1)
    for label, content in rows:
        grid.add_row(label, content if not isinstance(content, str) else Text(content))
    return grid


def pairs(rows: Iterable[tuple[str, str]], *, width: int = 24) -> Table:
    """Names and what is said of them, the names in a narrow column."""
    grid = Table.grid(padding=(0, 1, 0, 0))
    grid.add_column(max_width=width, style="cyan", overflow="fold")
    grid.add_column(overflow="fold", ratio=1)
    for name, said in rows:
        grid.add_row(Text(name), Text(said))
    return grid


def command_line(command: str, flags: Sequence[str]) -> RenderableType:
    """A command to be copied whole, for a console that crops nothing; ``flags`` lead it to the caller's cluster."""
    line = Text(" ".join([command, *map(shlex.quote, flags)]), no_wrap=True, overflow="ignore")
    return Group(line)  # of a bare text the console prints a copy, which would be folded


def heading(text: str) -> Text:
    return Text(f"\n{text}", style="bold underline")
