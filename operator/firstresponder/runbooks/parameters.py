"""Parameters: a declared default, or an incident's override within the declared bounds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import re2

from firstresponder.api.base import JSON, duration_seconds, quantity_value
from firstresponder.api.runbook import Parameter
from firstresponder.runbooks.regular_expressions import pattern_problem
from firstresponder.safety.neutralise import shown

_PATTERNS = {
    "hostname": r"[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?",
    "path": r"/[A-Za-z0-9._/-]{0,254}",
    "string": r"[^\x00-\x1f\x7f]{0,256}",
}


class InvalidParameter(ValueError):
    """A parameter that is unknown, of the wrong type or out of bounds; the message names it."""


@dataclass(frozen=True)
class ResolvedParameters:
    """``values`` are what expressions see (numbers for numbers and quantities), ``text`` what people wrote."""

    values: Mapping[str, JSON]
    text: Mapping[str, str]


def _number(parameter: Parameter, value: JSON) -> float:
    """The value as a number that can be compared with bounds. Raises ValueError."""
    match parameter.type:
        case "duration":
            return duration_seconds(str(value))
        case "quantity":
            return quantity_value(str(value))
        case _:
            if isinstance(value, bool) or not isinstance(value, int | float):
                raise ValueError(f"{value!r} is not a number")
            if parameter.type == "integer" and value != int(value):
                raise ValueError(f"{value!r} is not a whole number")
            return float(value)


def _in_bounds(parameter: Parameter, value: JSON) -> None:
    size = _number(parameter, value)
    if parameter.minimum is not None and size < _number(parameter, parameter.minimum):
        raise ValueError(f"{value} is below the minimum of {parameter.minimum}")
    if parameter.maximum is not None and size > _number(parameter, parameter.maximum):
        raise ValueError(f"{value} is above the maximum of {parameter.maximum}")


def check_value(parameter: Parameter, value: JSON) -> None:
    """Raises ValueError, with what to do, unless the value has the parameter's type and bounds.

    A pattern that cannot be used (see patterns.py) is matched by no value.
    """
    if parameter.type in {"number", "integer", "duration", "quantity"}:
        _in_bounds(parameter, value)
        return
    if not isinstance(value, str):
        raise ValueError(f"{value!r} is not a string")
    if parameter.pattern is not None and (problem := pattern_problem(parameter.pattern)):
        raise ValueError(f"the pattern of the parameter {parameter.name} is {problem}")
    for pattern in filter(None, (_PATTERNS[parameter.type], parameter.pattern)):
        if not re2.fullmatch(pattern, value):
            raise ValueError(f"{value!r} does not match {pattern}")


def _from_label(parameter: Parameter, text: str) -> JSON:
    """A label's text as the value that it stands for: labels are always text, numbers of parameters are not."""
    if parameter.type in {"number", "integer"} and re2.fullmatch(r"-?[0-9]{1,15}(\.[0-9]{1,9})?", text):
        return float(text)
    return text


def resolve(
    declared: Sequence[Parameter], overrides: Mapping[str, JSON], labels: Mapping[str, str] | None = None
) -> ResolvedParameters:
    """Defaults, the alert's labels where a parameter takes its value from one, and the overrides over all of them.

    Raises InvalidParameter; nothing is ever clamped. An empty label counts as none, as it does in Prometheus.
    """
    known = {parameter.name: parameter for parameter in declared}
    for name in overrides:
        if name not in known:
            names = ", ".join(sorted(known)) or "none"
            raise InvalidParameter(f"spec.parameters.{name} is not a parameter of this runbook (it declares: {names})")
    values: dict[str, JSON] = {}
    text: dict[str, str] = {}
    for name, parameter in known.items():
        label = parameter.from_alert_label
        text_of_label = (labels or {}).get(label, "") if label is not None and name not in overrides else ""
        if text_of_label:
            source, value = f"spec.alert.labels.{label} ({name})", _from_label(parameter, text_of_label)
        else:
            source, value = f"spec.parameters.{name}", overrides.get(name, parameter.default)
        try:
            check_value(parameter, value)
        except ValueError as error:
            raise InvalidParameter(f"{source}: {shown(str(error), 500)}") from None
        values[name] = _number(parameter, value) if parameter.type in {"number", "integer", "quantity"} else value
        text[name] = str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)
    return ResolvedParameters(values, text)


def recorded(declared: Sequence[Parameter], text: Mapping[str, str]) -> dict[str, JSON]:
    """The overrides that give a recorded ``text`` again: the parameters an incident was triaged with."""
    numeric = {parameter.name for parameter in declared if parameter.type in {"number", "integer"}}
    return {name: float(value) if name in numeric else value for name, value in text.items()}
