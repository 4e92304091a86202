"""``kubectl runbook``: what authors of Runbooks need while they write them."""

from __future__ import annotations

from importlib import import_module

import click

from firstresponder.cli.manual import ManualGroup

_COMMANDS = {"lint": "lint:lint", "test": "rehearse:test"}
"""Each command's module and name. It is imported when it is called: lint needs nothing that talks to a cluster."""


class _Commands(ManualGroup):
    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - the same in every context
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:  # noqa: ARG002
        if name not in _COMMANDS:
            return None
        module, _, command = _COMMANDS[name].partition(":")
        found: click.Command = getattr(import_module(f"firstresponder.cli.{module}"), command)
        return found


@click.group(
    "kubectl runbook",
    cls=_Commands,
    exits={0: "done", 1: "problems, or a case that came out otherwise", 2: "wrong usage"},
    examples=["kubectl runbook lint runbooks/", "kubectl runbook test runbooks/high-cpu.yaml"],
)
def main() -> None:
    """Write Runbooks and TriagePlaybooks that are known to work.

    Each command has a page of its own: kubectl runbook COMMAND --help.
    """
