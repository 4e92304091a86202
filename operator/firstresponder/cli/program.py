"""``kubectl-NAME``: the program that kubectl runs for ``kubectl NAME``."""

from __future__ import annotations

import atexit
import gc
import os
import sys
from pathlib import Path

from firstresponder.cli.plugins import PLUGINS

_PREFIX = "kubectl-"
_OBJECTS = 250_000
"""So many more than before, and garbage is looked for: what a library makes while it is loaded is none."""


def main() -> None:
    """Run the plugin that this program is named after."""
    os.environ["PYDANTIC_DISABLE_PLUGINS"] = "__all__"  # none has a say here, and looking for them takes its time
    gc.set_threshold(_OBJECTS)
    atexit.register(gc.freeze)  # nor does what is left at the end have to be searched: it goes with the process
    PLUGINS[Path(sys.argv[0]).name.removeprefix(_PREFIX)].main()
