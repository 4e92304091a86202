"""What keeps the product honest and harmless: digests, redaction, and text that cannot do anything."""

from firstresponder.safety.command_policy import CommandRefused, check_command
from firstresponder.safety.digest import canonical, sha256_digest
from firstresponder.safety.neutralise import neutralise, shown
from firstresponder.safety.redact import REDACTED, may_be_secret, redact

__all__ = [
    "REDACTED",
    "CommandRefused",
    "canonical",
    "check_command",
    "may_be_secret",
    "neutralise",
    "redact",
    "sha256_digest",
    "shown",
]
