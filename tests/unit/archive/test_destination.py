"""What --archive can name, and what is said of everything else."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner

from firstresponder.archive.destination import sink_of
from firstresponder.archive.directory import DirectorySink
from firstresponder.archive.endpoint import EndpointSink
from firstresponder.main import main


def now() -> datetime:
    return datetime(2026, 3, 14, tzinfo=UTC)


def test_a_directory_or_an_endpoint() -> None:
    assert isinstance(sink_of("file:///var/lib/firstresponder/archive", None, None, now), DirectorySink)
    assert isinstance(sink_of("https://archive.example.com:8443/incidents?team=sre", None, None, now), EndpointSink)


@pytest.mark.parametrize(
    ("destination", "says"),
    [
        *((wrong, "write file:///DIRECTORY or https://HOST/PATH") for wrong in (
            "", "/var/lib/archive", "file://var/lib/archive", "file:archive", "http://archive.example.com", "https://",
            "https://archive.example.com:0/", "https://archive.example.com:x/", "s3://bucket", "https://[::1",
        )),
        ("https://me:hunter2@archive.example.com", "no user or password in the address"),
    ],
)  # fmt: skip
def test_anything_else_is_refused_with_what_to_write(destination: str, says: str) -> None:
    with pytest.raises(ValueError, match=r"^--archive: ") as refused:
        sink_of(destination, None, None, now)
    assert says in str(refused.value)
    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--archive=s3://bucket"], "--archive: write file:///DIRECTORY or https://HOST/PATH"),
        ([f"--archive-ca-file={__file__}"], "are of no use without --archive"),
    ],
)
def test_the_operator_does_not_start_with_what_is_wrong(options: list[str], says: str) -> None:
    result = CliRunner().invoke(main, ["run", "--namespace=prod", *options])
    assert result.exit_code == 2
    assert says in " ".join(result.stderr.split())


def test_a_directory_needs_no_token(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="are for an archive at https"):
        sink_of("file:///archive", tmp_path, None, now)


def test_an_authority_that_is_none_is_named(tmp_path: Path) -> None:
    file = tmp_path / "ca.crt"
    file.write_text("no certificate")
    with pytest.raises(ValueError, match=r"--archive-ca-file: .*ca\.crt holds no certificate"):
        sink_of("https://archive.example.com", None, file, now)
