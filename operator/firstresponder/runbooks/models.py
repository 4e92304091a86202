"""The kinds of the API as they are read from YAML: a Runbook's actions and diagnostics can be of any type there is.

The API's own models (``api/runbook.py``) say what all types share; each type says the rest in its own file.
"""

from __future__ import annotations

from collections.abc import Mapping
from copy import copy
from types import GenericAlias
from typing import TYPE_CHECKING, Any, TypeVar, get_args, get_origin

from pydantic import create_model

from firstresponder.actions.model import Action
from firstresponder.api import kinds, runbook
from firstresponder.api.base import ApiModel, Resource
from firstresponder.evidence.model import Diagnostic

M = TypeVar("M", bound=ApiModel)


def _with(model: type[M], replaced: Mapping[Any, type[ApiModel]]) -> type[M]:
    """The model whose fields hold these models instead of those, also in lists."""
    fields: dict[str, Any] = {}
    for name, info in model.model_fields.items():
        entries = get_args(info.annotation)
        if info.annotation in replaced:
            fields[name] = (replaced[info.annotation], copy(info))
        elif get_origin(info.annotation) is list and entries[0] in replaced:
            fields[name] = (GenericAlias(list, (replaced[entries[0]],)), copy(info))
    return create_model(model.__name__, __base__=model, __doc__=model.__doc__, **fields)


if TYPE_CHECKING:  # to whoever uses them they are what the API says
    RunbookSpec = runbook.RunbookSpec
    TriagePlaybookSpec = runbook.TriagePlaybookSpec
    Runbook = runbook.Runbook
    TriagePlaybook = runbook.TriagePlaybook
else:
    _TYPES = {runbook.Action: Action, runbook.Diagnostic: Diagnostic}
    RunbookSpec = _with(runbook.RunbookSpec, _TYPES)
    TriagePlaybookSpec = _with(runbook.TriagePlaybookSpec, _TYPES)
    Runbook = _with(runbook.Runbook, {runbook.RunbookSpec: RunbookSpec})
    TriagePlaybook = _with(runbook.TriagePlaybook, {runbook.TriagePlaybookSpec: TriagePlaybookSpec})

RUNBOOK_SPECS: Mapping[str, type[RunbookSpec] | type[TriagePlaybookSpec]] = {
    "Runbook": RunbookSpec,
    "TriagePlaybook": TriagePlaybookSpec,
}
"""What a ``spec`` is read as, by kind."""
KINDS: tuple[type[Resource], ...] = tuple(
    {"Runbook": Runbook, "TriagePlaybook": TriagePlaybook}.get(each.__name__, each) for each in kinds.KINDS
)
"""All kinds of the API, in its order."""
