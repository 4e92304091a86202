"""Judges contents in a process of its own, so that none can take more than a bounded time and memory from incidents."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import signal
import sys
from collections.abc import Mapping
from typing import Any

from firstresponder.api.base import JSON
from firstresponder.controller.judge_process import CPU_SECONDS, MEMORY
from firstresponder.runbooks.judgement import Judgement, refused

_PATIENCE = 15.0
"""Seconds by the clock for one content: more than its processor time, for the machine may be busy."""
_START_PATIENCE = 60.0
"""Seconds more for the first content of a process, which has to load its libraries."""
_END_PATIENCE = 1.0
"""Seconds for one that has closed its output to be gone."""
_LONGEST_ANSWER = 1024 * 1024
_ADVICE = "make its expressions and patterns smaller, or split it"

_log = logging.getLogger(__name__)


class Judge:
    """One process that judges, started when it is first needed and replaced when it dies.

    It is asked for one judgement at a time.
    """

    def __init__(self) -> None:
        self._process: asyncio.subprocess.Process | None = None
        self._fresh = True

    async def __call__(self, kind: str, spec: Mapping[str, JSON]) -> Judgement:
        """The judgement; a content that exhausts the limits is refused. Raises OSError where no process can start."""
        request = json.dumps([kind, spec]).encode() + b"\n"
        judgement = await self._ask(request)
        # It may have been killed by whoever is short of memory, for nothing that this content did.
        return judgement or await self._ask(request) or refused(_exhausted(f"{MEMORY // 1024**2} MiB"))

    async def close(self) -> None:
        """End the process."""
        if self._process is not None and self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()
            await self._process.wait()
        self._process = None

    async def _ask(self, request: bytes) -> Judgement | None:
        """The judgement; None where the process died of anything but the time it took."""
        process = await self._running()
        try:
            async with asyncio.timeout(_PATIENCE + _START_PATIENCE * self._fresh):
                line = await _answer(process, request)
                self._fresh = False
            if line.endswith(b"\n"):
                return Judgement(*json.loads(line))
        except TimeoutError:
            await self.close()
            return refused(_exhausted(f"{_PATIENCE:.0f} s"))
        except (ConnectionError, ValueError):
            pass  # it died, or said what it should not
        except BaseException:
            await self.close()  # its answer would be taken for that to the next question
            raise
        with contextlib.suppress(TimeoutError):  # to be killed here would hide what it died of
            await asyncio.wait_for(process.wait(), _END_PATIENCE)
        await self.close()
        _log.warning("the process that judges runbooks ended with %s and is replaced", process.returncode)
        return refused(_exhausted(f"{CPU_SECONDS} s")) if process.returncode == -signal.SIGXCPU else None

    async def _running(self) -> asyncio.subprocess.Process:
        if self._process is not None and self._process.returncode is None:
            return self._process
        self._fresh = True
        self._process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "firstresponder.controller.judge_process"),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            limit=_LONGEST_ANSWER,
            env=_environment(),
            start_new_session=True,  # Ctrl-C is for the operator, which then ends it
        )
        return self._process


async def _answer(process: asyncio.subprocess.Process, request: bytes) -> bytes:
    """One line, or what came before the end. Raises ConnectionError or ValueError."""
    if process.stdin is None or process.stdout is None:
        raise ConnectionError("the process has no pipes")
    process.stdin.write(request)
    await process.stdin.drain()
    return await process.stdout.readline()


def _exhausted(most: str) -> str:
    return f"takes more than {most} to be judged: {_ADVICE}"


def _environment() -> dict[str, Any]:
    """What an interpreter needs to find its libraries, and nothing that grants any access."""
    return {name: os.environ[name] for name in ("PATH", "PYTHONPATH", "LANG", "LC_ALL") if name in os.environ}
