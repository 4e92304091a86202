"""What commands take in common: the options of kubectl that say which cluster, who and where, and an incident."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from firstresponder.cli import suggest

C = TypeVar("C", bound=Callable[..., Any])


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
