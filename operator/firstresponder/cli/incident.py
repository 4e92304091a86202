"""``kubectl incident``: from the report that something is wrong to what is learnt from many."""

from __future__ import annotations

import click

from firstresponder.cli.describe import describe
from firstresponder.cli.explain import explain, replay
from firstresponder.cli.manual import ManualGroup
from firstresponder.cli.open import open_incident
from firstresponder.cli.report import report
from firstresponder.cli.stats import stats
from firstresponder.cli.watch import watch


@click.group(
    "kubectl incident",
    cls=ManualGroup,
    commands=[open_incident, watch, describe, report, explain, replay, stats],
    examples=[
        "kubectl incident open --type DiskFull --service shop --host shop-1 -n prod",
        "kubectl incident watch high-cpu-7xk2p -n prod",
        "kubectl incident describe high-cpu-7xk2p -n prod",
        "kubectl incident stats --since 30d",
    ],
)
def main() -> None:
    """Open incidents, follow them, and read what is known about them.

    Each command has a page of its own: kubectl incident COMMAND --help. To approve or deny what an incident
    proposes: kubectl approve and kubectl deny.
    """
