"""`make demo`: one real incident from `kubectl apply` to its end, on a real cluster and real hosts.

The person at the terminal approves as alice@example.com (or dana@example.com, a DBA), with `kubectl approve`.
Exit status: 0 when the incident ended as the scenario must, 1 when it did not, 2 for wrong usage, 130 for Ctrl-C.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import click
import yaml

from tests.testbed import surroundings
from tests.testbed.cluster import ALICE
from tests.testbed.go_build import MissingError
from tests.testbed.scenarios import SCENARIOS, Scenario
from tests.testbed.scene import NAMESPACE, Scene, scene, stop_on_termination


def heading(text: str) -> None:
    click.secho(f"\n── {text} ", bold=True)


def follow(here: Scene, name: str, until: Callable[[], bool], seen: int = 0) -> int:
    """Print the incident's timeline as it grows, until something is the case; returns how many entries were seen."""
    while True:
        done = until()
        timeline = here.stage.status(name).get("timeline", [])
        for entry in timeline[seen:]:
            by = f" by {entry['by']}" if entry.get("by") else ""
            details = f": {entry['details']}" if entry.get("details") else ""
            click.echo(f"  {entry['time'][11:19]}  {entry['event']}{by}{details}")
        seen = len(timeline)
        if done:
            return seen
        time.sleep(0.3)


def as_person(here: Scene, user: str, *arguments: str) -> int:
    """Run kubectl (or a plugin) as that person, at this terminal."""
    click.secho(f"$ kubectl {' '.join(arguments)}", fg="cyan")
    sys.stdout.flush()
    return subprocess.run(["kubectl", *arguments], env=here.cluster.environment(user), check=False).returncode


def tell_health(here: Scene) -> None:
    for name, host in here.cast.items():
        if host.service is not None:
            click.echo(f"  {name}: {host.service} answers {host.health() or 'nothing'}")


def tell_actions(here: Scene) -> None:
    done = surroundings.actions(here.cast)
    for name, actions in done.items():
        click.echo(f"  {name}: {', '.join(actions)}")
    if not done:
        click.echo("  none on any host")


def play(here: Scene, name: str, scenario: Scenario, approve: str) -> bool:
    """The incident from its report to its end; returns whether it ended as it must."""
    stage, incident = here.stage, f"{name}-1"
    heading(f"The fault: {scenario.about}")
    measured = scenario.break_it(here.cast, stage)
    tell_health(here)
    heading(f"The incident is reported, as {ALICE}")
    document = yaml.safe_dump(scenario.incident(incident, measured), sort_keys=False)
    click.secho("$ kubectl apply -f - <<EOF", fg="cyan")
    click.echo(document + "EOF")
    here.cluster.kubectl("apply", "-f", "-", user=ALICE, stdin=document)

    heading("The operator triages (read-only)")

    def asked() -> bool:
        return stage.ended(incident) or bool(stage.status(incident).get("approvalRequestRef", {}).get("uid"))

    seen = follow(here, incident, asked)
    if not stage.ended(incident):
        heading("The decision packet: nothing changes until somebody who may approves it")
        click.echo(f"You are {scenario.approver}.")
        if as_person(here, scenario.approver, "approve", incident, *(["--yes"] if approve == "yes" else [])):
            click.echo("  Not approved, so nothing is done; the incident would wait until the packet expires.")
            return False
        heading("The operator acts, then watches the criteria over a sustained window")
        follow(here, incident, lambda: stage.ended(incident), seen)

    heading("The report")
    as_person(here, ALICE, "incident", "report", incident)
    heading("What was done, by the ledgers of the hosts")
    tell_actions(here)
    tell_health(here)
    return (stage.phase(incident), stage.reason(incident), surroundings.actions(here.cast)) == (
        scenario.phase,
        scenario.reason,
        scenario.actions,
    )


@click.command(help=__doc__)
@click.option("--scenario", default="leak", show_default=True, help="list names them.")
@click.option("--approve", type=click.Choice(["ask", "yes"]), default="ask", help="yes: without a terminal.")
def main(scenario: str, approve: str) -> None:
    if scenario == "list":
        for name, each in SCENARIOS.items():
            click.echo(f"{name:{max(map(len, SCENARIOS))}}  {each.about} → {each.reason or each.phase}")
        return
    if scenario not in SCENARIOS:
        raise click.UsageError(f"there is no scenario {scenario!r}; there are: {', '.join(SCENARIOS)}")
    chosen = SCENARIOS[scenario]
    if approve == "ask" and chosen.actions and not sys.stdin.isatty():
        raise click.UsageError("there is no terminal to ask for an approval: make demo APPROVE=yes")
    stop_on_termination()
    began = time.monotonic()

    def say(text: str) -> None:
        click.echo(f"[{time.monotonic() - began:5.1f} s] {text}")

    try:
        state = tempfile.TemporaryDirectory(prefix="firstresponder-demo-")
        with state, scene(Path(state.name), say, chosen.put_up) as here:
            say(f"Everything runs; the namespace is {NAMESPACE}")
            good = play(here, scenario, chosen, approve)
    except KeyboardInterrupt:
        click.secho("\nInterrupted: what was started is stopped.", fg="yellow")
        sys.exit(130)
    except MissingError as missing:
        click.echo(f"error: {missing}", err=True)
        sys.exit(1)
    click.secho("\nEnded as it must." if good else "\nDid not end as it must.", fg="green" if good else "red")
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
