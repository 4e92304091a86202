"""What every probe is: arguments, one program to run on the host, and a strict reading of what it printed.

A probe either knows or says that it does not (:class:`Unobserved`); a field that it does not know is left out.
It never gives null, NaN, or an empty list or a zero for "could not look". So a command's end has to prove itself:
where a program that was killed half-way could look like one that found nothing, the probe asks for more than its
exit status (systemd-run gives 1 for a program that ran into its time limit).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Generic, Literal, TypeVar

from firstresponder.api.base import JSON, ApiModel
from firstresponder.api.command import CommandOutput
from firstresponder.api.ledger import Moment
from firstresponder.evidence.field import Field
from firstresponder.evidence.manual_steps import ManualSteps
from firstresponder.safety import shown


class Reason(StrEnum):
    """Why a diagnostic saw nothing. That a host could not be asked at all is said by the transport."""

    CONNECTION_LOST = "ConnectionLost"
    """Nobody knows how the command ended: the session died, or it was cut off."""
    TRUNCATED = "Truncated"
    """It printed more than is kept; a part would not be the truth."""
    TIMED_OUT = "TimedOut"
    """The host stopped it at its time limit."""
    REFUSED = "Refused"
    """The host's program did not run it."""
    NO_PERMISSION = "NoPermission"
    """The observing account may not see what it would have to see."""
    MISSING_PROGRAM = "MissingProgram"
    BAD_ARGUMENT = "BadArgument"
    """An argument of the diagnostic cannot be used; the runbook or the incident has to change."""
    NOT_ALLOWED = "NotAllowed"
    """The operator does not look there itself."""
    FAILED = "Failed"
    """The program ended with an error, or was stopped before it was done."""
    UNPARSEABLE = "Unparseable"
    """It printed something else than it should have."""
    NOT_FOUND = "NotFound"
    """What was asked for does not exist there."""
    WITHHELD = "Withheld"
    """It may be a secret, and is not let out."""


class Unobserved(Exception):
    """The diagnostic saw nothing; ``message`` says why and holds no secrets.

    ``argument`` is the field of the diagnostic that cannot be used, where it is one; the message begins with it, and
    ``problem`` is the rest.
    """

    def __init__(self, reason: Reason, message: str, argument: str = "") -> None:
        self.reason = reason
        self.problem = message
        self.argument = argument
        self.message = f"{argument}: {message}" if argument else message
        super().__init__(f"{reason}: {self.message}")


@dataclass(frozen=True)
class Context:
    """What a probe may know besides its arguments.

    ``now`` is the host's clock in Unix seconds when the command is sent, and ``not_before`` a moment by its clocks: a
    journal is not read from before it. ``timeout`` is how many seconds the command may take.
    """

    now: float
    timeout: float
    not_before: Moment | None = None


A = TypeVar("A", bound=ApiModel)


@dataclass(frozen=True)
class Probe(Generic[A]):
    """One kind of diagnostic. Its functions are pure."""

    name: str
    arguments: type[A]
    source: str
    """Where the evidence comes from, for people."""
    fields: Mapping[str, Field]
    """Every field that its value can have."""
    argv: Callable[[A, Context], tuple[str, ...]]
    """The program to run, for arguments without templates. Raises Unobserved(BadArgument or Withheld)."""
    parse: Callable[[A, CommandOutput, Context], dict[str, JSON]]
    """The typed value. Raises Unobserved."""
    manual_steps: ManualSteps[A]
    """How a person sees the same."""
    timeout: float = 10.0
    """Seconds that the command may take unless the runbook says otherwise."""
    max_output: int = 64 * 1024
    """Bytes of output that are kept; more means that nothing was observed."""
    request: Literal["run", "disk", "directories"] = "run"
    """What the host's program is asked for: to run the argv, or for a probe of its own with the argv as arguments."""
    by_operator: Callable[[A], bool] = lambda _: False
    """Whether the operator looks itself, as a client of the service, instead of the host."""
    looks_back: bool = False
    """Whether it reports what was there before it was asked: a verification has it read from its own beginning on."""
    patterns: Callable[[A], Mapping[str, str]] = lambda _: {}
    """The regular expressions that the author of a runbook wrote, by their field below the probe's."""
    excerpt: bool = True
    """Whether people may see the beginning of what was printed."""
    quoted: tuple[str, ...] = ()
    """The fields that hold what others wrote, in whatever form. Of these only what decides is ever published."""
    notes: str = ""
    """What else the author of a runbook has to know, as Markdown below the tables of its page."""

    @property
    def measures(self) -> tuple[str, ...]:
        """The fields that people want to see over time."""
        return tuple(name for name, field in self.fields.items() if field.measured)


def completed(output: CommandOutput) -> str:
    """What a program printed that ran to its end and succeeded. Raises Unobserved."""
    require_whole(output)
    if output.exit_status != 0:
        raise failure(output)
    return text_of(output.stdout)


def require_whole(output: CommandOutput) -> None:
    """Raise Unobserved unless the program ran, its end is known and nothing of its output is missing."""
    if output.truncated:
        raise Unobserved(Reason.TRUNCATED, "the output was too long to be kept whole")
    if output.exit_status is None:
        raise Unobserved(Reason.CONNECTION_LOST, "the session ended before the command's end was known")
    if output.exit_status == 78 and output.stderr.startswith(b"firstresponder-observe: refused: "):
        raise Unobserved(Reason.REFUSED, complaint(output))


def failure(output: CommandOutput) -> Unobserved:
    """What to say of a program that ended with an error."""
    text = complaint(output)
    if output.exit_status == 124:  # said by firstresponder-observe
        return Unobserved(Reason.TIMED_OUT, text or "the host stopped it at its time limit")
    if output.exit_status is not None and 200 <= output.exit_status <= 245:  # systemd.exec(5), "Process Exit Codes"
        return Unobserved(Reason.FAILED, f"systemd on the host could not start it (status {output.exit_status})")
    if output.exit_status == 127 or re.search(r"^sh: .*not found$|failed to find executable", text, re.IGNORECASE):
        return Unobserved(Reason.MISSING_PROGRAM, text or "the program is not installed")
    if re.search(r"permission|not permitted|access denied", text, re.IGNORECASE):
        return Unobserved(Reason.NO_PERMISSION, text)
    if text.endswith("No such file or directory"):
        return Unobserved(Reason.NOT_FOUND, text)
    return Unobserved(Reason.FAILED, f"exit status {output.exit_status}{': ' if text else ''}{text}")


def unparseable(what: str) -> Unobserved:
    """The output lacks ``what`` or has it in another form."""
    return Unobserved(Reason.UNPARSEABLE, what)


def complaint(output: CommandOutput) -> str:
    """The first line of the error output, as it may be shown."""
    lines = text_of(output.stderr).strip().splitlines()
    return shown(lines[0], 256) if lines else ""


def text_of(raw: bytes) -> str:
    return raw.decode("utf-8", "replace")
