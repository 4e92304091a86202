"""What a shell is offered behind ``kubectl incident`` and its kind, and that a failure offers nothing."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from firstresponder.api.base import Resource
from firstresponder.cli.commands import complete
from firstresponder.cli.kubectl import Cluster, NoAnswer
from firstresponder.cli.plugins import PLUGINS
from firstresponder.cli.plugins.incident import main
from tests.unit.cli.nowhere import NOWHERE
from tests.unit.cli.test_kubectl import kubeconfig
from tests.unit.incident.world import high_cpu

CLOSED = {"conditions": [{"type": "Closed", "status": "True"}]}


def named(name: str, spec: dict[str, Any] | None = None, status: dict[str, Any] | None = None) -> dict[str, Any]:
    return {"metadata": {"name": name}, "spec": spec or {}, "status": status or {}}


def asks(incident: str) -> dict[str, Any]:
    return {"actionClass": "restart-unit", "incidentRef": {"name": incident}}


OBJECTS = {
    "incidents": [
        named("high-cpu-1", {"type": "HighCPU", "service": "api-gateway"}, {"phase": "Acting"}),
        named("disk-full-1", {"type": "DiskFull", "service": "payroll"}),
    ],
    "approvalrequests": [
        named("high-cpu-1-1", asks("high-cpu-1"), CLOSED),
        named("high-cpu-1-2", asks("high-cpu-1")),
        named("firstresponder-selftest", asks("none")),
    ],
    "runbooks": [high_cpu()],
    "triageplaybooks": [named("service-unavailable", {"match": {"types": ["ServiceUnavailable"]}})],
    "hosts": [named("api-gateway-03", {"address": "10.0.0.3", "expectedUnits": ["api-gateway.service", "a.timer"]})],
}


class Stocked(Cluster):
    """A cluster that holds some of each kind."""

    def items(self, kind: type[Resource], *, everywhere: bool = False) -> Iterator[dict[str, Any]]:
        assert not everywhere
        yield from OBJECTS[kind.plural]

    def namespaces(self) -> list[str]:
        return ["prod", "staging"]


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    """Which cluster was asked, each time."""
    calls: list[tuple[Any, ...]] = []

    def connect(*given: Any, timeouts: tuple[float, float]) -> Cluster:
        assert max(timeouts) <= 2
        calls.append(given)
        return Stocked(NOWHERE, namespace="prod")

    monkeypatch.setattr(Cluster, "connect", connect)
    return calls


def answered(line: str) -> tuple[dict[str, str], str]:
    """The suggestions with what they are, and the directive, for a line that ends where TAB was pressed."""
    name, *words = line.split(" ")
    *suggestions, directive = complete.answer(PLUGINS[name], words).split("\n")
    return dict(each.partition("\t")[::2] for each in suggestions), directive


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("incident describe ", ["disk-full-1", "high-cpu-1"]),
        ("incident watch h", ["high-cpu-1"]),
        ("approve ", ["high-cpu-1-2"]),
        ("deny ", ["high-cpu-1-2"]),
        ("incident open --type ", ["HighCPU", "ServiceUnavailable"]),
        ("incident stats --type S", ["ServiceUnavailable"]),
        ("incident open --service ", ["api-gateway", "payroll"]),
        ("incident open --runbook ", ["high-cpu"]),
        ("incident open --host ", ["api-gateway-03"]),
        ("incident open --host target=api", ["target=api-gateway-03"]),
        ("incident open --severity ", ["Critical", "Warning", "Info"]),
        ("incident open --severity=W", ["Warning"]),
        ("incident report x -o ", ["markdown", "json", "html"]),
        ("incident describe -n ", ["prod", "staging"]),
        ("incident describe --nam", ["--namespace"]),
        ("incident re", ["report", "replay"]),
    ],
)
def test_words_come_from_the_cluster_and_from_the_commands(
    asked: list[tuple[Any, ...]], line: str, words: list[str]
) -> None:
    suggestions, directive = answered(line)
    assert (list(suggestions), directive) == (words, ":4")


def test_a_suggestion_says_what_it_is(asked: list[tuple[Any, ...]]) -> None:
    assert answered("incident describe high")[0] == {"high-cpu-1": "Acting: HighCPU of api-gateway"}
    assert answered("approve ")[0] == {"high-cpu-1-2": "restart-unit for incident high-cpu-1"}
    assert answered("incident watc")[0] == {"watch": "Follow an incident until it is over"}


def test_the_cluster_is_the_one_of_the_options_typed_so_far(asked: list[tuple[Any, ...]]) -> None:
    answered("incident watch -n staging --context=blue --kubeconfig k ")
    assert asked == [("k", "blue", "staging")]


def test_files_are_left_to_the_shell(asked: list[tuple[Any, ...]]) -> None:
    assert answered("incident watch x --kubeconfig ") == ({}, ":0")


def test_contexts_come_from_the_kubeconfig(tmp_path: Path) -> None:
    file = kubeconfig(tmp_path / "config", "staging", staging=None, prod=None)
    assert list(answered(f"incident watch --kubeconfig {file} --context ")[0]) == ["prod", "staging"]
    assert answered("incident watch --kubeconfig /nowhere --context ") == ({}, ":4")


@pytest.mark.parametrize("problem", [NoAnswer("no"), ValueError("?"), KeyError("spec")])
def test_a_failure_suggests_nothing_and_says_nothing(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], problem: Exception
) -> None:
    def connect(*_: Any, **__: Any) -> Cluster:
        raise problem

    monkeypatch.setattr(Cluster, "connect", connect)
    assert answered("incident describe ") == ({}, ":4")
    assert answered("incident open --host ") == ({}, ":4")
    assert capfd.readouterr() == ("", "")


def test_an_api_server_that_is_not_there_suggests_nothing(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    file = kubeconfig(tmp_path / "config", "local", local=None)
    file.write_text(file.read_text().replace("https://local:1", "https://127.0.0.1:1"))
    assert answered(f"incident describe --kubeconfig {file} ") == ({}, ":4")
    assert capfd.readouterr() == ("", "")


def test_each_plugin_has_its_program_for_completion() -> None:
    project = tomllib.loads((Path(__file__).parents[3] / "pyproject.toml").read_text())["project"]["scripts"]
    plugins = set(PLUGINS)
    assert {each.removeprefix("kubectl-") for each in project if each.startswith("kubectl-")} == plugins
    assert {each.removeprefix("kubectl_complete-") for each in project if each.startswith("kubectl_c")} == plugins


def test_the_program_answers_for_the_plugin_that_it_is_named_after(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["/usr/bin/kubectl_complete-incident", "st"])
    complete.main()
    assert capsys.readouterr().out == "stats\tShow how incidents went, by type and by runbook revision\n:4\n"


def test_a_plugin_that_is_called_directly_completes_by_click_s_own_means(asked: list[tuple[Any, ...]]) -> None:
    def told(instruction: str, **more: str) -> str:
        env = {"_KUBECTL_INCIDENT_COMPLETE": instruction, **more}
        return CliRunner().invoke(main, [], prog_name="kubectl-incident", env=env).output

    assert "complete -o nosort -F _kubectl_incident_completion kubectl-incident" in told("bash_source")
    words = told("bash_complete", COMP_WORDS="kubectl-incident describe h", COMP_CWORD="2")
    assert re.sub(r"\s+$", "", words) == "plain,high-cpu-1"
