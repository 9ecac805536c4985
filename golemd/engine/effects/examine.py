"""Look at what an ended attempt left: its result file, the tree, the decisive end of its output."""

from __future__ import annotations

import os
from typing import Final

import trio
from msgspec.structs import replace

from golemd.adapters import agents
from golemd.adapters.agents.environment import masked, masked_result
from golemd.adapters.workspace import Examined
from golemd.api.faults import Fault
from golemd.api.model import RUN_OVER, Attempt, AttemptKind, Run
from golemd.core import commands as cmd
from golemd.core import plan
from golemd.core.decide.triage import is_triage
from golemd.core.exclusion import is_shared
from golemd.core.results import MAX_RESULT_BYTES
from golemd.engine.context import Context
from golemd.engine.effects.places import agent_of, attempt_folder, branch_of, config_of, workspace_of
from golemd.engine.effects.secrets import hidden
from golemd.engine.logs import LOG_PIECE, STREAMS, tail_of

PASSING: Final = frozenset({"disk_full", "git_timeout", "git_locked", "git_not_started", "git_missing"})
"""Faults of git that pass, and say nothing of what an attempt has left: it is looked at again."""

EVIDENCE_LINES: Final = 20
MAX_LEFTOVERS: Final = 50  # files that are named
MAX_BIG: Final = 10  # of what is not committed: too big new files, repositories inside, told by name
_NOT_ADDED: Final = "is left as it is: new files over 50 MB are committed only when they are staged with git add"
_AHEAD: Final = "is a submodule with work that its remotes do not have: push it, or only refs/golem/kept/ will hold it"
MAX_MESSAGE: Final = 2000  # characters of an agent's last words


async def examine(engine: Context, effect: plan.Examine) -> None:
    """Look at what an ended attempt left; not when its run is over or has left its phase: then it does not count."""
    attempt = engine.state.attempts[effect.id]
    run = engine.state.runs[attempt.run]
    values = hidden(engine, attempt)
    if run.state in RUN_OVER or run.leaving:
        await engine.report(cmd.ReportExamined(attempt=attempt.id, said=await _said(engine, run, attempt, values)))
        return
    left = _left_running(engine, attempt)
    lines = (*tail_of(engine, attempt, EVIDENCE_LINES, values), *left)
    error = _spawn_error(engine, attempt)
    if attempt.kind is not AttemptKind.AGENT:
        await engine.report(cmd.ReportExamined(attempt=attempt.id, lines=lines, error=error))
        return
    found = engine.parts.files.read_bounded(attempt_folder(engine, attempt.id) / "result.json", MAX_RESULT_BYTES)
    report = cmd.ReportExamined(
        attempt=attempt.id,
        result=masked_result(found, values) if isinstance(found, bytes) else None,
        result_problem=found if isinstance(found, str) else "",
        lines=lines,
        said=await _said(engine, run, attempt, values),
        error=error,
        warnings=left,
    )
    await engine.report(report if is_triage(run) else await _with_work(engine, run, report))


async def _with_work(engine: Context, run: Run, report: cmd.ReportExamined) -> cmd.ReportExamined:
    """The report with the tree that the attempt left in its worktree, or why that cannot be looked at."""
    try:
        return await _with_tree(engine, run, report)
    except Fault as fault:
        if fault.code in PASSING:
            raise
        return replace(report, trouble=f"{fault.message} {fault.hint}")


