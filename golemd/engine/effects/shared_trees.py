"""A shared tree: enter it, and commit in it what one run has done, alone or together with phases that waited."""

from __future__ import annotations

from golemd.adapters.workspace import Committed
from golemd.api.model import Phase, Run
from golemd.core import changes, plan, worklog
from golemd.core import commands as cmd
from golemd.core.exclusion import is_shared
from golemd.engine.context import Context
from golemd.engine.effects.common import environment_names, message_of, missing_phases, worklog_of
from golemd.engine.effects.places import config_of, workspace_of


async def enter(engine: Context, run: Run) -> None:
    """Look whether the phase may begin: the branch is the run's, and nothing lies there that nobody accounts for."""
    place = workspace_of(engine, run)
    branch, ready = await engine.parts.workspaces.enter_shared(place, run.branch, clean=_must_be_clean(engine, run))
    refs = await engine.parts.workspaces.refs_digest(place.root)
    report = cmd.ReportEntered(
        run=run.id,
        base_branch=run.base_branch or branch,
        base_commit=run.base_commit or ready.base_commit,
        branch=branch,
        workspace=str(place.path),
        head=ready.head,
        tree=ready.tree,
        refs=refs,
        environment=environment_names(engine),
        missing=await missing_phases(engine, run),
    )
    await engine.report(report)


def _must_be_clean(engine: Context, run: Run) -> bool:
    """Whether changes would be nobody's: the phase begins afresh, and no other work is in the tree."""
    others = (each for _, each in engine.state.live_runs() if each.project == run.project and each.id != run.id)
    mine = run.phase.number > 0 or run.uncommitted
    return not mine and not any(is_shared(engine.state, each) and _leaves_work(each) for each in others)


def _leaves_work(run: Run) -> bool:
    """Whether a run's uncommitted work may be in the tree."""
    return bool(run.uncommitted) or (bool(run.phase.started_at) and run.phase.number > 0 and not run.phase.commit)


async def commit(engine: Context, run: Run) -> None:
    """Commit the phase under way, with what waited."""
    phase = run.phase
    before = (each for each in _waiting(run) if each.name != phase.name)
    done, message = await _commit(engine, run, (*before, phase), phase.accepted, phase.tree)
    report = cmd.ReportCommitted(
        run=run.id,
        attempt=phase.accepted,
        head=done.head,
        tree=phase.tree,
        commit=done.commit or "",
        message=message,
        files=done.files,
        insertions=done.insertions,
        deletions=done.deletions,
    )
    await engine.report(report)


async def flush(engine: Context, effect: plan.Flush) -> None:
    """Commit what waited."""
    run = engine.state.runs[effect.id]
    done, message = await _commit(engine, run, _waiting(run), run.until_attempt, run.until_tree)
    report = cmd.ReportFlushed(
        run=run.id,
        head=done.head,
        commit=done.commit or "",
        message=message,
        files=done.files,
        insertions=done.insertions,
        deletions=done.deletions,
    )
    await engine.report(report)


def _waiting(run: Run) -> tuple[Phase, ...]:
    """The phases whose work waits to be committed, in their order."""
    return tuple(phase for phase in run.phases if phase.name in run.uncommitted)


async def _commit(
    engine: Context, run: Run, phases: tuple[Phase, ...], attempt: str, until: str
) -> tuple[Committed, str]:
    """One commit of what these phases have done, until an attempt left this tree; and the first line of its message."""
    last, place = phases[-1], workspace_of(engine, run)
    message = _message(engine, run, phases)
    trailers = (("Golem-Run", run.id), ("Golem-Attempt", attempt), ("Golem-Tree", until))
    head, tree = (run.since_head, run.since_tree) if run.uncommitted else (last.start_head, last.base_tree)
    done = await engine.parts.workspaces.commit_phase(
        place,
        run.branch,
        head,
        tree,
        until,
        message,
        trailers,
        others=_not_its_own(engine, run),
        additions=await worklog_of(engine, run),
    )
    return done, message.splitlines()[0]


def _message(engine: Context, run: Run, phases: tuple[Phase, ...]) -> str:
    """`[WRK-1][plan][WRK-1][check] one | other` for several, the whole summaries below."""
    item = engine.state.items[run.item]
    if len(phases) == 1:
        return message_of(item, phases[0])
    marks = "".join(f"[{item.id}][{phase.name}]" for phase in phases)
    summaries = [f"{phase.name}: {(phase.commit_summary or phase.summary).strip()}" for phase in phases]
    return f"{marks} Phase outputs\n\n" + "\n".join(summaries)


def _not_its_own(engine: Context, run: Run) -> tuple[str, ...]:
    """The change folders of other live items of the project, in which they alone are at work, and golemd's worklog."""
    items = (each.id for each in engine.state.items_of(run.project) if each.id != run.item)
    kept = (f"{worklog.FOLDER}/",) if config_of(engine, run).worklog else ()
    return (*(f"{changes.FOLDER}/{item}_" for item in items), *kept)
