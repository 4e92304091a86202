"""The page of all commands, in docs/commands.md.

It says what ``--help`` of each command says.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import click

from firstresponder.cli.manual import Manual
from firstresponder.cli.plugins import PLUGINS
from firstresponder.codegen.output import ROOT, page_note

_INTRODUCTION = """\
# Commands

The plugins of kubectl. They use kubectl's own kubeconfig, context and namespace, act under your own user name, and do
nothing that kubectl could not. Each page below is what the command's `--help` says.

Output that is not to a terminal has no colours; `NO_COLOR=1` takes them from a terminal too.

## Completion

kubectl (1.26 and newer) completes the plugins along with itself where `kubectl_complete-…` are on the `PATH` alongside
them: commands, options, and the names of incidents, requests, hosts, runbooks, types and services of the cluster.

```sh
source <(kubectl completion bash)      # or zsh, fish: see kubectl completion --help
kubectl incident describe <TAB>
```

Called directly, by their own names, the plugins complete in bash 4.4 and newer, zsh and fish:

```sh
eval "$(_KUBECTL_INCIDENT_COMPLETE=bash_source kubectl-incident)"
kubectl-incident describe <TAB>
```
"""


def files() -> dict[Path, str]:
    """The generated page with its content."""
    return {ROOT / "docs" / "commands.md": page()}


def page() -> str:
    """The page: each plugin, and behind it the commands that it is made of."""
    commands = [each for plugin in PLUGINS.values() for each in walk(plugin)]
    return "\n".join([page_note() + "\n", _INTRODUCTION, *(line for ctx in commands for line in _section(ctx))])


def walk(command: click.Command, parent: click.Context | None = None) -> Iterator[click.Context]:
    """A command and all that it is made of, as they are reached from the command line."""
    ctx = click.Context(command, parent, info_name=command.name, **command.context_settings)
    yield ctx
    if isinstance(command, click.Group):
        for name in command.list_commands(ctx):
            yield from walk(command.commands[name], ctx)


def _section(ctx: click.Context) -> Iterator[str]:
    command = ctx.command
    assert isinstance(command, Manual), f"{ctx.command_path} has no manual page: give it cls=Manual"  # noqa: S101
    yield f"## {ctx.command_path}\n"
    yield f"{command.summary}.\n"
    yield f"```\n{' '.join([ctx.command_path, *command.collect_usage_pieces(ctx)])}\n```\n"
    if command.description:
        yield from (_paragraph(each) for each in command.description.split("\n\n"))
    for title, rows in command.sections(ctx):
        yield _table(title, rows)
    lines = "\n".join(command.examples)
    yield f"```sh\n{lines}\n```\n"


def _paragraph(text: str) -> str:
    preformatted = text.removeprefix("\b\n")
    return f"{text}\n" if preformatted == text else f"```\n{preformatted}\n```\n"


def _table(title: str, rows: Sequence[tuple[str, str]]) -> str:
    lines = [(title.capitalize(), ""), ("---", "---"), *((f"`{name}`", meaning) for name, meaning in rows)]
    cells = ((cell.replace("|", r"\|") for cell in line) for line in lines)
    return "".join(f"| {' | '.join(line)} |\n" for line in cells)
