"""The digest of a runbook's content, and the stored form of one revision.

An incident records the exact revision it ran. The content is canonical JSON (RFC 8785): the digest does not
depend on how the file was written, and the API server returns the stored bytes unchanged.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

import rfc8785

from firstresponder.api.base import JSON


@dataclass(frozen=True)
class StoredRevision:
    """What a ControllerRevision holds: its name, the digest of the content, and the content."""

    name: str
    digest: str
    data: Mapping[str, JSON]


def digest_of(data: Mapping[str, JSON]) -> str:
    """``sha256:…`` over the canonical JSON of the content.

    Not :func:`firstresponder.safety.sha256_digest`, which refuses fractions: a runbook's parameters may have them.
    """
    return f"sha256:{hashlib.sha256(rfc8785.dumps(dict(data))).hexdigest()}"


def holds(data: Mapping[str, JSON], digest: str) -> bool:
    """Whether stored data still has the digest that was recorded; what has no canonical form has no digest."""
    try:
        return digest_of(data) == digest
    except rfc8785.CanonicalizationError:
        return False


def stored_revision(name: str, digest: str, spec: Mapping[str, JSON]) -> StoredRevision:
    """The revision of a runbook whose spec has that digest."""
    return StoredRevision(revision_name(name, digest), digest, {"spec": dict(spec)})


def revision_name(name: str, digest: str) -> str:
    """What the revision of a runbook is called: after the runbook, and with the start of the digest."""
    # A part of a name that ends with a dot or a dash would make a name that no object can have.
    start = name[:200].rstrip(".-")
    return f"{start}-{digest.removeprefix('sha256:')[:10]}"
