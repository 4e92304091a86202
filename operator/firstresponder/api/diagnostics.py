"""What a runbook may look at: the arguments of each read-only diagnostic.

String arguments may hold ``$(…)`` templates; they see parameters, the incident's spec and variables free of
evidence, never evidence itself.
"""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, StringConstraints, WithJsonSchema, model_validator

from firstresponder.api.base import JSON, ApiModel, Duration, Identifier, Label

Template = Annotated[str, StringConstraints(min_length=1, max_length=512, pattern=r"^[ -~]+$")]
"""Text for a host's command line, which is one line of printable ASCII."""
DurationTemplate = Annotated[
    str,
    StringConstraints(max_length=64, pattern=r"^(([0-9]{1,5}(d|h|m|s|ms)){1,4}|\$\([a-zA-Z][a-zA-Z0-9]*\))$"),
]
"""A duration, or the parameter that holds one."""
HostPattern = Annotated[str, StringConstraints(min_length=1, max_length=512, pattern=r"^[ -~]+$")]
"""A regular expression for the host (PCRE2), case-sensitive unless it begins with ``(?i)``."""
Pattern = Annotated[str, StringConstraints(min_length=1, max_length=512)]
"""A regular expression for RE2; its first group, or the whole match without one, is what it finds."""


def _written(port: object) -> object:
    return str(port) if isinstance(port, int) and not isinstance(port, bool) else port


_PORT = r"^([1-9][0-9]{0,4}|\$\([a-zA-Z][a-zA-Z0-9]*\))$"
Port = Annotated[
    str,
    BeforeValidator(_written),
    StringConstraints(max_length=64, pattern=_PORT),
    WithJsonSchema(
        {"x-kubernetes-int-or-string": True, "maxLength": 64, "pattern": _PORT, "minimum": 1, "maximum": 65535}
    ),
]
"""A port's number, or the parameter that holds one."""


class ProcessesArguments(ApiModel):
    """Processes with their systemd unit, and the CPU use of the whole host."""

    sort_by: Literal["cpu", "memory"] = "cpu"
    """What the busiest process has most of."""
    limit: Annotated[int, Field(ge=1, le=200)] = 20
    """How many processes are listed at least; each with 1 % or more of a core or of the memory always is."""


_UNIT_OR_KERNEL: dict[str, JSON] = {
    "x-kubernetes-validations": [{"rule": "has(self.unit) != self.kernel", "message": "give unit or kernel: true"}]
}


class JournalArguments(ApiModel):
    """Messages of one unit (or of the kernel) that match a pattern: all counted, the newest kept for showing."""

    model_config = {"json_schema_extra": _UNIT_OR_KERNEL}

    unit: Template | None = None
    """The unit whose messages are read, for example $(service).service; a template."""
    kernel: bool = False
    """Reads the kernel's messages instead of a unit's."""
    since: DurationTemplate = "10m"
    """How far back to read: a duration, or $(parameter)."""
    match: HostPattern | None = None
    """A regular expression (PCRE2) that a message must match; a template."""
    limit: Annotated[int, Field(ge=0, le=100)] = 20
    """How many of the newest messages are kept; all are counted."""
    extract: Annotated[dict[Identifier, Pattern], Field(max_length=8)] = {}
    """Name to regular expression (RE2): what its first group finds most often is extracted.NAME."""

    @model_validator(mode="after")
    def _unit_or_kernel(self) -> Self:
        if (self.unit is not None) == self.kernel:
            raise ValueError("give unit or kernel: true")
        return self


class MemoryArguments(ApiModel):
    """Memory of the host."""


class UnitArguments(ApiModel):
    """The state of one systemd unit."""

    unit: Template
    """The unit's name, for example $(service).service; a template."""


class HttpArguments(ApiModel):
    """One GET, from the host or from the operator: status, latency, JSON body."""

    url: Template
    """The address as whoever asks reaches it; a template."""
    from_: Annotated[Literal["host", "operator"], Field(alias="from")] = "host"
    """Who asks: the host itself, or the operator, as a client of the service would; neither follows a redirect, and
    the operator asks only the addresses of Hosts of the incident's namespace, as $(hosts.ROLE.address) gives them."""


class InventoryArguments(ApiModel):
    """Hosts of a group in an Ansible inventory, and a declared maximum."""

    path: Template
    """The inventory's path, relative to the Ansible project that the host declares; a template."""
    group: Template
    """The group whose hosts are counted; a template."""
    maximum_variable: Template
    """The group's variable that declares the most hosts allowed; a template."""


class DiskArguments(ApiModel):
    """How full the file system is that holds a path."""

    path: Template
    """An absolute path; it need not be where the file system is mounted."""


class DirectoriesArguments(ApiModel):
    """The largest folders below a path, on the path's own file system."""

    path: Template
    """The absolute path of a folder."""
    of: Template | None = None
    """A folder on the file system whose used bytes are taken as the whole; left out, the path itself."""
    limit: Annotated[int, Field(ge=0, le=50)] = 10
    """How many of the largest folders are kept for showing."""


