"""Arguments of diagnostics with their templates filled in."""

from __future__ import annotations

from typing import Any

from firstresponder.api.base import ApiModel
from firstresponder.expressions import Scope, render_argument


def rendered(arguments: ApiModel, scope: Scope, allowed: frozenset[str]) -> ApiModel:
    """The arguments with their templates filled in. Raises TemplateError."""

    def fill(value: Any) -> Any:
        if isinstance(value, list):
            return [fill(each) for each in value]
        return render_argument(value, scope, allowed) if isinstance(value, str) and "$(" in value else value

    return arguments.model_copy(update={name: fill(value) for name, value in arguments})
