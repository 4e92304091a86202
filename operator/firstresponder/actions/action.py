"""What every type of action is: pure functions from a runbook's action to what a host is asked for.

A host runs only what its owner declared (``host/``), by name and arguments. Arguments come out of templates that see
no evidence; numbers of evidence only once they were checked.

All that is known of one type is in its file here: what a runbook writes, how it is linted, what hosts are asked for and
what people read. Everything else asks the catalogue.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple

from firstresponder.api.base import JSON, ApiModel
from firstresponder.api.packet import Order, Requirement

if TYPE_CHECKING:
    from firstresponder.api.diagnostics import Diagnostic
    from firstresponder.api.runbook import Action

Seen = Mapping[str, Mapping[str, JSON]]
"""Name of a diagnostic → what it saw, for those that saw anything."""


class Companion(NamedTuple):
    """A diagnostic that an action brings with it; its arguments may hold templates. What they mean the probe knows."""

    name: str
    """The name of its evidence; with its slash, no diagnostic of a runbook can have it."""
    probe: str
    arguments: Mapping[str, JSON]
    """As a runbook would write them."""


class Count(NamedTuple):
    """How many instances there are, and how many there are to be."""

    current: int
    desired: int

    def back(self) -> Count:
        """The rollback."""
        return Count(self.desired, self.current)


class Scaling(NamedTuple):
    """How many instances of a pool there are and are to be: CEL, but for the fewest that are allowed.

    The fields below the type's own have the same names.
    """

    current: str
    desired: str
    minimum: int
    maximum: str

    @property
    def numbers(self) -> Mapping[str, str]:
        """The expressions, each of which gives a number of instances, by field."""
        return {"current": self.current, "desired": self.desired, "maximum": self.maximum}

    def unchanged(self, count: Count) -> Requirement:
        """What is true as long as the pool has the size that the change starts from."""
        return Requirement(name="count-unchanged", require=f"({self.current}) == {count.current}.0")


class Method(NamedTuple):
    """One way of several, which is an order of its own."""

    name: str
    when: str
    """CEL: whether it is needed."""


class Methods(NamedTuple):
    """Ways that are gone one after the other until the target is met. They are a list in the type's own field."""

    methods: tuple[Method, ...]
    until: str
    """CEL: whether the target is met. It is the action's field of that name."""


@dataclass(frozen=True)
class Given:
    """What an action's arguments are made of."""

    render: Callable[[str], str]
    """Fills in a template as an argument. Raises ValueError where it needs what is not known or may not be used."""
    seen: Seen
    """What the action's companions saw."""
    count: Count | None = None
    """Checked against its bounds; of actions that change the size of a pool."""
    methods: tuple[str, ...] = ()
    """The names of those that were admitted; of actions that have several."""
    project: str | None = None
    """The digest of the project of the dry run, once it was; of actions that have a preview."""


class HostAction(NamedTuple):
    """One thing that a host is asked to do."""

    name: str
    """The action as the host declares it, for example ``restart-unit``."""
    arguments: tuple[str, ...]
    timeout: float
    """Seconds that it may take."""
    method: str | None = None
    """The method's name in the runbook, where the action has several."""


class Step(NamedTuple):
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


class DefaultClass(NamedTuple):
    """An ActionClass that is installed with the operator."""

    name: str
    risk: Literal["Low", "Medium", "High"]
    description: str


def kebab(camel: str) -> str:
    """``restartUnit`` → ``restart-unit``: a type's file on the host, and its default class."""
    return re.sub(r"(?<!^)(?=[A-Z])", "-", camel).lower()


def filled(template: str) -> str:
    """A template as if its parts were known: what one becomes is checked again when the packet is made."""
    return re.sub(r"\$\([^()]*\)", "x", template)


@dataclass(frozen=True)
class ActionType:
    """One type of action. Its functions are pure."""

    name: str
    """As the API spells it, for example ``restartUnit``."""
    fields: type[ApiModel]
    """What it adds to the fields of an action: one of its own name, which holds its arguments."""
    classes: tuple[DefaultClass, ...]
    """Who may approve it, unless a namespace says otherwise."""
    verb: str
    """What is done to the target, for people."""
    reported: str
    """The type in the words of incident reports, which name what happens to the service."""
    target: Callable[[Action, Given], str]
    """What it is done to, for people."""
    steps: Callable[[Action, Given], tuple[HostAction, ...]]
    """What the host is asked for, in order. Raises ValueError as ``Given.render`` does."""
    manual_steps: Callable[[Action, Callable[[str], str]], tuple[Step, ...]]
    """What a person does instead, in order. Templates are filled in as arguments by the second, ``Given.render``, and
    a number that was worked out is the shell's variable ``instances``. Raises ValueError as ``steps`` does: what no
    host takes, no person is told to run."""
    tool: str | None = None
    """The program that does it on the host, where people know it by name."""
    preview: Callable[[Action, Given], HostAction | None] = lambda _action, _given: None
    """The dry run that the host is asked for before people are asked; None where there is none. Raises
    ValueError as ``steps`` does."""
    gaps: Callable[[Sequence[str]], str | None] = lambda _: None
    """Why the lines that a preview printed do not show all that would change; None if they do."""
    least_timeout: int = 5
    """Seconds: with less a host's program refuses the order, for it keeps some for settling and reporting."""
    companions: Callable[[Action], tuple[Companion, ...]] = lambda _: ()
    last_look: Callable[[Action], tuple[Companion, ...]] = lambda _: ()
    """What shows the state of the target after a failed or unknown end."""
    state_after: Callable[[Action, str, Seen], str | None] = lambda _action, _target, _seen: None
    """That state in words, of the target of that name; None where it was not seen."""
    unfit: Callable[[Action, Given], str | None] = lambda _action, _given: None
    """A precondition of its own: why it cannot be proposed on what was seen; None if it can."""
    to_look_at: Callable[[str, str], str] | None = None
    """How a person sees in what state the target of that name on that host is: a sentence with commands."""
    problems: Callable[[Action, Sequence[Diagnostic]], Iterator[tuple[str, str]]] = lambda _action, _diagnostics: iter(
        ()
    )
    """What no host would accept, as far as it is written out: the field below the action, and why. The diagnostics are
    the runbook's."""
    malformed: Callable[[Action], Iterator[tuple[str, str]]] = lambda _: iter(())
    """What of any action, also of another type, is not as this type needs it: the field below the action, and why. It
    is looked for before everything else."""
    rules: tuple[JSON, ...] = ()
    """The same for the API server: rules of CEL over an action of any type."""
    needs_class: str | None = None
    """What a runbook has to name the ActionClass of, for what such an action does differs from one to the next; None
    where it has not to."""
    scaling: Callable[[Action], Scaling] | None = None
    """How it changes the size of a pool. What does so has an inverse, and nothing else."""
    methods: Callable[[Action], Methods | None] = lambda _: None
    """The ways of doing it, where there are several."""
    files: Callable[[Action], tuple[str, ...]] | None = None
    """The host's files that its orders name; None: the one that is called like the type."""
    notes: Callable[[Action, Given], tuple[str, ...]] = lambda _action, _given: ()
    """What it does besides, and what it is not bound to, for the approver; at most four."""
    changed: Callable[[Action, Order, Seen], str | None] = lambda _action, _order, _seen: None
    """Why an order no longer fits what its companions see now; None if it does."""

    def declared(self, action: Action) -> tuple[str, ...]:
        """The actions that a host has to declare, as files of ``host/actions`` are named."""
        return self.files(action) if self.files is not None else (kebab(self.name),)
