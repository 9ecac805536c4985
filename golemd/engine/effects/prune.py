"""Logs are not kept for ever: those of items that ended more than `logs_days` ago go, once a day."""

from __future__ import annotations

import logging

from golemd.core import plan, times
from golemd.engine.context import Context

log = logging.getLogger(__name__)


async def prune(engine: Context, effect: plan.Prune) -> None:
    """Remove the output and the prompts of old items' attempts. Every record of what came of them stays."""
    days, now_us = engine.parts.settings.logs_days, engine.now_us()
    before = times.stamp(now_us - days * times.DAY_US)
    old = {row.id for row in engine.state.ended.values() if row.updated_at < before}
    removed = await engine.parts.runner.remove_logs(lambda attempt: attempt.partition(".")[0] in old) if old else 0
    if removed:
        log.info("removed the logs of %d attempts: their items ended more than %d days ago", removed, days)
    engine.prune_at_us = now_us + times.DAY_US
