"""Looking at a host: the requests to ``host/firstresponder-observe``, which changes nothing."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from firstresponder.api.command import CommandOutput
from firstresponder.api.ledger import HostInfo, parse_info
from firstresponder.hosts.errors import HostUnreachable, NotPrepared, RequestRefused
from firstresponder.hosts.pool import SshPool
from firstresponder.hosts.target import SshTarget
from firstresponder.safety.neutralise import shown

INFO_SECONDS = 10
QUEUE_SECONDS = 60
"""How much longer a request may wait for those that run before it: a host may open one session at a time."""
TOGETHER = 8
"""Diagnostics in one request: so many share one confinement on the host."""
TOGETHER_BYTES = 65536
"""Such a request has at most so many bytes."""
_TOGETHER_VERSION = 2
_STOPPED_SECONDS = 5
"""The host itself stops each of several diagnostics at its time-out; its word of it is waited for so much longer."""
_INFO_BYTES = 8192
_REFUSED = b"firstresponder-observe: refused: "
_REFUSED_STATUS = 78  # EX_CONFIG of sysexits.h


async def info(pool: SshPool, target: SshTarget) -> HostInfo:
    """Ask a host who it is.

    Raises NotPrepared when something else than the host's program answered, and what SshPool.run raises.
    """
    output = await pool.run(target, b"info\n", timeout=INFO_SECONDS, max_output=_INFO_BYTES, queue=QUEUE_SECONDS)
    _raise_refusal(target, output)
    if output.exit_status != 0 or output.truncated:
        raise NotPrepared("NotPrepared", f"{target}: {_ending(output)}; prepare the host with host/install")
    try:
        return parse_info(output.stdout)
    except ValueError as problem:
        raise NotPrepared("NotPrepared", f"{target}: not an answer to info: {problem}") from None


async def run_diagnostic(
    pool: SshPool,
    target: SshTarget,
    argv: Sequence[str],
    timeout: float,  # noqa: ASYNC109 - it is also sent to the host
    max_output: int,
    *,
    request: str = "run",
) -> CommandOutput:
    """Run a program on a host, held read-only there; ``timeout`` in seconds from when it is its turn, ``max_output`` in
    bytes.

    Any other ``request`` than ``run`` is a probe of the host's program itself, and ``argv`` are its arguments.

    Raises ValueError for an argv that cannot be sent, RequestRefused when the host did not run it, and what
    SshPool.run raises.
    """
    sent = run_request(argv, timeout, request)
    output = await pool.run(target, sent, timeout=timeout, max_output=max_output, queue=QUEUE_SECONDS)
    _raise_refusal(target, output)
    return output


def run_request(argv: Sequence[str], timeout: float, request: str = "run") -> bytes:
    """The request that runs ``argv`` for at most ``timeout`` seconds (rounded up), one element a line.

    Raises ValueError that names the element which cannot be sent.
    """
    if not argv or not argv[0]:
        raise ValueError("argv[0] is empty: name a program")
    for number, element in enumerate(argv):
        if not (element.isascii() and element.isprintable()):
            raise ValueError(f"argv[{number}] is not printable ASCII: an argument is one line of plain text")
    seconds = min(max(1, math.ceil(timeout)), 999)
    return "".join(f"{line}\n" for line in (f"{request} {seconds}", *argv)).encode("ascii")


@dataclass(frozen=True)
class Command:
    """One of several diagnostics: as for ``run_diagnostic``."""

    argv: tuple[str, ...]
    timeout: float
    max_output: int
    request: str = "run"

    @property
    def text(self) -> bytes:
        """The request for it alone."""
        return run_request(self.argv, self.timeout, self.request)

    def check(self) -> None:
        """Raise ValueError that names what cannot be sent."""
        run_request(self.argv, self.timeout, self.request)

    @property
    def part(self) -> bytes:
        """The same as a part of a request for several."""
        head, _, argv = self.text.partition(b"\n")
        return b"%s %d %d\n%s" % (head, self.max_output, len(self.argv), argv)


def can_share(info: HostInfo, command: Command) -> bool:
    """Whether a host runs this diagnostic together with others, in one confinement that is the same for all of them."""
    return info.version >= _TOGETHER_VERSION and command.request == "run"


async def run_together(
    pool: SshPool, target: SshTarget, commands: Sequence[Command], answered: Callable[[int, CommandOutput], None]
) -> None:
    """Run programs on a host at once, by one request; ``answered`` is given the number of each and how it ended, as
    soon as that is known. One that hangs, floods or is killed takes nothing from the others.

    Raises RequestRefused when the host ran none, HostUnreachable when what it answered is not in form, and what
    SshPool.run raises; those that were not answered by then have no answer.
    """
    answers = _Answers([command.max_output for command in commands], answered)
    output = await pool.run(
        target,
        b"together\n" + b"".join(command.part for command in commands),
        timeout=max(command.timeout for command in commands) + _STOPPED_SECONDS,
        max_output=sum(2 * command.max_output + _HEAD_BYTES for command in commands),
        queue=QUEUE_SECONDS,
        received=answers.receive,
    )
    _raise_refusal(target, output)
    if answers.problem:
        raise HostUnreachable("ProtocolError", f"{target}: not an answer to several diagnostics: {answers.problem}")
    for number in sorted(answers.missing):  # what ended all of them says why
        answered(number, CommandOutput(b"", output.stderr, output.exit_status or None))


_HEAD = re.compile(rb"result ([0-9]) ([0-9]{1,3}) (yes|no) ([0-9]{1,8}) ([0-9]{1,8})\n")
_HEAD_BYTES = 64


class _Answers:
    """Reads the answer to several diagnostics as it arrives: for each a line with two lengths, then so many bytes of
    output and of error output, whatever these are. Anything else ends the reading: what follows says nothing."""

    def __init__(self, limits: Sequence[int], answered: Callable[[int, CommandOutput], None]) -> None:
        self._limits = limits
        self._answered = answered
        self._unread = bytearray()
        self.missing = set(range(len(limits)))
        self.problem = ""

    def receive(self, data: bytes) -> None:
        self._unread += data
        while not self.problem and self._unread and self._read():
            pass

    def _read(self) -> bool:
        """Read the next result; whether there was a whole one."""
        head = _HEAD.match(self._unread)
        if head is None:
            if b"\n" in self._unread or len(self._unread) > _HEAD_BYTES:
                self.problem = f"{_readable(bytes(self._unread[:_HEAD_BYTES]))!r} begins no result"
            return False
        number, status, out, err = (int(head[group]) for group in (1, 2, 4, 5))
        if number not in self.missing or max(out, err) > self._limits[number]:
            self.problem = f"{_readable(head[0])!r} is about none that is awaited, or too long"
            return False
        middle, end = head.end() + out, head.end() + out + err
        if len(self._unread) < end:
            return False
        cut = head[3] == b"yes"
        stdout, stderr = bytes(self._unread[head.end() : middle]), bytes(self._unread[middle:end])
        del self._unread[:end]
        self.missing.remove(number)
        self._answered(number, CommandOutput(stdout, stderr, None if cut else status, cut))
        return True


def _raise_refusal(target: SshTarget, output: CommandOutput) -> None:
    if output.exit_status == _REFUSED_STATUS and output.stderr.startswith(_REFUSED):
        reason = output.stderr.removeprefix(_REFUSED).split(b"\n")[0]
        raise RequestRefused("Refused", f"{target}: {_readable(reason)}")


def _ending(output: CommandOutput) -> str:
    how = "it never ended" if output.exit_status is None else f"exit status {output.exit_status}"
    return f"{how} {_readable(output.stderr)}".rstrip()


def _readable(text: bytes) -> str:
    return shown(text.decode("utf-8", "replace").strip(), 200)
