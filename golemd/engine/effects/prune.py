"""Not everything is kept for ever. Logs of items that ended more than `logs_days` ago go, once a day; records of the
journal go when a user has asked for that, and never otherwise.
"""

from __future__ import annotations

import logging

from golemd.api.faults import Unavailable
from golemd.core import plan, snapshot, times
from golemd.engine import past, snapshots
from golemd.engine.context import Context

log = logging.getLogger(__name__)


async def prune(engine: Context, effect: plan.Prune) -> None:
    """Remove the output and the prompts of old items' attempts. Every record of what came of them stays."""
    days, now_us = engine.parts.settings.logs_days, engine.now_us()
    if not days:  # a reload has said so since this was planned
        return
    before = times.stamp(now_us - days * times.DAY_US)
    old = {row.id for row in engine.state.ended.values() if row.updated_at < before}
    removed = await engine.parts.runner.remove_logs(lambda attempt: attempt.partition(".")[0] in old) if old else 0
    if removed:
        log.info("removed the logs of %d attempts: their items ended more than %d days ago", removed, days)
    if engine.prune_at_us is not None:  # as above
        engine.prune_at_us = now_us + times.DAY_US


async def prune_journal(engine: Context, effect: plan.PruneJournal) -> None:
    """Remove what the newest `journal.pruned` has let go, once snapshots stand for it. Raises Unavailable.

    The state as it was just before is kept, too: all that is left of the journal can be replayed from there.
    """
    journal, first = engine.parts.journal, engine.state.first
    before = await past.state_at(engine, first - 1)
    taken = await snapshots.take(engine)
    if not taken or not await journal.prune(first, snapshot.pieces(snapshot.picture(before))):
        message = f"The records before {first} are not pruned yet: no snapshot could be taken that stands for them."
        raise Unavailable("not_pruned", message, "See the log; it is tried again.")
    log.info("the journal begins with record %d: what was before it is pruned", first)
