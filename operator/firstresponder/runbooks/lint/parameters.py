"""Parameters: patterns that can be used, and defaults within their own bounds."""

from __future__ import annotations

from collections.abc import Iterator

from firstresponder.api.runbook import Triage
from firstresponder.runbooks.parameters import check_value
from firstresponder.runbooks.problem import Problem
from firstresponder.runbooks.regular_expressions import pattern_problem


def patterns(spec: Triage) -> Iterator[Problem]:
    """Patterns that can be used, before anything is matched with them."""
    for index, parameter in enumerate(spec.parameters):
        if parameter.pattern is not None and (message := pattern_problem(parameter.pattern)):
            yield Problem(f"spec.parameters[{index}].pattern", message)


def values(spec: Triage) -> Iterator[Problem]:
    """Defaults within their own bounds."""
    for index, parameter in enumerate(spec.parameters):
        try:
            check_value(parameter, parameter.default)
        except ValueError as error:
            yield Problem(f"spec.parameters[{index}].default", str(error))
