"""The approval gate is tested again and again, and its loss is known until it holds again."""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import cast

import pytest

from firstresponder.controller.gatecheck import GateCheck
from firstresponder.controller.keys import Key
from firstresponder.kube.gate import ApprovalGate

KEY = Key("ApprovalGate", "shop")


class Gate:
    """What is wrong with the gate at each look."""

    def __init__(self, *looks: tuple[str, ...]) -> None:
        self._looks = list(looks)
        self.stored: list[bool] = []
        """Whether each was allowed to store anything."""

    async def problems(self, namespace: str, *, make_canary: bool) -> tuple[str, ...]:
        assert namespace == "shop"
        self.stored.append(make_canary)
        return self._looks.pop(0)


async def test_a_gate_that_is_lost_between_two_looks_is_told_and_one_that_is_back_too(
    caplog: pytest.LogCaptureFixture,
) -> None:
    check = GateCheck(cast(ApprovalGate, Gate((), ("the binding is gone",), ())), ["shop"], lambda: True)
    with caplog.at_level(logging.INFO):
        known = [check.problems["shop"]]
        for _ in range(3):
            assert await check.reconcile(KEY) == timedelta(seconds=60)
            known.append(check.problems["shop"])
    assert known == [("not tested yet",), (), ("the binding is gone",), ()]
    told = [(record.levelname, record.getMessage()) for record in caplog.records]
    assert [level for level, _ in told] == ["INFO", "ERROR", "INFO"]
    assert "nothing is acted on: the binding is gone" in told[1][1]


async def test_who_stands_by_tests_it_and_stores_nothing() -> None:
    gate, leads = Gate((), ()), False
    check = GateCheck(cast(ApprovalGate, gate), ["shop"], lambda: leads)
    await check.reconcile(KEY)
    assert check.problems["shop"] == ()
    leads = True
    await check.reconcile(KEY)
    assert gate.stored == [False, True]
