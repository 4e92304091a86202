"""Directories: sizes that are complete, or none at all."""

from __future__ import annotations

from typing import Any

import pytest

from firstresponder.api.command import CommandOutput
from firstresponder.evidence.catalogue import PROBES
from firstresponder.evidence.probe import Reason
from tests.unit.evidence.asking import argv, printed, seen, unseen

LOGS: dict[str, Any] = {"path": "/var/log", "of": "/"}


def measured(
    *sizes: tuple[int, str],
    of: str = "of=2049 used=4096*2000-1000",
    path: int = 2049,
    end: str = "du=0 sort=0",
    stderr: str = "",
) -> CommandOutput:
    """What the host prints; 4096000 bytes are used on the file system unless said otherwise."""
    records = [of, f"path={path}", *(f"{size}\t{name}" for size, name in sizes), end]
    return printed("".join(f"{record}\0" for record in records), stderr)


FOLDERS = ((1024000, "/var/log"), (819200, "/var/log/journal"), (4096, "/var/log/apt"))


def test_sizes_and_the_share_of_what_is_used_are_read() -> None:
    assert seen("directories", measured(*FOLDERS), **LOGS) == {
        "totalBytes": 1024000,
        "sharePercent": 25.0,
        "mostIn": "/var/log/journal",
        "paths": [{"path": "/var/log/journal", "bytes": 819200}, {"path": "/var/log/apt", "bytes": 4096}],
    }


def test_the_limit_caps_only_the_folders_that_are_shown() -> None:
    values = seen("directories", measured(*FOLDERS), **LOGS, limit=1)
    assert [each["path"] for each in values["paths"]] == ["/var/log/journal"]
    assert values["totalBytes"] == 1024000


def test_on_another_file_system_it_has_no_share() -> None:
    values = seen("directories", measured(*FOLDERS, path=2050), **LOGS)
    assert (values["sharePercent"], values["totalBytes"]) == (0.0, 1024000)


def test_a_share_is_never_above_a_hundred() -> None:
    assert seen("directories", measured((9999999, "/var/log")), **LOGS)["sharePercent"] == 100.0


def test_an_empty_folder_has_the_size_that_du_gives_it() -> None:
    assert seen("directories", measured((0, "/var/log")), **LOGS) == {
        "totalBytes": 0,
        "sharePercent": 0.0,
        "mostIn": "/var/log",
        "paths": [],
    }


def test_folders_below_the_root_are_read() -> None:
    values = seen("directories", measured((100, "/"), (90, "/var")), path="/")
    assert values["paths"] == [{"path": "/var", "bytes": 90}]


def test_files_that_vanish_meanwhile_are_gone() -> None:
    gone = "du: cannot access '/var/log/x': No such file or directory\n"
    values = seen("directories", measured(*FOLDERS, end="du=1 sort=0", stderr=gone), **LOGS)
    assert values["totalBytes"] == 1024000


@pytest.mark.rule(2)
@pytest.mark.parametrize(
    ("complaint", "reason"),
    [
        ("du: cannot read directory '/var/log/private': Permission denied\n", Reason.NO_PERMISSION),
        ("du: cannot access '/var/log/x': Input/output error\n", Reason.FAILED),
        ("du: kann nicht auf '/x' zugreifen: Datei oder Verzeichnis nicht gefunden\n", Reason.FAILED),
        ("du: mount point '/var/log/x' already traversed\n", Reason.FAILED),
        ("", Reason.FAILED),
    ],
)
def test_sizes_that_are_not_complete_are_not_an_observation(complaint: str, reason: Reason) -> None:
    gone = "du: cannot access '/var/log/x': No such file or directory\n" if complaint else ""
    output = measured(*FOLDERS, end="du=1 sort=0", stderr=gone + complaint)
    unseen("directories", output, reason, "not complete", **LOGS)


def test_a_folder_that_cannot_be_entered_is_no_empty_one() -> None:
    missing = printed("", "directories: line 2: cd: /srv/x: No such file or directory\n", 66)
    unseen("directories", missing, Reason.NOT_FOUND, path="/srv/x")
    closed = printed("", "directories: line 2: cd: /srv/x: Permission denied\n", 66)
    unseen("directories", closed, Reason.NO_PERMISSION, path="/srv/x")


@pytest.mark.parametrize(
    "output",
    [
        measured(),
        measured(*FOLDERS, end="du=137 sort=0"),
        measured(*FOLDERS, end="du=0 sort=2"),
        measured(*FOLDERS, of="of=2049 used=4096*1000-1000"),
        measured(*FOLDERS, of="of= used="),
        measured((10, "/var/log"), (5, "/etc")),
        printed(measured(*FOLDERS).stdout[:-14]),
        printed(b"1024000\t/var/log\n"),
    ],
)
def test_what_did_not_come_to_its_end_or_has_another_form_is_not_read(output: CommandOutput) -> None:
    unseen("directories", output, Reason.UNPARSEABLE, **LOGS)


def test_a_folders_name_is_harmless_to_show() -> None:
    values = seen("directories", measured((10, "/var/log"), (5, "/var/log/a\n\x1b[2Jdu=0")), **LOGS)
    assert values["paths"] == [{"path": r"/var/log/a\n\x1b[2Jdu=0", "bytes": 5}]


def test_the_host_is_asked_for_both_folders() -> None:
    assert PROBES["directories"].request == "directories"
    assert argv("directories", **LOGS) == ("/var/log", "/")
    assert argv("directories", path="/tmp") == ("/tmp", "/tmp")
    assert argv("directories", **LOGS, count="inodes") == ("/var/log", "/", "inodes")


def test_inodes_are_counted_instead_of_bytes() -> None:
    folders = ((900, "/"), (850, "/var"), (800, "/var/spool"), (790, "/var/spool/mails"), (30, "/usr"))
    values = seen("directories", measured(*folders, of="of=2049 used=1*1000-0"), path="/", limit=1, count="inodes")
    assert values == {
        "totalInodes": 900,
        "sharePercent": 90.0,
        "mostIn": "/var/spool/mails",
        "paths": [{"path": "/var", "inodes": 850}],
    }


def test_where_inodes_are_not_counted_none_can_run_out() -> None:
    output = measured(*FOLDERS, of="of=2049 used=1*0-0")
    unseen("directories", output, Reason.NOT_FOUND, "none can run out", **LOGS, count="inodes")
