"""What a dry run on the host told, as it goes into a packet: redacted, bounded, and never taken for more than it is."""

from __future__ import annotations

from firstresponder.actions.action import ActionType
from firstresponder.api.ledger import PreviewAnswer
from firstresponder.api.packet import Preview
from firstresponder.safety.neutralise import neutralise, shown
from firstresponder.safety.redact import redact

_LIMIT = 64 * 1024
_TAIL_LINES, _TAIL = 12, 1200
"""How much of a preview that failed is told: its end, where programs say why."""


def preview_of(kind: ActionType, host: str, action: str, answer: PreviewAnswer) -> Preview:
    """The preview that is shown and bound. What it does not show makes it incomplete, and that is said."""
    # A secret that was cut off is no longer known as one, so the line that was cut is not shown at all.
    lines = answer.output[:-1] if answer.truncated else answer.output
    whole = redact("\n".join(lines))
    text = neutralise(whole, _LIMIT, lines=True)
    cut = answer.truncated or len(text.encode()) > _LIMIT or text != neutralise(whole, 2 * _LIMIT, lines=True)
    why = "it is longer than 64 KiB; only its beginning is shown" if cut else kind.gaps(answer.output)
    return Preview(host=host, action=action, text=text, incomplete=why is not None, why=why)


def failed(answer: PreviewAnswer, boot: str) -> str | None:
    """Why the answer is no preview of what would happen; None if it is one. ``boot`` is the one that triage saw."""
    if answer.result is None:
        return shown(answer.error, 500)
    printed = shown("\n".join(answer.output[-_TAIL_LINES:]), _TAIL, lines=True)
    if not answer.succeeded:
        status = f"exit status {answer.exit_status}" if answer.exit_status is not None else answer.result
        return f"{status}; it printed at the end: {printed or 'nothing'}"
    return None if answer.boot == boot else "the host rebooted meanwhile"
