"""The requests to a prepared host as OpenSSH sends them, so that the host's side is tested apart from ours."""

from __future__ import annotations

import hashlib
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Self

from tests.testbed.hosts import Host


@dataclass(frozen=True)
class Answer:
    """What firstresponder-act said: its exit status, `key=value` lines and the action's output."""

    exit_status: int
    fields: dict[str, str]
    output: list[str]

    @classmethod
    def of(cls, done: subprocess.CompletedProcess[str]) -> Self:
        lines = [line.partition("=")[::2] for line in done.stdout.splitlines()]
        return cls(
            done.returncode,
            {key: value for key, value in lines if key != "output"},
            [value for key, value in lines if key == "output"],
        )

    @property
    def state(self) -> str | None:
        return self.fields.get("state")

    @property
    def refused(self) -> str | None:
        return self.fields.get("refused")


@dataclass(frozen=True)
class Order:
    """An order's fields; `text` is what is sent."""

    host: str
    boot: str
    action: str
    arguments: tuple[str, ...] = ()
    timeout: int = 60  # seconds
    notafter: int = field(default_factory=lambda: int(time.time()) + 600)  # Unix seconds
    notafteruptime: int = 0
    attempt: int = 1

    @property
    def text(self) -> str:
        lines = [
            "order firstresponder.dev/v1",
            f"host {self.host}",
            f"boot {self.boot}",
            f"action {self.action}",
            *(f"arg {argument}" for argument in self.arguments),
            f"timeout {self.timeout}",
            f"notafter {self.notafter}",
            f"notafteruptime {self.notafteruptime}",
            "incident 8c2f0f5e-95d0-4f6c-a7a5-8a1a4b6a1c01",
            f"attempt {self.attempt}",
            f"packet sha256:{'5' * 64}",
        ]
        return "".join(f"{line}\n" for line in lines)

    @property
    def id(self) -> str:
        return hashlib.sha256(self.text.encode()).hexdigest()

    def but(self, **changes: str | int | tuple[str, ...]) -> Order:
        return replace(self, **changes)  # type: ignore[arg-type]


class Wire:
    """SSH to one host with the keys of its testbed, over one connection an account (a cold one costs 0.3 s)."""

    def __init__(self, host: Host, directory: Path) -> None:
        self.host = host
        self._directory = directory
        self._attempt = 0
        (directory / "known_hosts").write_text(f"{host.address} {host.host_public_key}\n")

    def act(self, request: str) -> Answer:
        return Answer.of(self.ssh(self.host.act_user, request))

    def observe(self, *argv: str, seconds: int = 10, request: str = "run") -> subprocess.CompletedProcess[str]:
        return self.ssh(self.host.observe_user, "".join(f"{line}\n" for line in (f"{request} {seconds}", *argv)))

    def info(self) -> dict[str, str]:
        done = self.ssh(self.host.observe_user, "info\n")
        return dict(line.split("=", 1) for line in done.stdout.splitlines())

    def order(self, action: str, *arguments: str) -> Order:
        """An order that this host would carry out now, unlike every one before."""
        self._attempt += 1
        info = self.info()
        expiry = int(info["uptime"]) + 600
        return Order(info["machine"], info["boot"], action, arguments, notafteruptime=expiry, attempt=self._attempt)

    def status(self, order: Order) -> Answer:
        return self.act(f"status {order.id}\n")

    def seal(self, order: Order) -> Answer:
        return self.act(f"seal {order.id}\n")

    def ssh(self, user: str, request: str, *command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.ssh_argv(user, *command),
            input=request,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=120,
            check=False,
        )

    def ssh_argv(self, user: str, *command: str, options: Sequence[str] = ()) -> list[str]:
        key = self.host.observe_key if user == self.host.observe_user else self.host.act_key
        settings = {
            "IdentityFile": key,
            "IdentitiesOnly": "yes",
            "BatchMode": "yes",
            "LogLevel": "ERROR",
            "UserKnownHostsFile": self._directory / "known_hosts",
            "ControlMaster": "auto",
            "ControlPersist": "60",
            "ControlPath": self._directory / "%r",
        }
        known = [f"-o{name}={value}" for name, value in settings.items()]
        return ["ssh", "-F", "none", "-T", *options, *known, f"{user}@{self.host.address}", *command]

    def disconnect(self) -> None:
        """Drop the connections, as after a reboot."""
        for user in (self.host.observe_user, self.host.act_user):
            subprocess.run(self.ssh_argv(user, options=["-O", "exit"]), capture_output=True, check=False)
