"""Restart one systemd unit, and only the running instance of it that was seen in triage."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated

from pydantic import StringConstraints

from firstresponder.actions.action import (
    ActionType,
    Companion,
    DefaultClass,
    Given,
    HostAction,
    Seen,
    Step,
    kebab,
)
from firstresponder.api.base import JSON, ApiModel, Duration, duration_seconds
from firstresponder.api.packet import Order
from firstresponder.safety.neutralise import shown

if TYPE_CHECKING:
    from firstresponder.api.diagnostics import Diagnostic
    from firstresponder.api.runbook import Action


class RestartUnit(ApiModel):
    """Restart one systemd unit."""

    unit: Annotated[str, StringConstraints(min_length=1, max_length=256)]
    """The unit's name, for example $(service).service; a template without evidence."""
    timeout: Duration = "60s"
    """The least time that the order gets; more, where the unit's own stop and start time-outs need it."""


class Fields(ApiModel):
    """What this type adds to an action."""

    restart_unit: RestartUnit | None = None
    """Restarts one systemd unit."""


_SETTLE_SECONDS = 5
_INVOCATION = re.compile(r"^[0-9a-f]{32}$")
_PASSING = frozenset({"activating", "deactivating", "maintenance"})
"""States that a unit is in for a while: the automatic restart of a crash loop is ``activating``."""
_FLUSH = (
    "Before it, systemd's count of the unit's starts is reset (systemctl reset-failed), so that a start limit cannot "
    "keep the unit from starting again."
)
_SYSTEMDS = re.compile(r"UNIT: |(Starting|Started|Stopping|Stopped|Failed to start|Reloading|Reloaded) UNIT\b")
"""What systemd itself says of a unit in its journal, the unit's name replaced: no words of the service's own."""
_SERVICE = re.compile(r"[A-Za-z0-9@_.:][A-Za-z0-9@_.:\\-]{0,199}\.service")


def unit_problem(unit: str) -> str | None:
    """Why no host takes it (host/actions/restart-unit); None if one could. A pattern would restart all that match."""
    return None if _SERVICE.fullmatch(unit) else f"{unit!r} is not the name of one service, such as nginx.service"


def _restart(action: Action) -> RestartUnit:
    assert isinstance(action, Fields) and action.restart_unit is not None  # noqa: S101 - of this type's actions
    return action.restart_unit


def _evidence(action: Action) -> str:
    return f"{action.name}/unit"


def _companions(action: Action) -> tuple[Companion, ...]:
    return (Companion(_evidence(action), "unit", {"unit": _restart(action).unit}),)


def _last_look(action: Action) -> tuple[Companion, ...]:
    unit = _restart(action).unit
    return (
        *_companions(action),
        Companion(_journal(action), "journal", {"unit": unit, "since": "10m", "limit": 30}),
    )


def _journal(action: Action) -> str:
    return f"{action.name}/journal"


def _state_after(action: Action, target: str, seen: Seen) -> str | None:
    unit = seen.get(_evidence(action))
    if unit is None:
        return None
    state, sub, result = (unit.get(key) for key in ("activeState", "subState", "result"))
    more = [str(sub)] if sub not in {None, state} else []
    more += [f"result {result}"] if result not in {None, "success"} else []
    state_text = f"{target} is {state or 'in an unknown state'} now" + (f" ({', '.join(more)})" if more else "")
    lines = seen.get(_journal(action), {}).get("lines")
    if lines is None:
        return f"{state_text}; its journal was not seen"
    words = [str(line) for line in lines] if isinstance(lines, list) else []
    own = [line for line in words if not _SYSTEMDS.match(line.replace(target, "UNIT"))]
    last = "; ".join(f"“{shown(line, 160)}”" for line in (own or words)[-3:])
    return f"{state_text}; its last lines in the journal: {last or 'none in 10 minutes'}"


def _unit(action: Action, render: Callable[[str], str]) -> str:
    """Raises ValueError."""
    unit = render(_restart(action).unit)
    if problem := unit_problem(unit):
        raise ValueError(problem)
    return unit


def _target(action: Action, given: Given) -> str:
    """The unit's own name where the runbook has an alias of it: what is shown, bound and allowed is one unit."""
    unit = _unit(action, given.render)
    own = given.seen.get(_evidence(action), {}).get("id", unit)
    if problem := unit_problem(str(own)):
        raise ValueError(problem)
    return str(own)


def _unfit(action: Action, given: Given) -> str | None:
    state = given.seen[_evidence(action)].get("loadState", "unknown")
    return None if state == "loaded" else f"unit {_target(action, given)} is not loaded (LoadState {state})"


