"""Worktrees: enter, commit, keep and put back, tidy; and what is cleaned up at start."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from contextlib import suppress

from msgspec.structs import replace

from golemd.adapters.workspace import Copied, Kept
from golemd.api.faults import Fault
from golemd.api.model import AttemptState, Run, RunState, WorktreeState
from golemd.core import commands as cmd
from golemd.core import plan
from golemd.core.asides import ASIDE_AFTER_US
from golemd.core.decide.common import is_over
from golemd.core.exclusion import is_shared
from golemd.engine.context import Context
from golemd.engine.effects import shared_trees
from golemd.engine.effects.common import environment_names, message_of, missing_phases, worklog_of
from golemd.engine.effects.places import branch_of, config_of, workspace_of, worktree_root

log = logging.getLogger(__name__)


async def enter(engine: Context, effect: plan.Enter) -> None:
    """Make the workspace ready: a new worktree for a new run, the one that stands for a run that has one."""
    async with engine.turn_to_start():
        if not plan.is_left(engine.state, effect):
            await _enter(engine, effect)


async def _enter(engine: Context, effect: plan.Enter) -> None:
    run = engine.state.runs[effect.id]
    if is_shared(engine.state, run):
        await shared_trees.enter(engine, run)
        return
    item = engine.state.items[run.item]
    config, place, workspaces = config_of(engine, run), workspace_of(engine, run), engine.parts.workspaces
    root, is_ready = worktree_root(engine), run.worktree is WorktreeState.READY
    branch = run.branch or branch_of(config, run)
    base_branch = run.base_branch or item.base or config.base_branch or engine.state.projects[run.project].base_branch
    if is_ready and not await workspaces.worktree_stands(place, branch):
        await engine.report(cmd.ReportGone(run=run.id))
        return  # it is entered again, and made and set up before
    if run.state is RunState.CREATED or (run.takes_base_afresh and not is_ready):
        dependencies = [(each, branch) for each in item.dependencies if (branch := engine.state.known(each).branch)]
        ready = await workspaces.prepare_worktree(
            place, branch_of(config, run), base_branch, dependencies, worktree_root=root, keep_as=run.id
        )
        base, head, tree = ready.base_commit, ready.head, ready.tree
        branch = branch_of(config, run)
    else:
        there = await workspaces.reopen_worktree(place, branch, worktree_root=root, keep_as=run.id)
        base, head, tree = run.base_commit, there.head, there.tree
    copied = Copied(0) if is_ready else await _copy(engine, run)
    report = cmd.ReportEntered(
        run=run.id,
        base_branch=base_branch,
        base_commit=base,
        branch=branch,
        workspace=str(place.path),
        head=head,
        tree=tree,
        refs=await workspaces.refs_digest(place.root),
        environment=environment_names(engine),
        missing=await missing_phases(engine, run),
        copied=copied.files,
        warnings=copied.warnings,
    )
    await engine.report(report)


async def _copy(engine: Context, run: Run) -> Copied:
    """Give a new worktree what git does not carry. Nothing of it is in the worktree's tree."""
    wanted = config_of(engine, run).workspace.copy
    if not wanted:
        return Copied(0)
    return await engine.parts.workspaces.copy_files(workspace_of(engine, run), wanted, [worktree_root(engine)])


async def commit(engine: Context, effect: plan.Commit) -> None:
    run = engine.state.runs[effect.id]
    if is_shared(engine.state, run):
        await shared_trees.commit(engine, run)
        return
    item, phase, place = engine.state.items[run.item], run.phase, workspace_of(engine, run)
    message = message_of(item, phase)
    trailers = (("Golem-Run", run.id), ("Golem-Attempt", phase.accepted), ("Golem-Tree", phase.tree))
    if not engine.parts.files.is_there(place.path):  # somebody has removed it, and what was verified is still known
        await engine.parts.workspaces.reopen_worktree(
            place, run.branch, worktree_root=worktree_root(engine), keep_as=run.id, tree=phase.tree
        )
    done = await engine.parts.workspaces.commit_phase(
        place,
        run.branch,
        phase.start_head,
        phase.base_tree,
        phase.tree,
        message,
        trailers,
        additions=await worklog_of(engine, run),
    )
    now = await engine.parts.workspaces.current(place)
    report = cmd.ReportCommitted(
        run=run.id,
        attempt=phase.accepted,
        head=now.head,
        tree=now.tree,
        commit=done.commit or "",
        message=done.subject or message.splitlines()[0],
        files=done.files,
        insertions=done.insertions,
        deletions=done.deletions,
    )
    await engine.report(report)


