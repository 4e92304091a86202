"""SSH keys of host accounts: Secrets in the operator's own namespace that say which namespaces may use them."""

from __future__ import annotations

import base64
import binascii

from firstresponder.kube.client import Client
from firstresponder.kube.errors import Forbidden, NotFound

ALLOWED_NAMESPACES = "firstresponder.dev/allowed-namespaces"
"""The annotation that lists, separated by commas, the namespaces whose Hosts may use the Secret."""
KEY = "ssh-privatekey"
"""The key of a Secret of type ``kubernetes.io/ssh-auth``."""


class CredentialsUnusable(Exception):
    """There is no key to use; the message says what to do. ``reason`` is CamelCase for a condition."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class Credentials:
    """Reads keys when they are needed and keeps none."""

    def __init__(self, client: Client, namespace: str) -> None:
        self._client = client
        self._namespace = namespace

    async def private_key(self, secret: str, *, user_namespace: str) -> str:
        """The private key in that Secret, for a Host of ``user_namespace``. Raises CredentialsUnusable."""
        where = f"Secret {secret} in namespace {self._namespace}"
        try:
            body = await self._client.get(f"/api/v1/namespaces/{self._namespace}/secrets/{secret}")
        except NotFound:
            raise CredentialsUnusable("CredentialsMissing", f"there is no {where}: create it") from None
        except Forbidden as error:
            raise CredentialsUnusable("CredentialsForbidden", f"{where}: {error.message}") from None
        allowed = (body["metadata"].get("annotations") or {}).get(ALLOWED_NAMESPACES, "")
        if user_namespace not in {each.strip() for each in allowed.split(",")}:
            raise CredentialsUnusable(
                "CredentialsNotAllowed",
                f"{where} does not list namespace {user_namespace} in its annotation {ALLOWED_NAMESPACES}",
            )
        try:
            return base64.b64decode(body.get("data", {})[KEY], validate=True).decode("ascii")
        except (KeyError, ValueError, binascii.Error):
            raise CredentialsUnusable("CredentialsMalformed", f"{where} has no readable key {KEY}") from None
