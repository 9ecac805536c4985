"""An item's phase and its history → the text given to an agent. Deterministic: made of durable facts only.

A section says one thing and is left out when there is nothing to say. What was written by somebody else is bounded, so
that no backlog and no summary can push the task out of an agent's sight.
"""

from __future__ import annotations

from golemd.api.model import Run
from golemd.core.changes import folder_of
from golemd.core.decide.triage import is_triage
from golemd.core.prompt.phase import phase_sections
from golemd.core.prompt.triage import triage_sections
from golemd.core.state import State


def prompt_for(state: State, run: Run, number: int, changes: str = "") -> str:
    """The prompt of the phase under way, for its attempt of that number.

    `changes`: the item's change folder in the workspace; without it, the one that a new workspace would have.
    """
    item = state.items[run.item]
    if is_triage(run):
        sections = triage_sections(state, item, run, number)
    else:
        sections = phase_sections(state, item, run, number, changes or folder_of(item.id, item.title))
    return "\n\n".join(sections) + "\n"
