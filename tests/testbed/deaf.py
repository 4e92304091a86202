"""The operator as kopf leaves it when a kind goes before kopf looks which kinds there are: alive, and deaf to it.

Nothing else differs from the operator.
"""

from __future__ import annotations

from firstresponder.api.escalationpolicy import EscalationPolicy
from firstresponder.controller import watches
from firstresponder.controller.relist import CACHED_KINDS
from firstresponder.main import main

if __name__ == "__main__":
    vars(watches)["CACHED_KINDS"] = tuple(kind for kind in CACHED_KINDS if kind is not EscalationPolicy)
    main()
