"""A kubeconfig that is read here means what it means to the client library of Kubernetes."""

from __future__ import annotations

import base64
import json
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
import urllib3
import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from firstresponder.cli import connection
from firstresponder.cli.connection import Connection, NoConnection, connect
from tests.testbed.certificates import Certificates, issue

PATIENCE = (5.0, 5.0)
START = datetime.now(UTC) - timedelta(days=1)


@pytest.fixture(autouse=True)
def without_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return issue(tmp_path_factory.mktemp("certificates"))


@dataclass(frozen=True)
class Pair:
    """Files of a person's certificate, which vouches for itself, and of its key."""

    certificate: Path
    key: Path


@pytest.fixture(scope="module")
def alice(tmp_path_factory: pytest.TempPathFactory) -> Pair:
    folder = tmp_path_factory.mktemp("alice")
    pair, key, now = Pair(folder / "alice.crt", folder / "alice.key"), ec.generate_private_key(ec.SECP256R1()), START
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "alice")])
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), now, now + timedelta(days=2))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    pair.certificate.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    pair.key.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return pair


@pytest.fixture(scope="module")
def server(certificates: Certificates, alice: Pair) -> Iterator[str]:
    with serving("127.0.0.1", certificates, alice) as url:
        yield url


@contextmanager
def serving(address: str, certificates: Certificates, alice: Pair) -> Iterator[str]:
    """An API server that asks for a client certificate, and answers with who it was and what it was sent."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            assert isinstance(self.connection, ssl.SSLSocket)
            subject = (self.connection.getpeercert() or {}).get("subject", ())
            names = dict(pair for part in subject for pair in part)  # type: ignore[misc]
            sent = self.rfile.read(int(self.headers["Content-Length"])).decode()
            said = [
                names.get("commonName"),
                self.headers["Authorization"],
                self.headers["Content-Type"],
                self.path,
                sent,
            ]
            self.send_response(200)
            self.end_headers()
            self.wfile.write(json.dumps(said).encode())

        def log_message(self, format: str, *args: Any) -> None:
            """Nothing is logged."""

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates.serving_certificate, certificates.serving_key)
    context.load_verify_locations(alice.certificate)
    context.verify_mode = ssl.CERT_OPTIONAL
    listening = HTTPServer((address, 0), Handler)
    listening.socket = context.wrap_socket(listening.socket, server_side=True)
    thread = threading.Thread(target=listening.serve_forever)
    thread.start()
    try:
        yield f"https://{address}:{listening.server_port}"
    finally:
        listening.shutdown()
        listening.server_close()
        thread.join()


def kubeconfig(folder: Path, cluster: object, user: object, **more: object) -> Path:
    content = {
        "current-context": "one",
        "clusters": [{"name": "there", "cluster": cluster}],
        "users": [{"name": "me", "user": user}],
        "contexts": [{"name": "one", "context": {"cluster": "there", "user": "me", "namespace": "shop"}}],
    }
    file = folder / "config"
    file.write_text(yaml.safe_dump(content | more))
    return file


def data(file: Path) -> str:
    return base64.b64encode(file.read_bytes()).decode()


def answer(found: Connection) -> list[str | None]:
    with found.send("POST", "/apis", {"a": "ä"}, "application/json", {"dryRun": "All"}, PATIENCE) as response:
        content: list[str | None] = json.loads(response.read())
    return content


def plain(certificates: Certificates, alice: Pair, folder: Path, form: str) -> tuple[dict[str, str], dict[str, str]]:
    """What a kubeconfig says of the authority and of the user, in one of the forms that are read here."""
    match form:
        case "token":
            return {"certificate-authority-data": data(certificates.authority)}, {"token": "secret"}
        case "files":
            (folder / "token").write_text("secret")
            (folder / "ca.crt").write_bytes(certificates.authority.read_bytes())
            return {"certificate-authority": "ca.crt"}, {"tokenFile": "token"}
        case "certificate":
            pair = {"client-certificate-data": alice.certificate, "client-key-data": alice.key}
            return (
                {"certificate-authority": str(certificates.authority)},
                {field: data(file) for field, file in pair.items()},
            )
        case _:
            user = {"client-certificate": alice.certificate, "client-key": alice.key}
            return (
                {"certificate-authority": str(certificates.authority)},
                {field: str(file) for field, file in user.items()} | {"token": "secret"},
            )


@pytest.mark.parametrize("form", ["token", "files", "certificate", "both"])
def test_the_server_sees_the_same_caller_as_with_the_library(
    server: str, certificates: Certificates, alice: Pair, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, form: str
) -> None:
    authority, user = plain(certificates, alice, tmp_path, form)
    file = str(kubeconfig(tmp_path, {"server": f"{server}/", **authority}, user))
    by_library, namespace = connection._read_by_library(file, None)
    monkeypatch.setattr(connection, "_read_by_library", None)
    here, same = connect(file, None)
    assert (here.server, namespace, same) == (by_library.server, "shop", "shop")
    assert answer(here) == answer(by_library)
    expected = "Bearer secret" if form != "certificate" else None
    assert answer(here)[0] == ("alice" if form in {"certificate", "both"} else None)
    assert answer(here)[1:] == [expected, "application/json", "/apis?dryRun=All", '{"a": "\\u00e4"}']


def test_a_server_of_another_authority_is_sent_nothing(server: str, tmp_path: Path) -> None:
    other = issue(tmp_path)
    here, _ = connect(
        str(kubeconfig(tmp_path, {"server": server, "certificate-authority": "ca.crt"}, {"token": "secret"})), None
    )
    assert other.authority == tmp_path / "ca.crt"
    with pytest.raises(ssl.SSLError, match="certificate verify failed"):
        answer(here)


def test_a_server_that_bears_another_name_is_sent_nothing(
    certificates: Certificates, alice: Pair, tmp_path: Path
) -> None:
    with serving("127.0.0.2", certificates, alice) as elsewhere:
        cluster = {"server": elsewhere, "certificate-authority": str(certificates.authority)}
        here, _ = connect(str(kubeconfig(tmp_path, cluster, {"token": "secret"})), None)
        with pytest.raises(ssl.SSLError, match="IP address mismatch"):
            answer(here)


@pytest.mark.parametrize(
    ("cluster", "user"),
    [
        ({"server": "https://a:1", "insecure-skip-tls-verify": True}, {"token": "t"}),
        ({"server": "https://a:1", "tls-server-name": "b"}, {"token": "t"}),
        ({"server": "https://a:1", "proxy-url": "http://b:2"}, {"token": "t"}),
        ({"server": "https://a:1"}, {"exec": {"command": "true", "apiVersion": "client.authentication.k8s.io/v1"}}),
        ({"server": "https://a:1"}, {"username": "u", "password": "p"}),
        ({"server": "https://a:1"}, {"auth-provider": {"name": "oidc"}}),
        ({"server": "https://a:1", "certificate-authority-data": "!"}, {"token": "t"}),
        ({"server": "https://a:1"}, {"tokenFile": "missing"}),
        ({}, {"token": "t"}),
        (5, {"token": "t"}),
    ],
)
def test_whatever_else_a_kubeconfig_says_the_library_judges(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cluster: object, user: object
) -> None:
    asked: list[str] = []

    def library(files: str, context: str | None) -> tuple[Connection, None]:
        asked.append(files)
        raise ValueError("the library's words")

    monkeypatch.setattr(connection, "_read_by_library", library)
    file = str(kubeconfig(tmp_path, cluster, user))
    with pytest.raises(NoConnection, match="the library's words"):
        connect(file, None)
    assert asked == [file]


def test_behind_a_proxy_the_library_finds_the_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:1")
    found, _ = connect(str(kubeconfig(tmp_path, {"server": "https://a:1"}, {"token": "t"})), None)
    assert found.failures == (urllib3.exceptions.HTTPError,)
    assert found.authorization() == "Bearer t"
    with pytest.raises(urllib3.exceptions.ProxyError, match="Unable to connect to proxy"):
        answer(found)


def test_the_private_key_does_not_stay_on_the_disk(
    certificates: Certificates, alice: Pair, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(temporary))
    authority, user = plain(certificates, alice, tmp_path, "certificate")
    connect(str(kubeconfig(tmp_path, {"server": "https://a:1", **authority}, user)), None)
    assert list(temporary.iterdir()) == []
