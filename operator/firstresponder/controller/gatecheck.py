"""The recurring proof that the approval gate holds, so that its loss is noticed before somebody relies on it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from datetime import timedelta

from firstresponder.controller.keys import Key
from firstresponder.kube.gate import ApprovalGate

INTERVAL = timedelta(seconds=60)

_log = logging.getLogger(__name__)


class GateCheck:
    """Knows for each namespace whether the gate was seen to hold at the last look.

    Nothing acts on this knowledge: before each action the gate is tested again. Who does not lead stores nothing.
    """

    def __init__(self, gate: ApprovalGate, namespaces: Sequence[str], leads: Callable[[], bool]) -> None:
        self._gate = gate
        self._leads = leads
        self.problems: dict[str, tuple[str, ...]] = dict.fromkeys(namespaces, ("not tested yet",))

    async def reconcile(self, key: Key) -> timedelta:
        found = await self._gate.problems(key.namespace, make_canary=self._leads())
        if found:
            _log.error("%s: the approval gate does not hold, nothing is acted on: %s", key, "; ".join(found))
        elif self.problems[key.namespace]:
            _log.info("%s: the approval gate holds", key)
        self.problems[key.namespace] = found
        return INTERVAL
