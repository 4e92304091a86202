"""Connections: what is wrong with a kubeconfig is said by its field."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest
import yaml

from firstresponder.kube.connection import ConnectionProblem, from_kubeconfig, in_cluster


@pytest.fixture
def config(tmp_path: Path) -> dict[str, Any]:
    (tmp_path / "ca.crt").write_text("PEM")
    (tmp_path / "token").write_text("first\n")
    return {
        "current-context": "here",
        "contexts": [{"name": "here", "context": {"cluster": "c", "user": "u"}}],
        "clusters": [{"name": "c", "cluster": {"server": "https://api:6443/", "certificate-authority": "ca.crt"}}],
        "users": [{"name": "u", "user": {"tokenFile": "token"}}],
    }


def written(tmp_path: Path, config: dict[str, Any]) -> Path:
    path = tmp_path / "kubeconfig"
    path.write_text(yaml.safe_dump(config))
    return path


def test_files_are_found_beside_the_kubeconfig(tmp_path: Path, config: dict[str, Any]) -> None:
    found = from_kubeconfig(written(tmp_path, config))
    assert (found.server, found.authority, found.token()) == ("https://api:6443", "PEM", "first")


def test_the_authority_may_be_written_into_the_kubeconfig(tmp_path: Path, config: dict[str, Any]) -> None:
    cluster = config["clusters"][0]["cluster"]
    cluster["certificate-authority-data"] = base64.b64encode(b"inline").decode()
    assert from_kubeconfig(written(tmp_path, config)).authority == "inline"


def test_a_replaced_token_is_used_at_once(tmp_path: Path, config: dict[str, Any]) -> None:
    found = from_kubeconfig(written(tmp_path, config))
    assert found.token() == "first"
    (tmp_path / "token").write_text("second")
    assert found.token() == "second"


@pytest.mark.parametrize(
    ("user", "told"),
    [({"token": "abc"}, "tokenFile is missing"), ({"client-certificate": "x"}, "tokenFile is missing")],
)
def test_credentials_that_do_not_expire_are_refused(
    tmp_path: Path, config: dict[str, Any], user: dict[str, str], told: str
) -> None:
    config["users"][0]["user"] = user
    with pytest.raises(ConnectionProblem, match=told):
        from_kubeconfig(written(tmp_path, config))


@pytest.mark.parametrize(
    ("take_away", "told"),
    [
        ("current-context", "current-context is missing"),
        ("contexts", "contexts has no entry named 'here'"),
        ("clusters", "clusters has no entry named 'c'"),
        ("users", "users has no entry named 'u'"),
    ],
)
def test_what_is_missing_is_named(tmp_path: Path, config: dict[str, Any], take_away: str, told: str) -> None:
    del config[take_away]
    with pytest.raises(ConnectionProblem, match=told):
        from_kubeconfig(written(tmp_path, config))


def test_a_file_that_is_no_kubeconfig_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "kubeconfig"
    path.write_text("just text")
    with pytest.raises(ConnectionProblem, match="current-context"):
        from_kubeconfig(path)


def test_an_empty_token_file_is_refused(tmp_path: Path, config: dict[str, Any]) -> None:
    (tmp_path / "token").write_text("\n")
    with pytest.raises(ConnectionProblem, match="is empty"):
        from_kubeconfig(written(tmp_path, config)).token()


def test_outside_of_a_pod_a_kubeconfig_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    with pytest.raises(ConnectionProblem, match="--kubeconfig"):
        in_cluster()
