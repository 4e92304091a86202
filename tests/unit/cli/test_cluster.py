"""Which cluster the plugins talk to: the one that kubectl would."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from firstresponder.cli.approve import approve
from firstresponder.cli.cluster import Cluster, NoAnswer
from firstresponder.cli.incident import main


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
    return str(cluster._api.configuration.host)


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
    for content in ("", "[]", "a: [", "contexts: 5"):
        broken.write_text(content)
        with pytest.raises(NoAnswer, match="broken"):
            Cluster.connect(str(broken), None, None)
    good = kubeconfig(tmp_path / "good", "staging", staging=None)
    with pytest.raises(NoAnswer, match="production"):
        Cluster.connect(str(good), "production", None)


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
