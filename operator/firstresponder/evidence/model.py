"""A diagnostic as a runbook has it: with a field for each probe, of which it has one."""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import create_model

from firstresponder.api import diagnostics
from firstresponder.api.base import exactly_one, snake
from firstresponder.evidence.catalogue import PROBES


class _OneProbe(diagnostics.Diagnostic):
    model_config = {"json_schema_extra": {"x-kubernetes-validations": [exactly_one(tuple(PROBES))]}}

    kinds: ClassVar[tuple[str, ...]] = tuple(PROBES)


_FIELDS: dict[str, Any] = {snake(name): (probe.arguments | None, None) for name, probe in PROBES.items()}
Diagnostic: type[diagnostics.Diagnostic] = create_model(
    diagnostics.Diagnostic.__name__, __base__=_OneProbe, __doc__=diagnostics.Diagnostic.__doc__, **_FIELDS
)
