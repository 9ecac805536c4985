"""What events do to a run's worktree: made, set up, gone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from golemd.api import events as ev
from golemd.api.events import Event, Record
from golemd.api.model import AttemptState, Stage, WorktreeState
from golemd.core.evolve.attempts import judge
from golemd.core.evolve.common import set_attempt, set_phase, set_run
from golemd.core.state import State


def _made(state: State, record: Record, event: ev.WorktreeMade) -> None:
    worktree = WorktreeState.MADE if event.commands else WorktreeState.READY
    set_run(state, event.run, worktree=worktree, setup=0, aside=None)
    set_phase(state, event.run, event.phase, uncopied=event.warnings)


def _prepared(state: State, record: Record, event: ev.WorktreePrepared) -> None:
    attempt, run = state.attempts[event.attempt], state.runs[event.run]
    set_attempt(state, event.attempt, state=AttemptState.ACCEPTED, outcome="passed")
    judge(state, attempt, "", 0, put_back=False)
    set_run(state, event.run, setup=run.setup + 1, worktree=WorktreeState.MADE if event.left else WorktreeState.READY)


def _wanted(state: State, record: Record, event: ev.WorktreeWanted) -> None:
    set_phase(state, event.run, event.phase, stage=Stage.ENTER, resumes=True)


def _gone(state: State, record: Record, event: ev.WorktreeGone) -> None:
    set_run(state, event.run, worktree=WorktreeState.UNKNOWN)


EFFECTS: Final[dict[type[Event], Callable[[State, Record, Any], None]]] = {
    ev.WorktreeMade: _made,
    ev.WorktreePrepared: _prepared,
    ev.WorktreeWanted: _wanted,
    ev.WorktreeGone: _gone,
}
