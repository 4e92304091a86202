"""A TCP proxy on loopback whose connections a test can cut or refuse.

A process that is to lose its connections is given the proxy's port; everybody else talks to the
server directly and is not disturbed.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from types import TracebackType


class Proxy:
    """Forwards every connection to `target` (host, port) until it is cut. A context manager."""

    def __init__(self, target: tuple[str, int]) -> None:
        self._target = target
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._lock = threading.Lock()
        self._sockets: set[socket.socket] = set()
        self._refusing = False
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def port(self) -> int:
        port: int = self._listener.getsockname()[1]
        return port

    def cut(self) -> None:
        """Close every connection now. New ones are welcome."""
        with self._lock:
            cut, self._sockets = self._sockets, set()
        for end in cut:
            _close(end)

    def refuse(self) -> None:
        """Close every connection, and every new one as soon as it is made, until `restore`."""
        self._refusing = True
        self.cut()

    def restore(self) -> None:
        """Work normally again."""
        self._refusing = False

    def __enter__(self) -> Proxy:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        _close(self._listener)
        self.refuse()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return  # closed
            try:
                server = socket.create_connection(self._target)
            except OSError:
                _close(client)
                continue
            with self._lock:
                refused = self._refusing
                if not refused:
                    self._sockets |= {client, server}
            if refused:  # looked at last: whoever refuses then cuts all that came before
                _close(client)
                _close(server)
                continue
            for source, sink in ((client, server), (server, client)):
                threading.Thread(target=self._pump, args=(source, sink), daemon=True).start()

    def _pump(self, source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                sink.sendall(data)
        with self._lock:
            self._sockets -= {source, sink}
        _close(source)
        _close(sink)


def _close(end: socket.socket) -> None:
    # shutdown first: close alone does not wake a thread that waits in recv or accept.
    with contextlib.suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)
    end.close()
