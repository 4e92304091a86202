"""What a prepared host says about itself and about attempts: ``info``, and the answers of its ledger.

The host's side is ``host/firstresponder-observe`` and ``host/firstresponder-act``; both answer in lines
``key=value``. Reading is strict: an answer that is not exactly in form, or about another attempt, says nothing,
because a wrong guess here could run an action twice or report one that never ran.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from enum import StrEnum


def attempt_id(order_text: str) -> str:
    """The name under which a host's ledger knows an order: the sha256 of its text, in lower-case hex."""
    return hashlib.sha256(order_text.encode("ascii")).hexdigest()


@dataclass(frozen=True)
class Moment:
    """A moment on a host, by both of its clocks: one that can be set, and one that cannot."""

    clock: float
    """Unix seconds."""
    uptime: float | None = None
    """Seconds since the boot, where they are known."""
    boot: str | None = None
    """The kernel's random id of that boot, a UUID."""


@dataclass(frozen=True)
class HostInfo:
    """Who a host is at this moment."""

    machine: str
    """``/etc/machine-id``: 32 hex digits. Cloned hosts share it, hence the pinned host key in addition."""
    boot: str
    """The kernel's random id of this boot, a UUID."""
    uptime: int
    """Whole seconds since that boot."""
    time: float
    """Unix seconds by the host's clock."""
    actions: tuple[str, ...]
    """The state-changing actions that the host's owner declared."""
    version: int = 1
    """Which requests the host's program takes: since 2 it runs several diagnostics ``together``."""
    os: str = ""
    """The operating system as ``/etc/os-release`` calls it."""
    previews: tuple[str, ...] = ()
    """The actions that can be previewed: a dry run, before and without an approval."""
    ledger: str = ""
    """Why the host could not claim an order now, and what to do; empty if it could."""


class LedgerState(StrEnum):
    """What a host knows about an attempt."""

    ABSENT = "absent"
    """Neither claimed nor sealed. Not proof that it never will be: only a seal is."""
    CLAIMED = "claimed"
    """Claimed, but nothing of it is alive and no result was written."""
    RUNNING = "running"
    FINISHED = "finished"
    SEALED = "sealed"
    """It never ran, and the host refuses it from now on (during the boot it is bound to)."""


@dataclass(frozen=True)
class LedgerAnswer:
    """What a host's ledger answered about one attempt. ``state`` None: no answer, so nothing is known."""

    state: LedgerState | None = None
    boot: str | None = None
    """The boot in which the host answered."""
    refused: str | None = None
    """Why the host refused the order just sent; the other fields say what it knew of the attempt afterwards."""
    action: str | None = None
    claimed_at: str | None = None
    """Unix seconds by the host's clock, with their fraction, as text; so are the other moments."""
    claim_boot: str | None = None
    finished_at: str | None = None
    finished_uptime: str | None = None
    """The same in seconds since the boot, which no setting of the clock changes; None from a host prepared earlier."""
    finish_boot: str | None = None
    result: str | None = None
    """systemd's SERVICE_RESULT: ``success``, ``exit-code``, ``timeout``, ``signal``, … (systemd.exec(5))."""
    code: str | None = None
    """systemd's EXIT_CODE: ``exited``, ``killed`` or ``dumped``."""
    exit_status: int | None = None
    """The action's exit status; None when it did not exit by itself (then ``result`` says why)."""
    sealed_at: str | None = None
    sealed_boot: str | None = None
    output: tuple[str, ...] = ()
    """The beginning of what the action printed, line by line, as it came: neutralise before showing."""
    uptime: int | None = None
    """Seconds since the boot when the host looked into its ledger; reported to the observing account only."""
    error: str = ""
    """Why ``state`` is None; or, where the observing account got the answer instead, why the acting account did not."""

    @property
    def by_observer(self) -> bool:
        """Whether only the observing account was answered: nothing can be sent or sealed now."""
        return self.uptime is not None


@dataclass(frozen=True)
class PreviewRequest:
    """Asks a host to run an action dry."""

    action: str
    arguments: tuple[str, ...]
    timeout_seconds: int

    def text(self) -> str:
        """As it is sent."""
        arguments = "".join(f"arg {argument}\n" for argument in self.arguments)
        return f"preview {self.action}\ntimeout {self.timeout_seconds}\n{arguments}"