def _notes(action: Action, given: Given) -> tuple[str, ...]:
    unbound = _unbound(given.seen[_evidence(action)])
    asked, unit = _unit(action, given.render), _target(action, given)
    return (
        *(() if asked == unit else (f"{asked} is another name of {unit}.",)),
        _FLUSH,
        *(() if unbound is None else (f"It is bound to no running instance of the unit: {unbound}.",)),
    )


def _unbound(unit: Mapping[str, JSON]) -> str | None:
    """Why no instance of the unit could be meant; None if the one that was seen is there until somebody acts.

    What systemd starts again by itself is soon another instance: bound to one, no restart of a unit in a crash loop
    could ever be approved in time.
    """
    if not _INVOCATION.fullmatch(str(unit.get("invocationID", ""))):
        return "it has none"
    state = unit.get("activeState")
    if state in _PASSING:
        return f"it is {state}"
    if state == "active" and unit.get("nRestarts", 0) != 0:
        return f"systemd restarts it by itself (NRestarts {unit['nRestarts']})"
    return None


def _steps(action: Action, given: Given) -> tuple[HostAction, ...]:
    unit = given.seen[_evidence(action)]
    instance = (str(unit["invocationID"]),) if _unbound(unit) is None else ()
    timeout = max(duration_seconds(_restart(action).timeout), _own_seconds(unit))
    return (HostAction(kebab(_TYPE), (_target(action, given), *instance), timeout),)


def _own_seconds(unit: Mapping[str, JSON]) -> float:
    """As long as the unit itself may take: the stop twice, for a failing start is cleaned up by another."""
    return 2 * float(unit.get("timeoutStopSeconds", 0)) + float(unit.get("timeoutStartSeconds", 0)) + _SETTLE_SECONDS


def _changed(action: Action, order: Order, seen: Seen) -> str | None:
    if len(order.arguments) > 1 and seen.get(_evidence(action), {}).get("invocationID") != order.arguments[1]:
        return f"{order.arguments[0]} is no longer the running instance that was approved for restart"
    return None


def _manual_steps(action: Action, render: Callable[[str], str]) -> tuple[Step, ...]:
    """The same looks as the host's own program (host/actions/restart-unit)."""
    unit, timeout = _unit(action, render), _restart(action).timeout
    quoted = shlex.quote(unit)
    show = f"systemctl show --property=LoadState,ActiveState,InvocationID,Job -- {quoted}"
    return (
        Step(
            "See which instance runs",
            show,
            "Go on if it says `LoadState=loaded` and `Job=` with nothing behind it, for else somebody restarts it now: "
            "STOP otherwise. Keep the `InvocationID`.",
        ),
        Step(
            f"Restart {unit}",
            f"sudo systemctl reset-failed -- {quoted}\n"
            f"sudo systemctl restart --show-transaction --no-ask-password -- {quoted}",
            "The first line keeps systemd's start limit from refusing the start. "
            f"If it has not come back after {timeout}, or the unit's own time-outs where they are longer: "
            "STOP. systemd goes on with it; do not cancel it, do not repeat it.",
            changes=True,
        ),
        Step(
            "See that another instance runs, and stays",
            f"sleep {_SETTLE_SECONDS}; {show}",
            "Go on if it says `ActiveState=active` and another `InvocationID` than before: STOP otherwise.",
        ),
    )


_TYPE = "restartUnit"


def _problems(action: Action, _: Sequence[Diagnostic]) -> Iterator[tuple[str, str]]:
    unit = _restart(action).unit
    if "$(" not in unit and (problem := unit_problem(unit)):
        yield f"{_TYPE}.unit", problem


def _to_look_at(target: str, host: str) -> str:
    quoted = shlex.quote(target)
    return (
        f"On {host}, `sudo systemctl status {quoted}` and `sudo journalctl -u {quoted} -n 50` show how the service is "
        "now."
    )


TYPE = ActionType(
    name=_TYPE,
    fields=Fields,
    classes=(
        DefaultClass(
            "restart-unit",
            "Medium",
            "Restart one systemd unit on one host; its service is down for as long as that takes.",
        ),
        DefaultClass(
            "restart-database",
            "High",
            "Restart or start a database server; all that use it are cut off for as long as that takes.",
        ),
    ),
    verb="restart",
    reported="restart_service",
    target=_target,
    steps=_steps,
    companions=_companions,
    last_look=_last_look,
    state_after=_state_after,
    to_look_at=_to_look_at,
    problems=_problems,
    unfit=_unfit,
    notes=_notes,
    manual_steps=_manual_steps,
    changed=_changed,
)
