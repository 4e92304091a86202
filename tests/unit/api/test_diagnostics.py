"""The arguments of diagnostics, as people write them."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from firstresponder.evidence.catalogue import PROBES
from firstresponder.evidence.model import Diagnostic


def diagnostic(**probe: Any) -> Diagnostic:
    return Diagnostic.model_validate({"name": "one", **probe})


def test_a_probe_is_known_by_the_name_that_it_has_in_yaml() -> None:
    found = diagnostic(postgresConnections={"application": "payroll"})
    assert (found.probe, found.given) == ("postgresConnections", ["postgresConnections"])
    assert found.arguments.wire() == {"application": "payroll"}
    assert diagnostic(disk={"path": "/"}, memory={}).given == ["memory", "disk"]
    assert len(PROBES) == len(Diagnostic.model_fields) - 3  # name, role, timeout


@pytest.mark.parametrize(("port", "kept"), [(5432, "5432"), ("5432", "5432"), ("$(dbPort)", "$(dbPort)")])
def test_a_port_is_a_number_or_the_parameter_that_holds_one(port: Any, kept: str) -> None:
    assert diagnostic(tcp={"host": "db-01", "port": port}).arguments.wire()["port"] == kept


@pytest.mark.parametrize("port", [0, -1, 100000, True, 80.5, "http", "$(a.b)", "80;id", ""])
def test_anything_else_is_no_port(port: Any) -> None:
    with pytest.raises(ValidationError, match=r"tcp\.port"):
        diagnostic(tcp={"host": "db-01", "port": port})


@pytest.mark.parametrize(
    "probe",
    [
        {"ping": {"host": "x", "count": 51}},
        {"directories": {"path": "/", "limit": 51}},
        {"command": {"argv": []}},
        {"command": {"argv": ["ls"], "output": "xml"}},
        {"command": {"argv": ["free"], "output": "jc"}},
        {"command": {"argv": ["free"], "parser": "free"}},
        {"http": {"url": "http://x/", "from": "browser"}},
        {"configValue": {"path": "/x", "key": "a", "format": "toml"}},
        {"postgresPing": {"query": "DROP TABLE t"}},
    ],
)
def test_arguments_are_bounded(probe: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        diagnostic(**probe)
