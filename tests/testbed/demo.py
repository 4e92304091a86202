"""`make demo`: one real incident from `kubectl apply` to its end, on a real cluster and a real host.

The person at the terminal approves as alice@example.com, a user of the cluster, with `kubectl approve`.
Exit status: 0 when the incident ended as the scenario must, 1 when it did not, 2 for wrong usage, 130 for Ctrl-C.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import click
import yaml

from tests.testbed.cluster import ALICE
from tests.testbed.components import MissingError
from tests.testbed.hosts import Host
from tests.testbed.scene import HOST, NAMESPACE, Scene, scene, stop_on_termination

INCIDENT = {
    "apiVersion": "firstresponder.dev/v1alpha1",
    "kind": "Incident",
    "metadata": {"name": "high-cpu-1"},
    "spec": {
        "type": "HighCPU",
        "service": "api-gateway",
        "hosts": [{"role": "target", "name": HOST}],
        "severity": "Critical",
        "summary": f"CPU above 80 % for 5m on {HOST}",
        "parameters": {"window": "1m"},
    },
}


@dataclass(frozen=True)
class Scenario:
    """A fault, and how the incident about it must end."""

    about: str
    break_it: Callable[[Host], None]
    phase: str
    reason: str | None = None

    @property
    def changes_the_host(self) -> bool:
        """Whether a packet is approved on the way to that end."""
        return self.phase == "Resolved"


SCENARIOS = {
    "leak": Scenario("api-gateway leaks: it burns CPU and logs OutOfMemoryError", Host.leak, "Resolved"),
    "miner": Scenario(
        "a process outside any expected unit burns CPU", Host.mine, "Escalated", reason="SecurityIncident"
    ),
}


def heading(text: str) -> None:
    click.secho(f"\n── {text} ", bold=True)


def follow(here: Scene, name: str, until: Callable[[], bool], seen: int = 0) -> int:
    """Print the incident's timeline as it grows, until something is the case; returns how many entries were seen."""
    while True:
        done = until()
        timeline = here.stage.status(name).get("timeline", [])
        for entry in timeline[seen:]:
            by = f" by {entry['by']}" if entry.get("by") else ""
            click.echo(f"  {entry['time'][11:19]}  {entry['event']}{by}: {entry.get('details', '')}")
        seen = len(timeline)
        if done:
            return seen
        time.sleep(0.3)


def as_alice(here: Scene, *arguments: str) -> int:
    """Run kubectl (or a plugin) as the engineer on call, at this terminal."""
    click.secho(f"$ kubectl {' '.join(arguments)}", fg="cyan")
    sys.stdout.flush()
    return subprocess.run(["kubectl", *arguments], env=here.cluster.environment(ALICE), check=False).returncode


def play(here: Scene, scenario: Scenario, approve: str) -> bool:
    """The incident from its report to its end; returns whether it ended as it must."""
    name = "high-cpu-1"
    before = here.host.run(["systemctl", "show", "-P", "InvocationID", "api-gateway.service"]).stdout
    heading(f"The fault: {scenario.about}")
    scenario.break_it(here.host)
    click.echo(f"  http://{here.host.address}/health answers {here.host.health()}")
    heading("The incident is reported, as alice@example.com")
    document = yaml.safe_dump(INCIDENT, sort_keys=False)
    click.secho("$ kubectl apply -f - <<EOF", fg="cyan")
    click.echo(document + "EOF")
    here.cluster.kubectl("apply", "-f", "-", user=ALICE, stdin=document)

    heading("The operator triages (read-only)")
    stage = here.stage

    def asked() -> bool:
        return stage.ended(name) or bool(stage.status(name).get("approvalRequestRef", {}).get("uid"))

    seen = follow(here, name, asked)
    if not stage.ended(name):
        heading("The decision packet: nothing changes until somebody who may approves it")
        if as_alice(here, "approve", name, *(["--yes"] if approve == "yes" else [])):
            click.echo("  Not approved, so nothing is done; the incident would wait until the packet expires.")
            return False
        heading("The operator acts, then watches the criteria over a sustained window (1m)")
        follow(here, name, lambda: stage.ended(name), seen)

    heading("The report")
    as_alice(here, "incident", "report", name)
    status = stage.status(name)
    after = here.host.run(["systemctl", "show", "-P", "InvocationID", "api-gateway.service"]).stdout
    claims = here.host.run(["ls", "/var/lib/firstresponder/claims"]).stdout.split()
    heading("On the host")
    click.echo(f"  actions that the host's ledger holds: {len(claims)}")
    click.echo(f"  api-gateway was {'restarted' if after != before else 'not restarted'}; health {here.host.health()}")
    changed = scenario.changes_the_host
    return (
        status["phase"] == scenario.phase
        and (scenario.reason is None or status["escalation"]["reason"] == scenario.reason)
        and (len(claims) == 1 and after != before) is changed
        and (changed or not claims)
    )


@click.command(help=__doc__)
@click.option("--scenario", default="leak", show_default=True, help="list names them.")
@click.option("--approve", type=click.Choice(["ask", "yes"]), default="ask", help="yes: without a terminal.")
def main(scenario: str, approve: str) -> None:
    if scenario == "list":
        for name, each in SCENARIOS.items():
            click.echo(f"{name:8} {each.about} → {each.reason or each.phase}")
        return
    if scenario not in SCENARIOS:
        raise click.UsageError(f"there is no scenario {scenario!r}; there are: {', '.join(SCENARIOS)}")
    if approve == "ask" and SCENARIOS[scenario].changes_the_host and not sys.stdin.isatty():
        raise click.UsageError("there is no terminal to ask for an approval: make demo APPROVE=yes")
    stop_on_termination()
    began = time.monotonic()

    def say(text: str) -> None:
        click.echo(f"[{time.monotonic() - began:5.1f} s] {text}")

    try:
        with tempfile.TemporaryDirectory(prefix="firstresponder-demo-") as state, scene(Path(state), say) as here:
            say(f"Everything runs; the namespace is {NAMESPACE}")
            good = play(here, SCENARIOS[scenario], approve)
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
