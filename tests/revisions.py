"""The stored revision of a runbook that a test made up."""

from __future__ import annotations

from collections.abc import Mapping

from firstresponder.api.base import JSON
from firstresponder.runbooks.revision import StoredRevision, digest_of, stored_revision


def revision_of(name: str, spec: Mapping[str, JSON]) -> StoredRevision:
    """The revision of a runbook with this spec."""
    return stored_revision(name, digest_of({"spec": dict(spec)}), spec)
