"""What a plugin loads before it does anything: each library costs the person who waits for an answer."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from benchmarks import cold_start
from click.testing import CliRunner

from firstresponder.cli.plugins import PLUGINS
from firstresponder.codegen.commands import walk
from tests.unit.cli.stored_incident import RESOLVED, WAITING, served

ROOT = Path(__file__).parents[3]
COMMANDS = [ctx.command_path for plugin in PLUGINS.values() for ctx in walk(plugin)]
LIBRARIES = {"pydantic", "kubernetes", "urllib3", "yaml", "rich", "re2", "cel_expr_python", "jc", "matplotlib"}
"""Those that take more than ten milliseconds, or are of use for nothing but work."""


ELSEWHERE = {"kubernetes", "requests", "oauthlib", "matplotlib", "markdown_it", "kopf", "asyncssh", "aiohttp"}
"""What nothing needs that reads or answers one incident with a token from a kubeconfig."""
DECIDING = {
    "firstresponder.incident.decision.decide",
    "firstresponder.incident.decision.verification",
    "firstresponder.incident.snapshot",
    "firstresponder.incident.plan",
    "firstresponder.replay.explain",
    "firstresponder.runbooks.symbols",
    "firstresponder.runbooks.lint",
}
"""What decides an incident; to tell of one, nothing is decided."""


def loaded(program: str, **environment: str) -> set[str]:
    """The modules that a program has loaded at its end."""
    said = f"import json, sys\n{program}\nprint(); print(json.dumps(sorted(sys.modules)))"
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "operator"), **environment}
    done = subprocess.run([sys.executable, "-c", said], capture_output=True, text=True, check=True, env=environment)
    return set(json.loads(done.stdout.splitlines()[-1]))


@pytest.mark.parametrize("path", COMMANDS)
def test_the_help_of_a_command_loads_nothing_that_only_its_work_needs(path: str) -> None:
    _, plugin, *words = path.split()
    call = f"PLUGINS[{plugin!r}].main({[*words, '--help']!r}, standalone_mode=False)"
    found = loaded(f"from firstresponder.cli.plugins import PLUGINS; {call}") & LIBRARIES
    assert not found, (
        f"{path} --help loads {', '.join(sorted(found))}. What declares a command (cli/plugins, cli/options, "
        "cli/manual) imports its work inside of the function that runs it"
    )


@pytest.mark.parametrize("words", [["de"], ["describe", "--"], ["open", "--severity", ""]])
def test_completion_of_commands_and_options_loads_as_little(words: list[str]) -> None:
    program = (
        "from firstresponder.cli.commands.complete import answer; from firstresponder.cli.plugins import PLUGINS; "
    )
    found = loaded(f"{program}print(answer(PLUGINS['incident'], {words!r}))") & LIBRARIES
    assert not found, f"completion of {words} loads {', '.join(sorted(found))}"


@pytest.fixture(scope="module")
def kubeconfig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with served(tmp_path_factory.mktemp("cold-start")) as file:
        yield str(file)


def run(kubeconfig: str, line: str) -> set[str]:
    """The modules that a plugin has loaded once it did its work."""
    plugin, *words = line.split()
    call = f"PLUGINS[{plugin!r}].main({words!r}, standalone_mode=False)"
    proxies = dict.fromkeys(("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"), "")
    return loaded(f"from firstresponder.cli.plugins import PLUGINS; {call}", KUBECONFIG=kubeconfig, **proxies)


@pytest.mark.parametrize(
    "line",
    [
        f"incident describe {WAITING}",
        f"incident report {WAITING} -o json",
        "incident stats",
        "incident open --type HighCPU --service api-gateway --name high-cpu-3 --no-watch",
        f"approve {WAITING} --yes",
        f"deny {WAITING} --yes",
    ],
)
def test_a_command_for_one_incident_loads_no_library_that_it_has_no_use_for(kubeconfig: str, line: str) -> None:
    found = run(kubeconfig, line) & ELSEWHERE
    assert not found, f"kubectl {line} loads {', '.join(sorted(found))}: import it where it is used"


@pytest.mark.parametrize(
    "line", [f"incident describe {RESOLVED}", f"incident report {RESOLVED}", "incident stats", f"deny {WAITING} --yes"]
)
def test_to_tell_of_an_incident_and_to_deny_nothing_is_loaded_that_decides(kubeconfig: str, line: str) -> None:
    found = run(kubeconfig, line) & DECIDING
    assert not found, (
        f"kubectl {line} loads {', '.join(sorted(found))}: what reporting needs of it belongs into a module of its "
        "own, as incident/approval/binding.py is"
    )


@pytest.mark.parametrize("name", PLUGINS)
def test_a_program_runs_the_plugin_that_it_is_named_after(name: str) -> None:
    program = (
        f"import sys; sys.argv = ['/usr/bin/kubectl-{name}', '--help']; from firstresponder.cli.program import main"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "operator")}
    done = subprocess.run(
        [sys.executable, "-c", f"{program}; main()"], capture_output=True, text=True, check=True, env=environment
    )
    assert done.stdout.startswith(f"NAME\n  kubectl {name} - ")


def test_the_benchmark_measures_what_runs_to_its_end() -> None:
    result = CliRunner().invoke(cold_start.main, ["--runs", "1", "--only", "approve"])
    assert result.exit_code == 0, result.output
    assert re.findall(r"(?m)^ 0\.\d{3} +0\.\d{3}  0\.\d{3}  (.*)$", result.output) == [
        "kubectl-approve --help",
        "kubectl_complete-approve --",
        f"kubectl-approve {WAITING} --yes",
    ]