async def _with_tree(engine: Context, run: Run, report: cmd.ReportExamined) -> cmd.ReportExamined:
    place = workspace_of(engine, run)
    phase = run.phase
    looked = await engine.parts.workspaces.examine(
        place,
        run.branch,
        phase.start_head,
        phase.start_tree,
        phase.start_refs,
        base_tree=phase.base_tree,
        own_prefix=f"{config_of(engine, run).branch_prefix}/",
        busy=_moving_branches(engine, run),
    )
    left = looked.files[:MAX_LEFTOVERS] if is_shared(engine.state, run) else ()
    trouble = _history_trouble(looked, run)
    big = tuple(f"{each.path} ({(each.size or 0) >> 20} MB) {_NOT_ADDED}" for each in looked.left[:MAX_BIG])
    seen = replace(report, head=looked.head or "", tree=looked.tree, trouble=trouble, leftovers=left)
    ahead = tuple(f"{path} {_AHEAD}" for path in looked.ahead[:MAX_BIG])
    return replace(seen, warnings=(*report.warnings, *big, *ahead), nested=looked.nested[:MAX_BIG])


async def said_by(engine: Context, attempt: Attempt) -> cmd.Said:
    """What a program that has been lost had said until then."""
    return await _said(engine, engine.state.runs[attempt.run], attempt, hidden(engine, attempt))


async def _said(engine: Context, run: Run, attempt: Attempt, values: list[str]) -> cmd.Said:
    """What the agent's program said in its output, read from the log files, so that it does not matter who watched."""
    of_golemd = attempt.kind is not AttemptKind.AGENT
    reader = agents.Silent() if of_golemd else agents.reader(agent_of(engine, run, attempt).kind)
    if isinstance(reader, agents.Silent):
        return cmd.Said()
    for stream, feed in (("stdout", reader.feed), ("stderr", reader.feed_errors)):
        offset = 0
        while piece := engine.parts.runner.logs(attempt.id, STREAMS[stream], offset, LOG_PIECE):
            feed(piece)
            offset += len(piece)
            await trio.lowlevel.checkpoint()
    status = attempt.status if attempt.signal is None else -attempt.signal
    said = reader.reading(status if status is not None else -1)
    return cmd.Said(
        session=said.session,
        model=said.model,
        cost_usd=said.cost_usd,
        input_tokens=said.input_tokens,
        output_tokens=said.output_tokens,
        answer=None if said.result is None else masked_result(said.result, values),
        success=said.success,
        trouble=said.trouble,
        message=masked(said.message, values)[:MAX_MESSAGE],
        reset_us=said.reset_us,
        cannot_resume=said.cannot_resume,
    )


def _moving_branches(engine: Context, run: Run) -> set[str]:
    """Branches of other runs that golemd itself may have moved since this run's phase began."""
    state = engine.state
    live = {branch_of(config_of(engine, other), other) for other in state.runs.values() if other.id != run.id}
    since = run.phase.started_at
    return live | {row.branch for row in state.ended.values() if row.branch and row.updated_at >= since}


def _history_trouble(looked: Examined, run: Run) -> str:
    if not looked.branch_ok:
        there = looked.branch or "no branch (a detached HEAD)"
        mend = f"Check out {run.branch} again in {run.workspace}"
        return f"the agent left {there} checked out instead of {run.branch}. {mend}"
    if not looked.holds_start:
        return f"the agent rewrote history: {run.branch} no longer holds the commit the phase began at"
    if looked.foreign:
        moved = ", ".join(f"{change.ref} ({change.what})" for change in looked.foreign[:5])
        return f"the agent moved refs that are not its own: {moved}"
    if looked.in_progress:
        return f"the agent left a {looked.in_progress} unfinished in {run.workspace}"
    return ""


def _left_running(engine: Context, attempt: Attempt) -> tuple[str, ...]:
    """A warning about processes that belong to others, such as what sudo started: neither limit nor stop ends them."""
    ended = engine.parts.runner.result(attempt.id)
    survivors = 0 if ended is None else ended.survivors
    return (f"{survivors} of its processes belong to another user, could not be ended and go on",) if survivors else ()


def _spawn_error(engine: Context, attempt: Attempt) -> str:
    ended = engine.parts.runner.result(attempt.id)
    if ended is None or ended.errno is None:
        return ""
    return f"the program could not be started ({ended.stage}): {os.strerror(ended.errno)}. See [agents] in golem.toml."
