"""``kubectl runbook``: what authors of Runbooks need while they write them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib import import_module

import click

from firstresponder.cli.manual import ManualGroup


class _Commands(Mapping[str, click.Command]):
    """Commands by their names, each imported when it is called: lint loads nothing that talks to a cluster."""

    def __init__(self, **modules: str) -> None:
        self._modules = modules
        """A command's module and its name there."""

    def __getitem__(self, name: str) -> click.Command:
        module, _, command = self._modules[name].partition(":")
        found: click.Command = getattr(import_module(f"firstresponder.cli.{module}"), command)
        return found

    def __iter__(self) -> Iterator[str]:
        return iter(self._modules)

    def __len__(self) -> int:
        return len(self._modules)


@click.group(
    "kubectl runbook",
    cls=ManualGroup,
    commands=_Commands(lint="lint:lint", test="rehearse:test", render="render:render", record="record:record"),
    exits={0: "done", 1: "problems, or a case that came out otherwise", 2: "wrong usage"},
    examples=[
        "kubectl runbook lint runbooks/",
        "kubectl runbook test runbooks/high-cpu.yaml",
        "kubectl runbook render runbooks/high-cpu.yaml > high-cpu.md",
        "kubectl runbook record high-cpu-7xk2p -n prod",
    ],
)
def main() -> None:
    """Write Runbooks and TriagePlaybooks that are known to work.

    Each command has a page of its own: kubectl runbook COMMAND --help.
    """
