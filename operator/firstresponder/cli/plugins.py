"""All plugins of kubectl: the one list that help, completion and the reference of commands walk."""

from __future__ import annotations

import click

from firstresponder.cli.approve import approve, deny
from firstresponder.cli.incident import main as incident
from firstresponder.cli.runbook import main as runbook

PLUGINS: tuple[click.Command, ...] = (incident, runbook, approve, deny)
