"""Run one command line that the host declares word for word, for what no other type of action does."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from firstresponder.actions.action import ActionType, DefaultClass, Given, HostAction, Step, filled
from firstresponder.api.base import ApiModel, Duration, duration_seconds
from firstresponder.api.diagnostics import Template

if TYPE_CHECKING:
    from firstresponder.api.diagnostics import Diagnostic
    from firstresponder.api.runbook import Action


class Command(ApiModel):
    """Run one command line that the host declares, for what no other type of action does."""

    argv: Annotated[list[Template], Field(min_length=1, max_length=32)]
    """The program by its absolute path and its arguments, each without white space; templates without evidence."""
    timeout: Duration = "60s"
    """How long it may take."""


class Fields(ApiModel):
    """What this type adds to an action."""

    command: Command | None = None
    """Runs one command line that the host declares."""


def words_problem(argv: tuple[str, ...]) -> str | None:
    """Why no host could have declared this command line; None if one could."""
    if not argv[0].startswith("/"):
        return f"{argv[0]!r} is not the absolute path of a program"
    if any(not word or " " in word for word in argv):
        return "an argument is empty or contains white space, which would make the command line ambiguous"
    return None


def _command(action: Action) -> Command:
    assert isinstance(action, Fields) and action.command is not None  # noqa: S101 - of this type's actions
    return action.command


def _argv(action: Action, render: Callable[[str], str]) -> tuple[str, ...]:
    """Raises ValueError."""
    argv = tuple(render(word) for word in _command(action).argv)
    if problem := words_problem(argv):
        raise ValueError(problem)
    return argv


def _steps(action: Action, given: Given) -> tuple[HostAction, ...]:
    return (HostAction("command", _argv(action, given.render), duration_seconds(_command(action).timeout)),)


def _manual_steps(action: Action, render: Callable[[str], str]) -> tuple[Step, ...]:
    command = _command(action)
    argv = shlex.join(_argv(action, render))
    stop = f"STOP if `status` is not 0, or after {command.timeout}; do not repeat it."
    return (Step(f"Run {argv}", f'sudo {argv}; echo "status=$?"', stop, changes=True),)


def _problems(action: Action, _: Sequence[Diagnostic]) -> Iterator[tuple[str, str]]:
    argv = _command(action).argv
    if not argv[0].startswith("$(") and (problem := words_problem(tuple(map(filled, argv)))):
        yield "command.argv", problem


TYPE = ActionType(
    name="command",
    fields=Fields,
    classes=(
        DefaultClass(
            "run-command",
            "High",
            "Run one command that the host's owner has declared, exactly as it was approved.",
        ),
    ),
    verb="run",
    reported="run_command",
    target=lambda action, given: " ".join(_argv(action, given.render)),
    steps=_steps,
    manual_steps=_manual_steps,
    problems=_problems,
    needs_class="a command",
)
