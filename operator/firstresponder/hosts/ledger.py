"""Acting on a host: the requests to ``host/firstresponder-act``, whose ledger runs an order at most once.

None of these but ``prove`` raises for a host that fails: an answer that did not come, or came in pieces, is a
LedgerAnswer without a state. Nothing is repeated here either; what follows from an answer is decided elsewhere.
"""

from __future__ import annotations

import secrets
from dataclasses import replace

from firstresponder.api.command import CommandOutput
from firstresponder.api.ledger import (
    LedgerAnswer,
    LedgerState,
    PreviewAnswer,
    PreviewRequest,
    attempt_id,
    parse_answer,
    parse_preview,
)
from firstresponder.hosts.errors import HostError, NotPrepared, RequestRefused
from firstresponder.hosts.pool import SshPool
from firstresponder.hosts.target import SshTarget
from firstresponder.safety.neutralise import shown

ASK_SECONDS = 15
_PREVIEW_MARGIN = 30.0
"""Seconds alongside a preview's own time-out, for starting it and for its answer."""
_PREVIEW_BYTES = 1 << 20
"""A host shows at most 64 KiB of a preview, with a few bytes more for each line."""
_ANSWER_BYTES = 65536  # the host shows at most 8 KiB of an action's output


async def send_order(
    pool: SshPool,
    target: SshTarget,
    order_text: str,
    timeout: float,  # noqa: ASYNC109 - the order's own, given by the caller
) -> LedgerAnswer:
    """Send an order and wait for the action's end, at most ``timeout`` seconds (the order's and a margin).

    When the host refuses it, the answer says why (``refused``) and what its ledger then holds.
    """
    attempt = attempt_id(order_text)
    answer = await _ask(pool, target, attempt, order_text, timeout)
    if answer.refused is None:
        return answer
    return replace(await status(pool, target, attempt), refused=answer.refused)


async def run_preview(pool: SshPool, target: SshTarget, request: PreviewRequest) -> PreviewAnswer:
    """Run an action dry and wait for its end. It claims nothing, so nothing is in doubt if no answer comes."""
    seconds = request.timeout_seconds + _PREVIEW_MARGIN
    try:
        output = await pool.run(target, request.text().encode("ascii"), timeout=seconds, max_output=_PREVIEW_BYTES)
    except HostError as problem:
        return PreviewAnswer(error=str(problem))
    if output.exit_status is None or output.truncated:
        return PreviewAnswer(error=f"{target}: the answer was lost on the way")
    answer = parse_preview(request.action, output.stdout)
    if answer.result is not None and output.exit_status != 0:
        return PreviewAnswer(error=f"{target}: exit status {output.exit_status} contradicts the answer")
    return answer


async def status(pool: SshPool, target: SshTarget, attempt: str) -> LedgerAnswer:
    """What the host's ledger holds about an attempt."""
    return await _ask(pool, target, attempt, f"status {attempt}\n", ASK_SECONDS)


async def prove(pool: SshPool, target: SshTarget) -> None:
    """Show that the acting account works, without acting: have the ledger answer about an attempt that nobody made.

    Raises RequestRefused when the ledger cannot answer, NotPrepared when something else answered, and what
    SshPool.run raises.
    """
    attempt = secrets.token_hex(32)
    request = f"status {attempt}\n".encode("ascii")
    output = await pool.run(target, request, timeout=ASK_SECONDS, max_output=_ANSWER_BYTES)
    answer = _read(target, attempt, output)
    if answer.refused is not None:
        raise RequestRefused("Refused", f"{target}: {answer.refused}")
    if answer.state is not LedgerState.ABSENT:
        raise NotPrepared("NotPrepared", f"{answer.error or target}; run install --check on the host")


async def status_as_observer(pool: SshPool, target: SshTarget, attempt: str) -> LedgerAnswer:
    """The same, asked by the observing account, which can neither send nor seal; with the host's uptime."""
    return await _ask(pool, target, attempt, f"ledger {attempt}\n", ASK_SECONDS)


async def seal(pool: SshPool, target: SshTarget, attempt: str) -> LedgerAnswer:
    """Make the host refuse an attempt from now on, unless it was claimed before; the answer says which."""
    return await _ask(pool, target, attempt, f"seal {attempt}\n", ASK_SECONDS)


async def _ask(pool: SshPool, target: SshTarget, attempt: str, request: str, seconds: float) -> LedgerAnswer:
    try:
        output = await pool.run(target, request.encode("ascii"), timeout=seconds, max_output=_ANSWER_BYTES)
    except HostError as problem:
        return LedgerAnswer(error=str(problem))
    return _read(target, attempt, output)


def _read(target: SshTarget, attempt: str, output: CommandOutput) -> LedgerAnswer:
    if output.exit_status is None or output.truncated:
        return LedgerAnswer(error=f"{target}: the answer was lost on the way")
    answer = parse_answer(attempt, output.stdout)
    if answer.state is None and answer.refused is None and output.exit_status and output.stderr:
        # Not the host's program spoke but what should have started it: a rule of sudo that is gone, a shell.
        said = shown(output.stderr.decode("utf-8", "replace").strip(), 200)
        return LedgerAnswer(error=f"{target}: exit status {output.exit_status}: {said}")
    # A refusal fails, everything else succeeds; text and status that contradict each other say nothing.
    if (output.exit_status == 0) != (answer.refused is None):
        return LedgerAnswer(error=f"{target}: exit status {output.exit_status} contradicts the answer")
    return answer
