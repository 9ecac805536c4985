"""Pruning the journal: which of its oldest segments go. Never one that a live item needs, and never the newest."""

from __future__ import annotations

from golemd.api import calls, views
from golemd.api import events as ev
from golemd.api.events import Draft
from golemd.core import commands as cmd
from golemd.core.decide.common import Decided
from golemd.core.state import State


def prune(state: State, call: calls.JournalPrune, asked: cmd.Asked) -> Decided:
    """Let go of the segments wholly before a record, and before the first record of every live item."""
    segments, before = asked.facts.segments, asked.facts.before
    oldest = min(state.items.values(), key=lambda item: item.order, default=None)
    bound = before if oldest is None else min(before, oldest.order)
    first = max((first for first, _ in segments[1:] if first <= bound), default=0)
    gone = [(start, size) for start, size in segments if start < first]
    could = max((start for start, _ in segments[1:] if start <= before), default=0)
    pruned = ev.JournalPruned(first=first, segments=len(gone), bytes=sum(size for _, size in gone), actor=asked.actor)
    answer = views.Pruned(
        first=first or (segments[0][0] if segments else 1),
        records=first - gone[0][0] if gone else 0,
        segments=pruned.segments,
        bytes=pruned.bytes,
        held_by=oldest.id if oldest is not None and could > first else None,
        dry_run=call.dry_run,
    )
    return Decided((Draft(pruned),) if gone and not call.dry_run else (), answer=answer)
