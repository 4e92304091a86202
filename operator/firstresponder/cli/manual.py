"""Help that reads like a manual page: NAME, SYNOPSIS, DESCRIPTION, OPTIONS, EXIT STATUS, EXAMPLES.

A command's docstring is its description; the first paragraph is what it is in one line.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import click

_SETTINGS = {"max_content_width": 80, "help_option_names": ["-h", "--help"]}
EXITS = {
    0: "done",
    1: "refused by the API server, or no such object",
    2: "wrong usage, no usable kubeconfig, or no answer from the API server",
}


class Manual(click.Command):
    """A command that has a manual page. As a plugin of kubectl its name begins with ``kubectl``."""

    def __init__(
        self, *arguments: Any, examples: Sequence[str] = (), exits: Mapping[int, str] = EXITS, **options: Any
    ) -> None:
        super().__init__(*arguments, **{"context_settings": _SETTINGS, **options})
        self.examples = examples
        self.exits = exits

    @property
    def summary(self) -> str:
        """What it is, in one line."""
        return self._paragraphs[0].rstrip(".")

    @property
    def description(self) -> str:
        return "\n\n".join(self._paragraphs[1:])

    @property
    def _paragraphs(self) -> list[str]:
        first, *rest = inspect.cleandoc(self.help or "").split("\n\n")
        return [" ".join(first.split()), *rest]

    def get_short_help_str(self, limit: int = 45) -> str:  # noqa: ARG002 - a name for what it is, never cut
        return self.summary

    def make_context(
        self, info_name: str | None, args: list[str], parent: click.Context | None = None, **extra: Any
    ) -> click.Context:
        # People write `kubectl incident`, which kubectl runs as `kubectl-incident`.
        return super().make_context(info_name if parent is not None else self.name, args, parent, **extra)

    def format_help(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with _section(formatter, "NAME"):
            formatter.write_text(f"{ctx.command_path} - {self.summary[:1].lower()}{self.summary[1:]}")
        with _section(formatter, "SYNOPSIS"):
            formatter.write_usage(ctx.command_path, " ".join(self.collect_usage_pieces(ctx)), prefix="")
        if self.description:
            with _section(formatter, "DESCRIPTION"):
                formatter.write_text(self.description)
        for title, rows in self.sections(ctx):
            with _section(formatter, title):
                formatter.write_dl(rows)
        with _section(formatter, "EXAMPLES"):
            for line in self.examples:
                formatter.write(f"{'':{formatter.current_indent}}{line}\n")

    def sections(self, ctx: click.Context) -> Iterator[tuple[str, list[tuple[str, str]]]]:
        """The parts of the page that are lists of words and what they mean."""
        parameters = [(each, each.get_help_record(ctx)) for each in self.get_params(ctx)]
        for title, kind in (("ARGUMENTS", click.Argument), ("OPTIONS", click.Option)):
            rows = [record for each, record in parameters if isinstance(each, kind) and record is not None]
            if rows:
                yield title, rows
        yield "EXIT STATUS", [(str(code), meaning) for code, meaning in self.exits.items()]


class ManualGroup(Manual, click.Group):
    """A command made of commands; each of them has a manual page too."""

    command_class = Manual

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - in the order in which they were named
        return list(self.commands)

    def sections(self, ctx: click.Context) -> Iterator[tuple[str, list[tuple[str, str]]]]:
        yield "COMMANDS", [(name, command.get_short_help_str()) for name, command in self.commands.items()]
        yield from super().sections(ctx)


@contextmanager
def _section(formatter: click.HelpFormatter, title: str) -> Iterator[None]:
    formatter.write("\n" if formatter.getvalue() else "")
    formatter.write(f"{title}\n")
    formatter.indent()
    yield
    formatter.dedent()
