"""What an agent may ask of the daemon: to look at its own item, and to add follow-ups to it. The rest is for people.

This stops accidents. Against malice only a sandbox is a boundary.
"""

from __future__ import annotations

from typing import Any

from golemd.api.calls import Call, ItemAdd
from golemd.api.faults import HumanRequired
from golemd.core.state import State


def admit(state: State, call: Call[Any], agent: str) -> None:
    """Raises HumanRequired `not_for_agents` unless the caller is a person or asks about its own item."""
    if not agent or call.FOR_ANYONE:
        return
    own = state.attempts.get(agent)
    if own is not None and isinstance(call, ItemAdd):
        return  # which makes a follow-up of it
    named = getattr(call, call.AGENT_FIELD, "") if call.AGENT_FIELD else ""
    if own is None or own.item != named.partition(".")[0]:  # an item, or a run or gate of it
        message = f"{call.METHOD} is not for agents."
        hint = "Write your result file; a person decides gates and steers items."
        raise HumanRequired("not_for_agents", message, hint, attempt=agent)
