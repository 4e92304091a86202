"""``kubectl approve`` and ``kubectl deny``: a person's answer to what an incident's decision packet proposes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from firstresponder.cli.manual import Manual
from firstresponder.cli.options import cluster_options, suggested

_EXITS = {
    0: "written, or already answered so by you",
    1: "refused by the API server or by a check here, or declined by you",
    2: "wrong usage, no usable kubeconfig, or no answer from the API server",
}


def _answering(command: Callable[..., Any]) -> Callable[..., Any]:
    """The argument and the options that both commands have."""
    command = cluster_options(command)
    command = click.option("--yes", is_flag=True, help="Answer yes to every question; for use without a terminal.")(
        command
    )
    command = click.option("--comment", metavar="TEXT", help="Why; stored with the answer, at most 1024 characters.")(
        command
    )
    return click.argument(
        "name",
        shell_complete=suggested("requests"),
        help="An ApprovalRequest, or an Incident whose open request is answered. If the name could be either: "
        "approvalrequest/NAME or incident/NAME.",
    )(command)


@click.command(
    "kubectl approve",
    cls=Manual,
    exits=_EXITS,
    examples=['kubectl approve high-cpu-7xk2p -n prod --comment "checked with the shop team"'],
)
@_answering
def approve(**given: Any) -> None:
    """Approve what an incident's decision packet proposes.

    What is proposed is shown first, with its evidence, its risk and the exact order that the host would receive. The
    packet's digest is computed again, and its orders are derived again from the pinned revision of the runbook, so what
    is shown is what runs. Your answer is stored under your own user name in spec.reviews and is final.
    """
    from firstresponder.cli.commands.approve import answer

    answer("Approved", **given)


@click.command(
    "kubectl deny",
    cls=Manual,
    exits=_EXITS,
    examples=['kubectl deny high-cpu-7xk2p -n prod --comment "not during the sale"'],
)
@_answering
def deny(**given: Any) -> None:
    """Deny what an incident's decision packet proposes; a human takes over.

    What is proposed is shown first, as for kubectl approve. Your answer is stored under your own user name in
    spec.reviews and is final; one denial stops the action.
    """
    from firstresponder.cli.commands.approve import answer

    answer("Denied", **given)
