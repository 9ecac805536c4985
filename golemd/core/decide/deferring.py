"""A shared workspace: what phases that destroy nothing have done is committed together, as late as it may be.

That is: before a destructive phase of any item begins there, when the item comes to a human, and when its run ends.
"""

from __future__ import annotations

from golemd.api import events as ev
from golemd.api.model import RUN_OVER, Attempt, PhaseState, Run, RunState, Stage
from golemd.core import commands as cmd
from golemd.core.decide.common import NOTHING, Decided, about, cause_of, definition_of, is_over
from golemd.core.decide.phases import after_commit
from golemd.core.exclusion import is_shared
from golemd.core.state import State


def may_wait(state: State, run: Run) -> bool:
    """Whether the commit of the phase under way may wait for what follows."""
    definition = definition_of(run, run.phase)
    through = run.index + 1 >= len(run.phases)
    at_once = definition.is_destructive or definition.gate or run.phase.more_rounds or through
    return is_shared(state, run) and not at_once


def is_due(state: State, run: Run) -> bool:
    """Whether what waits in the shared tree is to be committed now."""
    if not run.uncommitted:
        return False
    return run.state is RunState.AWAITING or run.state in RUN_OVER or _somebody_destroys(state, run)


def _somebody_destroys(state: State, run: Run) -> bool:
    """Whether a destructive phase waits to begin in the same workspace."""
    runs = [each for _, each in state.live_runs() if each.project == run.project and is_shared(state, each)]
    return any(begins(each) and definition_of(each, each.phase).is_destructive for each in runs)


def begins(run: Run) -> bool:
    """Whether the run's phase waits for its workspace."""
    return run.phase.state is PhaseState.RUNNING and run.phase.stage is Stage.ENTER


def is_clear(state: State, run: Run) -> bool:
    """Whether the run's phase may begin as far as uncommitted work of others is concerned."""
    if not (is_shared(state, run) and definition_of(run, run.phase).is_destructive):
        return True
    return not any(each.uncommitted for each in state.runs.values() if each.project == run.project)


def is_closed(state: State, run: Run) -> bool:
    """Whether an agent of another run has the shared workspace to itself, so that nothing is committed under it."""
    if not is_shared(state, run):
        return False
    others = (each for each in map(state.attempts.__getitem__, state.index.attempts) if each.run != run.id)
    return any(destroys(state, each) for each in others if state.runs[each.run].project == run.project)


def destroys(state: State, attempt: Attempt) -> bool:
    """Whether an attempt has the shared workspace to itself."""
    run = state.runs[attempt.run]
    destructive = {each.name for each in run.pipeline.all_phases if each.is_destructive}
    return is_shared(state, run) and attempt.phase in destructive


def defer(state: State, command: cmd.Defer, now_us: int) -> Decided:
    """Leave the work of the phase under way in the tree, and go on."""
    run = state.runs.get(command.run)
    if run is None or is_over(run) or run.phase.stage is not Stage.COMMIT or not may_wait(state, run):
        return NOTHING
    item, phase = state.items[run.item], run.phase
    created = ev.CommitCreated(
        run=run.id, phase=phase.name, attempt=phase.accepted, head=run.head, tree=phase.tree, deferred=True
    )
    events = (created, *after_commit(state, item, run, run.head, phase.tree))
    return Decided(about(item, *events, cause=cause_of(state, item.id)))


def flushed(state: State, command: cmd.ReportFlushed, now_us: int) -> Decided:
    """What waited in the shared tree is in git."""
    run = state.runs.get(command.run)
    if run is None or not run.uncommitted:
        return NOTHING
    created = ev.CommitCreated(
        run=run.id,
        phase=run.uncommitted[-1],
        attempt=run.until_attempt,
        head=command.head,
        tree=run.until_tree,
        commit=command.commit,
        message=command.message if command.commit else "",
        files=command.files,
        insertions=command.insertions,
        deletions=command.deletions,
    )
    return Decided(about(state.items[run.item], created, cause=cause_of(state, run.item)))
