"""Every type of action by the name that it has in the API."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from firstresponder.actions import ansible_scale, command, free_space, restart_unit
from firstresponder.actions.action import ActionType

TYPES: Mapping[str, ActionType] = MappingProxyType(
    {each.name: each for each in (restart_unit.TYPE, ansible_scale.TYPE, free_space.TYPE, command.TYPE)}
)