class ConfigValueArguments(ApiModel):
    """One value out of a configuration file that the observing account can read."""

    path: Template
    """The absolute path of the file."""
    key: Template
    """YAML: names with dots between them; INI: section.key; else the key itself."""
    format: Literal["yaml", "ini", "env", "properties"] | None = None
    """How the file is written; left out, the end of its path tells."""
    harmless: bool = False
    """Whether people may read any text found there; what looks like a secret is never observed."""


class TcpArguments(ApiModel):
    """Whether a TCP connection from the host can be opened."""

    host: Template
    """A name or an address."""
    port: Port
    """Its number, or the parameter that holds it."""


class ResolveArguments(ApiModel):
    """Whether a name resolves on the host, and to which addresses."""

    name: Template
    """The name of a host."""


class PingArguments(ApiModel):
    """ICMP echo from the host: what is lost, and how long it takes."""

    host: Template
    """A name, an address, or default-gateway: where the default route leads."""
    count: Annotated[int, Field(ge=1, le=50)] = 5
    """How many packets are sent, five a second."""


class InterfacesArguments(ApiModel):
    """Network interfaces of the host and its default route."""


class PostgresPingArguments(ApiModel):
    """Whether the PostgreSQL server on the host accepts connections and answers a query."""


class PostgresConnectionsArguments(ApiModel):
    """Connections of one application to the PostgreSQL server on the host, against the server's maximum."""

    application: Template
    """The application_name that its connections bear."""


_JC_PARSER: dict[str, JSON] = {
    "x-kubernetes-validations": [
        {"rule": "has(self.parser) == (self.output == 'jc')", "message": "output: jc needs a parser, no other output"}
    ]
}


class CommandArguments(ApiModel):
    """One read-only program that the policy knows, for what no other probe tells."""

    model_config = {"json_schema_extra": _JC_PARSER}

    argv: Annotated[list[Template], Field(min_length=1, max_length=32)]
    """The program, one that only looks, and its arguments; no shell reads them."""
    output: Literal["text", "lines", "json", "jc"] = "text"
    """How the output is read, and the name of the field that holds it; jc reads tables by a parser of that name."""
    parser: Annotated[str, StringConstraints(max_length=64, pattern=r"^[a-z][a-z0-9_-]*$")] | None = None
    """The parser of jc for the program, for example free; given with output: jc only."""

    @model_validator(mode="after")
    def _parser_for_jc(self) -> Self:
        if (self.parser is not None) != (self.output == "jc"):
            raise ValueError("output: jc needs a parser, no other output")
        return self


PROBES = (
    *("processes", "journal", "memory", "unit", "http", "inventory", "disk", "directories", "configValue", "tcp"),
    *("resolve", "ping", "interfaces", "postgresPing", "postgresConnections", "command"),
)
"""Every kind of probe, by the name that its field has in YAML."""

_ONE_PROBE: dict[str, JSON] = {
    "x-kubernetes-validations": [
        {
            "rule": f"[{', '.join(f'has(self.{kind})' for kind in PROBES)}].filter(x, x).size() == 1",
            "message": f"give exactly one of {', '.join(PROBES[:-1])} or {PROBES[-1]}",
        }
    ]
}


class Diagnostic(ApiModel):
    """One thing to look at, read-only, on the host that plays ``role``."""

    model_config = {"json_schema_extra": _ONE_PROBE}

    name: Identifier
    """The name in expressions."""
    role: Label = "target"
    """The role of the host to look at."""
    timeout: Duration | None = None
    """How long the look may take, otherwise the probe's own time-out."""
    processes: ProcessesArguments | None = None
    journal: JournalArguments | None = None
    memory: MemoryArguments | None = None
    unit: UnitArguments | None = None
    http: HttpArguments | None = None
    inventory: InventoryArguments | None = None
    disk: DiskArguments | None = None
    directories: DirectoriesArguments | None = None
    config_value: ConfigValueArguments | None = None
    tcp: TcpArguments | None = None
    resolve: ResolveArguments | None = None
    ping: PingArguments | None = None
    interfaces: InterfacesArguments | None = None
    postgres_ping: PostgresPingArguments | None = None
    postgres_connections: PostgresConnectionsArguments | None = None
    command: CommandArguments | None = None

    @property
    def probe(self) -> str:
        """The kind of probe, for example ``journal``."""
        return self.given[0]

    @property
    def given(self) -> list[str]:
        """The kinds of probe that are written there; more or less than one cannot be used."""
        return [kind for kind, arguments in self._by_kind() if arguments is not None]

    @property
    def arguments(self) -> ApiModel:
        """The arguments of that probe."""
        return next(arguments for _, arguments in self._by_kind() if arguments is not None)

    def _by_kind(self) -> list[tuple[str, ApiModel | None]]:
        fields = {field.alias: name for name, field in type(self).model_fields.items()}
        return [(kind, getattr(self, fields[kind])) for kind in PROBES]
