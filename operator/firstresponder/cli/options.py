"""What commands take in common: the options of kubectl that say which cluster, who and where, an incident, a time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click
from click.shell_completion import CompletionItem

Complete = Callable[[click.Context, click.Parameter, str], list[CompletionItem]]
C = TypeVar("C", bound=Callable[..., Any])


class Span(click.ParamType[float]):
    """A length of time as people write it, in seconds."""

    name = "duration"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> float:
        from firstresponder.api.base import duration_seconds

        try:
            return duration_seconds(value)
        except ValueError as problem:
            self.fail(str(problem), param, ctx)


def suggested(what: str) -> Complete:
    """The words of that function of :mod:`firstresponder.cli.suggest`, which is loaded when they are asked for."""

    def complete(ctx: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
        from firstresponder.cli import suggest

        words: list[CompletionItem] = getattr(suggest, what)(ctx, parameter, incomplete)
        return words

    return complete


timeout_option = click.option(
    "--timeout",
    type=Span(),
    metavar="DURATION",
    help="Follow for at most this long, for example 30m; by default until the end.",
)


def cluster_options(command: C) -> C:
    """Adds --namespace, --kubeconfig and --context."""
    command = click.option(
        "--context", metavar="NAME", shell_complete=suggested("contexts"), help="The kubeconfig context to use."
    )(command)
    command = click.option(
        "--kubeconfig",
        metavar="FILE",
        type=click.Path(),
        help="The kubeconfig file; by default $KUBECONFIG or ~/.kube/config.",
    )(command)
    return click.option(
        "-n",
        "--namespace",
        metavar="NS",
        shell_complete=suggested("namespaces"),
        help="The namespace; by default that of the context, or default.",
    )(command)


def archive_option(what: str) -> Callable[[C], C]:
    """Adds --archive, of which ``what`` says what it is good for."""
    return click.option(
        "--archive",
        "archives",
        metavar="FILE",
        multiple=True,
        type=click.Path(dir_okay=False, allow_dash=True),
        help=f"{what}; repeatable, - is the standard input.",
    )


def incident_argument(command: C) -> C:
    """Adds the name of an incident."""
    return click.argument("name", shell_complete=suggested("incidents"), help="The name of an Incident.")(command)


def files_argument(command: C) -> C:
    """Adds the files to read."""
    return click.argument(
        "files",
        metavar="FILES",
        nargs=-1,
        required=True,
        type=click.Path(exists=True, allow_dash=True),
        help="Files of one or several YAML documents, folders (their .yaml, .yml and .json files, those in folders "
        "below them too), or - for the standard input.",
    )(command)
