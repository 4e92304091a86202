"""What is sent to a host, and what is made of an answer, apart from the connection."""

from __future__ import annotations

from collections.abc import Sequence

import asyncssh
import pytest

from firstresponder.api.command import CommandOutput
from firstresponder.api.ledger import LedgerAnswer, LedgerState, PreviewAnswer, PreviewRequest, attempt_id
from firstresponder.hosts import ledger, observe
from firstresponder.hosts.errors import (
    AuthenticationFailed,
    CommandTimedOut,
    HostKeyMismatch,
    HostUnreachable,
    NotPrepared,
    RequestRefused,
)
from firstresponder.hosts.observe import run_request
from firstresponder.hosts.pool import SshPool
from firstresponder.hosts.target import Target

KEY = asyncssh.generate_private_key("ssh-ed25519")
PRIVATE = KEY.export_private_key().decode()
PUBLIC = KEY.export_public_key().decode().strip()
TARGET = Target("web-1", "192.0.2.1", 22, (PUBLIC,), "fr-act", PRIVATE)
BOOT = "4f1c2d3e-0000-4000-8000-123456789abc"
ORDER = "order firstresponder.dev/v1\n"
ID = attempt_id(ORDER)


class Answers(SshPool):
    """A pool that answers from a list and keeps what was asked."""

    def __init__(self, *answers: CommandOutput | Exception) -> None:
        super().__init__()
        self.answers = list(answers)
        self.asked: list[bytes] = []

    async def run(self, target: Target, stdin: bytes, **_: object) -> CommandOutput:
        assert target == TARGET
        self.asked.append(stdin)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


def told(text: str, status: int | None = 0, *, truncated: bool = False, stderr: str = "") -> CommandOutput:
    return CommandOutput(text.encode(), stderr.encode(), status, truncated)


def about(state: str) -> str:
    return f"id={ID}\nboot={BOOT}\nstate={state}\n"


def test_a_private_key_is_never_printed() -> None:
    assert "PRIVATE" in PRIVATE
    assert PRIVATE not in repr(TARGET)
    assert "PRIVATE" not in f"{TARGET!r}{TARGET}"


def test_targets_are_one_connection_only_when_all_that_matters_is_the_same() -> None:
    assert Target("other-name", "192.0.2.1", 22, (PUBLIC,), "fr-act", PRIVATE) == TARGET
    assert Target("web-1", "192.0.2.1", 22, (PUBLIC,), "fr-observe", PRIVATE) != TARGET
    assert Target("web-1", "192.0.2.1", 22, ("ssh-ed25519 AAAA",), "fr-act", PRIVATE) != TARGET
    assert Target("web-1", "192.0.2.1", 22, (PUBLIC,), "fr-act", "another key") != TARGET


def test_a_command_is_framed_one_element_a_line() -> None:
    assert run_request(["df", "-P", "", "/a b;$(id)"], 7.2) == b"run 8\ndf\n-P\n\n/a b;$(id)\n"


async def test_a_probe_of_the_hosts_own_program_is_asked_for_by_its_name() -> None:
    assert run_request(["/var/log", "/"], 60, "directories") == b"directories 60\n/var/log\n/\n"
    pool = Answers(told("x"))
    await observe.run_diagnostic(pool, TARGET, ["/"], 5, 100, request="disk")
    assert pool.asked == [b"disk 5\n/\n"]


