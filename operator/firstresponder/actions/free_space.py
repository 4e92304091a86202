"""Free disk space by methods that are carried out one after the other until the target is met."""

from __future__ import annotations

import math
import shlex
from collections.abc import Callable

from firstresponder.actions.action import ActionType, Given, HostAction, Step, kebab
from firstresponder.api.base import duration_seconds
from firstresponder.api.runbook import Action, Method

LEAST_RETENTION = 3600
"""Seconds. A younger journal is evidence of what goes on, and no host deletes it."""


def _arguments(method: Method, render: Callable[[str], str]) -> tuple[str, ...]:
    """Raises ValueError."""
    if method.journal_vacuum is not None:
        retention = math.ceil(duration_seconds(render(method.journal_vacuum.older_than)))
        if retention < LEAST_RETENTION:
            raise ValueError(f"{method.name}: a retention of {retention} s is less than the hour that no host deletes")
        return (str(retention),)
    if method.logrotate is not None:
        config = render(method.logrotate.config)
        if not config.startswith("/"):
            raise ValueError(f"{method.name}: {config!r} is not an absolute path")
        return (config,)
    return ()


def _steps(action: Action, given: Given) -> tuple[HostAction, ...]:
    del action
    return tuple(
        HostAction(
            name=kebab(method.given[0]),
            arguments=_arguments(method, given.render),
            timeout=duration_seconds(method.timeout),
            method=method.name,
        )
        for method in given.methods
    )


def _by_hand(action: Action, render: Callable[[str], str]) -> tuple[Step, ...]:
    return tuple(
        Step(
            method.name,
            f'{_command(method, render)}; echo "status=$?"',
            f"{_LOST.get(method.given[0], '')}STOP if `status` is not 0, or after {method.timeout}; do not repeat it.",
            changes=True,
            when=method.when,
        )
        for method in action.methods or ()
    )


_LOST = {"journalVacuum": "Of a file that spans that moment, younger messages go too. "}


def _command(method: Method, render: Callable[[str], str]) -> str:
    match method.given, _arguments(method, render):
        case ["journalVacuum"], (retention,):
            # It goes by a file's oldest message; host/actions/journal-vacuum, by its newest one.
            return f"sudo journalctl --vacuum-time={retention}s"
        case ["logrotate"], (config,):
            return f"sudo logrotate --force {shlex.quote(config)}"
    return "sudo systemd-tmpfiles --clean"


TYPE = ActionType(
    name="methods",
    verb="free",
    reported="free_disk_space",
    target=lambda _action, _given: "disk space",
    steps=_steps,
    by_hand=_by_hand,
)
