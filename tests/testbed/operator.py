"""The operator as a process beside the API server, under its own ServiceAccount's token and never as an administrator.

with Operator(cluster, namespace, directory) as operator:
    operator.log                      # its output, as text
    operator.kill()                   # SIGKILL; operator.start() starts it again
    operator.restart()                # SIGTERM and again
Operator(cluster, namespace, directory, program=("tests.testbed.crashing", "after:consume"))
Operator(cluster, namespace, directory, port=proxy.port)      # reaches the API server through a proxy
Operator(cluster, namespace, directory, options=("--archive=file:///directory",))
Operator(cluster, namespace, directory, preloaded=True)       # begins sooner: see tests/testbed/preloaded.py
Operator(cluster, namespace, directory, lease="shared")       # stands by while another one holds that Lease

Without a Lease that it shares, each start has one of its own: it leads at once, whatever others do.
"""

from __future__ import annotations

import os
import re
import secrets
import sys
import urllib.error
import urllib.request
from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Self

from tests.testbed.cluster import Cluster
from tests.testbed.preloaded import PreloadedChild
from tests.testbed.processes import Child, wait_until

ROOT = Path(__file__).parents[2]
START_TIMEOUT = 60.0  # seconds; two are usual


class Operator:
    """An operator for one namespace (or several). Made in its own ``directory``, where its log stays."""

    def __init__(  # each with a default but what cannot have one
        self,
        cluster: Cluster,
        namespace: str | Sequence[str],
        directory: Path,
        *,
        program: Sequence[str] = ("firstresponder.main",),
        options: Sequence[str] = (),
        port: int | None = None,
        preloaded: bool = False,
        lease: str | None = None,
    ) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self._namespaces = [namespace] if isinstance(namespace, str) else list(namespace)
        self._log = directory / "operator.log"
        self._program = program
        self._options = options
        self._preloaded = preloaded
        self._lease = lease
        self._begin = 0
        self._kubeconfig = cluster.operator_kubeconfig(port=port)
        self._child: Child | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        """At once: that it ends in good order has tests of its own, and takes as much as a start."""
        self.kill()

    def start(self) -> None:
        """Start it and wait until it watches. Raises TimeoutError with the end of its output when it does not."""
        self._child = self.launch()
        try:
            wait_until(lambda: self._has_said(" watching "), START_TIMEOUT, "the operator", self._child)
        except BaseException:  # Ctrl-C too: nobody else knows of it yet
            self.kill()
            raise

    def launch(self) -> Child:
        """Start it without waiting for anything."""
        self._begin = self._log.stat().st_size if self._log.exists() else 0
        module, *arguments = self._program
        watched = [f"--namespace={namespace}" for namespace in self._namespaces]
        lease = self._lease or f"test-{secrets.token_hex(8)}"
        arguments += ["run", *watched, f"--kubeconfig={self._kubeconfig}", f"--lease={lease}", "--health-port=0"]
        arguments += self._options
        env = {**os.environ, "PYTHONPATH": f"{ROOT / 'operator'}:{ROOT}", "PYTHONUNBUFFERED": "1"}
        if self._preloaded:
            self._child = PreloadedChild(module, arguments, self._log, env=env, cwd=ROOT)
        else:
            self._child = Child([sys.executable, "-m", module, *arguments], self._log, env=env, cwd=ROOT)
        return self._child

    def stop(self) -> None:
        """End it as a supervisor does: SIGTERM, and SIGKILL if it does not listen."""
        if self._child is not None:
            self._child.stop(grace=30)

    def kill(self) -> None:
        """SIGKILL: nothing is tidied up. Nothing when it was not started."""
        if self._child is not None:
            self._child.kill()

    def restart(self) -> None:
        self.stop()
        self.start()

    def wait(self, timeout: float = 60.0) -> int:
        """The exit status once it has ended by itself, negative for a signal."""
        return self._running.wait(timeout)

    @property
    def pid(self) -> int:
        return self._running.pid

    @property
    def running(self) -> bool:
        return self._child is not None and self._child.running

    @property
    def leads(self) -> bool:
        """Whether it holds its Lease and has not ended, as far as it knows itself."""
        return self.running and self._has_said(" leading as ")

    def frozen(self) -> AbstractContextManager[None]:
        """Stop it in its tracks (SIGSTOP) for the duration."""
        return self._running.frozen()

    @property
    def log(self) -> str:
        """Everything it printed so far, over all of its starts; nothing when it could not be begun."""
        return self._log.read_text() if self._log.exists() else ""

    def health(self, path: str = "/healthz") -> tuple[int, str]:
        """Status and text of one of its health endpoints."""
        ports = re.findall(r"health is served on port ([0-9]+)", self.log)
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{ports[-1]}{path}", timeout=5) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def _has_said(self, words: str) -> bool:
        """Since it was last started."""
        return words.encode() in self._log.read_bytes()[self._begin :]

    @property
    def _running(self) -> Child:
        assert self._child is not None, "it was not started"
        return self._child
