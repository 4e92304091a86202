"""Reading what a prepared host answers: exactly in form, or nothing is known."""

from __future__ import annotations

from dataclasses import replace

import pytest

from firstresponder.api.ledger import (
    HostInfo,
    LedgerAnswer,
    LedgerState,
    PreviewAnswer,
    PreviewRequest,
    attempt_id,
    parse_answer,
    parse_info,
    parse_preview,
)

ID = "0123456789abcdef" * 4
OTHER_ID = "f" * 64
BOOT = "4f1c2d3e-0000-4000-8000-123456789abc"
HEAD = f"id={ID}\nboot={BOOT}\n"
CLAIM = f"claimedAt=1773457632.123456789\nclaimBoot={BOOT}\naction=restart-unit\n"
RESULT = (
    f"finishedAt=1773457635.000000001\nfinishedUptime=4242.42\nfinishBoot={BOOT}\nresult=success\ncode=exited\nexit=0\n"
)
FINISHED = f"{HEAD}state=finished\n{CLAIM}{RESULT}"
INFO = (
    f"machine={'a' * 32}\nboot={BOOT}\nuptime=86400\ntime=1773457632.123456789\n"
    "actions=restart-unit renew-certificate\nversion=1\n"
)


def test_an_attempt_is_named_by_the_sha256_of_its_order() -> None:
    assert attempt_id("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def test_a_finished_action_is_read_with_its_result_and_output() -> None:
    text = f"{FINISHED}output=result=restarted\noutput=\noutput=id={OTHER_ID}\n"
    assert parse_answer(ID, text.encode()) == LedgerAnswer(
        state=LedgerState.FINISHED,
        boot=BOOT,
        action="restart-unit",
        claimed_at="1773457632.123456789",
        claim_boot=BOOT,
        finished_at="1773457635.000000001",
        finished_uptime="4242.42",
        finish_boot=BOOT,
        result="success",
        code="exited",
        exit_status=0,
        output=("result=restarted", "", f"id={OTHER_ID}"),
    )


@pytest.mark.parametrize("state", ["absent", "claimed", "running", "sealed"])
def test_a_state_needs_no_more_than_the_attempts_id_and_the_boot(state: str) -> None:
    assert parse_answer(ID, f"{HEAD}state={state}\n".encode()) == LedgerAnswer(state=LedgerState(state), boot=BOOT)


def test_a_seal_is_read_with_its_boot() -> None:
    answer = parse_answer(ID, f"{HEAD}state=sealed\nsealedAt=1773457632.5\nsealedBoot={BOOT}\n".encode())
    assert (answer.state, answer.sealed_at, answer.sealed_boot) == (LedgerState.SEALED, "1773457632.5", BOOT)


def test_an_action_killed_by_a_signal_has_no_exit_status() -> None:
    text = (
        FINISHED.replace("result=success", "result=timeout").replace("exited", "killed").replace("exit=0", "exit=TERM")
    )
    answer = parse_answer(ID, text.encode())
    assert (answer.state, answer.result, answer.exit_status) == (LedgerState.FINISHED, "timeout", None)


def test_a_refusal_says_why_and_claims_no_state() -> None:
    answer = parse_answer(ID, b"refused=other boot\n")
    assert (answer.state, answer.refused) == (None, "other boot")


def test_output_that_is_not_utf_8_is_read_with_replacement() -> None:
    answer = parse_answer(ID, f"{FINISHED}output=".encode() + b"caf\xe9\n")
    assert answer.output == ("caf\N{REPLACEMENT CHARACTER}",)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (b"", "empty or cut off"),
        (FINISHED[:-1].encode(), "empty or cut off"),
        (FINISHED.replace(ID, OTHER_ID).encode(), "another attempt"),
        (FINISHED.replace(f"id={ID}\n", "").encode(), "id= is missing"),
        (FINISHED.replace(f"boot={BOOT}\n", "", 1).encode(), "boot= is missing"),
        (f"{HEAD}".encode(), "state= is missing"),
        (f"{HEAD}state=done\n".encode(), "state= has a malformed value"),
        (f"{HEAD}state=absent\nstate=finished\n".encode(), "state= comes twice"),
        (f"{HEAD}state=absent\nhello\n".encode(), "unknown line 'hello'"),
        (f"{HEAD}state=absent\n\n".encode(), "unknown line ''"),
        (f"{HEAD}state=absent\nmood=good\n".encode(), "unknown line 'mood'"),
        (f"{HEAD}state=absent\n{CLAIM}".encode(), "action= does not belong to state absent"),
        (f"{HEAD}state=sealed\n{CLAIM}".encode(), "action= does not belong to state sealed"),
        (f"{HEAD}state=running\noutput=x\n".encode(), "output= does not belong to state running"),
        (f"{HEAD}state=finished\n{CLAIM}".encode(), "finishedAt= is missing"),
        (FINISHED.replace("exit=0", "exit=").encode(), "exit= is not an exit status"),
        (FINISHED.replace("exit=0", "exit=zero").encode(), "exit= has a malformed value"),
        (FINISHED.replace("1773457632.123456789", "yesterday").encode(), "claimedAt= has a malformed value"),
        (f"{FINISHED}output=x\nexit=0\n".encode(), "a line after the output"),
        (f"{FINISHED}output=x\nlost prefix\n".encode(), "a line after the output"),
        (FINISHED.replace("\n", "\r\n").encode(), "malformed value"),
        (FINISHED.encode().replace(b"success", b"succ\xc3\xa9s"), "result= has a malformed value"),
        (b"refused=\n", "without a readable reason"),
        (b"refused=other\x1bboot\n", "without a readable reason"),
        (b"refused=other boot", "without a readable reason"),
    ],
)
def test_an_answer_not_exactly_in_form_says_nothing(text: bytes, problem: str) -> None:
    answer = parse_answer(ID, text)
    assert answer == LedgerAnswer(error=answer.error)
    assert problem in answer.error