@pytest.mark.parametrize(
    ("argv", "problem"),
    [
        ([], r"argv\[0\] is empty"),
        (["", "-P"], r"argv\[0\] is empty"),
        (["df", "a\nb"], r"argv\[1\] is not printable ASCII"),
        (["df", "-P", "a\0b"], r"argv\[2\] is not printable ASCII"),
        (["df", "/caf\N{LATIN SMALL LETTER E WITH ACUTE}"], r"argv\[1\] is not printable ASCII"),
    ],
)
def test_a_command_that_cannot_be_framed_is_refused_by_element(argv: Sequence[str], problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        run_request(argv, 5)


async def test_a_refused_diagnostic_is_told_from_one_that_failed() -> None:
    refused = told("", 78, stderr="firstresponder-observe: refused: no such program\n")
    with pytest.raises(RequestRefused, match="fr-act@web-1: no such program"):
        await observe.run_diagnostic(Answers(refused), TARGET, ["nothing"], 5, 100)
    failed = told("", 78, stderr="of my own\n")
    assert await observe.run_diagnostic(Answers(failed), TARGET, ["df"], 5, 100) == failed


@pytest.mark.parametrize("answer", [told("", 127, stderr="\x1b[2J not found"), told("Welcome!\n"), told("", None)])
async def test_a_host_without_our_program_is_called_not_prepared(answer: CommandOutput) -> None:
    with pytest.raises(NotPrepared) as problem:
        await observe.info(Answers(answer), TARGET)
    assert "\x1b" not in problem.value.message


async def test_an_order_is_sent_as_it_is_and_its_answer_read() -> None:
    pool = Answers(told(about("running")))
    answer = await ledger.send_order(pool, TARGET, ORDER, 30)
    assert answer == LedgerAnswer(LedgerState.RUNNING, BOOT)
    assert pool.asked == [ORDER.encode()]


async def test_a_refused_order_brings_the_reason_and_what_the_ledger_then_holds() -> None:
    pool = Answers(told("refused=claimed\n", 78), told(about("claimed")))
    answer = await ledger.send_order(pool, TARGET, ORDER, 30)
    assert answer == LedgerAnswer(LedgerState.CLAIMED, BOOT, refused="claimed")
    assert pool.asked == [ORDER.encode(), f"status {ID}\n".encode()]


async def test_a_refusal_stays_known_when_the_ledger_cannot_be_asked_afterwards() -> None:
    pool = Answers(told("refused=busy\n", 78), HostUnreachable("ConnectionLost", "gone"))
    answer = await ledger.send_order(pool, TARGET, ORDER, 30)
    assert (answer.state, answer.refused, answer.error) == (None, "busy", "ConnectionLost: gone")


async def test_a_seal_is_asked_for_by_the_attempts_id() -> None:
    pool = Answers(told(about("sealed")))
    assert (await ledger.seal(pool, TARGET, ID)).state is LedgerState.SEALED
    assert pool.asked == [f"seal {ID}\n".encode()]


PREVIEW = PreviewRequest("ansible-scale", ("playbooks/api.yml", "6"), 120)
DRY = f"preview=ansible-scale\nboot={BOOT}\nresult=success\nexit=0\ntruncated=no\noutput=PLAY\n"


async def test_a_preview_is_sent_as_it_is_and_its_answer_read() -> None:
    pool = Answers(told(DRY))
    answer = await ledger.run_preview(pool, TARGET, PREVIEW)
    assert answer == PreviewAnswer(boot=BOOT, result="success", exit_status=0, output=("PLAY",))
    assert pool.asked == [PREVIEW.text().encode()]


@pytest.mark.parametrize(
    ("answer", "word"),
    [
        (told("refused=not declared\n", 78), "not declared"),
        (told(DRY, 1), "contradicts"),
        (told(DRY, None), "lost on the way"),
        (told(DRY, truncated=True), "lost on the way"),
        (HostUnreachable("ConnectionLost", "gone"), "gone"),
        (CommandTimedOut("TimedOut", "slow"), "slow"),
    ],
)
async def test_a_preview_in_doubt_is_none(answer: CommandOutput | Exception, word: str) -> None:
    found = await ledger.run_preview(Answers(answer), TARGET, PREVIEW)
    assert (found.result, found.succeeded) == (None, False)
    assert word in found.error


@pytest.mark.parametrize(
    "answer",
    [
        told(about("sealed"), None),
        told(about("sealed"), truncated=True),
        told(about("sealed"), 1),
        told("refused=busy\n", 0),
        told(""),
        HostUnreachable("ConnectionLost", "gone"),
        HostKeyMismatch("HostKeyMismatch", "another"),
        AuthenticationFailed("AuthenticationFailed", "no"),
        CommandTimedOut("TimedOut", "slow"),
    ],
)
async def test_an_answer_in_doubt_is_no_answer(answer: CommandOutput | Exception) -> None:
    known = await ledger.status(Answers(answer), TARGET, ID)
    assert (known.state, known.refused) == (None, None)
    assert known.error
