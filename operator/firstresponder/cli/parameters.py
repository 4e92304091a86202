"""Parameters on a command line: NAME=VALUE, with a value as a file of the API would have it."""

from __future__ import annotations

from collections.abc import Sequence

import click

from firstresponder.api.base import JSON
from firstresponder.runbooks.source import Unreadable, read_documents


def parameters_of(given: Sequence[str]) -> dict[str, JSON]:
    """The values by name. Raises BadParameter for the option ``--parameter``."""
    parameters: dict[str, JSON] = {}
    for each in given:
        name, equals, text = each.partition("=")
        if not equals or not name:
            raise click.BadParameter(f"{each!r} is not NAME=VALUE", param_hint="--parameter")
        if name in parameters:
            raise click.BadParameter(f"{name} is given twice", param_hint="--parameter")
        parameters[name] = _scalar(name, text)
    return parameters


def _scalar(name: str, text: str) -> JSON:
    """The value as it would be in a YAML file; what cannot stand there without quotes is text."""
    try:
        value = next((each.content for each in read_documents(text) if not each.problems), None)
    except Unreadable:
        value = text
    if not isinstance(value, (bool, int, float, str)):
        raise click.BadParameter(f"{name}: {text!r} is not a number, a text or a boolean", param_hint="--parameter")
    return value