async def keep(engine: Context, effect: plan.Keep) -> None:
    run = engine.state.runs[effect.run]
    attempt = engine.state.attempts[effect.id]
    phase = next(each for each in run.phases if each.name == attempt.phase)
    place = workspace_of(engine, run)
    back = await engine.parts.workspaces.put_back(
        place, run.branch, phase.start_head, phase.start_tree, name=attempt.id
    )
    await engine.report(_kept_report(run.id, "put_back", attempt.id, back.kept))


async def tidy(engine: Context, effect: plan.Tidy) -> None:
    run = engine.state.runs[effect.id]
    if is_shared(engine.state, run):
        await engine.report(cmd.ReportKept(run=run.id, then="removed"))  # there is nothing of its own to remove
        return
    place = workspace_of(engine, run)
    kept = await engine.parts.workspaces.remove_worktree(place, worktree_root=worktree_root(engine), keep_as=run.id)
    await engine.report(_kept_report(run.id, "removed", "", kept))


async def set_aside(engine: Context, effect: plan.SetAside) -> None:
    """Keep all that a waiting run's worktree holds, and remove it; one that must stand is told of and left alone."""
    run = engine.state.runs[effect.id]
    place = workspace_of(engine, run)
    quiet_since = (engine.now_us() - ASIDE_AFTER_US) / 1e6
    done = await engine.parts.workspaces.keep_aside(place, run.branch, f"{run.id}.aside", quiet_since=quiet_since)
    if done.aside is None:
        await engine.report(cmd.ReportKept(run=run.id, then="left", listed=done.hindrances))
        return
    head, tree, staged = done.aside.head, done.aside.tree, done.aside.staged
    kept = _kept_report(run.id, "aside", "", done.kept)
    await engine.report(replace(kept, head=head, tree=tree, staged=staged))
    await _remove_aside(engine, run, (tree, staged))


async def _remove_aside(engine: Context, run: Run, clean: Sequence[str]) -> None:
    """Remove the worktree of a run that is set aside; what has changed since it was kept is kept beside it."""
    place, root = workspace_of(engine, run), worktree_root(engine)
    await engine.parts.workspaces.remove_worktree(place, worktree_root=root, keep_as=run.id, clean=clean)


async def rebuild(engine: Context, effect: plan.Rebuild) -> None:
    """Make a worktree that was set aside again, with all that it held and what is copied into new ones."""
    run = engine.state.runs[effect.id]
    assert run.aside is not None, "plan asks only for what is set aside"
    place, root = workspace_of(engine, run), worktree_root(engine)
    await engine.parts.workspaces.bring_back(place, run.branch, run.aside, worktree_root=root, keep_as=run.id)
    copied = await _copy(engine, run)
    await engine.report(cmd.ReportMade(run=run.id, copied=copied.files, warnings=copied.warnings))


def _kept_report(run: str, then: str, attempt: str, kept: Kept) -> cmd.ReportKept:
    listed = tuple(f"{each.path} ({each.why})" for each in kept.listed[:50])
    return cmd.ReportKept(
        run=run, then=then, attempt=attempt, ref=kept.ref or "", commit=kept.commit or "", listed=listed
    )


async def clean_up(engine: Context) -> None:
    """Before anything is started: a dead daemon's git ends, and so do processes of attempts that are over; what it did
    not come to remove is removed.
    """
    state = engine.state
    places = [workspace_of(engine, run) for run in state.runs.values() if run.workspace and not state.is_put_away(run)]
    cleared = await engine.parts.workspaces.clear_dead_git(engine.parts.instance, places)
    if cleared.ended or cleared.locks:
        log.warning("an earlier daemon left git at work: ended %s, removed %s", cleared.ended, cleared.locks)
    for run in state.runs.values():
        if run.aside is not None and not is_over(run) and engine.parts.files.is_there(workspace_of(engine, run).path):
            with suppress(Fault):  # it takes room, and does no other harm
                await _remove_aside(engine, run, (run.aside.tree, run.aside.staged))
    over = (AttemptState.ACCEPTED, AttemptState.REJECTED, AttemptState.LOST)
    live = {attempt.id for attempt in engine.state.attempts.values() if attempt.state not in over}
    swept = await engine.parts.runner.sweep(live)
    if swept:
        log.warning("ended %d processes that attempts of an earlier daemon had left", len(swept))
