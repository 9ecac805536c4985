"""Worktrees: made, gone, set aside and brought back; and what was kept before anything was reset or removed."""

from __future__ import annotations

from golemd.api import events as ev
from golemd.api.model import Run, WorktreeState
from golemd.core import commands as cmd
from golemd.core.decide.common import NOTHING, Decided, about, cause_of, config_of, is_over
from golemd.core.state import State


def made(run: Run, commands: int, report: cmd.ReportEntered | cmd.ReportMade) -> ev.WorktreeMade:
    """The event of a new worktree that so many setup commands wait for."""
    return ev.WorktreeMade(
        run=run.id,
        phase=run.phase.name,
        commands=commands,
        copied=report.copied,
        warnings=report.warnings,
        rebuilt=isinstance(report, cmd.ReportMade),
    )


def back(state: State, command: cmd.ReportMade, now_us: int) -> Decided:
    """A worktree that was set aside is there again."""
    run = state.runs.get(command.run)
    if run is None or is_over(run) or run.worktree is not WorktreeState.ASIDE:
        return NOTHING
    event = made(run, len(config_of(state, run).workspace.setup), command)
    return Decided(about(state.items[run.item], event, cause=cause_of(state, run.item)))


def gone(state: State, command: cmd.ReportGone, now_us: int) -> Decided:
    """Somebody has removed a worktree that stood ready."""
    run = state.runs.get(command.run)
    if run is None or is_over(run) or run.worktree is not WorktreeState.READY:
        return NOTHING
    return Decided(about(state.items[run.item], ev.WorktreeGone(run=run.id), cause=cause_of(state, run.item)))


def kept(state: State, command: cmd.ReportKept, now_us: int) -> Decided:
    """Uncommitted work is safe: the tree was put back, or the worktree is removed, for good or for a while."""
    run = state.runs.get(command.run)
    if run is None or not _is_waited_for(run, command):
        return NOTHING
    safe = ev.WorkKept(
        run=run.id,
        then=command.then,
        attempt=command.attempt,
        ref=command.ref,
        commit=command.commit,
        listed=command.listed,
        head=command.head,
        tree=command.tree,
        staged=command.staged,
    )
    return Decided(about(state.items[run.item], safe, cause=cause_of(state, run.item)))


def _is_waited_for(run: Run, report: cmd.ReportKept) -> bool:
    if report.then == "removed":
        return run.tidy
    if report.then in ("aside", "left"):
        return not (is_over(run) or run.live or run.worktree is WorktreeState.ASIDE)
    return any(phase.put_back == report.attempt for phase in run.phases)
