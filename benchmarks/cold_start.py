"""How much CPU each plugin takes from its start to its end, in seconds.

``python -m benchmarks.cold_start`` measures some of them alone, also against a cluster of yours.

Each command runs as a process of its own, once unmeasured (which compiles what is not compiled yet) and then as often
as asked. Its user and system time are what the kernel says of it. Without ``--kubeconfig`` a server on loopback plays
the API server, with one incident that waits for its approval.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sysconfig
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import click
from tests.unit.cli.stored_incident import RESOLVED, WAITING, served

from benchmarks.figures import NotMeasured, Section, at_most
from benchmarks.machine import machine

SCRIPTS = Path(sysconfig.get_path("scripts"))
ROOT = Path(__file__).parents[1]

ALONE = (
    "python -c pass",  # what none can be below
    "kubectl-incident --help",
    *(
        f"kubectl-incident {each} --help"
        for each in ("open", "watch", "describe", "report", "explain", "replay", "stats")
    ),
    "kubectl-approve --help",
    "kubectl-deny --help",
    "kubectl-runbook --help",
    *(f"kubectl-runbook {each} --help" for each in ("lint", "test", "render", "record")),
    "kubectl_complete-incident de",
    "kubectl_complete-incident describe --",
    "kubectl_complete-approve --",
    "kubectl-runbook lint runbooks/high-cpu.yaml",
    "kubectl-runbook test runbooks/high-cpu.yaml",
    "kubectl-runbook render runbooks/high-cpu.yaml",
)
"""Commands that ask no cluster."""
READING = (
    "kubectl-incident describe {incident} -n {namespace}",
    "kubectl-incident report {incident} -n {namespace}",
    "kubectl-incident report {incident} -n {namespace} -o json",
    "kubectl-incident stats -n {namespace}",
    "kubectl-incident explain {incident} -n {namespace}",
    "kubectl-incident replay {incident} -n {namespace}",
    "kubectl-runbook record {incident} -n {namespace}",
    "kubectl_complete-incident describe -n {namespace} h",
)
"""Commands that only read."""
WRITING = (
    f"kubectl-incident watch {RESOLVED}",
    "kubectl-incident open --type HighCPU --service api-gateway --name high-cpu-3 --no-watch",
    f"kubectl-approve {WAITING} --yes",
    f"kubectl-deny {WAITING} --yes",
)
"""Commands that need the incidents that are stored here, or change something: never run against a cluster of others."""

HELD = ("kubectl-incident describe {incident} -n {namespace}", "kubectl_complete-incident de")
"""Those that have a goal: 0.35 s."""
_SAMPLES = 5


def measure() -> Iterator[Section]:
    section = Section(
        "A plugin, from its start to its end",
        "CPU seconds, user and system, of a process of its own that has run once before. A server on loopback plays "
        "the API server, with one incident that waits for its approval.",
    )
    with tempfile.TemporaryDirectory() as folder, served(Path(folder)) as file:
        environment = _environment(file)
        for line in [*ALONE, *READING, *WRITING]:
            words = line.format(incident=WAITING, namespace="prod")
            _cpu_seconds(words.split(), environment)
            section.begin_sample()
            for _ in range(_SAMPLES):
                goal = at_most(0.35) if line in HELD else None
                section.record(f"`{words}`", "s", _cpu_seconds(words.split(), environment), goal)
    yield section


@click.command()
@click.option(
    "--runs", type=click.IntRange(min=1), default=10, show_default=True, help="Measured runs of each command."
)
@click.option("--only", metavar="TEXT", default="", help="Measure only the commands that contain it.")
@click.option(
    "--kubeconfig", type=click.Path(exists=True), help="Ask this cluster; only commands that read are run then."
)
@click.option("--namespace", metavar="NS", default="prod", show_default=True, help="Where the incident is.")
@click.option("--incident", metavar="NAME", default=WAITING, show_default=True, help="The incident to read.")
def main(runs: int, only: str, kubeconfig: str | None, namespace: str, incident: str) -> None:
    """Print the minimum, median and maximum of the CPU seconds of each command."""
    print(f"{machine()}\nCPU seconds (user + system) of {runs} runs\n\n{'min':>6}{'median':>8}{'max':>7}")
    with tempfile.TemporaryDirectory() as folder, _cluster(kubeconfig, Path(folder)) as file:
        environment = _environment(file)
        for line in [*ALONE, *READING, *(() if kubeconfig else WRITING)]:
            words = line.format(incident=incident, namespace=namespace)
            if only in words:
                _, *seconds = [_cpu_seconds(words.split(), environment) for _ in range(runs + 1)]
                low, middle, high = min(seconds), statistics.median(seconds), max(seconds)
                print(f"{low:6.3f}{middle:8.3f}{high:7.3f}  {words}", flush=True)


def _environment(kubeconfig: Path) -> dict[str, str]:
    environment = os.environ | {"KUBECONFIG": str(kubeconfig), "COLUMNS": "120"}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    return environment


@contextmanager
def _cluster(kubeconfig: str | None, folder: Path) -> Iterator[Path]:
    if kubeconfig is not None:
        yield Path(kubeconfig)
        return
    with served(folder) as file:
        yield file


def _cpu_seconds(words: Sequence[str], environment: dict[str, str]) -> float:
    """What one run takes. Raises NotMeasured."""
    with tempfile.TemporaryFile("w+") as said:
        process = subprocess.Popen(
            [SCRIPTS / words[0], *words[1:]],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=said,
            env=environment,
            cwd=ROOT,
        )
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode != 0:
            said.seek(0)
            raise NotMeasured(f"{' '.join(words)} ended with {process.returncode}:\n{said.read()}")
    return usage.ru_utime + usage.ru_stime


if __name__ == "__main__":
    main()
