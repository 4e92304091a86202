"""What a runbook may observe: what every read-only diagnostic has, and what arguments of one are made of.

String arguments may hold ``$(…)`` templates; they see parameters, the incident's spec and variables free of
evidence, never evidence itself. Which kinds of diagnostic there are, with their arguments, is what the catalogue in
``evidence/`` says; its ``Diagnostic`` has a field for each.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import BeforeValidator, StringConstraints, WithJsonSchema

from firstresponder.api.base import ApiModel, Duration, Identifier, Label, OneOf

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


class Diagnostic(OneOf):
    """One read-only observation on the host that plays ``role``."""

    name: Identifier
    """The name in expressions."""
    role: Label = "target"
    """The role of the host to observe."""
    timeout: Duration | None = None
    """How long the look may take, otherwise the probe's own time-out."""

    @property
    def probe(self) -> str:
        """The kind of probe, for example ``journal``."""
        return self.given[0]

    @property
    def arguments(self) -> ApiModel:
        """The arguments of that probe."""
        fields = {field.alias: name for name, field in type(self).model_fields.items()}
        found: ApiModel = getattr(self, fields[self.probe])
        return found
