"""Every probe by the name that a runbook's diagnostic uses, and the diagnostic that can be of any of them."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, ClassVar

from pydantic import create_model

from firstresponder.api import diagnostics
from firstresponder.api.base import exactly_one, snake
from firstresponder.evidence import (
    command,
    config_value,
    directories,
    disk,
    http,
    interfaces,
    inventory,
    journal,
    memory,
    ping,
    postgres_connections,
    postgres_ping,
    processes,
    resolve,
    tcp,
    unit,
)
from firstresponder.evidence.probe import Probe

PROBES: Mapping[str, Probe[Any]] = MappingProxyType(
    {
        probe.name: probe
        for probe in (
            *(processes.PROBE, journal.PROBE, memory.PROBE, unit.PROBE, http.PROBE, inventory.PROBE),
            *(disk.PROBE, directories.PROBE, config_value.PROBE, tcp.PROBE, resolve.PROBE, ping.PROBE),
            *(interfaces.PROBE, postgres_ping.PROBE, postgres_connections.PROBE, command.PROBE),
        )
    }
)


class _OneProbe(diagnostics.Diagnostic):
    model_config = {"json_schema_extra": {"x-kubernetes-validations": [exactly_one(tuple(PROBES))]}}

    kinds: ClassVar[tuple[str, ...]] = tuple(PROBES)


_FIELDS: dict[str, Any] = {snake(name): (probe.arguments | None, None) for name, probe in PROBES.items()}
Diagnostic: type[diagnostics.Diagnostic] = create_model(
    diagnostics.Diagnostic.__name__, __base__=_OneProbe, __doc__=diagnostics.Diagnostic.__doc__, **_FIELDS
)
"""A diagnostic as a runbook has it: with a field for each probe."""
