"""Python programs that begin as copies of a process which has imported what they need.

What an operator imports takes a second of a processor, as much as all else that most of its tests have it do, and they
start a hundred of them. A copy runs the same module with the same arguments as `python -m` would. What differs: it ends
without Python's own clean-up, the seed of its hashes is that of all copies of one process, and what it finds beside its
own folders is what the tests find. So what is about the process itself starts the program instead.
"""

from __future__ import annotations

import atexit
import multiprocessing
import os
import runpy
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import firstresponder
from tests.testbed.processes import Child

_PRODUCT = Path(__file__).parents[2] / "operator"

_copies = multiprocessing.get_context("forkserver")
_copies.set_forkserver_preload(["firstresponder.controller.operator"])
# Any thread that starts or asks one process asks after all of them, and only one at a time can.
_asking = threading.Lock()


@atexit.register  # after multiprocessing's own, so that it is called before it, which would wait for their end
def _kill_copies() -> None:
    for copy in multiprocessing.active_children():
        copy.kill()


class PreloadedChild(Child):
    """Like a Child that is `python -m MODULE ARGUMENT…`; the first one of this process takes as long as any program."""

    def __init__(self, module: str, arguments: Sequence[str], log: Path, *, env: Mapping[str, str], cwd: Path) -> None:
        self.name = module
        self.log = log
        log.touch()
        self._process = _Process(module, list(arguments), log, dict(env), cwd)


class _Process:
    """What a Child needs of subprocess.Popen."""

    def __init__(self, *what: object) -> None:
        self._copy = _copies.Process(target=_run, args=what, daemon=True)
        with _asking:
            self._copy.start()
        assert self._copy.pid is not None
        self.pid = self._copy.pid

    def poll(self) -> int | None:
        with _asking:
            return self._copy.exitcode

    def wait(self, timeout: float | None = None) -> int:
        deadline = None if timeout is None else time.monotonic() + timeout
        while (status := self.poll()) is None:
            if deadline is not None and time.monotonic() > deadline:
                raise subprocess.TimeoutExpired(self._copy.name, timeout or 0)
            time.sleep(0.02)
        return status

    def terminate(self) -> None:
        self._send(signal.SIGTERM)

    def kill(self) -> None:
        self._send(signal.SIGKILL)

    def _send(self, number: signal.Signals) -> None:
        with suppress(ProcessLookupError):  # it has just ended
            os.kill(self.pid, number)


def _run(module: str, arguments: Sequence[str], log: Path, env: Mapping[str, str], cwd: Path) -> None:
    """In the copy: become what a Child would be, and then the program."""
    threading.Thread(target=_die_with_parent, daemon=True).start()
    os.setsid()
    with Path(os.devnull).open() as nothing, log.open("ab") as output:
        for number, file in enumerate([nothing, output, output]):
            os.dup2(file.fileno(), number)
    sys.stdout = sys.stderr  # both go to the log, and the latter line by line
    os.environ.clear()
    os.environ.update(env)
    os.chdir(cwd)
    sys.path[:0] = [str(cwd), *filter(None, env.get("PYTHONPATH", "").split(os.pathsep))]
    # What was imported before the copy was made came from where Python finds packages, not from where this file lies.
    found = Path(firstresponder.__file__)
    assert found.is_relative_to(_PRODUCT), f"{found} is not of this checkout: set PYTHONPATH={_PRODUCT}"
    sys.argv = [module, *arguments]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


def _die_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os.kill(os.getpid(), signal.SIGKILL)
