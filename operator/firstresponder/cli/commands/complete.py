"""``kubectl_complete-NAME``: what kubectl runs when somebody presses TAB behind ``kubectl NAME``.

It is given the words typed so far, the last of them unfinished, and prints one suggestion a line (with what it is
behind a tab), then ``:`` and what the shell is to do with them.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import click
from click.shell_completion import ShellComplete

from firstresponder.cli.plugins import PLUGINS

_COMPLETER = "kubectl_complete-"
# Of cobra's ShellCompDirective, which kubectl passes on to the shell.
_NO_FILES = 4
_FILES = 0
_DIRECTORIES = 16


def main() -> None:
    """Answer for the plugin that this program is named after."""
    plugin = Path(sys.argv[0]).name.removeprefix(_COMPLETER)
    click.echo(answer(PLUGINS[plugin], sys.argv[1:]))


def answer(command: click.Command, words: Sequence[str]) -> str:
    """What is to be printed for the words behind the plugin's name."""
    *typed, incomplete = words or [""]
    items = ShellComplete(command, {}, command.name or "", "").get_completions(typed, incomplete)
    if any(each.type != "plain" for each in items):
        return f":{_DIRECTORIES if items[0].type == 'dir' else _FILES}"
    lines = [f"{each.value}\t{each.help}" if each.help else str(each.value) for each in items]
    return "\n".join([*lines, f":{_NO_FILES}"])
