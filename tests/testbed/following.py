"""kubectl and its plugins while they run: what they have told so far, and how they end."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.testbed.cluster import ALICE, Cluster
from tests.testbed.processes import wait_until

PATIENCE = 60.0
"""Seconds for what it has to tell next."""


class Following:
    """A plugin that runs while the test goes on."""

    def __init__(self, process: subprocess.Popen[bytes], out: Path, err: Path) -> None:
        self.process = process
        self._out, self._err = out, err

    @property
    def out(self) -> str:
        return self._out.read_text()

    @property
    def err(self) -> str:
        return self._err.read_text()

    def wait_for(self, text: str) -> None:
        """Wait until it has told this."""
        wait_until(lambda: text in self.out or self.process.poll() is not None, PATIENCE, f"{text!r} to be told")
        assert text in self.out, (self.out, self.err)

    def end(self) -> int:
        """The exit status, once it has ended by itself."""
        code = self.process.wait(PATIENCE)
        assert "Traceback" not in self.err
        assert "\x1b" not in self.out + self.err, "colours in piped output"
        return code


@contextmanager
def following(cluster: Cluster, tmp_path: Path, *words: str, port: int | None = None) -> Iterator[Following]:
    """`kubectl` as alice, its output in files; `port` leads it through a proxy."""
    out, err = tmp_path / "out", tmp_path / "err"
    kubectl = cluster.environment(ALICE) | {"KUBECONFIG": str(cluster.kubeconfig(ALICE, port=port))}
    with out.open("w") as stdout, err.open("w") as stderr:
        process = subprocess.Popen(["kubectl", *words], env=kubectl, stdout=stdout, stderr=stderr)
    try:
        yield Following(process, out, err)
    finally:
        process.kill()
        process.wait()
