"""Every probe by the name that a runbook's diagnostic uses."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

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
