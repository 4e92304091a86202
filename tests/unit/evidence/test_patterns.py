"""The named patterns of log lines, against what runtimes, pools and servers really say."""

from __future__ import annotations

import ctypes
import ctypes.util
import re
import shutil
import subprocess
import time
from pathlib import Path

import pytest

from firstresponder.evidence.patterns import PATTERNS, PatternSet, is_error_line

TABLES = Path(__file__).with_name("log_lines")
SETS: list[PatternSet] = sorted(PATTERNS)
_ROW = re.compile(r"([+-]) ([^\t]+)\t(.+)")


def table(name: PatternSet) -> list[tuple[bool, str, str]]:
    """Whether the set finds it, the program, and the line."""
    rows = []
    for line in (TABLES / f"{name}.txt").read_text().splitlines():
        if not line.startswith("#"):
            found = _ROW.fullmatch(line)
            assert found is not None, f"{name}.txt: not a row: {line!r}"
            rows.append((found[1] == "+", found[2], found[3]))
    return rows


ROWS = [pytest.param(name, *row, id=f"{name}: {row[2]}") for name in SETS for row in table(name)]


@pytest.mark.parametrize(("name", "found", "program", "line"), ROWS)
def test_a_named_pattern_finds_the_words_of_programs_and_leaves_others_alone(
    name: PatternSet, found: bool, program: str, line: str
) -> None:
    assert (re.search(PATTERNS[name].expression, line) is not None) is found, f"{program}: {line}"


@pytest.mark.parametrize("name", SETS)
def test_case_makes_no_difference_to_what_is_said(name: PatternSet) -> None:
    if name == "errorLines":
        pytest.skip("a level is told by its capitals")
    for found, program, line in table(name):
        for form in (line.lower(), line.upper()):
            if found:
                assert re.search(PATTERNS[name].expression, form), f"{program}: {form}"


@pytest.mark.parametrize("name", SETS)
def test_each_named_pattern_is_held_to_sixty_lines_of_either_kind(name: PatternSet) -> None:
    kinds = [found for found, _, _ in table(name)]
    assert kinds.count(True) >= 60
    assert kinds.count(False) >= 60
    lines = [line for _, _, line in table(name)]
    assert len(set(lines)) == len(lines)


@pytest.mark.parametrize("name", SETS)
def test_journalctl_finds_the_same_for_it_reads_patterns_as_grep_does(name: PatternSet) -> None:
    """GNU grep and journalctl both have PCRE2; tests/host shows the same with journalctl itself."""
    if shutil.which("grep") is None or subprocess.run(["grep", "-qP", "a"], input=b"a", check=False).returncode:
        pytest.skip("this grep has no PCRE2")
    lines = [line for _, _, line in table(name)]
    done = subprocess.run(
        ["grep", "-nP", "--", PATTERNS[name].expression],
        input="\n".join(lines),
        capture_output=True,
        encoding="utf-8",
        check=False,
        env={"LC_ALL": "C", "PATH": "/usr/bin:/bin"},
    )
    assert done.stderr == ""
    numbers = {int(line.split(":", 1)[0]) for line in done.stdout.splitlines()}
    assert numbers == {number for number, (found, _, _) in enumerate(table(name), 1) if found}


@pytest.mark.parametrize("name", SETS)
def test_a_pattern_fits_into_a_request_to_a_host(name: PatternSet) -> None:
    assert PATTERNS[name].expression.isascii()
    assert PATTERNS[name].expression.isprintable()
    assert len(PATTERNS[name].expression) < 12 * 1024


LONG = [
    "a" * 50_000, "a-" * 25_000, "/" * 50_000, "error " * 8_000, "0 " * 25_000, "no " * 16_000, "x=" * 25_000,
    "a.b:" * 12_000, "connection to server at " * 2_000, "--a" * 16_000, "assert " * 7_000, "[error:" * 7_000,
    "the quick brown fox jumps, " * 1_800, '{"a":1,"b":[1,2,3],"c":"text"},' * 1_500, "GET /a/b/c 200 " * 3_300,
    "0/1 " * 12_000, "errors: 0 " * 4_800, "failed to get a connection " * 1_800, "upstream " * 5_400, " " * 49_000,
    "connection refused http " * 2_000, "out of memory " * 3_400, "error.log " * 4_800, "timed out waiting " * 2_700,
]  # fmt: skip


@pytest.mark.parametrize("name", SETS)
@pytest.mark.parametrize("message", LONG, ids=lambda message: message[:24])
def test_the_longest_message_that_journald_keeps_takes_no_longer_than_its_length(
    name: PatternSet, message: str
) -> None:
    """48 KiB are journald's LineMax=. A short and a long one tell linear from quadratic, whatever the machine."""

    def took(text: str) -> float:
        began = time.process_time()
        re.search(PATTERNS[name].expression, text)
        return time.process_time() - began

    short, long = took(message[: len(message) // 8]), took(message)
    assert long < 24 * short + 0.05


@pytest.mark.parametrize("name", SETS)
def test_journalctl_gives_up_on_no_message_that_journald_keeps(name: PatternSet) -> None:
    """Where a match takes more steps than PCRE2 allows, nobody knows what the journal holds."""
    path = ctypes.util.find_library("pcre2-8")
    if path is None:
        pytest.skip("this machine has no PCRE2")
    library = ctypes.CDLL(path)
    for function in ("pcre2_compile_8", "pcre2_match_data_create_from_pattern_8"):
        getattr(library, function).restype = ctypes.c_void_p
    expression, problem, at = PATTERNS[name].expression.encode(), ctypes.c_int(), ctypes.c_size_t()
    size = ctypes.c_size_t
    code = ctypes.c_void_p(
        library.pcre2_compile_8(expression, size(len(expression)), 0, ctypes.byref(problem), ctypes.byref(at), None)
    )
    data = ctypes.c_void_p(library.pcre2_match_data_create_from_pattern_8(code, None))
    no_match = -1
    answers = {
        message[:24]: library.pcre2_match_8(code, message.encode(), size(len(message)), size(0), 0, data, None)
        for message in LONG
    }
    assert {message: answer for message, answer in answers.items() if answer < no_match} == {}


def test_a_line_that_tells_of_a_success_is_no_error_line() -> None:
    assert not is_error_line("GET /api/rooms/17 200")
    assert is_error_line("GET /api/rooms/17 500")
