"""The way to the API server: where it is, whom to trust there, and who the caller is, as a kubeconfig says.

The client library of Kubernetes understands whatever a kubeconfig can say, but takes longer to load than what most
commands do takes. So a kubeconfig that holds its credentials itself, a certificate or a token for a server without a
proxy, is read here, and the library is asked about every other.
"""

from __future__ import annotations

import base64
import json
import os
import ssl
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol
from urllib.parse import urlencode, urlsplit
from urllib.request import getproxies

import yaml

_CLUSTER = {"server", "certificate-authority", "certificate-authority-data"}
_USER = {"token", "tokenFile", "client-certificate", "client-certificate-data", "client-key", "client-key-data"}


class NoConnection(Exception):
    """There is no usable kubeconfig; the message says why."""


class Response(Protocol):
    """An answer whose content is still to be read: whole, or line by line as it comes."""

    status: int

    def read(self) -> bytes: ...
    def __iter__(self) -> Iterator[bytes]: ...
    def __enter__(self) -> Response: ...
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> object: ...


Ask = Callable[[str, str, str | None, Mapping[str, str], tuple[float, float]], Response]
"""Method, path, body, headers and the seconds to connect and to wait for an answer."""


@dataclass(frozen=True)
class Connection:
    """An API server as the caller reaches it."""

    server: str
    ask: Ask
    authorization: Callable[[], str | None]
    """The value of the header, asked before each request: credentials expire while an incident is followed."""
    failures: tuple[type[Exception], ...] = (HTTPException,)
    """What asking and reading raise besides OSError where there is no whole answer."""

    def send(
        self,
        method: str,
        path: str,
        body: Any,
        content_type: str,
        query: Mapping[str, str],
        timeouts: tuple[float, float],
    ) -> Response:
        """The response, whose content is still to be read. Raises OSError and ``failures`` where there is none."""
        headers = {"Accept": "application/json", "Content-Type": content_type, "User-Agent": "firstresponder-kubectl"}
        if authorization := self.authorization():
            headers["Authorization"] = authorization
        target = path + (f"?{urlencode(query)}" if query else "")
        return self.ask(method, target, json.dumps(body) if body is not None else None, headers, timeouts)


def connect(files: str, context: str | None) -> tuple[Connection, str | None]:
    """The API server of the context, or of the current one, and the context's namespace. Raises NoConnection.

    ``files`` is one file, or several as in $KUBECONFIG.
    """
    try:
        return _read_here(Path(files).expanduser(), context) or _read_by_library(files, context)
    except (OSError, yaml.YAMLError, ValueError, LookupError, TypeError, AttributeError) as error:
        raise NoConnection(str(error)) from None


def _read_here(file: Path, context: str | None) -> tuple[Connection, str | None] | None:
    """None for a kubeconfig that says anything out of the ordinary, or anything wrong: the library judges that."""
    if not file.is_file() or getproxies():
        return None
    content = yaml.safe_load(file.read_text())
    try:
        chosen = _named(content, "context", context or content["current-context"])
        cluster, user = _named(content, "cluster", chosen["cluster"]), _named(content, "user", chosen["user"])
        if not (cluster.keys() <= _CLUSTER and user.keys() <= _USER):
            return None
        server, bearer = cluster["server"].rstrip("/"), _bearer(file.parent, user)
        trust = _trust(file.parent, cluster, user) if server.startswith("https:") else None
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return None
    return Connection(server, _directly(server, trust), lambda: bearer), chosen.get("namespace")


def _directly(server: str, trust: ssl.SSLContext | None) -> Ask:
    """Each request on a connection of its own."""
    place = urlsplit(server)

    def ask(
        method: str, target: str, body: str | None, headers: Mapping[str, str], timeouts: tuple[float, float]
    ) -> Response:
        to_connect, to_answer = timeouts
        host, port = place.hostname or "", place.port
        connection = (
            HTTPSConnection(host, port, timeout=to_connect, context=trust)
            if trust is not None
            else HTTPConnection(host, port, timeout=to_connect)
        )
        connection.connect()
        connection.sock.settimeout(to_answer)
        connection.request(method, f"{place.path}{target}", body, {**headers, "Connection": "close"})
        return connection.getresponse()

    return ask


