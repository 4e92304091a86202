"""What is sent to a host, and what is made of an answer, apart from the connection."""

from __future__ import annotations

from collections.abc import Callable, Sequence

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
from firstresponder.hosts.observe import Command, run_request
from firstresponder.hosts.pool import SshPool
from firstresponder.hosts.target import SshTarget

KEY = asyncssh.generate_private_key("ssh-ed25519")
PRIVATE = KEY.export_private_key().decode()
PUBLIC = KEY.export_public_key().decode().strip()
TARGET = SshTarget("web-1", "192.0.2.1", 22, (PUBLIC,), "fr-act", PRIVATE)
BOOT = "4f1c2d3e-0000-4000-8000-123456789abc"
ORDER = "order firstresponder.dev/v1\n"
ID = attempt_id(ORDER)


class Answers(SshPool):
    """A pool that answers from a list and keeps what was asked."""

    def __init__(self, *answers: CommandOutput | Exception) -> None:
        super().__init__()
        self.answers = list(answers)
        self.asked: list[bytes] = []
        self.piece = 65536
        """In pieces of so many bytes an answer arrives."""

    async def run(
        self, target: SshTarget, stdin: bytes, *, received: Callable[[bytes], None] | None = None, **_: object
    ) -> CommandOutput:
        assert target == TARGET
        self.asked.append(stdin)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        if received is not None:
            for begin in range(0, len(answer.stdout), self.piece):
                received(answer.stdout[begin : begin + self.piece])
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
    assert SshTarget("other-name", "192.0.2.1", 22, (PUBLIC,), "fr-act", PRIVATE) == TARGET
    assert SshTarget("web-1", "192.0.2.1", 22, (PUBLIC,), "fr-observe", PRIVATE) != TARGET
    assert SshTarget("web-1", "192.0.2.1", 22, ("ssh-ed25519 AAAA",), "fr-act", PRIVATE) != TARGET
    assert SshTarget("web-1", "192.0.2.1", 22, (PUBLIC,), "fr-act", "another key") != TARGET


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


TWO = (Command(("df", "", "/a b"), 7.2, 100), Command(("free",), 20, 5000))


async def together(pool: Answers) -> dict[int, CommandOutput]:
    found: dict[int, CommandOutput] = {}

    def answered(number: int, output: CommandOutput) -> None:
        assert number not in found, "answered twice"
        found[number] = output

    await observe.run_together(pool, TARGET, TWO, answered)
    return found


@pytest.mark.parametrize("piece", [1, 7, 65536])
async def test_several_diagnostics_are_one_request_and_each_is_answered_by_itself(piece: int) -> None:
    pool = Answers(told("result 1 0 no 5 2\n\nout\0e!result 0 3 no 0 0\n"))
    pool.piece = piece
    assert await together(pool) == {1: CommandOutput(b"\nout\0", b"e!", 0), 0: CommandOutput(b"", b"", 3)}
    assert pool.asked == [b"together\nrun 8 100 3\ndf\n\n/a b\nrun 20 5000 1\nfree\n"]


async def test_nothing_that_a_program_prints_is_taken_for_another_result() -> None:
    forged = "x\nresult 1 0 no 4 0\nfine"
    pool = Answers(told(f"result 0 0 no {len(forged)} 0\n{forged}result 1 1 no 0 4\ndire"))
    assert await together(pool) == {0: CommandOutput(forged.encode(), b"", 0), 1: CommandOutput(b"", b"dire", 1)}


async def test_output_that_was_cut_has_no_end_that_is_known() -> None:
    pool = Answers(told("result 0 141 yes 2 0\nyyresult 1 0 no 0 0\n"))
    assert (await together(pool))[0] == CommandOutput(b"yy", b"", None, truncated=True)


@pytest.mark.parametrize(
    "rest",
    [
        *("result 1 0 no 4 0\nfineresult 0 0 no 0 0\n", "result 2 0 no 0 0\n", "result 1 0 no 5001 0\n", "fine\n"),
        *("result 1 0 maybe 0 0\n", "result 1 0 no 0\n", "result 1 -1 no 0 0\n", "x" * 100, "\n"),
    ],
)
async def test_an_answer_not_in_form_says_nothing_from_there_on(rest: str) -> None:
    found: dict[int, CommandOutput] = {}
    pool = Answers(told(f"result 0 0 no 2 0\nok{rest}result 1 0 no 5 0\nwrong"))
    with pytest.raises(HostUnreachable, match="fr-act@web-1: not an answer to several diagnostics"):
        await observe.run_together(pool, TARGET, TWO, found.__setitem__)
    assert found.pop(0) == CommandOutput(b"ok", b"", 0)
    assert all(output.stdout == b"fine" for output in found.values())


@pytest.mark.parametrize(
    ("end", "rest"),
    [
        (told("result 0 0 no 2 0\nokresult 1 0 no 4 0\nfi", None), CommandOutput(b"", b"", None)),
        (told("result 0 0 no 2 0\nok", 1, stderr="no room"), CommandOutput(b"", b"no room", 1)),
        (told("result 0 0 no 2 0\nok", 0), CommandOutput(b"", b"", None)),
    ],
    ids=["lost", "ended", "silent"],
)
async def test_what_was_answered_before_the_end_is_kept(end: CommandOutput, rest: CommandOutput) -> None:
    assert await together(Answers(end)) == {0: CommandOutput(b"ok", b"", 0), 1: rest}


async def test_several_diagnostics_that_the_host_refuses_were_not_run() -> None:
    with pytest.raises(RequestRefused, match="no more than eight"):
        await together(Answers(told("", 78, stderr="firstresponder-observe: refused: no more than eight\n")))


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
