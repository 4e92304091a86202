"""The process that keeps what `make cluster` or `make kind` leaves."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.testbed.keeper import Keeper
from tests.unit.testbed import kept


def test_all_that_it_says_until_it_is_ready_is_told_and_then_how_to_reach_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    keeper = Keeper(kept.MODULE, tmp_path / "state")
    try:
        keeper.up()
        assert capsys.readouterr().out == "begins\nends\n\nhow to reach it\n\n"
        keeper.up()
        assert capsys.readouterr().out == "how to reach it\n\n"
    finally:
        assert keeper.down()
    assert not keeper.down()
    assert not keeper.state.exists()
