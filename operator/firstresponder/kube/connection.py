"""Where the API server is and who the operator is there: one source for the client and for the informer."""

from __future__ import annotations

import base64
import binascii
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")


class ConnectionProblem(Exception):
    """There is no usable configuration; the message says what to do."""


@dataclass(frozen=True)
class Connection:
    """An API server and a ServiceAccount's token for it."""

    server: str
    authority: str
    """The certificate authority in PEM form."""
    token_file: Path

    def token(self) -> str:
        """The token as the file holds it now: the kubelet replaces it well before it expires.

        Raises ConnectionProblem when it cannot be read or is empty.
        """
        try:
            token = self.token_file.read_text().strip()
        except OSError as error:
            raise ConnectionProblem(f"the token file cannot be read: {error}") from None
        if not token:
            raise ConnectionProblem(f"the token file {self.token_file} is empty")
        return token


def in_cluster() -> Connection:
    """The connection of a pod. Raises ConnectionProblem outside of one."""
    host, port = os.environ.get("KUBERNETES_SERVICE_HOST"), os.environ.get("KUBERNETES_SERVICE_PORT")
    if not host or not port:
        raise ConnectionProblem("this is not a pod (KUBERNETES_SERVICE_HOST is not set): give --kubeconfig FILE")
    name = f"[{host}]" if ":" in host else host
    try:
        authority = (_ACCOUNT / "ca.crt").read_text()
    except OSError as error:
        raise ConnectionProblem(f"the pod has no ServiceAccount mounted: {error}") from None
    return Connection(f"https://{name}:{port}", authority, _ACCOUNT / "token")


def from_kubeconfig(path: Path) -> Connection:
    """The connection of a kubeconfig's current context. Raises ConnectionProblem that names the field.

    The user must have a ``tokenFile``: the operator acts under its own ServiceAccount, whose tokens expire and
    are replaced in that file. It is never run as an administrator.
    """
    try:
        config = yaml.safe_load(path.read_text())
    except (OSError, yaml.YAMLError) as error:
        raise ConnectionProblem(f"{path}: {error}") from None
    context = _named(path, config, "contexts", "context", _text(path, config, "current-context"))
    cluster = _named(path, config, "clusters", "cluster", _text(path, context, "cluster"))
    user = _named(path, config, "users", "user", _text(path, context, "user"))
    if "tokenFile" not in user:
        raise ConnectionProblem(
            f"{path}: users[].user.tokenFile is missing: the operator needs a file with its ServiceAccount's token "
            "(kubectl create token operator --namespace first-responder)"
        )
    return Connection(
        _text(path, cluster, "server").rstrip("/"),
        _authority(path, cluster),
        path.parent / _text(path, user, "tokenFile"),
    )


def _authority(path: Path, cluster: dict[str, Any]) -> str:
    try:
        if "certificate-authority-data" in cluster:
            return base64.b64decode(cluster["certificate-authority-data"], validate=True).decode("ascii")
        return (path.parent / _text(path, cluster, "certificate-authority")).read_text()
    except (OSError, ValueError, binascii.Error) as error:
        raise ConnectionProblem(f"{path}: the cluster's certificate authority cannot be read: {error}") from None


def _named(path: Path, config: Any, plural: str, singular: str, name: str) -> dict[str, Any]:
    entries = config.get(plural) or [] if isinstance(config, dict) else []
    for entry in entries:
        if isinstance(entry, dict) and entry.get("name") == name and isinstance(entry.get(singular), dict):
            found: dict[str, Any] = entry[singular]
            return found
    raise ConnectionProblem(f"{path}: {plural} has no entry named {name!r}")


def _text(path: Path, part: Any, key: str) -> str:
    value = part.get(key) if isinstance(part, dict) else None
    if not isinstance(value, str) or not value:
        raise ConnectionProblem(f"{path}: {key} is missing")
    return value
