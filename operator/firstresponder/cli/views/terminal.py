"""What goes to the terminal: plain text when piped, colours only for a person, and layout for any width from 40."""

from __future__ import annotations

import re
import shlex
import sys
from collections.abc import Iterable, Sequence
from io import TextIOWrapper
from itertools import zip_longest
from typing import Any, TextIO

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.segment import Segment
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


def labelled(rows: Iterable[tuple[str, RenderableType]]) -> RenderableType:
    """Labels at the left, whatever they name at the right."""
    return _TwoColumns(
        [(Text(label, "bold"), content if not isinstance(content, str) else Text(content)) for label, content in rows],
        LABEL,
    )


def pairs(rows: Iterable[tuple[str, str]], *, width: int = 24) -> RenderableType:
    """Names and what is said of them, the names in a narrow column."""
    cells = [(Text(name, "cyan"), Text(said)) for name, said in rows]
    return _TwoColumns(cells, min(width, max((name.cell_len for name, _ in cells), default=0)))


class _TwoColumns:
    """A narrow column and one that takes the rest. The library's table would first measure all that stands in them,
    and in a table within a table for each of both."""

    def __init__(self, rows: Sequence[tuple[Text, RenderableType]], width: int) -> None:
        self._rows = rows
        self._width = width

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        left = options.update_width(self._width)
        right = options.update_width(max(options.max_width - self._width - 1, 1))
        blank = [Segment(" " * self._width)]
        for name, content in self._rows:
            names = console.render_lines(name, left)
            lines = console.render_lines(content, right, pad=False)
            for beside, line in zip_longest(names, lines):
                yield from beside or blank
                yield Segment(" ")
                yield from line or ()
                yield Segment.line()


def command_line(command: str, flags: Sequence[str]) -> RenderableType:
    """A command to be copied whole, for a console that crops nothing; ``flags`` lead it to the caller's cluster."""
    line = Text(" ".join([command, *map(shlex.quote, flags)]), no_wrap=True, overflow="ignore")
    return Group(line)  # of a bare text the console prints a copy, which would be folded


def heading(text: str) -> Text:
    return Text(f"\n{text}", style="bold underline")