def _named(content: Any, kind: str, name: str) -> dict[str, Any]:
    """Raises LookupError unless there is exactly one of that name."""
    (found,) = (each[kind] for each in content[f"{kind}s"] if each["name"] == name)
    entry: dict[str, Any] = found
    return entry


def _trust(folder: Path, cluster: Mapping[str, str], user: Mapping[str, str]) -> ssl.SSLContext:
    """The certificates of both sides. Raises OSError, ValueError."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.set_alpn_protocols(["http/1.1"])
    if authority := _content(folder, cluster, "certificate-authority"):
        context.load_verify_locations(cadata=authority.decode("ascii"))
    else:
        context.load_default_certs()
    certificate, key = (_content(folder, user, field) for field in ("client-certificate", "client-key"))
    if certificate is not None and key is not None:
        with tempfile.TemporaryDirectory() as private:  # ssl takes them from files only
            pair = Path(private, "certificate"), Path(private, "key")
            pair[0].write_bytes(certificate)
            pair[1].write_bytes(key)
            context.load_cert_chain(*pair)
    return context


def _content(folder: Path, entry: Mapping[str, str], field: str) -> bytes | None:
    """What an entry holds itself, or else the file that it names. Raises OSError, ValueError."""
    if f"{field}-data" in entry:
        return base64.b64decode(entry[f"{field}-data"], validate=True)
    return (folder / entry[field]).read_bytes() if field in entry else None


def _bearer(folder: Path, user: Mapping[str, str]) -> str | None:
    """Raises OSError where the file of the token cannot be read."""
    token = user.get("token") or ((folder / user["tokenFile"]).read_text().strip() if "tokenFile" in user else None)
    return f"Bearer {token}" if token else None


def _read_by_library(files: str, context: str | None) -> tuple[Connection, str | None]:
    import urllib3  # noqa: PLC0415 - see above
    from kubernetes import client, config  # noqa: PLC0415 - see above

    library: Any = config  # it has no types
    context = context or _current_context(files)
    try:
        contexts, active = library.list_kube_config_contexts(files)
        chosen = next((each for each in contexts if each["name"] == context), active)
        configuration: Any = client.Configuration()
        configuration.retries = False  # one clear answer; what is asked again is asked knowingly
        api = library.new_client_from_config(files, context=context, client_configuration=configuration)
    except config.ConfigException as error:
        raise NoConnection(str(error)) from None

    def authorization() -> str | None:
        try:
            value: str | None = api.configuration.get_api_key_with_prefix("BearerToken")
        except client.ApiException as problem:  # of whoever renews a token
            raise ConnectionError(str(problem)) from None
        return value

    server, pool = api.configuration.host, api.rest_client.pool_manager

    def ask(
        method: str, target: str, body: str | None, headers: Mapping[str, str], timeouts: tuple[float, float]
    ) -> Response:
        connect, read = timeouts
        limits = urllib3.Timeout(connect=connect, read=read)
        answer: Response = pool.request(
            method, f"{server}{target}", body=body, headers=headers, timeout=limits, preload_content=False
        )
        return answer

    connection = Connection(server, ask, authorization, (urllib3.exceptions.HTTPError,))
    return connection, chosen["context"].get("namespace")


def _current_context(files: str) -> str | None:
    """The first ``current-context`` of several files, as kubectl has it (the client library takes the last)."""
    for each in files.split(os.pathsep):
        path = Path(each).expanduser()
        content = yaml.safe_load(path.read_text()) if each and path.is_file() else None
        if isinstance(content, dict) and content.get("current-context"):
            return str(content["current-context"])
    return None