@dataclass(frozen=True)
class PreviewAnswer:
    """What a host answered to a preview."""

    boot: str | None = None
    """The boot in which the host answered."""
    result: str | None = None
    """systemd's SERVICE_RESULT, as of an attempt; None when there is no answer that can be read."""
    exit_status: int | None = None
    project: str | None = None
    """The digest of all that the dry run was of, as an order for the same has to name it."""
    truncated: bool = False
    """Whether only the beginning of what was printed is there."""
    output: tuple[str, ...] = ()
    """What was printed, line by line, as it came: redact and neutralise before showing."""
    error: str = ""
    """Why there is no result: the host refused, or its answer is missing or malformed."""

    @property
    def succeeded(self) -> bool:
        return self.result == "success" and self.exit_status == 0


def parse_preview(action: str, text: bytes) -> PreviewAnswer:
    """Read the answer to a preview of that action; malformed in any way, it is none."""
    try:
        if text.startswith(b"refused="):
            return PreviewAnswer(error=_refusal(text).error)
        values, output = _fields(text, _PREVIEW)
        if missing := [key for key in _PREVIEW if key not in values and key != "project"]:
            raise ValueError(f"{missing[0]}= is missing")
        if values["preview"] != action:
            raise ValueError("it is about another action")
        if not all(re.fullmatch(r"[ -~]*", line) for line in output):
            raise ValueError("a line of output is not printable ASCII")
    except ValueError as problem:
        return PreviewAnswer(error=f"the host's answer cannot be trusted: {problem}")
    return PreviewAnswer(
        boot=values["boot"],
        result=values["result"],
        exit_status=int(values["exit"]) if values["exit"] else None,
        project=values.get("project"),
        truncated=values["truncated"] == "yes",
        output=output,
    )


def parse_info(text: bytes) -> HostInfo:
    """Read the answer to ``info``. Raises ValueError that names the line or the missing key."""
    values, rest = _fields(text, _INFO)
    if rest:
        raise ValueError("lines of output in an answer to info")
    # Hosts that were prepared by an earlier version do not speak of these.
    if missing := [key for key in _INFO if key not in values and key not in {"previews", "os", "ledger"}]:
        raise ValueError(f"{missing[0]}= is missing")
    return HostInfo(
        machine=values["machine"],
        boot=values["boot"],
        uptime=int(values["uptime"]),
        time=float(values["time"]),
        actions=tuple(values["actions"].split()),
        version=int(values["version"]),
        os=values.get("os", ""),
        previews=tuple(values.get("previews", "").split()),
        ledger=values.get("ledger", ""),
    )


def parse_answer(attempt: str, text: bytes) -> LedgerAnswer:
    """Read the ledger's answer about the attempt with that id; malformed in any way, it is unknown."""
    try:
        return _answer(attempt, text)
    except ValueError as problem:
        return LedgerAnswer(error=f"the host's answer cannot be trusted: {problem}")


def _answer(attempt: str, text: bytes) -> LedgerAnswer:
    if text.startswith(b"refused="):
        return _refusal(text)
    values, output = _fields(text, _ANSWER)
    if missing := [key for key in ("id", "boot", "state") if key not in values]:
        raise ValueError(f"{missing[0]}= is missing")
    if values["id"] != attempt:
        raise ValueError("it is about another attempt")
    state = LedgerState(values["state"])
    _check_consistent(state, values, output)
    code = values.get("code") or None
    return LedgerAnswer(
        state=state,
        boot=values["boot"],
        action=values.get("action"),
        claimed_at=values.get("claimedAt"),
        claim_boot=values.get("claimBoot"),
        finished_at=values.get("finishedAt"),
        finished_uptime=values.get("finishedUptime"),
        finish_boot=values.get("finishBoot"),
        result=values.get("result"),
        code=code,
        # For a process ended by a signal systemd gives the signal's name here.
        exit_status=int(values["exit"]) if code == "exited" else None,
        sealed_at=values.get("sealedAt"),
        sealed_boot=values.get("sealedBoot"),
        uptime=int(values["uptime"]) if "uptime" in values else None,
        output=output,
    )


