"""A question that may hang, asked by the host's own shell, which gives up before the host's time limit strikes.

So that nobody answered in time is an observation, and not a diagnostic that was stopped. The shell waits and kills
nothing: a diagnostic may send no signals. What it leaves behind ends with the diagnostic's unit.
"""

from __future__ import annotations

import re

from firstresponder.api.command import CommandOutput
from firstresponder.evidence.manual_steps import Asked
from firstresponder.evidence.probe import Context, failure, require_whole, text_of, unparseable

SHARE = 0.6
"""The part of the time that is waited for others. The rest is for the way to the host and back, busy as it may be."""
_ANSWER = re.compile(r"read=([0-9]+)\n(.*)", re.DOTALL)
_ENDED = re.compile(r"(.*)^status=([0-9]+)\n", re.DOTALL | re.MULTILINE)


def argv(context: Context, question: str, *arguments: str) -> tuple[str, ...]:
    """Run ``question``, a constant line of bash, with the arguments as ``$1``, ``$2``…"""
    waits = (
        f'IFS= read -rd "" -t "$1" text < <(shift; {question} 2>&1; echo "status=$?"); '
        'echo "read=$?"; printf "%s" "$text"'
    )
    return ("bash", "-c", waits, "bash", f"{context.timeout * SHARE:.1f}", *arguments)


BY_HAND = "`status=124`"
"""What shows a person that it hung."""


def manual_steps(asked: Asked, command: str) -> str:
    """The command as a person asks it, who sees how it ended."""
    return f'timeout {asked.timeout * SHARE:.1f} {command}; echo "status=$?"'


def answer(output: CommandOutput) -> CommandOutput | None:
    """What the question printed (all of it as error output) and how it ended; None when it hung.

    Raises Unobserved when the shell did not come to its end.
    """
    require_whole(output)
    found = _ANSWER.fullmatch(text_of(output.stdout))
    if found is None or output.exit_status != 0:
        raise failure(output)
    if int(found[1]) > 128:  # bash(1), "read": the time ran out
        return None
    ended = _ENDED.fullmatch(found[2])
    if ended is None:
        raise unparseable("the shell's account of the question's end is missing")
    return CommandOutput(stdout=b"", stderr=ended[1].encode(), exit_status=int(ended[2]))
