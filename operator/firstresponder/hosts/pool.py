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
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Literal

import asyncssh

from firstresponder.api.command import CommandOutput
from firstresponder.hosts.errors import (
    AuthenticationFailed,
    CommandTimedOut,
    HostError,
    HostKeyMismatch,
    HostUnreachable,
)
from firstresponder.hosts.target import SshTarget
from firstresponder.safety.neutralise import shown

SESSIONS = 8
"""Commands at once on one connection; further ones queue. sshd allows 10, unless its MaxSessions says otherwise."""
LEARNED_SECONDS = 900
"""A host that refused a session is asked for so many at once no more for so long."""
REOPEN_SECONDS = 0.05
REOPENINGS = 40
"""sshd counts a session a moment longer than we do: one that is refused is asked for again after so long, and while no
other is open so often at most."""
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


class Observer:
    """Hears nothing; a subclass hears of each connection that was tried and of each request that has ended."""

    def asked(self, host: str, what: Literal["connect", "run"], outcome: str, seconds: float) -> None:
        """``outcome`` is Answered, the reason of a HostError, or GivenUp by whoever asked. Must not raise."""


class SshPool:
    """Runs requests on hosts over pooled connections."""

    def __init__(self, observer: Observer | None = None, now: Callable[[], float] = time.monotonic) -> None:
        self._observer = observer or Observer()
        self._now = now
        self._links: dict[SshTarget, asyncio.Task[_Link]] = {}
        self._connecting = asyncio.Semaphore(CONNECTS)
        self._refused_until: dict[SshTarget, float] = {}
        self._limits: dict[SshTarget, _Limit] = {}

    def sessions(self, target: SshTarget) -> int:
        """How many commands at once the host runs for the account: SESSIONS, or fewer when it has refused more."""
        limit = self._limits.get(target)
        return SESSIONS if limit is None else limit.sessions

    async def run(
        self,
        target: SshTarget,
        stdin: bytes,
        *,
        timeout: float,  # noqa: ASYNC109 - a bound without which nobody may ask a host
        max_output: int,
        queue: float = 0.0,
        received: Callable[[bytes], None] | None = None,
    ) -> CommandOutput:
        """Send one request to the account's program and collect what it answers.

        ``timeout`` (seconds) covers everything, also waiting for a session, except that waiting for the own
        commands that run before this one may take ``queue`` seconds more. ``max_output`` (bytes) is kept of
        stdout and of stderr each, and a program that prints more is cut off. A connection lost on the way
        leaves ``exit_status`` None. ``received`` is given each piece of stdout as it arrives; it must not raise.

        Raises CommandTimedOut, HostUnreachable, HostKeyMismatch (nothing was sent) or AuthenticationFailed.
        """
        with self._observed(target, "run"):
            try:
                async with asyncio.timeout(timeout) as limit:
                    return await self._run(target, stdin, lambda: _Capture(max_output, received), queue, limit)
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

    async def _run(
        self, target: SshTarget, stdin: bytes, capture: Callable[[], _Capture], queue: float, limit: asyncio.Timeout
    ) -> CommandOutput:
        """In a session of the target's connection, or of the next; ``limit`` is extended by the time in the queue."""
        clock = asyncio.get_running_loop().time
        pause, refusals = 0.0, 0
        while True:
            link = await self._link(target)
            asked = clock()
            _extend(limit, queue)
            await asyncio.sleep(pause)
            async with link.session() as usable:
                waited = min(clock() - asked, queue)
                _extend(limit, waited - queue)
                queue -= waited
                if not usable:
                    continue
                try:
                    return await link.exchange(target, stdin, capture())
                except _SessionRefused as refusal:
                    pause = REOPEN_SECONDS
                    refusals += refusal.alone
                    if refusals > REOPENINGS:
                        raise HostUnreachable("SessionRefused", refusal.message) from None

    async def _link(self, target: SshTarget) -> _Link:
        """The target's connection, opened once however many ask for it at the same time."""
        attempt = self._links.get(target)
        if attempt is None or _spent(attempt):
            self._links = {each: link for each, link in self._links.items() if not _spent(link)}
            attempt = self._links[target] = asyncio.create_task(self._open(target))
        # Shielded: who gives up waiting must not take the connection from the others.
        return await asyncio.shield(attempt)

    async def _open(self, target: SshTarget) -> _Link:
        if self._refused_until.get(target, 0.0) > self._now():
            raise AuthenticationFailed(
                "AuthenticationFailed", f"{target}: the host refused this key less than {REFUSAL_SECONDS} s ago"
            )
        options = _options(target)
        async with self._connecting:
            try:
                with self._observed(target, "connect"):
                    connection = await _connect(target, options)
                return _Link(connection, self._limit(target))
            except AuthenticationFailed:
                now = self._now()
                self._refused_until = {each: end for each, end in self._refused_until.items() if end > now}
                self._refused_until[target] = now + REFUSAL_SECONDS
                raise

    @contextlib.contextmanager
    def _observed(self, target: SshTarget, what: Literal["connect", "run"]) -> Iterator[None]:
        begin, outcome = self._now(), "GivenUp"
        try:
            yield
            outcome = "Answered"
        except HostError as error:
            outcome = error.reason
            raise
        finally:
            self._observer.asked(target.name, what, outcome, self._now() - begin)

    def _limit(self, target: SshTarget) -> _Limit:
        """What was learned of the host is kept beyond the connection that it was learned on."""
        if target not in self._limits:
            self._limits = {
                each: limit for each, limit in self._limits.items() if each in self._links or limit.sessions < SESSIONS
            }
            self._limits[target] = _Limit(self._now)
        return self._limits[target]


