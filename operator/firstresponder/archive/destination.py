"""What ``--archive`` names."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from urllib.parse import unquote, urlsplit

from firstresponder.archive.directory import DirectorySink
from firstresponder.archive.endpoint import EndpointSink
from firstresponder.archive.sink import Sink


def sink_of(destination: str, token_file: Path | None, ca_file: Path | None, now: Callable[[], datetime]) -> Sink:
    """The archive that the options name. Raises ValueError that says which of them is wrong and what to write."""
    try:
        url = urlsplit(destination)
        port = url.port
    except ValueError as error:
        raise ValueError(f"--archive: {error}: {_FORMS}") from None
    if url.scheme == "file" and not url.netloc and url.path.startswith("/") and not url.query and not url.fragment:
        if token_file is not None or ca_file is not None:
            raise ValueError("--archive-token-file and --archive-ca-file are for an archive at https://…")
        return DirectorySink(Path(unquote(url.path)), now)
    if url.scheme != "https" or not url.hostname or port == 0:
        raise ValueError(f"--archive: {_FORMS}")
    if url.username is not None or url.password is not None:
        raise ValueError("--archive: no user or password in the address, which anybody can see: --archive-token-file")
    return EndpointSink(destination, token_file, _trust(ca_file))


_FORMS = "write file:///DIRECTORY or https://HOST/PATH"


def _trust(ca_file: Path | None) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=ca_file)
    except OSError as error:  # of which an SSLError is one
        raise ValueError(f"--archive-ca-file: {ca_file} holds no certificate: {error}") from None
