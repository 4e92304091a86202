"""Child processes that never outlive the process that started them."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

# The kernel sends the parent-death signal when the *thread* that forked ends. A worker thread of
# an event loop ends with its loop, so every child is forked by this one thread, which lives as
# long as the interpreter.
_forker = ThreadPoolExecutor(max_workers=1, thread_name_prefix="testbed-forker")


def run(
    argv: Sequence[str | Path],
    env: Mapping[str, str],
    *,
    stdin: str = "",
    check: bool = True,
    cwd: Path | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run a program to its end. Raises AssertionError with its complaint when it fails and `check`."""
    done = subprocess.run(argv, env=env, input=stdin, capture_output=True, text=True, check=False, cwd=cwd)
    if check and done.returncode:
        words = " ".join([Path(argv[0]).name, *map(str, argv[1:])])
        raise AssertionError(f"{words}: {done.stdout}{done.stderr}".strip())
    return done


class Process(Protocol):
    """What a Child is made of: as subprocess.Popen has it."""

    pid: int

    def poll(self) -> int | None: ...
    def wait(self, timeout: float | None = None) -> int: ...
    def terminate(self) -> None: ...
    def kill(self) -> None: ...


class Child:
    """A running program; its output goes to a file, and it dies with us even when we are killed.

    It gets a session of its own, so that Ctrl-C reaches us alone and we stop things in order.
    """

    def __init__(
        self,
        argv: Sequence[str | Path],
        log: Path,
        *,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
    ) -> None:
        self.name = Path(argv[0]).name
        self.log = log
        leashed = ["setpriv", "--pdeathsig", "KILL", "--", *map(str, argv)]
        with log.open("ab") as output:
            self._process: Process = _forker.submit(
                subprocess.Popen,
                leashed,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=dict(env) if env is not None else dict(os.environ),
                cwd=cwd,
                start_new_session=True,
            ).result()

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def running(self) -> bool:
        return self._process.poll() is None

    @property
    def returncode(self) -> int | None:
        """The exit status, negative for a signal, None while it runs."""
        return self._process.poll()

    def wait(self, timeout: float | None = None) -> int:
        """The exit status once it has ended. Raises subprocess.TimeoutExpired after `timeout` seconds."""
        return self._process.wait(timeout)

    def stop(self, grace: float = 5.0) -> None:
        """Ask it to end (SIGTERM), and kill it after `grace` seconds. Nothing when it has ended."""
        if self.running:
            self._process.terminate()
            try:
                self._process.wait(grace)
            except subprocess.TimeoutExpired:
                self.kill()

    def kill(self) -> None:
        """SIGKILL, and wait until it is gone."""
        if self.running:
            self._process.kill()
        self._process.wait()

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """Stop it in its tracks (SIGSTOP) for the duration: connections stay open, nothing answers."""
        os.kill(self.pid, signal.SIGSTOP)
        try:
            yield
        finally:
            if self.running:
                os.kill(self.pid, signal.SIGCONT)

    def last_words(self, lines: int = 15) -> str:
        """The end of its output, for an error message."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])


def wait_until(condition: Callable[[], bool], timeout: float, what: str, *children: Child) -> None:
    """Poll `condition` until it is true: often at first, and less the longer it takes, for a question has its price.

    Raises TimeoutError naming `what` after `timeout` seconds, and at once when one of `children`
    has ended, with the end of its output.
    """
    deadline = time.monotonic() + timeout
    pause = 0.02
    while not condition():
        for child in children:
            if not child.running:
                raise TimeoutError(f"{what}: {child.name} ended with {child.returncode}:\n{child.last_words()}")
        if time.monotonic() > deadline:
            words = "".join(f"\n{child.name}: {child.last_words(5)}" for child in children)
            raise TimeoutError(f"{what}: not within {timeout:g} s{words}")
        time.sleep(pause)
        pause = min(pause * 1.5, 0.25)
