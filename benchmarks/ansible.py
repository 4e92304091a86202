"""Ansible and ansible-rulebook, in a virtual environment of their own that is made once and kept in the user's cache.

`ansible-rulebook.lock` pins it, with hashes. To renew it: `uv pip compile --universal --python-version 3.11
--generate-hashes --no-emit-index-url --no-emit-find-links ansible-rulebook.in -o ansible-rulebook.lock`.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Self

import yaml
from tests.testbed import preflight
from tests.testbed.go_build import MissingError, cache_directory, only_one
from tests.testbed.hosts import Host
from tests.testbed.processes import Child, wait_until

from benchmarks.figures import NotMeasured
from benchmarks.inside import FOLDER, NAMES, together

HERE = Path(__file__).parent
USER = "plain"
"""An account of the hosts that may log in and read the journal."""
_LOCK = HERE / "ansible-rulebook.lock"
_START_TIMEOUT = 90.0
_TRIAGE_TIMEOUT = 120.0


def ensure() -> Path:
    """The folder of its programs, installed first when it has to be: a minute once, with a word on standard error.

    Raises MissingError when something cannot be had.
    """
    preflight.check_rulebook()
    recipe = f"{sys.version_info[:2]}\n{_LOCK.read_text()}"
    target = cache_directory() / f"ansible-rulebook-{hashlib.sha256(recipe.encode()).hexdigest()[:12]}"
    target.parent.mkdir(parents=True, exist_ok=True)
    with only_one(target, "ansible-rulebook"):
        if not (target / "complete").exists():
            print("Installing ansible-rulebook (once, about a minute)", file=sys.stderr)
            shutil.rmtree(target, ignore_errors=True)
            _run([sys.executable, "-m", "venv", str(target)])
            pip = [str(target / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
            _run([*pip, "--require-hashes", "--requirement", str(_LOCK)])
            (target / "complete").touch()
    return target / "bin"


class Ansible:
    """A control node's folder for these hosts: inventory, configuration and playbook."""

    def __init__(self, hosts: Sequence[Host], key: Path) -> None:
        self._hosts = hosts
        self._key = key
        self._programs = ensure()

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            self._folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="ansible-")))
            self._write()
            self._exit = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._exit.close()

    def ad_hoc(self) -> None:
        """Run the five at once on all hosts, as one raw command."""
        line = together([f"{FOLDER}/{name}" for name in NAMES])
        said = self._call("ansible", "all", "--module-name=raw", f"--args={line}")
        if "failed" in said:
            raise NotMeasured(said[-500:])

    def start_rulebook(self) -> None:
        """Start ansible-rulebook, with a webhook, and wait until it listens."""
        self._port = _free_port()
        rulebook = self._folder / "rulebook.yml"
        rulebook.write_text(yaml.safe_dump(_rulebook(self._port)))
        log = self._folder / "rulebook.log"
        argv: list[str | Path] = [
            self._programs / "ansible-rulebook",
            f"--rulebook={rulebook}",
            f"--inventory={self._folder}/inventory.yml",
        ]
        self._rulebook = Child(argv, log, env=self._environment(), cwd=self._folder / "project")
        self._exit.callback(self._rulebook.stop)
        wait_until(self._listens, _START_TIMEOUT, "ansible-rulebook", self._rulebook)

    def alert(self, name: str) -> None:
        """Post an alert, and wait until a rule has decided by what its playbook saw."""
        body = json.dumps({"type": "Busy", "name": name}).encode()
        request = urllib.request.Request(
            f"http://127.0.0.1:{self._port}/alert", data=body, headers={"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=10):  # noqa: S310
            pass
        decided = lambda: f"decided {name}\n" in self._rulebook.log.read_text()  # noqa: E731
        wait_until(decided, _TRIAGE_TIMEOUT, f"ansible-rulebook's decision on {name}", self._rulebook)

    def _listens(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self._port), timeout=1):
                return True
        except OSError:
            return False

    def _write(self) -> None:
        known = self._folder / "known_hosts"
        known.write_text("".join(f"{host.address} {host.host_public_key}\n" for host in self._hosts))
        ssh = f"-o ControlMaster=auto -o ControlPersist=600s -o UserKnownHostsFile={known} -o StrictHostKeyChecking=yes"
        configuration = {
            "defaults": {"forks": max(5, len(self._hosts)), "gathering": "explicit", "home": self._folder / "home"},
            "ssh_connection": {"ssh_args": ssh, "control_path_dir": self._folder / "cp"},
        }
        lines = [
            f"[{name}]\n" + "".join(f"{key}={value}\n" for key, value in part.items())
            for name, part in configuration.items()
        ]
        (self._folder / "ansible.cfg").write_text("\n".join(lines))
        account = {"ansible_user": USER, "ansible_ssh_private_key_file": str(self._key)}
        hosts = {host.name: {"ansible_host": host.address} for host in self._hosts}
        (self._folder / "inventory.yml").write_text(yaml.safe_dump({"all": {"hosts": hosts, "vars": account}}))
        playbook = self._folder / "project" / "triage.yml"
        playbook.parent.mkdir()  # the rulebook copies all of it for each run
        playbook.write_text(yaml.safe_dump(_playbook()))

    def _call(self, program: str, *arguments: str) -> str:
        argv = [str(self._programs / program), f"--inventory={self._folder}/inventory.yml", *arguments]
        return _run(argv, env=self._environment(), cwd=self._folder)

    def _environment(self) -> dict[str, str]:
        path = os.pathsep.join([str(self._programs), os.environ["PATH"]])
        configuration = str(self._folder / "ansible.cfg")
        return {**os.environ, "PATH": path, "ANSIBLE_CONFIG": configuration, "LC_ALL": "C.UTF-8"}


def _rulebook(port: int) -> list[dict[str, object]]:
    """An alert starts the playbook; by what that posts, the second rule decides."""
    look = {"run_playbook": {"name": "triage.yml", "post_events": True}}
    decide = {"debug": {"msg": "decided {{ event.observed }}"}}
    return [
        {
            "name": "triage",
            "hosts": "all",
            "sources": [{"eda.builtin.webhook": {"host": "127.0.0.1", "port": port}}],
            "rules": [
                {"name": "look", "condition": 'event.payload.type == "Busy"', "action": look},
                {"name": "decide", "condition": "event.observed is defined", "action": decide},
            ],
        }
    ]


def _playbook() -> list[dict[str, object]]:
    """Five raw tasks, and the word of them that the rulebook waits for."""
    tasks: list[dict[str, object]] = [{"raw": f"{FOLDER}/{name}", "register": name} for name in NAMES]
    observed = {"observed": "{{ ansible_eda.event.payload.name }}"}
    return [{"hosts": "all", "gather_facts": False, "tasks": [*tasks, {"set_fact": observed, "run_once": True}]}]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _run(argv: Sequence[str], env: dict[str, str] | None = None, cwd: Path | None = None) -> str:
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, env=env, cwd=cwd)
    if done.returncode:
        raise MissingError(f"{' '.join(argv)[:200]} failed: {(done.stdout + done.stderr).strip()[-2000:]}")
    return done.stdout
