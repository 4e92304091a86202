"""The process that judges contents: one request a line on its standard input, one answer a line on its output.

What it reads is made by anybody who may apply a Runbook, so it limits itself first: memory for good, processor time
again for each request. Whoever started it sees it die and starts another.
"""

from __future__ import annotations

import json
import math
import os
import resource
import sys
import time

from firstresponder.runbooks.judgement import judge, refused

MEMORY = 512 * 1024 * 1024
"""Bytes of address space, the libraries' own (some 200 MiB) included; a good content needs some 10 MiB more."""
CPU_SECONDS = 3
"""For one content; the slowest of the catalogue needs 0.03 s."""
_LESS_URGENT = 5
"""Added to the niceness: incidents come first."""


def main() -> None:
    """Answer until the input ends."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    os.nice(_LESS_URGENT)
    for line in sys.stdin.buffer:
        kind, spec = json.loads(line)
        spent = math.ceil(time.process_time())
        resource.setrlimit(resource.RLIMIT_CPU, (spent + CPU_SECONDS, resource.RLIM_INFINITY))
        try:
            judgement = judge(kind, spec)
        except MemoryError:
            judgement = refused(f"needs more than {MEMORY // 1024**2} MiB to be judged: make it smaller")
        sys.stdout.write(json.dumps([judgement.digest, judgement.problem]) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