def _refusal(text: bytes) -> LedgerAnswer:
    """A refusal says why in its first line; what the ledger holds is asked separately."""
    match = re.match(rb"refused=([ -~]{1,256})\n", text)
    if match is None:
        raise ValueError("a refusal without a readable reason")
    reason = match[1].decode("ascii")
    return LedgerAnswer(refused=reason, error=f"refused: {reason}")


def _check_consistent(state: LedgerState, values: dict[str, str], output: tuple[str, ...]) -> None:
    present = set(values) - {"id", "boot", "state", "uptime"}
    if surplus := sorted(present - _DETAILS[state]):
        raise ValueError(f"{surplus[0]}= does not belong to state {state}")
    if output and state is not LedgerState.FINISHED:
        raise ValueError(f"output= does not belong to state {state}")
    if state is LedgerState.FINISHED:
        if missing := [key for key in ("finishedAt", "finishBoot", "result") if key not in values]:
            raise ValueError(f"{missing[0]}= is missing")
        if values.get("code") == "exited" and not re.fullmatch(r"[0-9]{1,3}", values.get("exit", "")):
            raise ValueError("exit= is not an exit status")


def _fields(text: bytes, known: dict[str, str]) -> tuple[dict[str, str], tuple[str, ...]]:
    """The ``key=value`` lines, each key known, once and in form, and the ``output=`` lines that end them."""
    if not text.endswith(b"\n"):
        raise ValueError("it is empty or cut off")
    lines = text.split(b"\n")[:-1]
    first_output = next((n for n, line in enumerate(lines) if line.startswith(b"output=")), len(lines))
    values: dict[str, str] = {}
    for line in lines[:first_output]:
        key, separator, value = line.decode("ascii", "backslashreplace").partition("=")
        if not separator or key not in known:
            raise ValueError(f"unknown line {key[:40]!r}")
        if key in values:
            raise ValueError(f"{key}= comes twice")
        if not re.fullmatch(known[key], value):
            raise ValueError(f"{key}= has a malformed value {value[:80]!r}")
        values[key] = value
    if not all(line.startswith(b"output=") for line in lines[first_output:]):
        raise ValueError("a line after the output")
    output = (line.removeprefix(b"output=").decode("utf-8", "replace") for line in lines[first_output:])
    return values, tuple(output)


_UUID = r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"
_MOMENT = r"[0-9]{1,11}(\.[0-9]{1,9})?"
_ACTION = r"[a-z][a-z0-9-]{0,40}"

_INFO = {
    "machine": r"[0-9a-f]{32}",
    "boot": _UUID,
    "uptime": r"[0-9]{1,11}",
    "time": _MOMENT,
    "actions": rf"({_ACTION}( {_ACTION})*)?",
    "version": "[12]",
    "os": r"[ -~]{0,100}",
    "previews": rf"({_ACTION}( {_ACTION})*)?",
    "ledger": r"[ -~]{0,300}",
}
_PREVIEW = {
    "preview": _ACTION,
    "boot": _UUID,
    "project": r"sha256:[0-9a-f]{64}",
    "result": r"[a-z][a-z-]{0,39}",
    "exit": r"([0-9]{1,3})?",
    "truncated": "yes|no",
}

_CLAIM = {"claimedAt": _MOMENT, "claimBoot": _UUID, "action": _ACTION}
_RESULT = {
    "finishedAt": _MOMENT,
    "finishedUptime": _MOMENT,
    "finishBoot": _UUID,
    "result": r"[a-z][a-z-]{0,39}",
    "code": r"(exited|killed|dumped)?",
    "exit": r"[0-9A-Z+]{0,16}",
}
_SEAL = {"sealedAt": _MOMENT, "sealedBoot": _UUID}
_UPTIME = r"[0-9]{1,11}"
_ANSWER = {
    "uptime": _UPTIME,
    "id": r"[0-9a-f]{64}",
    "boot": _UUID,
    "state": "|".join(LedgerState),
    **_CLAIM,
    **_RESULT,
    **_SEAL,
}
_DETAILS: dict[LedgerState, set[str]] = {
    LedgerState.ABSENT: set(),
    LedgerState.CLAIMED: set(_CLAIM),
    LedgerState.RUNNING: set(_CLAIM),
    LedgerState.FINISHED: {*_CLAIM, *_RESULT},
    LedgerState.SEALED: set(_SEAL),
}
