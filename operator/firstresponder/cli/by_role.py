"""Hosts on a command line: [ROLE=]NAME, where the role is target unless it is given."""

from __future__ import annotations

from collections.abc import Sequence

import click

_TARGET = "target"


def by_role(given: Sequence[str]) -> dict[str, str]:
    """What is said of each role, in the order given. Raises BadParameter for the option ``--host``."""
    assigned: dict[str, str] = {}
    for each in given:
        role, host = each.split("=", 1) if "=" in each else (_TARGET, each)
        if role in assigned:
            raise click.BadParameter(f"the role {role} is given twice", param_hint="--host")
        assigned[role] = host
    return assigned
