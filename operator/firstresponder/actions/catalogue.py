"""Every type of action by the name that it has in the API, and the action that can be of any of them."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, ClassVar

from pydantic import create_model

from firstresponder.actions import ansible_scale, command, free_space, restart_unit
from firstresponder.actions.action import ActionType, Methods, Scaling
from firstresponder.api import runbook
from firstresponder.api.base import JSON, exactly_one

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


def _has(types: tuple[str, ...]) -> str:
    return " || ".join(f"has(self.{each})" for each in types)


_RULES: list[JSON] = [
    exactly_one(tuple(TYPES)),
    *(rule for each in TYPES.values() for rule in each.rules),
    {
        "rule": f"!({_has(tuple(NEEDING_CLASS))}) || has(self.approval.class)",
        "message": f"name the ActionClass of {' and of '.join(NEEDING_CLASS.values())} in approval.class",
    },
    {
        "rule": f"{_has(WITH_INVERSE)} || !has(self.rollback.offerInverse) || !self.rollback.offerInverse",
        "message": f"only {' or '.join(WITH_INVERSE)} has an inverse that rollback.offerInverse could offer",
    },
]


class _OneType(runbook.Action):
    model_config = {"json_schema_extra": {"x-kubernetes-validations": _RULES}}

    kinds: ClassVar[tuple[str, ...]] = tuple(TYPES)


def _of_every_type() -> type[runbook.Action]:
    own: list[type[Any]] = [each.fields for each in TYPES.values()]
    # Fields stand in the order of the bases, the last one first: the head, then those of the types, then all others.
    bases = (_OneType, *reversed(own), runbook.ActionHead)
    return create_model(runbook.Action.__name__, __base__=bases, __doc__=runbook.Action.__doc__)


Action = _of_every_type()
"""An action as a runbook has it: with the fields of every type."""
