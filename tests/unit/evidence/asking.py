"""How the tests ask a probe: no host, only what a host might print."""

from __future__ import annotations

from typing import Any

import pytest

from firstresponder.api.command import CommandOutput
from firstresponder.api.ledger import Moment
from firstresponder.evidence.catalogue import PROBES
from firstresponder.evidence.field import value_problem
from firstresponder.evidence.probe import Context, Reason, Unobserved

NOW = 1_795_476_000.0


def context(not_before: float | None = None) -> Context:
    return Context(now=NOW, timeout=10.0, not_before=None if not_before is None else Moment(not_before))


def argv(name: str, /, not_before: float | None = None, **arguments: Any) -> tuple[str, ...]:
    probe = PROBES[name]
    return probe.argv(probe.arguments(**arguments), context(not_before))


def seen(name: str, output: CommandOutput, /, not_before: float | None = None, **arguments: Any) -> dict[str, Any]:
    """The value that the probe reads from the output; it has no field that the probe does not promise."""
    probe = PROBES[name]
    values = probe.parse(probe.arguments(**arguments), output, context(not_before))
    assert values.keys() <= probe.fields.keys()
    assert [found for name, value in values.items() if (found := value_problem(probe.fields[name], value, name))] == []
    return values


def unseen(name: str, output: CommandOutput, reason: Reason, message: str | None = None, /, **arguments: Any) -> None:
    with pytest.raises(Unobserved, match=message) as unobserved:
        seen(name, output, **arguments)
    assert unobserved.value.reason is reason


def printed(stdout: str | bytes, stderr: str = "", status: int | None = 0, *, truncated: bool = False) -> CommandOutput:
    raw = stdout if isinstance(stdout, bytes) else stdout.encode()
    return CommandOutput(stdout=raw, stderr=stderr.encode(), exit_status=status, truncated=truncated)
