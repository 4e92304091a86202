"""``firstresponder-operator``: runs the operator. Its exit codes are part of its help text."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import socket
import sys
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import NoReturn, get_args

import click

from firstresponder import logs
from firstresponder.archive.destination import sink_of
from firstresponder.archive.sink import Sink
from firstresponder.controller.check import problems
from firstresponder.controller.operator import KindGone, NotReady, Options, run
from firstresponder.kube.connection import Connection, ConnectionProblem, from_kubeconfig, in_cluster
from firstresponder.kube.errors import ApiError, Unreachable
from firstresponder.kube.permissions import LEASE

_log = logging.getLogger("firstresponder.operator")  # not __name__: run as a module, that would be __main__


@click.group()
def main() -> None:
    """First Responder's operator."""


_namespaces = click.option(
    "--namespace", "namespaces", multiple=True, required=True, help="A namespace to watch; repeatable."
)
_kubeconfig = click.option(
    "--kubeconfig",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="A kubeconfig with the token file of the operator's ServiceAccount; without it, the pod's own.",
)


@main.command()
@_namespaces
@_kubeconfig
def check(namespaces: tuple[str, ...], kubeconfig: Path | None) -> None:
    """Say whether the cluster is prepared: kinds, rights, and an approval gate that refuses.

    \b
    Exit codes:
      0  the operator can work in these namespaces
      1  the API server does not answer
      2  wrong usage or configuration
      3  something is missing: it is printed with its remedy
    """
    try:
        missing = asyncio.run(problems(_connection(kubeconfig), namespaces))
    except (ApiError, Unreachable) as problem:
        click.echo(f"The API server is lost: {problem}", err=True)
        sys.exit(1)
    if missing:
        _tell_missing(missing)
    for namespace in namespaces:
        click.echo(f"{namespace}: the operator has its rights, and what would approve by itself is refused")


@main.command("run")
@_namespaces
@_kubeconfig
@click.option(
    "--lease",
    default=LEASE,
    show_default=True,
    help="A Lease in the operator's namespace: of all operators that share it one works, and the others stand by. "
    "For another one its role needs the same rights.",
)
@click.option("--health-port", type=click.IntRange(0, 65535), help="Serve /healthz and /readyz there; 0: a free port.")
@click.option(
    "--log-format",
    type=click.Choice(get_args(logs.Format)),
    default="text",
    show_default=True,
    help="Lines for people or for programs, each with the namespace, incident and phase that it is about.",
)
@click.option(
    "--archive",
    metavar="DESTINATION",
    help="Where ended incidents are written before they are deleted: file:///DIRECTORY or https://HOST/PATH. Without "
    "it none is ever deleted.",
)
@click.option(
    "--archive-token-file",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="A file with the bearer token for --archive https://…; read anew for each line.",
)
@click.option(
    "--archive-ca-file",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="A file with the authority of the certificate of --archive https://…, in place of the system's.",
)
@click.option("--verbose", is_flag=True, help="Log more.")
def run_operator(
    namespaces: tuple[str, ...],
    kubeconfig: Path | None,
    lease: str,
    health_port: int | None,
    log_format: logs.Format,
    archive: str | None,
    archive_token_file: Path | None,
    archive_ca_file: Path | None,
    verbose: bool,
) -> None:
    """Watch incidents in the given namespaces and respond to them.

    \b
    Exit codes:
      0  stopped by SIGTERM or SIGINT
      1  the API server, a kind or a permission was lost: start it again
      2  wrong usage or configuration
      3  the cluster is not prepared: what is missing is printed with its remedy
      4  it led and lost its Lease, so it ended at once: start it again
    """
    sink = _sink(archive, archive_token_file, archive_ca_file)
    connection = _connection(kubeconfig)
    logs.configure(log_format, verbose=verbose)
    options = Options(connection, tuple(dict.fromkeys(namespaces)), lease, _identity(), health_port, sink)
    try:
        asyncio.run(_run_until_told_to_stop(options))
    except NotReady as problem:
        _tell_missing(problem.missing)
    except (ApiError, Unreachable) as problem:
        click.echo(f"The API server is lost: {problem}", err=True)
        sys.exit(1)
    except KindGone as gone:
        _log.error("stopped by a loss; it is safe to start again: %s", gone)
        sys.exit(1)
    except Exception:
        _log.exception("stopped by a failure; it is safe to start again")
        sys.exit(1)


def _sink(destination: str | None, token_file: Path | None, ca_file: Path | None) -> Sink | None:
    if destination is None:
        if token_file is not None or ca_file is not None:
            raise click.UsageError("--archive-token-file and --archive-ca-file are of no use without --archive")
        return None
    try:
        return sink_of(destination, token_file, ca_file, lambda: datetime.now(UTC))
    except ValueError as problem:
        raise click.UsageError(str(problem)) from None


def _connection(kubeconfig: Path | None) -> Connection:
    try:
        connection = from_kubeconfig(kubeconfig) if kubeconfig is not None else in_cluster()
        connection.token()
    except ConnectionProblem as problem:
        raise click.UsageError(str(problem)) from None
    return connection


def _tell_missing(missing: Sequence[str]) -> NoReturn:
    click.echo("\n".join(["The cluster is not ready for the operator:", *missing]), err=True)
    sys.exit(3)


def _identity() -> str:
    """Who holds the Lease: the pod, which a person looks for, and this very process of it."""
    return f"{os.environ.get('POD_NAME') or socket.gethostname()}_{uuid.uuid4()}"


async def _run_until_told_to_stop(options: Options) -> None:
    """SIGTERM and SIGINT end it in good order from the first moment on."""

    def take_signals() -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, running.cancel)

    running = asyncio.create_task(run(options, take_signals))
    take_signals()
    with contextlib.suppress(asyncio.CancelledError):
        await running
    _log.info("stopped")


if __name__ == "__main__":
    main()
