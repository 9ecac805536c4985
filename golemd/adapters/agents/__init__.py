"""Agent programs: one file per kind says how its program is started. What a kind needs comes in as a Request, what is
to be run goes out as a Launch; nothing here starts anything.

A new kind is a new file and a row in KINDS. The prompt reaches the program by file or stdin, never by argv.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from golemd.adapters.agents import command, scripted
from golemd.adapters.agents.words import Launch, Request
from golemd.api.faults import Invalid

KINDS: Final[dict[str, Callable[[Request], Launch]]] = {"command": command.launch, "scripted": scripted.launch}

__all__ = ["KINDS", "Launch", "Request", "launch"]


def launch(request: Request) -> Launch:
    """What to run for this request. Raises Invalid `agent_unavailable` for a kind that this release does not have."""
    kind = KINDS.get(request.agent.kind)
    if kind is None:
        message = f"agents of the kind {request.agent.kind!r} are not in this release"
        raise Invalid("agent_unavailable", message, f"Use one of: {', '.join(KINDS)}.")
    return kind(request)
