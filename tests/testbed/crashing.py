"""The operator, interrupted at an exact moment: ``python -m tests.testbed.crashing MOMENT[,MOMENT…] ARGUMENT…``.

MOMENT is ``before:EFFECT`` or ``after:EFFECT``, where EFFECT is a method of the controller's effects or of its
archiver, for example ``after:consume``; ``before:write_status:Verifying`` is the write that leads to that phase. There
the operator is killed by SIGKILL. With ``@FILE`` appended it is held there instead, once: it makes FILE and goes on
when FILE is gone, so that a test can let other things happen at that moment. The rest is the operator's own command
line, and nothing else differs from the operator.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from firstresponder.controller.archiver import Archiver
from firstresponder.controller.effects import ClusterEffects, HostEffects
from firstresponder.main import main


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError("outlived SIGKILL")


def hold(file: Path) -> None:
    file.touch()
    while file.exists():
        time.sleep(0.02)


def interrupt_at(moments: str) -> None:
    """Arm the methods that MOMENTs name."""
    for moment in moments.split(","):
        _arm(moment)


def _arm(moment: str) -> None:
    point, _, file = moment.partition("@")
    when, effect, *phase = point.split(":")
    owner: type[Any] = next(each for each in (ClusterEffects, HostEffects, Archiver) if hasattr(each, effect))
    original: Callable[..., Awaitable[Any]] = getattr(owner, effect)
    interruptions = iter([lambda: hold(Path(file)) if file else die()])

    async def interrupt() -> None:
        for interruption in interruptions:
            await asyncio.to_thread(interruption)

    async def armed(self: Any, *arguments: Any) -> Any:
        if phase and arguments[-1].phase != phase[0]:
            return await original(self, *arguments)
        if when == "before":
            await interrupt()
        result = await original(self, *arguments)
        if when == "after":
            await interrupt()
        return result

    setattr(owner, effect, armed)


if __name__ == "__main__":
    interrupt_at(sys.argv.pop(1))
    main()
