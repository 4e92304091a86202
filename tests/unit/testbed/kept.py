"""What a keeper keeps, in a test: it says two things, is ready at once, and stays."""

from __future__ import annotations

import signal
from pathlib import Path

from tests.testbed.keeper import Keeper, commands, state_option

MODULE = "tests.unit.testbed.kept"

main = commands(__doc__, MODULE, Path("never"), removed="removed", absent="absent")


@main.command(hidden=True)
@state_option(Path("never"))
def keep(state: Path) -> None:
    """Keep it until SIGTERM."""
    print("begins\nends", flush=True)
    Keeper(MODULE, state).ready.write_text("how to reach it\n")
    signal.pause()


if __name__ == "__main__":
    main()
