"""fold(state, record): what each event does to the state. Every transition of golemd is in this folder.

Rule 1. An event has happened; fold may not refuse it, ask the time, or look at the world.
Rule 2. One event, one function, in a file by noun; the tables together are complete, and a test says so.
Rule 3. A command's records are folded together or not at all; between them the state may look odd.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from msgspec.structs import replace

from golemd.api import events as ev
from golemd.api.events import Event, Record
from golemd.api.model import ENDED, EndedItem, Item
from golemd.core.evolve import attempts, gates, items, runs, work, worktrees
from golemd.core.state import TOKENS_KEPT, State, TokenUse

EFFECTS: Final[dict[type[Event], Callable[[State, Record, Any], None]]] = {
    **items.EFFECTS,
    **runs.EFFECTS,
    **attempts.EFFECTS,
    **gates.EFFECTS,
    **work.EFFECTS,
    **worktrees.EFFECTS,
}

ELSEWHERE: Final[dict[type[Event], str]] = {ev.ItemAdded: "updated_at", ev.GateOpened: "opened_at"}
"""Events that may tell of something that happened before it was recorded, and their field that says when."""


def fold(state: State, record: Record) -> None:
    """Let a record take effect."""
    state.seq = record.seq
    state.ts = record.ts
    if record.item:
        state.trail.add(record.item, record.seq)
    if record.body:
        state.tokens[record.cause] = TokenUse(record.body, record.seq, record.ts, record.project, record.item)
        state.tokens.move_to_end(record.cause)
        while len(state.tokens) > TOKENS_KEPT:
            state.tokens.popitem(last=False)
    event = record.data
    kind = type(event)
    EFFECTS[kind](state, record, event)
    item = state.items.get(record.item)
    if item is None:
        return
    said = ELSEWHERE.get(kind)
    moment = record.ts if said is None else getattr(event, said) or record.ts
    if item.updated_at != moment:
        item = state.items[item.id] = replace(item, updated_at=moment)
    if item.status in ENDED and state.shrink and not _unfinished(state, item):
        _shrink(state, item)


def _unfinished(state: State, item: Item) -> bool:
    """Whether something of an ended item is still to be put away, or a report of it to be written."""
    return any(not (run.reported and state.is_put_away(run)) for run in state.runs_of(item.id))


def _shrink(state: State, item: Item) -> None:
    kept = {name: getattr(item, name) for name in EndedItem.__struct_fields__}
    state.ended[item.id] = EndedItem(**kept)
    for child in state.children.pop(item.id, ()):
        state.runs.pop(child, None)
        state.attempts.pop(child, None)
        state.gates.pop(child, None)
        state.index.drop(child)
    del state.items[item.id]
    state.trail.pack(item.id)
    state.index.drop_item(item)
