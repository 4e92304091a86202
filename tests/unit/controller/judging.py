"""Judgement in the tests' own process, for what is about other things than its limits."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from firstresponder.runbooks.judgement import Judgement, judge


async def judge_here(kind: str, spec: Mapping[str, Any]) -> Judgement:
    return judge(kind, spec)