class _Limit:
    """How many sessions at once a host opens on one connection, as it has shown (MaxSessions in sshd_config(5))."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._learned = SESSIONS
        self._until = 0.0

    @property
    def sessions(self) -> int:
        return self._learned if self._now() < self._until else SESSIONS

    def learn(self, opened: int) -> None:
        """The host refused one more session than ``opened``."""
        self._learned = min(max(1, opened), SESSIONS)
        self._until = self._now() + LEARNED_SECONDS


class _SessionRefused(Exception):
    """The host refused a session, so nothing was sent in it; ``alone``: while no other was open on the connection."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message
        self.alone = False


def _extend(limit: asyncio.Timeout, seconds: float) -> None:
    end = limit.when()
    if end is not None and not limit.expired():
        limit.reschedule(end + seconds)


class _Link:
    """One connection and the sessions on it."""

    def __init__(self, connection: asyncssh.SSHClientConnection, limit: _Limit) -> None:
        self._connection = connection
        self._limit = limit
        self._left = asyncio.Event()
        self._captures: set[_Capture] = set()
        self._closing = 0
        self._running = 0
        self._retired = False
        self._idle = self._retire_when_idle()

    @property
    def usable(self) -> bool:
        return not self._retired and not self._connection.is_closed()

    @contextlib.asynccontextmanager
    async def session(self) -> AsyncIterator[bool]:
        """Wait for a place on the connection; gives whether the connection is still fit for a new command."""
        while self._running >= self._limit.sessions:
            self._left.clear()
            await self._left.wait()
        self._running += 1
        self._idle.cancel()
        try:
            yield self.usable
        finally:
            self._running -= 1
            self._left.set()
            if self._running == 0:
                if self._retired:
                    self._connection.close()
                else:
                    self._idle = self._retire_when_idle()

    async def exchange(self, target: SshTarget, stdin: bytes, capture: _Capture) -> CommandOutput:
        """Run one request in a session of its own.

        A command that is given up goes on in its session on the host, where sessions are counted, and the
        host may be frozen: so the connection then takes no further commands, and the next gets a new one.
        """
        self._captures.add(capture)
        whole = False
        try:
            output = await _exchange(self._connection, target, stdin, capture)
            whole = not output.truncated
            return output
        except _SessionRefused as refusal:
            whole = True  # nothing goes on there
            opened = sum(each.opened for each in self._captures)
            refusal.alone = opened == 0
            self._limit.learn(opened + self._closing)
            raise
        finally:
            self._captures.remove(capture)
            if capture.opened:
                self._closing += 1
                asyncio.get_running_loop().call_later(REOPEN_SECONDS, self._closed)
            if not whole:
                self._retired = True

    async def close(self) -> None:
        self._idle.cancel()
        self._connection.close()
        await self._connection.wait_closed()

    def _closed(self) -> None:
        self._closing -= 1

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

    def __init__(self, limit: int, received: Callable[[bytes], None] | None) -> None:
        self._limit = limit
        self._received = received
        self._printed: dict[int | None, bytearray] = {None: bytearray(), asyncssh.EXTENDED_DATA_STDERR: bytearray()}
        self.opened = False
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

    def connection_made(self, chan: asyncssh.SSHClientChannel[bytes]) -> None:  # noqa: ARG002 - only that it is
        self.opened = True

    def data_received(self, data: bytes, datatype: int | None) -> None:
        printed = self._printed[datatype]
        room = self._limit - len(printed)
        printed += data[:room]
        if datatype is None and self._received is not None:
            self._received(data[:room])
        if len(data) > room:
            self.truncated = True
            self.ended.set()

    def eof_received(self) -> bool:
        self.complete = True
        return False  # nothing more to send either

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - also called for an orderly end
        self.ended.set()


