"""Restart one systemd unit, and only the running instance of it that was seen in triage."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Mapping

from firstresponder.actions.action import ActionType, Companion, Given, HostAction, Seen, Step, kebab
from firstresponder.api.base import JSON, duration_seconds
from firstresponder.api.diagnostics import UnitArguments
from firstresponder.api.packet import Order
from firstresponder.api.runbook import Action, RestartUnit

_SETTLE_SECONDS = 5
_INVOCATION = re.compile(r"^[0-9a-f]{32}$")
_SERVICE = re.compile(r"[A-Za-z0-9@_.:][A-Za-z0-9@_.:\\-]{0,199}\.service")


def unit_problem(unit: str) -> str | None:
    """Why no host takes it (host/actions/restart-unit); None if one could. A pattern would restart all that match."""
    return None if _SERVICE.fullmatch(unit) else f"{unit!r} is not the name of one service, such as nginx.service"


def _restart(action: Action) -> RestartUnit:
    assert action.restart_unit is not None  # noqa: S101 - this type's actions have it
    return action.restart_unit


def _evidence(action: Action) -> str:
    return f"{action.name}/unit"


def _companions(action: Action) -> tuple[Companion, ...]:
    return (Companion(_evidence(action), "unit", UnitArguments(unit=_restart(action).unit)),)


def _unit(action: Action, render: Callable[[str], str]) -> str:
    """Raises ValueError."""
    unit = render(_restart(action).unit)
    if problem := unit_problem(unit):
        raise ValueError(problem)
    return unit


def _target(action: Action, given: Given) -> str:
    return _unit(action, given.render)


def _unfit(action: Action, given: Given) -> str | None:
    state = given.seen[_evidence(action)].get("loadState", "unknown")
    return None if state == "loaded" else f"unit {_target(action, given)} is not loaded (LoadState {state})"


def _steps(action: Action, given: Given) -> tuple[HostAction, ...]:
    unit = given.seen[_evidence(action)]
    invocation = str(unit.get("invocationID", ""))
    # A unit that was never started, or crash-loops, has no instance that could be meant.
    instance = (invocation,) if _INVOCATION.fullmatch(invocation) else ()
    timeout = max(duration_seconds(_restart(action).timeout), _own_seconds(unit))
    return (HostAction(kebab(_TYPE), (_target(action, given), *instance), timeout),)


def _own_seconds(unit: Mapping[str, JSON]) -> float:
    """As long as the unit itself may take: the stop twice, for a failing start is cleaned up by another."""
    return 2 * float(unit.get("timeoutStopSeconds", 0)) + float(unit.get("timeoutStartSeconds", 0)) + _SETTLE_SECONDS


def _changed(action: Action, order: Order, seen: Seen) -> str | None:
    if len(order.arguments) > 1 and seen.get(_evidence(action), {}).get("invocationID") != order.arguments[1]:
        return f"{order.arguments[0]} is no longer the running instance that was approved for restart"
    return None


def _by_hand(action: Action, render: Callable[[str], str]) -> tuple[Step, ...]:
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
            f"sudo systemctl restart --show-transaction --no-ask-password -- {quoted}",
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
TYPE = ActionType(
    name=_TYPE,
    verb="restart",
    reported="restart_service",
    target=_target,
    steps=_steps,
    companions=_companions,
    unfit=_unfit,
    by_hand=_by_hand,
    changed=_changed,
)
