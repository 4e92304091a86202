"""Verification: a window that can be held."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from datetime import timedelta

from firstresponder.api.base import duration_text, seconds
from firstresponder.api.runbook import RunbookSpec, Triage
from firstresponder.runbooks.problem import Problem

_MOST_SAMPLES = 1000
"""Of one window. More of them would be forgotten before it is over."""


def window(spec: Triage) -> Iterator[Problem]:
    """A window that can be held, whatever an incident makes of it: sampled often, and over before the time-out."""
    if not isinstance(spec, RunbookSpec):
        return
    verify = spec.verify
    try:
        shortest, longest = _bounds(spec, verify.window)
    except ValueError as error:
        yield Problem("spec.verify.window", str(error))
        return
    delay, interval = seconds(verify.initial_delay), seconds(verify.interval)
    if not interval:
        yield Problem("spec.verify.interval", f"{verify.interval} is no time between two samples: make it longer")
        return
    if shortest < interval:
        text = f"{verify.window} can be shorter than the interval of {verify.interval}: one sample is no window"
        yield Problem("spec.verify.window", text)
    most = duration_text(math.ceil(longest.total_seconds()))
    if longest / interval > _MOST_SAMPLES:
        text = f"{verify.interval} makes more than {_MOST_SAMPLES} samples of a window of {most}: make it longer"
        yield Problem("spec.verify.interval", text)
    if delay + longest >= seconds(verify.timeout):
        room = f"an initialDelay of {verify.initial_delay} and a window of up to {most}"
        yield Problem("spec.verify.timeout", f"{verify.timeout} leaves no room for {room}: make it longer")


def _bounds(spec: RunbookSpec, window: str) -> tuple[timedelta, timedelta]:
    """The shortest and the longest that a window can be. Raises ValueError."""
    if "$(" not in window:
        return seconds(window), seconds(window)
    named = re.fullmatch(r"\$\(([A-Za-z][A-Za-z0-9]*)\)", window)
    parameter = next((each for each in spec.parameters if named is not None and each.name == named[1]), None)
    if parameter is None or parameter.type != "duration":
        raise ValueError(f"{window} is neither a duration nor $(NAME) of a parameter of type duration")
    if parameter.maximum is None:
        raise ValueError(f"{window} has no end: give the parameter {parameter.name} a maximum")
    least = parameter.minimum if parameter.minimum is not None else "0s"
    return seconds(str(least)), seconds(str(parameter.maximum))
