"""What is told of a host that cannot be asked."""

from __future__ import annotations

import copy
from time import time
from typing import Any, cast

import pytest

from firstresponder.api.command import CommandOutput
from firstresponder.api.hosts import HostStatus
from firstresponder.controller.accounts import Accounts
from firstresponder.controller.cache import Cache
from firstresponder.controller.hosts import HostReconciler
from firstresponder.controller.keys import Key
from firstresponder.hosts.errors import AuthenticationFailed, CommandTimedOut, HostUnreachable
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


def said(**fields: str) -> CommandOutput:
    return CommandOutput("".join(f"{name}={value}\n" for name, value in fields.items()).encode(), b"", 0)


class Answering(Surroundings):
    """A host whose observing account answers, and whose acting account does as it is told here."""

    sessions_at_once = 8

    def __init__(self, acting: Exception | str, ahead: float = 0) -> None:
        super().__init__()
        self._acting = acting
        self._ahead = ahead
        self.asked: list[bytes] = []

    async def acting(self, _: Any) -> str:
        return "fr-act@web-1"

    def sessions(self, _: str) -> int:
        return self.sessions_at_once

    async def run(self, target: str, stdin: bytes, **_: Any) -> Any:
        if target == "fr-observe@web-1":
            now = f"{time() + self._ahead:f}"
            who = {"machine": "a" * 32, "boot": "4f1c2d3e-0000-4000-8000-123456789abc", "uptime": "7", "time": now}
            return said(**who, os="Debian", actions="restart-unit", previews="", ledger="", version="1")
        self.asked.append(stdin)
        if isinstance(self._acting, Exception):
            raise self._acting
        verb, attempt = stdin.decode().split()
        assert verb == "status"
        return said(id=attempt, boot="4f1c2d3e-0000-4000-8000-123456789abc", state=self._acting)


async def looked_at(around: Answering, *, act: bool = True) -> HostStatus:
    body: Any = copy.deepcopy(BODY)
    if act:
        body["spec"]["accounts"]["act"] = {"user": "fr-act", "credentialsRef": {"name": "a"}}
    cache = Cache()
    cache.put("Host", "shop", body)
    reconciler = HostReconciler(cache, cast(Resources, around), cast(Accounts, around), cast(SshPool, around))
    for _ in range(2):  # our own status comes back, and is no reason to ask again
        await reconciler.reconcile(Key("Host", "shop", "web-1"))
    (status,) = around.written
    return status


def can_act(status: HostStatus) -> tuple[str, str]:
    (found,) = (each for each in status.conditions if each.type == "CanAct")
    return found.status, found.reason


@pytest.mark.parametrize(
    ("acting", "verdict"),
    [
        ("absent", ("True", "Answered")),
        ("finished", ("False", "NotPrepared")),
        (AuthenticationFailed("AuthenticationFailed", "no"), ("False", "AuthenticationFailed")),
        (HostUnreachable("LoginEnded", "account expired"), ("False", "LoginEnded")),
        (CommandTimedOut("TimedOut", "an order runs"), ("Unknown", "TimedOut")),
    ],
    ids=lambda each: str(each)[:24],
)
async def test_whether_the_acting_account_works_is_told_after_a_question_that_changes_nothing(
    acting: Exception | str, verdict: tuple[str, str]
) -> None:
    around = Answering(acting)
    assert can_act(await looked_at(around)) == verdict
    assert len(around.asked) == 1
    assert around.asked[0].startswith(b"status ")


async def test_a_host_without_an_acting_account_is_not_asked_for_one() -> None:
    around = Answering("absent")
    assert can_act(await looked_at(around, act=False)) == ("False", "NoActingAccount")
    assert around.asked == []


@pytest.mark.parametrize("ahead", [3600, -90])
async def test_a_clock_that_is_too_far_off_to_act_is_told_with_how_far(ahead: int) -> None:
    status = await looked_at(Answering("absent", ahead))
    assert can_act(status) == ("False", "ClockSkew")
    assert status.clock_offset_seconds is not None
    assert abs(status.clock_offset_seconds - ahead) < 30


async def test_few_sessions_of_a_host_are_told() -> None:
    around = Answering("absent")
    around.sessions_at_once = 2
    status = await looked_at(around)
    (message,) = (each.message for each in status.conditions if each.type == "Prepared")
    assert status.sessions == 2
    assert "sshd opens 2 sessions at once" in message
