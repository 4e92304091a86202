"""``python -m firstresponder.codegen [--check]``: write everything that is generated, or name what differs."""

from __future__ import annotations

import sys

from firstresponder.codegen import (
    chart,
    commands,
    crds,
    diagnostics,
    kinds,
    licences,
    manifests,
    metrics,
    runbooks,
    schemas,
)
from firstresponder.codegen.output import write

GENERATORS = (crds, kinds, schemas, manifests, chart, diagnostics, runbooks, commands, licences, metrics)


def main() -> int:
    """The exit status: 1 where a check found a difference."""
    check = "--check" in sys.argv[1:]
    files = {path: text for each in GENERATORS for path, text in each.files().items()}
    return 0 if write(files, check=check) or not check else 1


if __name__ == "__main__":
    sys.exit(main())
