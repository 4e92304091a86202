"""All plugins of kubectl: the one list that help, completion and the reference of commands walk.

A plugin's module declares its commands: their options and their pages. What a command does is in ``cli/commands``, and
is imported when it runs: help and completion load nothing of it.
"""

from __future__ import annotations

from collections.abc import Mapping

from firstresponder.cli.manual import Manual
from firstresponder.cli.plugins.approve import approve, deny
from firstresponder.cli.plugins.incident import main as incident
from firstresponder.cli.plugins.runbook import main as runbook

PLUGINS: Mapping[str, Manual] = {"incident": incident, "runbook": runbook, "approve": approve, "deny": deny}
"""By what follows ``kubectl``."""
