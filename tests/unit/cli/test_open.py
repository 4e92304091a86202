"""``kubectl incident open``: what is created from which words, and what is refused before anything is."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
import yaml
from click.testing import CliRunner, Result

from firstresponder.api.base import JSON, Resource
from firstresponder.api.incident import Incident
from firstresponder.cli.commands.open import _kebab
from firstresponder.cli.kubectl import Cluster, NoAnswer, Refused
from firstresponder.cli.plugins.incident import main
from tests.unit.cli.nowhere import NOWHERE
from tests.unit.incident.world import high_cpu

FROM_HOST = ["--type", "HighCPU", "--service", "api-gateway", "--host", "api-gateway-03"]


class Empty(Cluster):
    """A cluster with one runbook and one host, that remembers what was created."""

    def __init__(self) -> None:
        super().__init__(NOWHERE, namespace="prod")
        self.objects: dict[str, list[dict[str, Any]]] = {
            "runbooks": [high_cpu()],
            "hosts": [{"metadata": {"name": "api-gateway-03"}, "spec": {}}],
        }
        self.created: list[tuple[Mapping[str, JSON], bool]] = []
        self.problem: BaseException | None = None
        self.unreadable: set[str] = set()

    def items(self, kind: type[Resource], *, everywhere: bool = False) -> Iterator[dict[str, Any]]:
        assert not everywhere
        if kind.plural in self.unreadable:
            raise Refused("may not list")
        yield from self.objects.get(kind.plural, [])

    def create(self, incident: Mapping[str, JSON], *, dry_run: bool = False) -> dict[str, Any]:
        if self.problem is not None:
            raise self.problem
        self.created.append((incident, dry_run))
        name = incident["metadata"].get("name") or incident["metadata"]["generateName"] + "7xk2p"
        return {**incident, "metadata": {"name": name, "managedFields": []}}


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Empty:
    made = Empty()
    monkeypatch.setattr(Cluster, "connect", lambda *_: made)
    return made


def opened(*words: str) -> Result:
    result = CliRunner().invoke(main, ["open", *words])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


def test_all_that_an_incident_can_say_can_be_said(cluster: Empty) -> None:
    more = [
        *("--host", "control-node=control-1", "--summary", "CPU above 90 %", "--severity", "Critical"),
        *("--runbook", "high-cpu", "--detection-time", "2026-03-14T04:07:12+01:00"),
        *("--customers", "1200", "--revenue-loss", "5000 EUR", "--name", "high-cpu-1", "--no-watch"),
        *("--parameter", "cpuThreshold=90", "--parameter", "window=10m", "--parameter", "strict=true"),
        *("--parameter", "ratio=0.5", "--parameter", 'text="90"'),
    ]
    result = opened(*FROM_HOST, *more)
    assert (result.exit_code, result.stdout) == (0, "high-cpu-1\n")
    ((incident, dry_run),) = cluster.created
    assert not dry_run
    Incident.model_validate(incident)
    assert incident == {
        "apiVersion": "firstresponder.dev/v1alpha1",
        "kind": "Incident",
        "metadata": {"name": "high-cpu-1"},
        "spec": {
            "type": "HighCPU",
            "service": "api-gateway",
            "hosts": [{"role": "target", "name": "api-gateway-03"}, {"role": "control-node", "name": "control-1"}],
            "summary": "CPU above 90 %",
            "severity": "Critical",
            "runbookRef": {"name": "high-cpu"},
            "parameters": {"cpuThreshold": 90, "window": "10m", "strict": True, "ratio": 0.5, "text": "90"},
            "detectionTime": "2026-03-14T03:07:12Z",
            "impact": {"customers": 1200, "revenueLossPerHour": {"amount": 5000, "currency": "EUR"}},
        },
    }


def test_a_host_is_named_behind_the_first_equals_sign_as_in_render(cluster: Empty) -> None:
    assert opened(*FROM_HOST, "--host", "database=a=b", "--no-watch").exit_code == 0
    ((incident, _),) = cluster.created
    assert incident["spec"]["hosts"][1] == {"role": "database", "name": "a=b"}  # which the API server refuses


def test_what_is_not_said_is_left_to_the_api_server(cluster: Empty) -> None:
    assert opened("--type", "HighCPU", "--service", "api-gateway", "--no-watch").output == "high-cpu-7xk2p\n"
    ((incident, _),) = cluster.created
    assert incident["metadata"] == {"generateName": "high-cpu-"}
    assert incident["spec"] == {"type": "HighCPU", "service": "api-gateway"}


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("HighCPU", "high-cpu"),
        ("DBConnectionPoolExhausted", "db-connection-pool-exhausted"),
        ("Http5xx", "http-5-xx"),
        ("lower", "lower"),
        ("A" * 128, "a" * 40),
        ("???", "incident"),
    ],
)
def test_the_name_begins_with_the_type(kind: str, name: str) -> None:
    assert _kebab(kind) == name


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["--host", "target=a", "--host", "b"], "--host: the role target is given twice"),
        (["--parameter", "cpuThreshold"], "--parameter: 'cpuThreshold' is not NAME=VALUE"),
        (["--parameter", "=1"], "--parameter: '=1' is not NAME=VALUE"),
        (["--parameter", "a=1", "--parameter", "a=2"], "--parameter: a is given twice"),
        (["--parameter", "a="], "--parameter: a: '' is not a number, a text or a boolean"),
        (["--parameter", "a=[1, 2]"], "--parameter: a: '[1, 2]' is not a number, a text or a boolean"),
        (["--parameter", "a=1e999"], "--parameter: a: '1e999' is not a number, a text or a boolean"),
        (["--parameter", "a=.nan"], "--parameter: a: '.nan' is not a number, a text or a boolean"),
        (["--detection-time", "2026-03-14T03:07:12"], "--detection-time: '2026-03-14T03:07:12' is not a time with"),
        (["--detection-time", "yesterday"], "--detection-time: 'yesterday' is not a time with its zone"),
        (["--detection-time", "0001-01-01T00:00:00+09:00"], "--detection-time: '0001-01-01T00:00:00+09:00' is not a"),
        (["--revenue-loss", f"{10**15} EUR"], f"--revenue-loss: '{10**15} EUR' is not a whole amount with its"),
        (["--revenue-loss", "5000"], "--revenue-loss: '5000' is not a whole amount with its currency"),
        (["--customers", "-1"], "'--customers': -1 is not in the range x>=0"),
        (["--severity", "Bad"], "'--severity': 'Bad' is not one of 'Critical', 'Warning', 'Info'"),
        (["--timeout", "5"], "'--timeout': '5' is not a duration: write it as in 30s, 5m or 1h30m"),
    ],
)
def test_wrong_usage_is_told_with_the_option_before_anything_is_created(
    cluster: Empty, words: list[str], complaint: str
) -> None:
    result = opened("--type", "HighCPU", "--service", "api-gateway", *words)
    assert result.exit_code == 2
    assert f"Invalid value for {complaint}" in result.output
    assert cluster.created == []


@pytest.mark.parametrize(
    ("words", "warning"),
    [
        (["--type", "Unheard"], "no Runbook and no TriagePlaybook is for the type Unheard; those with one are HighCPU"),
        (["--runbook", "nope"], "there is no Runbook nope"),
        (["--host", "nope"], "there is no Host nope"),
        (["--host", "\x1b[2Jnope"], "there is no Host \\x1b[2Jnope"),
        (["--parameter", "window=1s"], "spec.parameters.window: 1s is below the minimum of 1m"),
        (
            ["--parameter", "window=soon"],
            "spec.parameters.window: 'soon' is not a duration: write it as in 30s, 5m or 1h30m",
        ),
    ],
)
def test_what_will_keep_the_operator_from_handling_it_is_warned_of_and_not_refused(
    cluster: Empty, words: list[str], warning: str
) -> None:
    result = opened("--type", "HighCPU", "--service", "api-gateway", *words, "--no-watch")
    assert result.exit_code == 0
    assert result.stderr == f"Warning: {warning}\n"
    assert len(cluster.created) == 1


def test_a_parameter_that_the_runbook_does_not_declare_is_warned_of_with_the_one_that_may_be_meant(
    cluster: Empty,
) -> None:
    for more in ([], ["--dry-run"], ["--runbook", "high-cpu"]):
        result = opened(*FROM_HOST, "--parameter", "windw=5m", "--no-watch", *more)
        assert "Warning: spec.parameters.windw is not known here: did you mean window? known are" in result.stderr


def test_a_parameter_may_be_that_of_a_runbook_to_which_the_playbook_leads(cluster: Empty) -> None:
    then = {"name": "x", "then": {"runbook": "high-cpu"}}
    spec = {"match": {"types": ["Down"]}, "hypotheses": [then], "parameters": []}
    cluster.objects["triageplaybooks"] = [{"metadata": {"name": "b"}, "spec": spec}]
    down = ["--type", "Down", "--service", "api-gateway", "--no-watch"]
    assert opened(*down, "--parameter", "window=5m").stderr == ""
    assert "spec.parameters.windw is not known here" in opened(*down, "--parameter", "windw=5m").stderr


def test_of_several_runbooks_for_the_type_one_has_to_be_chosen(cluster: Empty) -> None:
    cluster.objects["triageplaybooks"] = [{"metadata": {"name": "b"}, "spec": {"match": {"types": ["HighCPU"]}}}]
    assert "choose one with --runbook" in opened(*FROM_HOST, "--no-watch").stderr
    assert opened(*FROM_HOST, "--runbook", "high-cpu", "--no-watch").stderr == ""


def test_who_may_not_read_runbooks_opens_without_a_warning(cluster: Empty) -> None:
    cluster.unreadable = {"runbooks"}
    result = opened(*FROM_HOST, "--no-watch")
    assert (result.exit_code, result.stderr, len(cluster.created)) == (0, "", 1)
    assert opened(*FROM_HOST, "--host", "database=nope", "--no-watch").stderr == "Warning: there is no Host nope\n"
    cluster.unreadable = {"hosts"}
    assert "no TriagePlaybook is for the type Unheard" in opened(*FROM_HOST, "--type", "Unheard", "--no-watch").stderr


@pytest.mark.parametrize(
    ("problem", "told"),
    [
        (NoAnswer("no answer from https://a:1: timed out"), "no answer from https://a:1: timed out"),
        (KeyboardInterrupt(), "interrupted"),
    ],
)
def test_where_the_api_server_gave_no_answer_nobody_claims_to_know(
    cluster: Empty, problem: BaseException, told: str
) -> None:
    cluster.problem = problem
    cluster.flags = ("--context=staging",)
    result = opened(*FROM_HOST)
    assert result.exit_code == 2
    assert result.stderr == (
        f"Error: {told}. Whether the incident was opened is not known; "
        "look: kubectl get incidents -n prod --context=staging\n"
    )


def test_whoever_may_open_and_not_read_is_told_the_name_of_what_was_opened(
    cluster: Empty, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unread(_: str) -> None:
        raise Refused("incidents is forbidden")

    monkeypatch.setattr(cluster, "incident", unread)
    result = opened(*FROM_HOST)
    assert (result.exit_code, result.stderr) == (1, "Error: incidents is forbidden\n")
    assert result.stdout == "incident.firstresponder.dev/high-cpu-7xk2p created\n"


@pytest.mark.parametrize("form", ["yaml", "json"])
def test_what_was_created_is_utf_8_whatever_the_locale_says(cluster: Empty, form: str) -> None:
    words = ["open", *FROM_HOST, "--summary", "CPU → 90 %", "-o", form]
    result = CliRunner(charset="latin-1").invoke(main, words)
    assert result.exception is None
    assert yaml.safe_load(result.stdout_bytes.decode())["spec"]["summary"] == "CPU → 90 %"


def test_a_dry_run_and_every_form_of_output_print_and_do_not_follow(cluster: Empty) -> None:
    assert opened(*FROM_HOST, "--dry-run").output == "high-cpu-7xk2p (server dry run)\n"
    assert opened(*FROM_HOST, "-o", "name").output == "incident.firstresponder.dev/high-cpu-7xk2p\n"
    written = json.loads(opened(*FROM_HOST, "-o", "json", "--dry-run").output)
    assert written == yaml.safe_load(opened(*FROM_HOST, "-o", "yaml").output)
    assert written["metadata"] == {"name": "high-cpu-7xk2p"}
    assert [dry_run for _, dry_run in cluster.created] == [True, False, True, False]
