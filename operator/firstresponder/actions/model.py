"""An action as a runbook has it: with the fields of every type, of which it has those of one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import create_model

from firstresponder.actions.catalogue import NEEDING_CLASS, TYPES, WITH_INVERSE
from firstresponder.api import runbook
from firstresponder.api.base import JSON, exactly_one


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


if TYPE_CHECKING:  # to whoever uses it, it is what the API says
    Action = runbook.Action
else:
    Action = _of_every_type()
