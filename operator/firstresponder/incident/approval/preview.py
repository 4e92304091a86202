"""What a dry run on the host reported, as it goes into a packet: redacted, bounded, and never taken for more than it
is."""

from __future__ import annotations

import re
from collections.abc import Sequence

from firstresponder.actions.action import ActionType
from firstresponder.api.ledger import PreviewAnswer
from firstresponder.api.packet import Preview
from firstresponder.incident.budget import head
from firstresponder.safety.neutralise import neutralise, shown
from firstresponder.safety.redact import redact

_LIMIT = 64 * 1024
"""Bytes of a preview that a packet holds, as JSON."""
_DIFFERENCE = re.compile(r"[+ ]|-(?!----(?:BEGIN|END) )")
"""A line of a difference; five dashes frame a key that was printed as it is."""
_TAIL_LINES, _TAIL = 12, 1200
"""How much of a preview that failed is shown: its end, where programs say why."""


def preview_of(kind: ActionType, host: str, action: str, answer: PreviewAnswer) -> Preview:
    """The preview that is shown and bound. What it does not show makes it incomplete, and that is said."""
    whole = "\n".join(_lines(answer))
    text = head(whole, _LIMIT)
    cut = answer.truncated or text != whole
    why = "it is longer than 64 KiB; only its beginning is shown" if cut else kind.gaps(answer.output)
    return Preview(host=host, action=action, text=text, incomplete=why is not None, why=why, project=answer.project)


def preview_problem(answer: PreviewAnswer, boot: str) -> str | None:
    """Why the answer is no preview of what would happen; None if it is one. ``boot`` is the one that triage saw."""
    if answer.result is None:
        return shown(answer.error, 500)
    if not answer.succeeded:
        status = f"exit status {answer.exit_status}" if answer.exit_status is not None else answer.result
        printed = neutralise("\n".join(_lines(answer)[-_TAIL_LINES:]), _TAIL, lines=True) or "nothing"
        where = "of which only the beginning is known" if answer.truncated else "at the end"
        return f"{status}; it printed {where}: {printed}"
    if answer.project is None:
        return "the host did not say what exactly its dry run was of: prepare it again with host/install"
    return None if answer.boot == boot else "the host rebooted meanwhile"


def _lines(answer: PreviewAnswer) -> list[str]:
    """What was printed as it may be shown.

    The sign of a difference at a line's beginning would hide from redaction what the line begins with.
    """
    # A secret that was cut off is no longer known as one, so the line that was cut is not shown at all.
    printed = answer.output[:-1] if answer.truncated else answer.output
    signs = [line[:1] if _DIFFERENCE.match(line) else "" for line in printed]
    bare = [line[len(sign) :] for line, sign in zip(printed, signs, strict=True)]
    return [f"{sign}{line}" for sign, line in zip(signs, _harmless(bare), strict=True)]


def _harmless(lines: Sequence[str]) -> list[str]:
    whole = redact("\n".join(lines))
    # The longest escape has ten characters, so nothing is cut here.
    return neutralise(whole, 10 * len(whole), lines=True).split("\n") if lines else []