async def _exchange(
    connection: asyncssh.SSHClientConnection, target: SshTarget, stdin: bytes, capture: _Capture
) -> CommandOutput:
    try:
        # encoding=None: with a text encoding one wrong byte from the host would end the whole connection.
        channel, _ = await connection.create_session(lambda: capture, _COMMAND, encoding=None)
    except asyncssh.ChannelOpenError as problem:
        if connection.is_closed():
            raise HostUnreachable("ConnectionLost", f"{target}: {problem}") from None
        if capture.opened:  # the session was opened, and our command in it refused
            raise HostUnreachable("SessionRefused", f"{target}: {problem}") from None
        raise _SessionRefused(
            f"{target}: sshd opens no session ({problem}): look at MaxSessions for {target.user} and at sshd's log"
        ) from None
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


class _Login(asyncssh.SSHClient):
    """Keeps what the server says while somebody logs in (banners of RFC 4252, section 5.4), and how far that got."""

    def __init__(self) -> None:
        self.said = ""
        self._connection: asyncssh.SSHClientConnection | None = None

    def connection_made(self, conn: asyncssh.SSHClientConnection) -> None:
        self._connection = conn

    def auth_banner_received(self, msg: str, lang: str) -> None:  # noqa: ARG002
        self.said = msg.strip() or self.said  # a refusal of PAM comes after the banner that everybody gets

    @property
    def begun(self) -> bool:
        """The host has proved its key, so what follows is the login."""
        return self._connection is not None and self._connection.get_server_host_key() is not None


async def _connect(target: SshTarget, options: asyncssh.SSHClientConnectionOptions) -> asyncssh.SSHClientConnection:
    login = _Login()
    try:
        return await asyncssh.connect(
            target.address, target.port, config=None, options=options, client_factory=lambda: login
        )
    except asyncssh.HostKeyNotVerifiable as problem:
        raise HostKeyMismatch(
            "HostKeyMismatch",
            f"{target}: the host's key is not one of the pinned keys: {problem}. Find out why before you change "
            "anything: the host was reinstalled, or somebody is in between. Nothing was sent to it.",
        ) from None
    except asyncssh.PermissionDenied as problem:
        raise AuthenticationFailed("AuthenticationFailed", f"{target}: {problem}") from None
    except asyncssh.ConnectionLost as problem:
        if not login.begun:
            raise HostUnreachable("ConnectionLost", f"{target}: {problem}") from None
        said = f"and the host said: {shown(login.said, 300)}" if login.said else "and the host did not say why"
        raise HostUnreachable(
            "LoginEnded",
            f"{target}: the connection ended during the login, {said}. Has the account expired, does /etc/nologin "
            "or /run/nologin exist, does PAM refuse it? Run install --check there; sshd's log has the reason",
        ) from None
    except (TimeoutError, asyncssh.Error, OSError) as problem:
        reason = next(reason for kind, reason in _REASONS if isinstance(problem, kind))
        raise HostUnreachable(reason, f"{target}: {str(problem) or 'no answer'}") from None


_REASONS: tuple[tuple[type[Exception], str], ...] = (  # the first that fits
    (TimeoutError, "TimedOut"),
    (socket.gaierror, "NameNotResolved"),
    (ConnectionRefusedError, "ConnectionRefused"),
    (ConnectionError, "ConnectionLost"),
    (OSError, "NoRoute"),
    (Exception, "ProtocolError"),
)


def _options(target: SshTarget) -> asyncssh.SSHClientConnectionOptions:
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
        # host which lost its pinned key shows another, and is distinguished from one that hangs up: no other is
        # trusted.
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


def _host_key(target: SshTarget, text: str) -> asyncssh.SSHKey:
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
