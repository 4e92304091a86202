"""The cluster that stays: what keeps it alive, and what is said of it."""

from __future__ import annotations

from pathlib import Path
from typing import cast

from tests.testbed.cluster import Cluster
from tests.testbed.local import Token, busy, note_ways_in
from tests.testbed.scene import Scene


class Tokens:
    """A cluster that hands out tokens, and the clock by which they expire."""

    operator_token_file = Path("operator.token")

    def __init__(self) -> None:
        self.clock = 0.0
        self.expires = 0.0

    def write_operator_token(self, path: Path, seconds: int) -> None:
        assert path == self.operator_token_file
        self.expires = self.clock + seconds


def test_the_operators_token_never_expires_while_the_cluster_lives() -> None:
    around = Tokens()
    token = Token(cast(Cluster, around), 600, now=lambda: around.clock)
    for _ in range(7200):
        token.renew_when_due()
        assert around.clock < around.expires
        around.clock += 1


def test_a_machine_that_slept_has_a_valid_token_at_once() -> None:
    around = Tokens()
    token = Token(cast(Cluster, around), 600, now=lambda: around.clock)
    token.renew_when_due()
    around.clock += 86400
    token.renew_when_due()
    assert around.clock < around.expires


def test_a_busy_machine_is_told_that_scenarios_which_judge_cpu_cannot_hold() -> None:
    assert "judges CPU" in busy(7.5, 2)
    assert busy(0.4, 2) == ""


class Booting:
    """A host that is entered by another process after each boot, and by none in between."""

    def __init__(self) -> None:
        self.process: int | None = 100

    def first_process(self) -> int:
        if self.process is None:
            raise LookupError
        return self.process


def test_the_way_into_a_host_is_true_again_after_it_booted(tmp_path: Path) -> None:
    host = Booting()
    here = cast(Scene, type("Here", (), {"cast": {"web-1": host}}))
    for process in (100, None, 200):
        host.process = process
        note_ways_in(here, tmp_path)
    assert (tmp_path / "hosts" / "web-1").read_text() == "200\n"
