"""What every type of action is: pure functions from a runbook's action to what a host is asked for.

A host runs only what its owner declared (``host/``), by name and arguments. Arguments come out of templates that see
no evidence; numbers of evidence only once they were checked.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from firstresponder.api.base import JSON, ApiModel
from firstresponder.api.packet import Order
from firstresponder.api.runbook import Action, Method

Seen = Mapping[str, Mapping[str, JSON]]
"""Name of a diagnostic → what it saw, for those that saw anything."""


@dataclass(frozen=True)
class Companion:
    """A diagnostic that an action brings with it; its arguments may hold templates."""

    name: str
    """The name of its evidence; with its slash, no diagnostic of a runbook can have it."""
    probe: str
    arguments: ApiModel


@dataclass(frozen=True)
class Count:
    """How many instances there are, and how many there shall be."""

    current: int
    desired: int


@dataclass(frozen=True)
class Given:
    """What an action's arguments are made of."""

    render: Callable[[str], str]
    """Fills in a template as an argument. Raises ValueError where it needs what is not known or may not be used."""
    seen: Seen
    """What the action's companions saw."""
    count: Count | None = None
    """Checked against its bounds; of actions that change the size of a pool."""
    methods: tuple[Method, ...] = ()
    """Those that were admitted; of actions that have several."""
    project: str | None = None
    """The digest of the project that was run dry, once it was; of actions that have a preview."""


@dataclass(frozen=True)
class HostAction:
    """One thing that a host is asked to do."""

    name: str
    """The action as the host declares it, for example ``restart-unit``."""
    arguments: tuple[str, ...]
    timeout: float
    """Seconds that it may take."""
    method: str | None = None
    """The method's name in the runbook, where the action has several."""


@dataclass(frozen=True)
class Step:
    """One thing that a person does on the host instead."""

    title: str
    """What it is, in a few words."""
    commands: str
    """Lines for a shell."""
    then: str = ""
    """When to go on, and when not: Markdown."""
    changes: bool = False
    """Whether it changes state; else it may be done before anybody agreed."""
    when: str | None = None
    """The condition without which it is left out."""


def kebab(camel: str) -> str:
    """``restartUnit`` → ``restart-unit``: a type's file on the host, and its default class."""
    return re.sub(r"(?<!^)(?=[A-Z])", "-", camel).lower()


@dataclass(frozen=True)
class ActionType:
    """One type of action. Its functions are pure."""

    name: str
    """As the API spells it, for example ``restartUnit``."""
    verb: str
    """What is done to the target, for people."""
    reported: str
    """The type in the words of incident reports, which name what happens to the service."""
    target: Callable[[Action, Given], str]
    """What it is done to, for people."""
    steps: Callable[[Action, Given], tuple[HostAction, ...]]
    """What the host is asked for, in order. Raises ValueError as ``Given.render`` does."""
    by_hand: Callable[[Action, Callable[[str], str]], tuple[Step, ...]]
    """What a person does instead, in order. Templates are filled in as arguments by the second, ``Given.render``, and
    a number that was worked out is the shell's variable ``instances``. Raises ValueError as ``steps`` does: what no
    host takes, no person is told to run."""
    tool: str | None = None
    """The program that does it on the host, where people know it by name."""
    preview: Callable[[Action, Given], HostAction | None] = lambda _action, _given: None
    """What the host is asked to run dry before people are asked; None where there is nothing to run dry. Raises
    ValueError as ``steps`` does."""
    gaps: Callable[[Sequence[str]], str | None] = lambda _: None
    """Why the lines that a preview printed do not tell all that would change; None if they do."""
    least_timeout: int = 5
    """Seconds: with less a host's program refuses the order, for it keeps some for settling and for telling."""
    companions: Callable[[Action], tuple[Companion, ...]] = lambda _: ()
    unfit: Callable[[Action, Given], str | None] = lambda _action, _given: None
    """A precondition of its own: why it cannot be proposed on what was seen; None if it can."""
    changed: Callable[[Action, Order, Seen], str | None] = lambda _action, _order, _seen: None
    """Why an order no longer fits what its companions see now; None if it does."""
