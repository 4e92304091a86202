"""The pool of SSH connections: one for each account on a host, opened when first needed and kept.

A command on a warm connection costs two round trips, a new connection about seven and a key exchange. What is
bounded here is bounded because hosts misbehave when it matters most: a frozen one answers nothing, a full one
prints without end, and sshd refuses the eleventh session on a connection (MaxSessions in sshd_config(5)).
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time
from collections.abc import AsyncIterator, Callable

import asyncssh

from firstresponder.api.command import CommandOutput
from firstresponder.hosts.errors import AuthenticationFailed, CommandTimedOut, HostKeyMismatch, HostUnreachable
from firstresponder.hosts.target import Target

SESSIONS = 8
"""Commands at once on one connection; further ones queue. sshd allows 10."""
CONNECTS = 64
"""Connections being opened at once, over all hosts."""
CONNECT_SECONDS = 10
"""For a connection: TCP, key exchange and login."""
KEEPALIVE_SECONDS = 5
KEEPALIVES = 3
"""Unanswered keepalives that make a connection lost: found within 20 s."""
IDLE_SECONDS = 300
"""A connection unused for so long is closed."""
REFUSAL_SECONDS = 60
"""A key that the host refused is not tried again for so long: hosts lock out an address that keeps failing."""

# The account's key is forced to its program, which reads the request from stdin. Were the key not forced, this
# name would run nothing, and no shell would ever read a request.
_COMMAND = "firstresponder"


class SshPool:
    """Runs requests on hosts over pooled connections."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._links: dict[Target, asyncio.Task[_Link]] = {}
        self._connecting = asyncio.Semaphore(CONNECTS)
        self._refused_until: dict[Target, float] = {}

    async def run(
        self,
        target: Target,
        stdin: bytes,
        *,
        timeout: float,  # noqa: ASYNC109 - a bound without which nobody may ask a host
        max_output: int,
    ) -> CommandOutput:
        """Send one request to the account's program and collect what it answers.

        ``timeout`` (seconds) covers everything, also waiting for a session; ``max_output`` (bytes) is kept of
        stdout and of stderr each, and a program that prints more is cut off. A connection lost on the way
        leaves ``exit_status`` None.

        Raises CommandTimedOut, HostUnreachable, HostKeyMismatch (nothing was sent) or AuthenticationFailed.
        """
        try:
            async with asyncio.timeout(timeout) as limit:
                while True:
                    link = await self._link(target)
                    async with link.session() as usable:
                        if usable:
                            return await link.exchange(target, stdin, max_output)
        except TimeoutError:
            if limit.expired():
                raise CommandTimedOut("TimedOut", f"{target}: no complete answer within {timeout:g} s") from None
            raise

    async def close(self) -> None:
        """Close all connections."""
        attempts = list(self._links.values())
        self._links.clear()
        for attempt in attempts:
            attempt.cancel()
        for outcome in await asyncio.gather(*attempts, return_exceptions=True):
            if isinstance(outcome, _Link):
                await outcome.close()

    async def _link(self, target: Target) -> _Link:
        """The target's connection, opened once however many ask for it at the same time."""
        attempt = self._links.get(target)
        if attempt is None or _spent(attempt):
            self._links = {each: link for each, link in self._links.items() if not _spent(link)}
            attempt = self._links[target] = asyncio.create_task(self._open(target))
        # Shielded: who gives up waiting must not take the connection from the others.
        return await asyncio.shield(attempt)

    async def _open(self, target: Target) -> _Link:
        if self._refused_until.get(target, 0.0) > self._now():
            raise AuthenticationFailed(
                "AuthenticationFailed", f"{target}: the host refused this key less than {REFUSAL_SECONDS} s ago"
            )
        options = _options(target)
        async with self._connecting:
            try:
                return _Link(await _connect(target, options))
            except AuthenticationFailed:
                now = self._now()
                self._refused_until = {each: end for each, end in self._refused_until.items() if end > now}
                self._refused_until[target] = now + REFUSAL_SECONDS
                raise


