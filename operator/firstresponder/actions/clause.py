"""An action in words: what it does to what, and where."""

from __future__ import annotations

from firstresponder.actions.catalogue import TYPES
from firstresponder.api.packet import ProposedAction


def action_clause(action: ProposedAction, *, undoes: bool = False) -> str:
    """What an action does where: ``restart api-gateway.service on api-gateway-03``."""
    known = TYPES.get(action.type)
    clause = f"{known.verb if known is not None else action.type} {action.target} on {action.host}"
    if action.current_count is not None and action.desired_count is not None:
        clause += f": {action.current_count} → {action.desired_count} instances"
    if action.methods:
        clause += f" by {', '.join(action.methods)}"
    return f"undo {action.name}: {clause}" if undoes else clause
