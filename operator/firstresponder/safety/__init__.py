"""What keeps the product honest and harmless: digests, redaction, and text that cannot do anything."""

from firstresponder.safety.command_policy import CommandRefused, check_command
from firstresponder.safety.digest import canonical, sha256_digest
from firstresponder.safety.neutralise import neutralise, shown
from firstresponder.safety.publish import LEFT_OUT, has_withheld, is_withheld, publishable
from firstresponder.safety.redact import REDACTED, look_through, may_be_secret, redact

__all__ = [
    "LEFT_OUT",
    "REDACTED",
    "CommandRefused",
    "canonical",
    "check_command",
    "has_withheld",
    "is_withheld",
    "look_through",
    "may_be_secret",
    "neutralise",
    "publishable",
    "redact",
    "sha256_digest",
    "shown",
]
