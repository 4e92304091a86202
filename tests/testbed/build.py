"""Build what tests and demos run on, once: ``python -m tests.testbed.build [cluster] [helm] [kind] [hosts]``.

Minutes on a new machine, with progress on standard error; nothing when it is there.
"""

from __future__ import annotations

import sys

from tests.testbed import components, debian, helm
from tests.testbed.go_build import MissingError
from tests.testbed.kind import programs

PARTS = {"cluster": components.ensure, "helm": helm.ensure, "kind": programs.build().ensure, "hosts": debian.ensure}

if __name__ == "__main__":
    try:
        for part in sys.argv[1:]:
            PARTS[part]()
    except MissingError as missing:
        print(f"error: {missing}", file=sys.stderr)
        sys.exit(1)
