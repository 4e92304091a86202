"""The operator as kopf leaves it when a kind goes before kopf looks which kinds there are: alive, and deaf to it.

Nothing else differs from the operator.
"""

from __future__ import annotations

from firstresponder.api.escalationpolicy import EscalationPolicy
from firstresponder.cli.operator import main
from firstresponder.controller import wiring
from firstresponder.controller.relist import KNOWLEDGE

if __name__ == "__main__":
    vars(wiring)["KNOWLEDGE"] = tuple(kind for kind in KNOWLEDGE if kind is not EscalationPolicy)
    main()
