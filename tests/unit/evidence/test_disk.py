"""Disk: what df says of one file system."""

from __future__ import annotations

import pytest

from firstresponder.evidence.catalogue import PROBES
from firstresponder.evidence.probe import Reason, Unobserved
from tests.unit.evidence.asking import argv, printed, seen, unseen

HEADER = "  1B-blocks       Used      Avail Inodes IUsed Mounted on\n"
ROW = "10000000000 7600000000 1900000000 655360 98304 /var\n"


def test_a_file_system_is_read_with_its_reserved_blocks_as_neither_used_nor_available() -> None:
    assert seen("disk", printed(HEADER + ROW), path="/var/log") == {
        "usedPercent": 80.0,
        "usedBytes": 7600000000,
        "sizeBytes": 10000000000,
        "availableBytes": 1900000000,
        "availablePercent": 19.0,
        "inodesCounted": True,
        "inodesUsedPercent": 15.0,
        "mountPoint": "/var",
    }


def test_full_for_everybody_but_root_is_full() -> None:
    full = "10000000000 9500000000 0 655360 98304 /\n"
    assert seen("disk", printed(HEADER + full), path="/")["usedPercent"] == 100.0


def test_every_inode_may_be_used_with_bytes_to_spare() -> None:
    values = seen("disk", printed(HEADER + "10000000000 760000000 8740000000 655360 655360 /\n"), path="/")
    assert (values["usedPercent"], values["inodesCounted"], values["inodesUsedPercent"]) == (8.0, True, 100.0)


@pytest.mark.parametrize(("inodes", "counted"), [("0 0", False), ("0 -", False), ("- -", None)])
def test_a_file_system_that_counts_no_inodes_leaves_their_percentage_out(inodes: str, counted: bool | None) -> None:
    values = seen("disk", printed(HEADER + f"100 50 50 {inodes} /data\n"), path="/data")
    assert "inodesUsedPercent" not in values
    assert values.get("inodesCounted") is counted
    assert values["usedPercent"] == 50.0


def test_a_mount_point_may_have_spaces() -> None:
    assert seen("disk", printed(HEADER + "100 50 50 9 3 /my data\n"), path="/my data/x")["mountPoint"] == "/my data"


@pytest.mark.parametrize("row", ["0 0 0 0 0 /proc\n", "100 200 50 9 3 /\n", "100 50 200 9 3 /\n"])
def test_impossible_numbers_are_not_believed(row: str) -> None:
    unseen("disk", printed(HEADER + row), Reason.UNPARSEABLE, "cannot be true", path="/")


@pytest.mark.parametrize(
    "text",
    [
        HEADER,
        HEADER + ROW[:30],
        HEADER + ROW.strip(),
        HEADER + ROW + ROW,
        ROW,
        "1B-Blöcke Benutzt Verfügbar Inodes IBenutzt Eingehängt auf\n" + ROW,
        HEADER + "- - - - - /net\n",
    ],
)
def test_anything_else_than_one_whole_row_in_the_c_locale_is_not_read(text: str) -> None:
    unseen("disk", printed(text), Reason.UNPARSEABLE, path="/")


def test_a_path_that_does_not_exist_is_said_to_be_missing() -> None:
    unseen("disk", printed("", "df: /data: No such file or directory\n", 1), Reason.NOT_FOUND, "/data", path="/data")


def test_the_host_looks_where_a_diagnostic_would_see_its_own_tmp() -> None:
    assert PROBES["disk"].request == "disk"
    assert argv("disk", path="/tmp") == ("/tmp",)


@pytest.mark.parametrize("path", ["var/log", "-h", "~", "/a\nb"])
def test_a_path_is_absolute(path: str) -> None:
    probe = PROBES["disk"]
    with pytest.raises(Unobserved, match="path: ") as unobserved:
        probe.argv(probe.arguments.model_construct(path=path), None)  # type: ignore[arg-type]
    assert unobserved.value.reason is Reason.BAD_ARGUMENT
