"""The operator whose orders expire with their approval, and not two minutes later as they do.

``python -m tests.testbed.impatient MOMENT ARGUMENT…``, as in crashing.py. Nothing else differs from the operator.
"""

from __future__ import annotations

import sys

from firstresponder.incident.approval import packet
from firstresponder.main import main
from tests.testbed.crashing import interrupt_at

if __name__ == "__main__":
    packet._EXPIRY_MARGIN = 0
    interrupt_at(sys.argv.pop(1))
    main()
