"""Where requests go: one account on one host."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class SshTarget:
    """An account on a host, reached by the one key it accepts; its observing and acting accounts are two targets.

    Equal targets share a connection, so one whose pinned host key or credentials changed never uses the old one.
    """

    name: str = field(compare=False)
    """What the host is called in messages."""
    address: str
    port: int
    host_keys: tuple[str, ...]
    """The pinned public host keys, each ``type base64``; any other key is a mismatch."""
    user: str
    private_key: str = field(repr=False)
    """The account's private key as OpenSSH or PEM text, without a passphrase."""

    def __str__(self) -> str:
        return f"{self.user}@{self.name}"
