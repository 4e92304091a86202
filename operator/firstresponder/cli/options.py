"""What commands take in common: the options of kubectl that say which cluster, who and where, an incident, a time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from firstresponder.api.base import duration_seconds
from firstresponder.cli import suggest

C = TypeVar("C", bound=Callable[..., Any])


class Span(click.ParamType[float]):
    """A length of time as people write it, in seconds."""

    name = "duration"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> float:
        try:
            return duration_seconds(value)
        except ValueError as problem:
            self.fail(str(problem), param, ctx)


timeout_option = click.option(
    "--timeout",
    type=Span(),
    metavar="DURATION",
    help="Follow for so long at most, for example 30m; otherwise for ever.",
)


def cluster_options(command: C) -> C:
    """Adds --namespace, --kubeconfig and --context."""
    command = click.option(
        "--context", metavar="NAME", shell_complete=suggest.contexts, help="The kubeconfig's context to use."
    )(command)
    command = click.option(
        "--kubeconfig",
        metavar="FILE",
        type=click.Path(),
        help="The kubeconfig file; otherwise $KUBECONFIG or ~/.kube/config.",
    )(command)
    return click.option(
        "-n",
        "--namespace",
        metavar="NS",
        shell_complete=suggest.namespaces,
        help="The namespace; otherwise that of the context, otherwise default.",
    )(command)


def incident_argument(command: C) -> C:
    """Adds the name of an incident."""
    return click.argument("name", shell_complete=suggest.incidents, help="The name of an Incident.")(command)
