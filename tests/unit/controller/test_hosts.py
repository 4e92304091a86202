"""What is told of a host that cannot be asked."""

from __future__ import annotations

from typing import Any, cast

from firstresponder.api.hosts import HostStatus
from firstresponder.controller.accounts import Accounts
from firstresponder.controller.cache import Cache
from firstresponder.controller.hosts import HostReconciler
from firstresponder.controller.keys import Key
from firstresponder.hosts.errors import HostUnreachable
from firstresponder.hosts.pool import SshPool
from firstresponder.kube.resources import Resources

BODY = {
    "metadata": {"name": "web-1", "namespace": "shop", "uid": "u", "generation": 1, "resourceVersion": "7"},
    "spec": {
        "address": "10.0.0.1",
        "hostKeys": ["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5"],
        "accounts": {"observe": {"user": "fr-observe", "credentialsRef": {"name": "s"}}},
    },
}


class Surroundings:
    """A host that hangs up with words of its own, and the status that is written about it."""

    def __init__(self) -> None:
        self.written: list[HostStatus] = []

    async def observing(self, _: Any) -> str:
        return "fr-observe@web-1"

    async def run(self, target: str, *_: Any, **__: Any) -> None:
        raise HostUnreachable("ConnectionLost", f"{target}: \x1b[2J password=hunter2 {'x' * 5000}")

    async def write_status(self, _: Any, __: Any, ___: Any, after: HostStatus) -> None:
        self.written.append(after)


async def test_what_a_host_says_when_it_hangs_up_is_shown_without_secrets_and_cannot_do_anything() -> None:
    around, cache = Surroundings(), Cache()
    cache.put("Host", "shop", BODY)
    reconciler = HostReconciler(cache, cast(Resources, around), cast(Accounts, around), cast(SshPool, around))
    await reconciler.reconcile(Key("Host", "shop", "web-1"))
    (status,) = around.written
    (message,) = (each.message for each in status.conditions if each.type == "Reachable")
    assert message.startswith("fr-observe@web-1: \\x1b[2J")
    assert "hunter2" not in message
    assert len(message) <= 1000