def test_info_is_read() -> None:
    assert parse_info(INFO.encode()) == HostInfo(
        machine="a" * 32,
        boot=BOOT,
        uptime=86400,
        time=1773457632.123456789,
        actions=("restart-unit", "renew-certificate"),
        version=1,
    )


def test_a_host_says_why_it_could_claim_no_order_and_one_of_an_earlier_version_says_nothing() -> None:
    assert parse_info(f"{INFO}ledger=/run is full\n".encode()).ledger == "/run is full"
    assert parse_info(f"{INFO}ledger=\n".encode()).ledger == parse_info(INFO.encode()).ledger == ""


def test_what_the_observing_account_is_told_comes_with_the_uptime() -> None:
    for text in (f"{HEAD}state=absent\n", FINISHED):
        told = parse_answer(ID, f"uptime=86400\n{text}".encode())
        assert told == replace(parse_answer(ID, text.encode()), uptime=86400)
        assert (told.by_observer, parse_answer(ID, text.encode()).by_observer) == (True, False)


def test_a_host_may_declare_no_action() -> None:
    assert parse_info(INFO.replace("restart-unit renew-certificate", "").encode()).actions == ()


def test_a_host_says_what_can_be_previewed_and_one_of_before_there_were_previews_says_nothing() -> None:
    assert parse_info(INFO.encode()).previews == ()
    assert parse_info(f"{INFO}previews=\n".encode()).previews == ()
    assert parse_info(f"{INFO}os=Debian GNU/Linux 12 (bookworm)\n".encode()).os == "Debian GNU/Linux 12 (bookworm)"
    assert parse_info(f"{INFO}previews=ansible-scale b\n".encode()).previews == ("ansible-scale", "b")


PREVIEW = f"preview=ansible-scale\nboot={BOOT}\nresult=success\nexit=0\ntruncated=no\n"


def test_a_preview_is_asked_for_argument_by_argument() -> None:
    request = PreviewRequest("ansible-scale", ("playbooks/api.yml", "", "6"), 120)
    assert request.text() == "preview ansible-scale\ntimeout 120\narg playbooks/api.yml\narg \narg 6\n"


def test_a_preview_is_read_with_its_output() -> None:
    answer = parse_preview("ansible-scale", f"{PREVIEW}output=PLAY\noutput=\noutput=exit=3\n".encode())
    assert answer == PreviewAnswer(
        boot=BOOT, result="success", exit_status=0, truncated=False, output=("PLAY", "", "exit=3")
    )
    assert answer.succeeded


def test_a_preview_says_which_project_it_ran_and_its_output_does_not() -> None:
    digest = f"sha256:{'d' * 64}"
    answer = parse_preview("ansible-scale", f"{PREVIEW}project={digest}\noutput=PLAY\n".encode())
    assert (answer.project, answer.output) == (digest, ("PLAY",))
    answer = parse_preview("ansible-scale", f"{PREVIEW}output=project={digest}\n".encode())
    assert (answer.project, answer.output) == (None, (f"project={digest}",))


@pytest.mark.parametrize(
    ("change", "succeeded", "truncated"),
    [
        (("exit=0", "exit=2"), False, False),
        (("result=success\nexit=0", "result=timeout\nexit="), False, False),
        (("exit=0", "exit="), False, False),
        (("truncated=no", "truncated=yes"), True, True),
    ],
)
def test_a_preview_succeeded_only_if_it_ran_to_its_end_and_says_if_it_was_cut(
    change: tuple[str, str], succeeded: bool, truncated: bool
) -> None:
    answer = parse_preview("ansible-scale", PREVIEW.replace(*change).encode())
    assert (answer.succeeded, answer.truncated) == (succeeded, truncated)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "empty or cut off"),
        (PREVIEW[:-1], "empty or cut off"),
        (PREVIEW.replace("ansible-scale", "other"), "another action"),
        (PREVIEW.replace("truncated=no\n", ""), "truncated= is missing"),
        (PREVIEW.replace("exit=0", "exit=zero"), "exit= has a malformed value"),
        (f"{PREVIEW}claimedAt=1\n", "unknown line"),
        (f"{PREVIEW}output=caf\u00e9\n", "not printable ASCII"),
        (f"{PREVIEW}output=ok\noutput=\x1b[2J\n", "not printable ASCII"),
        (f"{PREVIEW}project=sha256:0\n", "project= has a malformed value"),
        ("refused=not declared\n", "refused: not declared"),
        ("refused=\n", "without a readable reason"),
    ],
)
def test_a_preview_not_exactly_in_form_is_none(text: str, problem: str) -> None:
    answer = parse_preview("ansible-scale", text.encode())
    assert answer == PreviewAnswer(error=answer.error)
    assert problem in answer.error
    assert not answer.succeeded


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (INFO.replace("version=1", "version=3"), "version= has a malformed value '3'"),
        (INFO.replace("uptime=86400\n", ""), "uptime= is missing"),
        (INFO.replace("86400", "-1"), "uptime= has a malformed value"),
        (INFO.replace("a" * 32, "A" * 32), "machine= has a malformed value"),
        (INFO + "output=x\n", "output"),
        ("Welcome to Debian!\n", "unknown line"),
        ("", "empty or cut off"),
    ],
)
def test_info_not_exactly_in_form_is_refused_by_name(text: str, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        parse_info(text.encode())
