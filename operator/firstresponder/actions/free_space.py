"""Free disk space by methods that are carried out one after the other until the target is met."""

from __future__ import annotations

import math
import shlex
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Annotated, ClassVar

from pydantic import Field

from firstresponder.actions.action import (
    ActionType,
    DefaultClass,
    Given,
    HostAction,
    Method,
    Methods,
    Step,
    kebab,
)
from firstresponder.api.base import BY_NAME, ApiModel, Duration, Expression, Label, OneOf, duration_seconds, exactly_one
from firstresponder.api.diagnostics import DurationTemplate, Template

if TYPE_CHECKING:
    from firstresponder.api.diagnostics import Diagnostic
    from firstresponder.api.runbook import Action


class JournalVacuum(ApiModel):
    """Delete archived journal files that are older than a retention."""

    older_than: DurationTemplate
    """What is younger is kept: a duration of at least 1h, or $(parameter)."""


class Logrotate(ApiModel):
    """Rotate logs now, whether or not it is time to."""

    config: Template
    """The absolute path of a logrotate configuration that the host declares; a template without evidence."""


class TmpfilesClean(ApiModel):
    """Delete temporary files by the age that the host's tmpfiles.d configuration gives them."""


METHODS = ("journalVacuum", "logrotate", "tmpfilesClean")
"""Every kind of method, by the name that its field has in YAML."""


class FreeingMethod(OneOf):
    """One way to free disk space."""

    model_config = {"json_schema_extra": {"x-kubernetes-validations": [exactly_one(METHODS)]}}

    kinds: ClassVar[tuple[str, ...]] = METHODS

    name: Label
    """The name in packets and reports."""
    when: Expression
    """A CEL condition: the method belongs to the packet when it is true."""
    journal_vacuum: JournalVacuum | None = None
    """Deletes old journal files."""
    logrotate: Logrotate | None = None
    """Rotates logs now."""
    tmpfiles_clean: TmpfilesClean | None = None
    """Deletes old temporary files."""
    timeout: Duration = "5m"
    """How long it may take."""


class Fields(ApiModel):
    """What this type adds to an action."""

    methods: Annotated[list[FreeingMethod], Field(min_length=1, max_length=8, json_schema_extra=BY_NAME)] | None = None
    """Free disk space, in this order and each at most once, by one approval of all that are admitted."""
    until: Expression | None = None
    """CEL: evaluated before each method; true skips the rest, unknown stops."""


LEAST_RETENTION = 3600
"""Seconds. A younger journal is evidence of what goes on, and no host deletes it."""


def _fields(action: Action) -> Fields:
    assert isinstance(action, Fields)  # noqa: S101 - every action that was read has the fields of every type
    return action


def _written(action: Action) -> list[FreeingMethod]:
    return _fields(action).methods or []


def _methods(action: Action) -> Methods | None:
    fields = _fields(action)
    if fields.methods is None or fields.until is None:  # lint refuses it
        return None
    return Methods(tuple(Method(each.name, each.when) for each in fields.methods), fields.until)


def _arguments(method: FreeingMethod, render: Callable[[str], str]) -> tuple[str, ...]:
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
    return tuple(
        HostAction(
            name=kebab(method.given[0]),
            arguments=_arguments(method, given.render),
            timeout=duration_seconds(method.timeout),
            method=method.name,
        )
        for method in _written(action)
        if method.name in given.methods
    )


def _manual_steps(action: Action, render: Callable[[str], str]) -> tuple[Step, ...]:
    return tuple(
        Step(
            method.name,
            f'{_command(method, render)}; echo "status=$?"',
            f"{_LOST.get(method.given[0], '')}STOP if `status` is not 0, or after {method.timeout}; do not repeat it.",
            changes=True,
            when=method.when,
        )
        for method in _written(action)
    )


_LOST = {"journalVacuum": "Of a file that spans that moment, younger messages go too. "}


def _command(method: FreeingMethod, render: Callable[[str], str]) -> str:
    match method.given, _arguments(method, render):
        case ["journalVacuum"], (retention,):
            # It goes by a file's oldest message; host/actions/journal-vacuum, by its newest one.
            return f"sudo journalctl --vacuum-time={retention}s"
        case ["logrotate"], (config,):
            return f"sudo logrotate --force {shlex.quote(config)}"
    return "sudo systemd-tmpfiles --clean"


def _problems(action: Action, _: Sequence[Diagnostic]) -> Iterator[tuple[str, str]]:
    for number, method in enumerate(_written(action)):
        vacuum, rotate = method.journal_vacuum, method.logrotate
        if (
            vacuum is not None
            and "$(" not in vacuum.older_than
            and duration_seconds(vacuum.older_than) < LEAST_RETENTION
        ):
            field = f"methods[{number}].journalVacuum.olderThan"
            yield field, f"{vacuum.older_than} is less than the least of 1h"
        if rotate is not None and not rotate.config.startswith(("/", "$(")):
            yield f"methods[{number}].logrotate.config", f"{rotate.config} is not an absolute path"


def _malformed(action: Action) -> Iterator[tuple[str, str]]:
    fields = _fields(action)
    if fields.methods is not None and fields.until is None:
        yield "until", "missing: methods need a condition that skips the rest when it is true"
    if fields.methods is None and fields.until is not None:
        yield "until", f"{action.type} has no methods that it could skip: leave it out"
    names = [method.name for method in _written(action)]
    for number, method in enumerate(_written(action)):
        if len(method.given) != 1:
            given = ", ".join(method.given) or "none"
            yield f"methods[{number}]", f"give exactly one of {', '.join(METHODS)} (given: {given})"
        if method.name in names[:number]:
            yield f"methods[{number}].name", f"{method.name} is defined twice"


TYPE = ActionType(
    name="methods",
    fields=Fields,
    classes=(
        DefaultClass(
            "free-disk-space",
            "Medium",
            "Free disk space by cleaning up logs and temporary files; what is removed cannot come back.",
        ),
    ),
    verb="free",
    reported="free_disk_space",
    target=lambda _action, _given: "disk space",
    steps=_steps,
    manual_steps=_manual_steps,
    problems=_problems,
    malformed=_malformed,
    rules=(
        {
            "rule": "has(self.methods) == has(self.until)",
            "message": "methods need until, which says when the rest is skipped, and nothing else has it",
        },
    ),
    needs_class="methods",
    methods=_methods,
    files=lambda action: tuple(kebab(kind) for method in _written(action) for kind in method.given),
)
