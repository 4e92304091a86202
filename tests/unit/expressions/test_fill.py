"""What is known is written into an expression, and it means the same as before."""

from __future__ import annotations

from typing import Any

import pytest

from firstresponder.expressions import Scope, compile_expression, fill

KNOWN: dict[str, Any] = {
    "limit": 80,
    "half": 0.5,
    "service": "api-gateway",
    "quoted": 'it\'s \\ "x"',
    "units": ["a.service", "b.service"],
    "hosts.target.name": "api-03",
}
NAMES = frozenset({"cpu", "jobs", "limit", "half", "service", "quoted", "units", "hosts"})
SEEN: dict[str, Any] = {
    "cpu": {"percent": 90.0, "service": "api-gateway.service", "limit": 3.0},
    "jobs": [{"service": "api-gateway", "limit": 90.0}],
    "limit": 80,
    "half": 0.5,
    "service": "api-gateway",
    "quoted": KNOWN["quoted"],
    "units": KNOWN["units"],
    "hosts": {"target": {"name": "api-03"}},
}


@pytest.mark.parametrize(
    ("source", "filled"),
    [
        ("cpu.percent > limit", "cpu.percent > 80"),
        ("cpu.percent * half > limit", "cpu.percent * 0.5 > 80.0"),
        ("cpu.percent * limit > 1.0", "cpu.percent * 80.0 > 1.0"),
        ("cpu.limit > limit", "cpu.limit > 80"),
        ("cpu.service == service + '.service'", "cpu.service == 'api-gateway.service'"),
        ("cpu.service == 'service' + \"limit\"", "cpu.service == 'service' + \"limit\""),
        (
            "cpu.service == service + '.service'.replace('.', '-')",
            "cpu.service == 'api-gateway' + '.service'.replace('.', '-')",
        ),
        ("service.size() > 3", "'api-gateway'.size() > 3"),
        ("hosts.target.name == 'x'", "'api-03' == 'x'"),
        ("hosts.target.name.size() > 1", "'api-03'.size() > 1"),
        ("!(cpu.service in units)", "!(cpu.service in ['a.service', 'b.service'])"),
        (
            "jobs.exists(p, p.service == service && p.limit > limit)",
            "jobs.exists(p, p.service == 'api-gateway' && p.limit > 80)",
        ),
        ("jobs.exists(service, service.limit > 1.0)", "jobs.exists(service, service.limit > 1.0)"),
        ("jobs.exists(limit, limit.limit > 1.0)", "jobs.exists(limit, limit.limit > 1.0)"),
        ("cpu.service == quoted", 'cpu.service == "it\'s \\\\ \\"x\\""'),
        ("cpu.percent > limit // the limit\n  || cpu.percent < 1.0", "cpu.percent > 80 || cpu.percent < 1.0"),
    ],
)
def test_known_names_are_replaced_where_they_stand_for_themselves(source: str, filled: str) -> None:
    assert fill(source, KNOWN, NAMES) == filled
    before, after = (compile_expression(each, NAMES).evaluate(Scope(SEEN)) for each in (source, filled))
    assert before.known
    assert before.value == after.value
