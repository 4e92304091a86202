"""Host: a systemd host that incidents happen on, how to reach it and how to know that it is the right one."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field, StringConstraints

from firstresponder.api.base import (
    JSON,
    ApiModel,
    Conditions,
    HostKeyText,
    ObjectName,
    Resource,
    ShortText,
    StatusModel,
    Time,
    column,
)

UnitName = Annotated[str, StringConstraints(max_length=256, pattern=r"^[A-Za-z0-9@_.:\\-]+\.[a-z]+$")]
_ADDRESS_RULES: list[JSON] = [
    {
        "rule": "!self.contains('[') && !self.contains(']')",
        "message": "write an IPv6 address without brackets, such as fd00::3; where it stands in a URL they are added",
    },
    {
        "rule": "!self.contains('%')",
        "message": "an address with a zone (%eth0) is reached from its own link only: give another",
    },
    {
        "rule": "!self.contains(':') || self.matches('^[0-9A-Fa-f]*:[0-9A-Fa-f]*:[0-9A-Fa-f:.]*(%.*)?$')"
        " || self.contains('[')",
        "message": "give the address alone: its port is spec.port",
    },
]
Address = Annotated[
    str,
    StringConstraints(min_length=1, max_length=253, pattern=r"^[A-Za-z0-9:\[][A-Za-z0-9.:%\[\]-]*$"),
    Field(json_schema_extra={"x-kubernetes-validations": _ADDRESS_RULES}),
]
"""A DNS name or an IP address."""


class SecretReference(ApiModel):
    name: ObjectName
    """The Secret's name."""


class Account(ApiModel):
    """A login on the host."""

    user: Annotated[str, StringConstraints(max_length=32, pattern=r"^[a-z_][a-z0-9_-]*$")]
    """The login name on the host."""
    credentials_ref: SecretReference
    """The Secret with the private key (type kubernetes.io/ssh-auth), in the operator's namespace; its annotation
    firstresponder.dev/allowed-namespaces must list the namespace of this Host."""


class Accounts(ApiModel):
    """``observe`` reads; ``act`` runs declared actions after an approval."""

    observe: Account
    """Runs diagnostics, which change nothing."""
    act: Account | None = None
    """Runs declared actions after an approval; without it nothing can be acted on here."""


class HostSpec(ApiModel):
    """How to reach the host, and how to know that it is the right one."""

    address: Address
    """DNS name or IP address for SSH."""
    port: Annotated[int, Field(ge=1, le=65535)] = 22
    """TCP port of sshd."""
    host_keys: Annotated[list[HostKeyText], Field(min_length=1, max_length=8)]
    """Public host keys as ``type base64``; a host that shows another key is sent nothing."""
    accounts: Accounts
    expected_units: Annotated[list[UnitName], Field(max_length=64)] = []
    """Units whose processes are expected to use this host; anything else that does is suspicious."""


class HostStatus(StatusModel):
    """What the host last said about itself."""

    observed_generation: int = 0
    """The generation of the spec that this was said of."""
    conditions: Conditions = []
    """Reachable: the observing account is let in; Prepared: our programs are there and answer; CanAct: the acting
    account is let in and its ledger answers."""
    machine_id: Annotated[str, StringConstraints(max_length=64)] | None = None
    """The host's /etc/machine-id."""
    os: ShortText | None = None
    """The host's operating system."""
    clock_offset_seconds: int | None = None
    """How far the host's clock was ahead of the operator's when it last answered; negative: behind."""
    sessions: int | None = None
    """How many diagnostics the host runs at once: fewer than 8 when its sshd refused more."""
    last_probe_time: Time | None = None
    """When the host was last asked."""


class Host(Resource):
    """A systemd host that incidents of its own namespace can name."""

    plural: ClassVar[str] = "hosts"
    printer_columns = (
        column("Address", ".spec.address"),
        column("Reachable", '.status.conditions[?(@.type=="Reachable")].status'),
        column("Prepared", '.status.conditions[?(@.type=="Prepared")].status'),
        column("Can-Act", '.status.conditions[?(@.type=="CanAct")].status'),
        column("OS", ".status.os", priority=1),
        column("Age", ".metadata.creationTimestamp", "date"),
    )

    spec: HostSpec
    status: HostStatus = Field(default_factory=HostStatus)
