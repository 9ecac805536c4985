"""Worktrees that nobody needs for a while: when they are set aside, so that they take no room while people think."""

from __future__ import annotations

from typing import Final

from golemd.api.model import Run, RunState, WorktreeState
from golemd.core import times
from golemd.core.exclusion import is_shared
from golemd.core.slots import busy, held_back
from golemd.core.state import State

ASIDE_AFTER_US: Final = times.DAY_US
"""From the last record about an item until its worktree is set aside, when nothing of it goes on by itself."""


def aside_at(state: State, run: Run) -> int | None:
    """When the run's worktree is set aside if nothing happens (microseconds); None while it is needed, or not there."""
    if not run.workspace or run.worktree is WorktreeState.ASIDE or is_shared(state, run) or run.live:
        return None
    if run.state is not RunState.AWAITING and busy(run) and not held_back(state, run):
        return None
    if any(phase.put_back for phase in run.phases):
        return None
    return times.micros(state.items[run.item].updated_at) + ASIDE_AFTER_US
