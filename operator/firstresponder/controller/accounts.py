"""The accounts of hosts as SSH targets: where, who, with which key, against which pinned host keys."""

from __future__ import annotations

from firstresponder.api.hosts import Account, Host
from firstresponder.hosts.target import SshTarget
from firstresponder.kube.credentials import Credentials, CredentialsUnusable


class Accounts:
    """Opens the key of one account of one host, each time it is needed."""

    def __init__(self, credentials: Credentials) -> None:
        self._credentials = credentials

    async def observing(self, host: Host) -> SshTarget:
        """The observing account. Raises CredentialsUnusable."""
        return await self._target(host, host.spec.accounts.observe)

    async def acting(self, host: Host) -> SshTarget:
        """The account that runs declared actions: opened only for an order, its ledger and its seal, and
        for the periodic proof that it works.

        Raises CredentialsUnusable.
        """
        account = host.spec.accounts.act
        if account is None:
            raise CredentialsUnusable("NoActingAccount", f"Host {host.name} has no spec.accounts.act")
        return await self._target(host, account)

    async def _target(self, host: Host, account: Account) -> SshTarget:
        key = await self._credentials.private_key(account.credentials_ref.name, user_namespace=host.namespace)
        spec = host.spec
        return SshTarget(host.name, spec.address, spec.port, tuple(spec.host_keys), account.user, key)
