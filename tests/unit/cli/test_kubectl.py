"""Which cluster the plugins talk to: the one that kubectl would."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import click
import pytest
import yaml
from click.testing import CliRunner

from firstresponder.api.incident import Incident
from firstresponder.cli.connection import Connection
from firstresponder.cli.kubectl import Cluster, NoAnswer, Refused, Unreadable
from firstresponder.cli.plugins.approve import approve
from firstresponder.cli.plugins.incident import main
from tests.unit.cli.nowhere import NOWHERE


def kubeconfig(path: Path, current: str | None, **contexts: str | None) -> Path:
    """A kubeconfig with contexts (name → namespace) whose servers are named after them."""
    path.write_text(
        yaml.safe_dump(
            {
                "apiVersion": "v1",
                "kind": "Config",
                **({"current-context": current} if current else {}),
                "clusters": [{"name": name, "cluster": {"server": f"https://{name}:1"}} for name in contexts],
                "users": [{"name": "me", "user": {"token": "secret"}}],
                "contexts": [
                    {
                        "name": name,
                        "context": {"cluster": name, "user": "me", **({"namespace": space} if space else {})},
                    }
                    for name, space in contexts.items()
                ],
            }
        )
    )
    return path


def server(cluster: Cluster) -> str:
    return str(cluster._connection.server)


def test_the_context_s_namespace_is_used_unless_another_is_given(tmp_path: Path) -> None:
    file = str(kubeconfig(tmp_path / "config", "staging", staging="shop", prod=None))
    assert Cluster.connect(file, None, None).namespace == "shop"
    assert Cluster.connect(file, "prod", None).namespace == "default"
    assert Cluster.connect(file, None, "other").namespace == "other"
    assert server(Cluster.connect(file, "prod", None)) == "https://prod:1"


def test_of_several_files_the_first_current_context_counts_as_with_kubectl(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = [
        tmp_path / "missing",
        kubeconfig(tmp_path / "none", None),
        kubeconfig(tmp_path / "a", "staging", staging="shop"),
        kubeconfig(tmp_path / "b", "prod", prod="shop"),
    ]
    monkeypatch.setenv("KUBECONFIG", ":".join(map(str, files)))
    assert server(Cluster.connect(None, None, None)) == "https://staging:1"
    assert server(Cluster.connect(None, "prod", None)) == "https://prod:1"


def test_without_a_usable_kubeconfig_the_file_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "nowhere"))
    with pytest.raises(NoAnswer, match="nowhere"):
        Cluster.connect(None, None, None)
    broken = tmp_path / "broken"
    no_user = "{current-context: a, contexts: [{name: a, context: {cluster: a}}], clusters: [{name: a, cluster: %s}]}"
    bad_certificate = no_user % "{server: 'https://a:1', certificate-authority-data: a}"
    for content in ("", "[]", "a: [", "contexts: 5", "\xff", no_user % "5", bad_certificate):
        broken.write_text(content, encoding="latin-1")
        with pytest.raises(NoAnswer, match="broken"):
            Cluster.connect(str(broken), None, None)
    good = kubeconfig(tmp_path / "good", "staging", staging=None)
    with pytest.raises(NoAnswer, match="production"):
        Cluster.connect(str(good), "production", None)


@pytest.mark.parametrize("namespace", ["..", "a/b", "Prod", "a b", "x" * 64, "\udcff", "\x1b[2J"])
def test_a_namespace_that_none_can_be_is_wrong_usage_and_never_a_part_of_another_path(
    tmp_path: Path, namespace: str
) -> None:
    file = str(kubeconfig(tmp_path / "config", "staging", staging=None))
    with pytest.raises(click.UsageError) as refused:
        Cluster.connect(file, None, namespace)
    assert refused.value.message == f"{namespace!r} is not the name of a namespace: give one with --namespace"


@pytest.mark.parametrize("name", ["", "..", "a/b", "-a", "a-", "A", "a b", "x" * 254, "\udcff"])
def test_nothing_is_asked_by_a_name_that_no_object_can_have(name: str) -> None:
    assert Cluster(NOWHERE, namespace="prod").incident(name) is None


def answering(status: int, body: bytes) -> Cluster:
    """A cluster that gives one answer to everything."""
    response: Any = SimpleNamespace(status=status, read=lambda: body)
    return Cluster(Connection("https://a:1", lambda *_: response, lambda: None), namespace="prod")


@pytest.mark.parametrize(
    ("status", "body", "told"),
    [
        (
            401,
            b'{"kind": "Status", "message": "Unauthorized"}',
            "Unauthorized (the API server does not know you: log in again, and see whether kubectl get pods works)",
        ),
        (404, b"404 page not found\n", "HTTP 404: 404 page not found (is First Responder installed in this cluster?)"),
        (
            410,
            b'{"kind": "Status", "message": "Expired"}',
            "Expired (the list changed too long while it was read: try again)",
        ),
        (403, b'{"kind": "Status", "message": "you may \\u001bnot"}', "you may \\x1bnot"),
    ],
)
def test_a_refusal_says_what_to_do_where_the_api_server_does_not(status: int, body: bytes, told: str) -> None:
    with pytest.raises(Refused) as refused:
        answering(status, body).incident("one")
    assert refused.value.message == told


def test_an_object_that_is_not_there_is_no_refusal() -> None:
    body = b'{"kind": "Status", "message": "incidents \\"one\\" not found", "details": {"name": "one"}}'
    assert answering(404, body).incident("one") is None


@pytest.mark.parametrize("body", [b"<html>Log in</html>", b"[]", b"{}", b'"ok"'])
def test_something_else_that_answers_is_told_as_such(body: bytes) -> None:
    with pytest.raises(NoAnswer, match=r"^no answer from https://a:1: "):
        list(answering(200, body).items(Incident))


def test_what_this_plugin_cannot_read_is_told_with_its_field() -> None:
    with pytest.raises(Unreadable, match=r"^Incident: spec: Field required \(is this plugin older than the operator\?"):
        answering(200, b'{"kind": "Incident"}').incident("one")


def test_a_command_for_the_same_cluster_says_which_it_is(tmp_path: Path) -> None:
    file = kubeconfig(tmp_path / "my config", "staging", staging="shop")
    assert Cluster.connect(str(file), "staging", None).command("incident", "watch", "one") == (
        f"kubectl incident watch one -n shop '--kubeconfig={file}' --context=staging"
    )


OPENED = ["open", "--type", "HighCPU", "--service", "api-gateway"]


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (approve, ["x"]),
        *((main, [name, "x"]) for name in ("describe", "report", "explain", "replay", "watch")),
        (main, ["stats"]),
        (main, OPENED),
    ],
)
def test_an_api_server_that_does_not_answer_is_told_without_a_traceback(
    tmp_path: Path, command: object, words: list[str]
) -> None:
    file = kubeconfig(tmp_path / "config", "local", local=None)
    file.write_text(file.read_text().replace("https://local:1", "https://127.0.0.1:1"))
    result = CliRunner().invoke(command, [*words, "--kubeconfig", str(file)])  # type: ignore[arg-type]
    assert result.exit_code == 2
    assert result.output.startswith("Error: no answer from https://127.0.0.1:1")
    assert "Traceback" not in result.output


@pytest.mark.parametrize("arguments", [["approve"], ["describe"]])
def test_a_missing_name_is_wrong_usage(arguments: list[str]) -> None:
    command = approve if arguments == ["approve"] else main
    assert CliRunner().invoke(command, arguments[1:] if command is approve else arguments).exit_code == 2
