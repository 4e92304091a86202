"""The state of one systemd unit, from ``systemctl show``.

``job`` is the number of the queued job, 0 when there is none. A time-out of ``infinity`` is left out, as is what the
unit does not have: an InvocationID before its first start, a main process of a unit that is no service.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from firstresponder.api.base import JSON, ApiModel
from firstresponder.api.command import CommandOutput
from firstresponder.api.diagnostics import Template
from firstresponder.evidence.field import number, text
from firstresponder.evidence.manual_steps import ManualSteps
from firstresponder.evidence.probe import Context, Probe, Reason, Unobserved, completed, unparseable
from firstresponder.safety import shown


class UnitArguments(ApiModel):
    """The state of one systemd unit."""

    unit: Template
    """The unit's name, for example $(service).service; a template."""


_DESCRIPTION_LIMIT = 256
"""Characters of the longest description that is kept."""
_UNIT = re.compile(r"[A-Za-z0-9:_.\\@-]{1,240}\.[a-z]{1,12}")


def require_unit_name(name: str) -> str:
    """The name, when it is one full unit name and no pattern. Raises Unobserved(BadArgument)."""
    if not _UNIT.fullmatch(name):
        raise Unobserved(Reason.BAD_ARGUMENT, f"{name!r} is not a unit's name such as api-gateway.service")
    return name


def _argv(arguments: UnitArguments, context: Context) -> tuple[str, ...]:
    del context
    properties = ",".join(name for name, _, _ in _PROPERTIES.values())
    return ("systemctl", "show", "--no-pager", f"--property={properties}", "--", require_unit_name(arguments.unit))


def _parse(arguments: UnitArguments, output: CommandOutput, context: Context) -> dict[str, JSON]:
    del arguments, context
    lines = completed(output).splitlines()
    shown: dict[str, str] = {}
    for line in lines:
        name, equals, value = line.partition("=")
        if not equals or name in shown:
            raise unparseable("systemctl show did not print one property a line of one unit")
        shown[name] = value
    if "LoadState" not in shown or "ActiveState" not in shown:
        raise unparseable("systemctl show printed no LoadState or ActiveState")
    values = {field: read(shown[name]) for field, (name, read, _) in _PROPERTIES.items() if name in shown}
    return {field: value for field, value in values.items() if value is not None}


def _name(text: str) -> str | None:
    return text if _UNIT.fullmatch(text) else None


def _word(text: str) -> str | None:
    if not re.fullmatch(r"[a-z0-9-]{0,64}", text):
        raise unparseable(f"{text[:64]!r} is not a state of a unit")
    return text or None


def _count(text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,15}", text):
        raise unparseable(f"{text[:64]!r} is not a number")
    return int(text)


def _job(text: str) -> int:
    return _count(text) if text else 0


def _invocation(text: str) -> str | None:
    if not re.fullmatch(r"([0-9a-f]{32})?", text):
        raise unparseable(f"{text[:64]!r} is not an InvocationID")
    return text or None


# systemd.time(7), "Parsing Time Spans"; a month is 30.44 days and a year 365.25 there.
_SECONDS = {
    "y": 31557600.0,
    "month": 2629800.0,
    "w": 604800.0,
    "d": 86400.0,
    "h": 3600.0,
    "min": 60.0,
    "s": 1.0,
    "ms": 0.001,
    "us": 0.000001,
}
_SPAN = re.compile(r"([0-9]{1,12}(?:\.[0-9]{1,6})?)(y|month|w|d|h|min|s|ms|us)")


def _span(text: str) -> float | None:
    """Seconds of a span such as ``1min 30s``; None for ``infinity``."""
    if text == "infinity":
        return None
    if text == "0":
        return 0.0
    parts = [_SPAN.fullmatch(part) for part in text.split(" ")]
    if not all(parts):
        raise unparseable(f"{text[:64]!r} is not a time span")
    return round(sum(float(part[1]) * _SECONDS[part[2]] for part in parts if part), 6)


def _description(text: str) -> str | None:
    """What the unit's author calls it, often with the release; None when it may not be shown as it is."""
    return text if text and shown(text, _DESCRIPTION_LIMIT) == text else None


_PROPERTIES: dict[str, tuple[str, Callable[[str], JSON], str]] = {
    "id": ("Id", _name, "systemd's own name for it; another one than was asked for where that is an alias"),
    "loadState": ("LoadState", _word, "`loaded`, or `not-found`, `masked` and the like"),
    "activeState": ("ActiveState", _word, "`active`, `inactive`, `failed`, `activating` and the like"),
    "subState": ("SubState", _word, "The same in the words of the unit's type, for example `running`"),
    "result": ("Result", _word, "How it ended last, for example `success` or `exit-code`"),
    "invocationID": ("InvocationID", _invocation, "32 hexadecimal digits, new with each start"),
    "nRestarts": ("NRestarts", _count, "How often systemd restarted it by itself"),
    "mainPID": ("MainPID", _count, "The number of its main process, 0 when there is none"),
    "job": ("Job", _job, "The number of the queued job, 0 when there is none"),
    "timeoutStartSeconds": (
        "TimeoutStartUSec",
        _span,
        "How long a start may take, in seconds; left out when it may take for ever",
    ),
    "timeoutStopSeconds": (
        "TimeoutStopUSec",
        _span,
        "How long a stop may take, in seconds; left out when it may take for ever",
    ),
    "description": ("Description", _description, "What its author calls it; left out when it could hold a secret"),
}

_NUMBERS = (_count, _job, _span)

_LEGIBLE: dict[Callable[[str], JSON], str] = {
    _job: "; 0 where it is empty",
    _span: ", in seconds; unknown where it is `infinity`",
    _name: "",
    _word: "; unknown where it is empty",
    _invocation: "; unknown where it is empty",
}

PROBE = Probe(
    name="unit",
    arguments=UnitArguments,
    source="systemctl show",
    fields={
        field: (number if read in _NUMBERS else text)(description)
        for field, (_, read, description) in _PROPERTIES.items()
    },
    quoted=("description",),
    argv=_argv,
    parse=_parse,
    manual_steps=ManualSteps(
        lambda _: {field: f"`{name}`{_LEGIBLE.get(read, '')}" for field, (name, read, _) in _PROPERTIES.items()}
    ),
)
