"""Looking at a host: the requests to ``host/firstresponder-observe``, which changes nothing."""

from __future__ import annotations

import math
from collections.abc import Sequence

from firstresponder.api.command import CommandOutput
from firstresponder.api.ledger import HostInfo, parse_info
from firstresponder.hosts.errors import NotPrepared, RequestRefused
from firstresponder.hosts.pool import SshPool
from firstresponder.hosts.target import Target
from firstresponder.safety.neutralise import shown

INFO_SECONDS = 10
_INFO_BYTES = 8192
_REFUSED = b"firstresponder-observe: refused: "
_REFUSED_STATUS = 78  # EX_CONFIG of sysexits.h


async def info(pool: SshPool, target: Target) -> HostInfo:
    """Ask a host who it is.

    Raises NotPrepared when something else than the host's program answered, and what SshPool.run raises.
    """
    output = await pool.run(target, b"info\n", timeout=INFO_SECONDS, max_output=_INFO_BYTES)
    _raise_refusal(target, output)
    if output.exit_status != 0 or output.truncated:
        raise NotPrepared("NotPrepared", f"{target}: {_ending(output)}; prepare the host with host/install")
    try:
        return parse_info(output.stdout)
    except ValueError as problem:
        raise NotPrepared("NotPrepared", f"{target}: not an answer to info: {problem}") from None


async def run_diagnostic(
    pool: SshPool,
    target: Target,
    argv: Sequence[str],
    timeout: float,  # noqa: ASYNC109 - it is also told to the host
    max_output: int,
    *,
    request: str = "run",
) -> CommandOutput:
    """Run a program on a host, held read-only there; ``timeout`` in seconds for all, ``max_output`` in bytes.

    Any other ``request`` than ``run`` is a probe of the host's program itself, and ``argv`` are its arguments.

    Raises ValueError for an argv that cannot be sent, RequestRefused when the host did not run it, and what
    SshPool.run raises.
    """
    output = await pool.run(target, run_request(argv, timeout, request), timeout=timeout, max_output=max_output)
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


def _raise_refusal(target: Target, output: CommandOutput) -> None:
    if output.exit_status == _REFUSED_STATUS and output.stderr.startswith(_REFUSED):
        reason = output.stderr.removeprefix(_REFUSED).split(b"\n")[0]
        raise RequestRefused("Refused", f"{target}: {_readable(reason)}")


def _ending(output: CommandOutput) -> str:
    how = "it never ended" if output.exit_status is None else f"exit status {output.exit_status}"
    return f"{how} {_readable(output.stderr)}".rstrip()


def _readable(text: bytes) -> str:
    return shown(text.decode("utf-8", "replace").strip(), 200)
