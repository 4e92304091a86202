"""Run one command line that the host declares word for word, for what no other type of action does."""

from __future__ import annotations

import shlex
from collections.abc import Callable

from firstresponder.actions.action import ActionType, Given, HostAction, Step
from firstresponder.api.base import duration_seconds
from firstresponder.api.runbook import Action, Command


def words_problem(argv: tuple[str, ...]) -> str | None:
    """Why no host could have declared this command line; None if one could."""
    if not argv[0].startswith("/"):
        return f"{argv[0]!r} is not the absolute path of a program"
    if any(not word or " " in word for word in argv):
        return "an argument is empty or holds white space, so the words of the command line could not be told apart"
    return None


def _command(action: Action) -> Command:
    assert action.command is not None  # noqa: S101 - this type's actions have it
    return action.command


def _argv(action: Action, render: Callable[[str], str]) -> tuple[str, ...]:
    """Raises ValueError."""
    argv = tuple(render(word) for word in _command(action).argv)
    if problem := words_problem(argv):
        raise ValueError(problem)
    return argv


def _steps(action: Action, given: Given) -> tuple[HostAction, ...]:
    return (HostAction("command", _argv(action, given.render), duration_seconds(_command(action).timeout)),)


def _by_hand(action: Action, render: Callable[[str], str]) -> tuple[Step, ...]:
    command = _command(action)
    argv = shlex.join(_argv(action, render))
    stop = f"STOP if `status` is not 0, or after {command.timeout}; do not repeat it."
    return (Step(f"Run {argv}", f'sudo {argv}; echo "status=$?"', stop, changes=True),)


TYPE = ActionType(
    name="command",
    verb="run",
    reported="run_command",
    target=lambda action, given: " ".join(_argv(action, given.render)),
    steps=_steps,
    by_hand=_by_hand,
)
