"""Snapshots: taken every so many records and at a clean stop, beside everything else; and what a start begins with."""

from __future__ import annotations

from typing import Final

from golemd.api import config, events, model, parts, records, states
from golemd.api.events import Record
from golemd.core import budgets, evolve, index, snapshot, state, trail
from golemd.core.evolve import fold
from golemd.core.state import State
from golemd.engine.context import Context

FOLDING: Final = (config, events, model, parts, records, states, budgets, evolve, index, snapshot, state, trail)
"""The code that makes a state of records. What was made by any other may be another state."""


class Replay:
    """The state while a journal is read: from a snapshot on if there is one, and each record folded."""

    def __init__(self) -> None:
        self.state = State()

    def restore(self, data: memoryview) -> None:
        """Begin with a snapshot. Raises ValueError for bytes that are none; then nothing has changed."""
        self.state = snapshot.restored(data)

    def take(self, record: Record) -> None:
        fold(self.state, record)


async def keep(engine: Context) -> None:
    """Take a snapshot whenever the journal has grown by so many records, until cancelled. Faults: JournalFailed."""
    journal = engine.parts.journal
    taken = journal.snapshot_seq
    while True:
        await journal.wait_past(taken + engine.parts.settings.limits.snapshot_events - 1)
        await take(engine)
        taken = journal.durable_seq


async def take(engine: Context) -> bool:
    """Take a snapshot of what is now; whether that went well. One that cannot be written is told in the log."""
    await engine.settled()
    header, taken = engine.parts.journal.standing(engine.state.first), snapshot.picture(engine.state)
    return header is not None and await engine.parts.journal.keep_snapshot(header, snapshot.pieces(taken))