class _Link:
    """One connection and the sessions on it."""

    def __init__(self, connection: asyncssh.SSHClientConnection) -> None:
        self._connection = connection
        self._places = asyncio.Semaphore(SESSIONS)
        self._running = 0
        self._retired = False
        self._idle = self._retire_when_idle()

    @property
    def usable(self) -> bool:
        return not self._retired and not self._connection.is_closed()

    @contextlib.asynccontextmanager
    async def session(self) -> AsyncIterator[bool]:
        """Wait for a place on the connection; gives whether the connection is still fit for a new command."""
        async with self._places:
            self._idle.cancel()
            self._running += 1
            try:
                yield self.usable
            finally:
                self._running -= 1
                if self._running == 0:
                    if self._retired:
                        self._connection.close()
                    else:
                        self._idle = self._retire_when_idle()

    async def exchange(self, target: Target, stdin: bytes, max_output: int) -> CommandOutput:
        """Run one request in a session of its own.

        A command that is given up goes on in its session on the host, where sessions are counted, and the
        host may be frozen: so the connection then takes no further commands, and the next gets a new one.
        """
        whole = False
        try:
            output = await _exchange(self._connection, target, stdin, max_output)
            whole = not output.truncated
            return output
        finally:
            if not whole:
                self._retired = True

    async def close(self) -> None:
        self._idle.cancel()
        self._connection.close()
        await self._connection.wait_closed()

    def _retire_when_idle(self) -> asyncio.TimerHandle:
        return asyncio.get_running_loop().call_later(IDLE_SECONDS, self._retire)

    def _retire(self) -> None:
        self._retired = True
        self._connection.close()


def _spent(attempt: asyncio.Task[_Link]) -> bool:
    if not attempt.done():
        return False
    return attempt.cancelled() or attempt.exception() is not None or not attempt.result().usable


