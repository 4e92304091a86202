"""Every type of action by the name that it has in the API."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

from firstresponder.actions import ansible_scale, command, free_space, restart_unit
from firstresponder.actions.action import ActionType, Methods, Scaling

if TYPE_CHECKING:
    from firstresponder.api import runbook

TYPES: Mapping[str, ActionType] = MappingProxyType(
    {each.name: each for each in (restart_unit.TYPE, ansible_scale.TYPE, free_space.TYPE, command.TYPE)}
)
NEEDING_CLASS = {each.name: each.needs_class for each in TYPES.values() if each.needs_class is not None}
"""The types whose ActionClass a runbook has to name, with what it is the class of."""
WITH_INVERSE = tuple(each.name for each in TYPES.values() if each.scaling is not None)
"""The types that a rollback can offer the inverse of."""


def scaling_of(action: runbook.Action) -> Scaling | None:
    """How the action changes the size of a pool; None where it does not."""
    scaling = TYPES[action.type].scaling
    return scaling(action) if scaling is not None else None


def methods_of(action: runbook.Action) -> Methods | None:
    """The ways of doing what the action does; None where there is one only."""
    return TYPES[action.type].methods(action)


def until_of(action: runbook.Action) -> str | None:
    """What is true once the action's target is met; None where it has none."""
    methods = methods_of(action)
    return methods.until if methods is not None else None
