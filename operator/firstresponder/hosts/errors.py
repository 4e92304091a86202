"""Why a host could not be asked. ``reason`` is CamelCase for a condition, ``message`` is for people."""

from __future__ import annotations


class HostError(Exception):
    """A request did not get its answer. Nothing is said about what the host did meanwhile."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(f"{reason}: {message}")
        self.reason = reason
        self.message = message


class HostUnreachable(HostError):
    """No connection, or none that lasted: TimedOut, ConnectionRefused, NameNotResolved, NoRoute, ConnectionLost,
    LoginEnded, SessionRefused or ProtocolError."""


class HostKeyMismatch(HostError):
    """The host showed another key than the pinned ones. Nothing was sent to it, not even who we are."""


class AuthenticationFailed(HostError):
    """The host does not accept the account's key, or the key cannot be used."""


class CommandTimedOut(HostError):
    """The answer was not complete in time; the command may still be running on the host."""


class RequestRefused(HostError):
    """The host's program refused the request: nothing was run."""


class NotPrepared(HostError):
    """What answered is not the program of a prepared host."""