class _Capture(asyncssh.SSHClientSession[bytes]):
    """Keeps the beginning of what a command prints and notices how it ended."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._printed: dict[int | None, bytearray] = {None: bytearray(), asyncssh.EXTENDED_DATA_STDERR: bytearray()}
        self.truncated = False
        self.complete = False
        """Everything printed has arrived. sshd sends the exit status without waiting for that."""
        self.ended = asyncio.Event()

    @property
    def stdout(self) -> bytes:
        return bytes(self._printed[None])

    @property
    def stderr(self) -> bytes:
        return bytes(self._printed[asyncssh.EXTENDED_DATA_STDERR])

    def data_received(self, data: bytes, datatype: int | None) -> None:
        printed = self._printed[datatype]
        room = self._limit - len(printed)
        printed += data[:room]
        if len(data) > room:
            self.truncated = True
            self.ended.set()

    def eof_received(self) -> bool:
        self.complete = True
        return False  # nothing more to send either

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - also called for an orderly end
        self.ended.set()


async def _exchange(
    connection: asyncssh.SSHClientConnection, target: Target, stdin: bytes, max_output: int
) -> CommandOutput:
    capture = _Capture(max_output)
    try:
        # encoding=None: with a text encoding one wrong byte from the host would end the whole connection.
        channel, _ = await connection.create_session(lambda: capture, _COMMAND, encoding=None)
    except asyncssh.ChannelOpenError as problem:
        reason = "ConnectionLost" if connection.is_closed() else "SessionRefused"
        raise HostUnreachable(reason, f"{target}: {problem}") from None
    except (asyncssh.Error, OSError) as problem:
        raise HostUnreachable("ConnectionLost", f"{target}: {problem}") from None
    try:
        with contextlib.suppress(BrokenPipeError):  # a program may end without reading its request
            channel.write(stdin)
            channel.write_eof()
        await capture.ended.wait()
    finally:
        channel.close()
    status = channel.get_exit_status()
    known = capture.complete and not capture.truncated and status is not None and status >= 0  # -1: by a signal
    return CommandOutput(capture.stdout, capture.stderr, status if known else None, capture.truncated)


async def _connect(target: Target, options: asyncssh.SSHClientConnectionOptions) -> asyncssh.SSHClientConnection:
    try:
        return await asyncssh.connect(target.address, target.port, config=None, options=options)
    except asyncssh.HostKeyNotVerifiable as problem:
        raise HostKeyMismatch(
            "HostKeyMismatch", f"{target}: the host's key is not one of the pinned keys: {problem}"
        ) from None
    except asyncssh.PermissionDenied as problem:
        raise AuthenticationFailed("AuthenticationFailed", f"{target}: {problem}") from None
    except (TimeoutError, asyncssh.Error, OSError) as problem:
        reason = next(reason for kind, reason in _REASONS if isinstance(problem, kind))
        raise HostUnreachable(reason, f"{target}: {str(problem) or 'no answer'}") from None


_REASONS: tuple[tuple[type[Exception], str], ...] = (  # the first that fits
    (TimeoutError, "TimedOut"),
    (socket.gaierror, "NameNotResolved"),
    (ConnectionRefusedError, "ConnectionRefused"),
    (ConnectionError, "ConnectionLost"),
    (asyncssh.ConnectionLost, "ConnectionLost"),
    (OSError, "NoRoute"),
    (Exception, "ProtocolError"),
)


def _options(target: Target) -> asyncssh.SSHClientConnectionOptions:
    """Nothing but what the target holds: no files of this machine, no agent, no other way to log in.

    Raises HostKeyMismatch or AuthenticationFailed for keys that cannot be read.
    """
    host_keys = [_host_key(target, key) for key in target.host_keys]
    try:
        private_key = asyncssh.import_private_key(target.private_key)
    except ValueError as problem:  # asyncssh.KeyImportError and KeyEncryptionError
        raise AuthenticationFailed(
            "InvalidPrivateKey", f"{target}: give the private key as OpenSSH or PEM text without passphrase: {problem}"
        ) from None
    return asyncssh.SSHClientConnectionOptions(
        config=None,
        username=target.user,
        known_hosts=(host_keys, [], []),
        # The pinned types first, so that a host with several keys proves the pinned one. The others only so that a
        # host which lost its pinned key shows another, and is told from one that hangs up: no other is trusted.
        server_host_key_algs=[*(name for key in host_keys for name in _signature_algorithms(key)), *_HOST_KEY_TYPES],
        x509_trusted_certs=None,
        client_keys=[private_key],
        client_certs=[],
        agent_path=None,
        preferred_auth="publickey",
        password_auth=False,
        kbdint_auth=False,
        host_based_auth=False,
        gss_host=None,
        gss_kex=False,
        gss_auth=False,
        kex_algs="-*group-exchange*,*sha1*,gss-*",  # a group exchange costs the client half a second of computing
        compression_algs=None,
        connect_timeout=CONNECT_SECONDS,
        keepalive_interval=KEEPALIVE_SECONDS,
        keepalive_count_max=KEEPALIVES,
    )


_RSA = ["rsa-sha2-512", "rsa-sha2-256"]  # never with SHA-1 (RFC 8332)
_HOST_KEY_TYPES = ["ssh-ed25519", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521", *_RSA]


def _host_key(target: Target, text: str) -> asyncssh.SSHKey:
    try:
        return asyncssh.import_public_key(text)
    except ValueError as problem:
        raise HostKeyMismatch(
            "InvalidHostKey",
            f"{target}: the pinned host key {text[:40]!r}… cannot be read ({problem}): write it as in "
            "'ssh-ed25519 AAAA…', the first two words of the host's /etc/ssh/ssh_host_*_key.pub",
        ) from None


def _signature_algorithms(key: asyncssh.SSHKey) -> list[str]:
    algorithm = key.get_algorithm()
    return _RSA if algorithm == "ssh-rsa" else [algorithm]
