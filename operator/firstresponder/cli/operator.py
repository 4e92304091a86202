"""``firstresponder-operator``: runs the operator. Its exit codes are part of its help text."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import signal
import sys
from datetime import UTC, datetime
from pathlib import Path

import click

from firstresponder.controller.operator import KindGone, NotReady, Options, run
from firstresponder.kube.connection import ConnectionProblem, from_kubeconfig, in_cluster
from firstresponder.kube.errors import ApiError, Unreachable

_log = logging.getLogger("firstresponder.operator")  # not __name__: run as a module, that would be __main__


@click.group()
def main() -> None:
    """First Responder's operator."""


@main.command("run")
@click.option("--namespace", "namespaces", multiple=True, required=True, help="A namespace to watch; repeatable.")
@click.option(
    "--kubeconfig",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="A kubeconfig with the token file of the operator's ServiceAccount; without it, the pod's own.",
)
@click.option("--health-port", type=click.IntRange(0, 65535), help="Serve /healthz and /readyz there; 0: a free port.")
@click.option("--log-format", type=click.Choice(["text", "json"]), default="text", show_default=True)
@click.option("--verbose", is_flag=True, help="Log more.")
def run_operator(
    namespaces: tuple[str, ...], kubeconfig: Path | None, health_port: int | None, log_format: str, verbose: bool
) -> None:
    """Watch incidents in the given namespaces and respond to them.

    \b
    Exit codes:
      0  stopped by SIGTERM or SIGINT
      1  the API server, a kind or a permission was lost: start it again
      2  wrong usage or configuration
      3  the cluster is not prepared: what is missing is printed with its remedy
    """
    _configure_logging(json_lines=log_format == "json", verbose=verbose)
    try:
        connection = from_kubeconfig(kubeconfig) if kubeconfig is not None else in_cluster()
        connection.token()
    except ConnectionProblem as problem:
        raise click.UsageError(str(problem)) from None
    try:
        asyncio.run(_run_until_told_to_stop(Options(connection, tuple(dict.fromkeys(namespaces)), health_port)))
    except NotReady as missing:
        click.echo(f"The cluster is not ready for the operator:\n{missing}", err=True)
        sys.exit(3)
    except (ApiError, Unreachable) as problem:
        click.echo(f"The API server is lost: {problem}", err=True)
        sys.exit(1)
    except KindGone as gone:
        _log.error("stopped by a loss; it is safe to start again: %s", gone)
        sys.exit(1)
    except Exception:
        _log.exception("stopped by a failure; it is safe to start again")
        sys.exit(1)


async def _run_until_told_to_stop(options: Options) -> None:
    """SIGTERM and SIGINT end it in good order from the first moment on; once kopf runs, it takes them itself."""
    running = asyncio.create_task(run(options))
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, running.cancel)
    with contextlib.suppress(asyncio.CancelledError):
        await running
    _log.info("stopped")


class _JsonLines(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False)


def _configure_logging(*, json_lines: bool, verbose: bool) -> None:
    """Logs go to stderr. No part of the operator hands secrets or raw host output to a logger."""
    handler = logging.StreamHandler()
    text = logging.Formatter("%(asctime)s %(levelname)-7s %(name)s: %(message)s")
    handler.setFormatter(_JsonLines() if json_lines else text)
    root = logging.getLogger()
    root.addHandler(handler)
    root.setLevel(logging.WARNING)
    logging.getLogger("firstresponder").setLevel(logging.DEBUG if verbose else logging.INFO)


if __name__ == "__main__":
    main()
