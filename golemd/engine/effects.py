"""The effect table: an intent that is durable → an adapter → a report, which is a command like any other.

Every effect can be done again after a crash at any point: an attempt is known by its folder, a commit by its trailer, a
worktree by its branch. A failure is never swallowed: it becomes a failure gate, a rejected attempt, or is tried again.
"""

from __future__ import annotations

import errno
import logging
import os
import shutil
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import trio

from golemd.adapters import agents, files, workspace
from golemd.adapters.agents.environment import child_environment, masked, secrets
from golemd.adapters.processes.runner import AttemptSpec, Exit, Identity, Lost, Verdict
from golemd.adapters.workspace import Workspace
from golemd.api.config import Agent, ProjectConfig
from golemd.api.faults import Fault
from golemd.api.model import Attempt, AttemptKind, AttemptState, Item, Phase, Run, RunState
from golemd.core import commands as cmd
from golemd.core import plan, prompt
from golemd.core.decide.common import definition_of
from golemd.core.results import MAX_RESULT_BYTES
from golemd.engine import prepare

if TYPE_CHECKING:
    from golemd.engine.engine import Engine

log = logging.getLogger(__name__)

RETRY_SECONDS: Final = 30.0  # until an effect that failed, and that no gate can ask about, is tried again
EVIDENCE_LINES: Final = 20
SUBJECT_LENGTH: Final = 72
CHANGES_FOLDER: Final = "changes"
_UNUSABLE: Final = frozenset(
    {errno.ENOENT, errno.EACCES, errno.ENOEXEC, errno.ENOTDIR, errno.EISDIR, errno.ELOOP, errno.EPERM}
)


async def carry_out(engine: Engine, effect: plan.Effect) -> None:
    """Do one effect and report what came of it."""
    try:
        await _EFFECTS[type(effect)](engine, effect)
    except Exception as error:
        if _is_fatal(error):
            raise
        log.exception("%s failed", effect.key)
        await _report_failure(engine, effect, error)
    finally:
        if not isinstance(effect, plan.Stop):  # asking twice would cut the grace short
            engine.in_flight.discard(effect.key)
        engine.wake()


def _is_fatal(error: BaseException) -> bool:
    """Whether the error is the journal's own: then nothing may go on."""
    return isinstance(error, Fault) and hasattr(error, "exit_status")


async def _report_failure(engine: Engine, effect: plan.Effect, error: Exception) -> None:
    fault = error if isinstance(error, Fault) else Fault("internal", f"{type(error).__name__}: {error}", "See the log.")
    report = _FAILURES.get(type(effect))
    if report is None:
        with trio.move_on_after(RETRY_SECONDS):
            await engine.stop_asked.wait()
    else:
        await engine.report(report(effect, fault))


def _trouble(doing: str) -> Callable[[Any, Fault], cmd.Command]:
    def report(effect: Any, fault: Fault) -> cmd.Command:  # noqa: ANN401 - any effect about a run
        run = getattr(effect, "run", "") or effect.id
        return cmd.ReportTrouble(run=run, doing=doing, message=fault.message, hint=fault.hint)

    return report


_FAILURES: Final[dict[type[plan.Effect], Callable[[Any, Fault], cmd.Command]]] = {
    plan.Enter: _trouble("preparing the workspace"),
    plan.Commit: _trouble("committing"),
    plan.Keep: _trouble("keeping what a failed attempt left"),
    plan.Spawn: lambda effect, fault: cmd.ReportNotSpawned(attempt=effect.id, message=f"{fault.message} {fault.hint}"),
    plan.Examine: lambda effect, fault: cmd.ReportExamined(attempt=effect.id, trouble=f"{fault.message} {fault.hint}"),
}


# --- places ------------------------------------------------------------------------------------------------------


def attempt_folder(engine: Engine, attempt: str) -> Path:
    """Where an attempt's files are."""
    return engine.parts.state_dir / "attempts" / attempt


def worktree_root(engine: Engine) -> Path:
    """The folder that holds every worktree."""
    configured = engine.parts.settings.worktree_root
    return Path(configured) if configured else engine.parts.state_dir / "worktrees"


def workspace_of(engine: Engine, run: Run) -> Workspace:
    """The run's working tree."""
    path = run.workspace or str(worktree_root(engine) / run.project / run.item)
    return Workspace(Path(engine.state.projects[run.project].root), Path(path))


def branch_of(config: ProjectConfig, run: Run) -> str:
    """The run's branch: `golem/<item>`, with `.<n>` for later runs."""
    later = f".{run.number}" if run.number > 1 else ""
    return f"{config.branch_prefix}/{run.item}{later}"


def config_of(engine: Engine, run: Run) -> ProjectConfig:
    """The configuration that the run is pinned to."""
    return engine.state.configs[run.config_digest]


# --- attempts ----------------------------------------------------------------------------------------------------


async def _spawn(engine: Engine, effect: plan.Spawn) -> None:
    attempt = engine.state.attempts[effect.id]
    runner = engine.parts.runner
    adopted = runner.observe(attempt.id).identity is not None
    try:
        started = await runner.submit(_spec(engine, attempt))
    except prepare.Unusable as unusable:
        await engine.report(cmd.ReportNotSpawned(attempt=attempt.id, message=str(unusable), usable=False))
        return
    if isinstance(started, Exit):
        await engine.report(_exit_report(started))
        return
    await _claim(engine, started, adopted=adopted)
    await _see_to_its_end(engine, attempt.id)


async def _watch(engine: Engine, effect: plan.Watch) -> None:
    """Adopt an attempt that was started earlier, or learn how it ended."""
    observed = engine.parts.runner.observe(effect.id)
    if engine.parts.runner.verdict(effect.id) is Verdict.ADOPT and observed.identity is not None:
        await _claim(engine, observed.identity, adopted=True)
    await _see_to_its_end(engine, effect.id)


async def _claim(engine: Engine, who: Identity, *, adopted: bool) -> None:
    engine.claimed.add(who.attempt)
    report = cmd.ReportSpawned(
        attempt=who.attempt,
        pid=who.pid,
        start=who.start,
        shim_pid=who.shim_pid,
        boot_id=who.boot_id,
        adopted=adopted,
    )
    await engine.report(report)


async def _see_to_its_end(engine: Engine, attempt: str) -> None:
    ended = await engine.parts.runner.wait(attempt)
    if isinstance(ended, Lost):
        left = await engine.parts.runner.end_leftovers(attempt)
        more = f"; {len(left)} processes it left were ended" if left else ""
        reason = f"its process is gone and left no exit record{more}"
        await engine.report(cmd.ReportLost(attempt=attempt, reason=reason))
    else:
        await engine.report(_exit_report(ended))


def _exit_report(ended: Exit) -> cmd.ReportExit:
    unusable = ended.reason == "spawn_failed" and ended.errno in _UNUSABLE and ended.stage in ("exec", "cwd")
    return cmd.ReportExit(
        attempt=ended.attempt,
        status=ended.status,
        signal=ended.signal,
        reason="unusable" if unusable else ended.reason,
        errno=ended.errno,
        duration_s=round(ended.duration_s, 3),
        cpu_s=round(ended.cpu_s, 3),
        max_rss_kb=ended.max_rss_kb,
        ended_descendants=ended.ended_descendants,
    )


async def _stop(engine: Engine, effect: plan.Stop) -> None:
    engine.parts.runner.stop(effect.id)


async def _fence(engine: Engine, effect: plan.Fence) -> None:
    await engine.report(_exit_report(await engine.parts.runner.fence(effect.id)))


def _spec(engine: Engine, attempt: Attempt) -> AttemptSpec:
    """What exactly to run. Raises Unusable when the program cannot be found."""
    state, settings = engine.state, engine.parts.settings
    run, item = state.runs[attempt.run], state.items[attempt.item]
    config = config_of(engine, run)
    place = workspace_of(engine, run)
    folder = attempt_folder(engine, attempt.id)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    environ = _environment(engine, run, item, attempt, folder)
    if attempt.kind is AttemptKind.VERIFY:
        argv: tuple[str, ...] = ("/bin/sh", "-c", attempt.command)
        stdin = None
    else:
        argv, stdin = _agent_program(engine, run, item, attempt, place, folder)
        argv = (_found(argv[0], environ), *argv[1:])
    definition = definition_of(run, run.phase)
    minutes = definition.timeout_minutes or config.execution.phase_timeout_minutes
    return AttemptSpec(
        attempt=attempt.id,
        argv=argv,
        cwd=str(place.path),
        env=environ,
        stdin=stdin,
        wall_seconds=minutes * 60,
        idle_seconds=settings.idle_timeout_minutes * 60,
        output_bytes=settings.max_output_mb << 20,
        grace_seconds=config.execution.grace_seconds,
    )


def _agent_program(
    engine: Engine, run: Run, item: Item, attempt: Attempt, place: Workspace, folder: Path
) -> tuple[tuple[str, ...], str | None]:
    prompt_file = folder / "prompt.md"
    files.write_private(prompt_file, prompt.prompt_for(engine.state, run, attempt.number))
    request = agents.Request(
        agent=_agent(engine, run, attempt),
        item=item.id,
        phase=attempt.phase,
        number=attempt.number,
        description=item.description,
        prompt_file=str(prompt_file),
        result_file=str(folder / "result.json"),
        workspace=str(place.path),
        project_root=str(place.root),
    )
    launch = agents.launch(request)
    if launch.stdin is None:
        return launch.argv, None
    stdin = folder / "stdin"
    files.write_private(stdin, launch.stdin)
    return launch.argv, str(stdin)


def _agent(engine: Engine, run: Run, attempt: Attempt) -> Agent:
    return config_of(engine, run).agents[attempt.agent]


def _found(program: str, environ: dict[str, str]) -> str:
    found = shutil.which(program, path=environ.get("PATH", os.defpath))
    if found is not None:
        return found
    if "/" in program:
        problem = "is not executable" if os.path.exists(program) else "does not exist"
        raise prepare.Unusable(f"The agent program {program} {problem}. Mend it, or change [agents] in golem.toml.")
    raise prepare.Unusable(
        f"The agent program {program} is not on the PATH. Install it, or change its command in golem.toml."
    )


def _environment(engine: Engine, run: Run, item: Item, attempt: Attempt, folder: Path) -> dict[str, str]:
    """The child's environment; values are read at this moment and recorded nowhere."""
    parts, place = engine.parts, workspace_of(engine, run)
    general = parts.settings.environment
    passed, values = _passed(engine, run, attempt)
    golem = {
        "GOLEM_ITEM": item.id,
        "GOLEM_RUN": run.id,
        "GOLEM_PHASE": attempt.phase,
        "GOLEM_ATTEMPT": attempt.id,
        "GOLEM_PROMPT": str(folder / "prompt.md"),
        "GOLEM_RESULT": str(folder / "result.json"),
        "GOLEM_WORKSPACE": str(place.path),
        "GOLEM_PROJECT_ROOT": str(place.root),
        "GOLEM_CHANGES": str(place.path / CHANGES_FOLDER / item.id),
        "GOLEM_SOCKET": str(parts.socket_path),
        "GOLEM_INSTANCE": parts.instance,
    }
    return child_environment(parts.environ, passed, values, general.path, golem)


def _passed(engine: Engine, run: Run, attempt: Attempt) -> tuple[tuple[str, ...], dict[str, str]]:
    """Names passed on from the daemon's environment, and values that are set, for this attempt."""
    general = engine.parts.settings.environment
    if attempt.kind is AttemptKind.VERIFY:
        return general.pass_env, general.variables
    agent = _agent(engine, run, attempt)
    own = prepare.agent_values(engine, run, attempt.agent) if agent.env_digests else {}
    return (*general.pass_env, *agent.pass_env), {**general.variables, **own}


async def _examine(engine: Engine, effect: plan.Examine) -> None:
    """Look at what an ended attempt left. A run that is over is not looked at: its worktree goes."""
    attempt = engine.state.attempts[effect.id]
    run = engine.state.runs[attempt.run]
    if run.state in (RunState.COMPLETED, RunState.FAILED, RunState.ABORTED):
        await engine.report(cmd.ReportExamined(attempt=attempt.id))
        return
    lines = _last_lines(engine, run, attempt)
    error = _spawn_error(engine, attempt)
    if attempt.kind is AttemptKind.VERIFY:
        await engine.report(cmd.ReportExamined(attempt=attempt.id, lines=lines, error=error))
        return
    found = files.read_bounded(attempt_folder(engine, attempt.id) / "result.json", MAX_RESULT_BYTES)
    place = workspace_of(engine, run)
    phase = run.phase
    looked = await workspace.examine(
        engine.parts.git,
        place,
        run.branch,
        phase.start_head,
        phase.start_tree,
        phase.start_refs,
        own_prefix=f"{config_of(engine, run).branch_prefix}/",
        busy=_moving_branches(engine, run),
    )
    report = cmd.ReportExamined(
        attempt=attempt.id,
        result=found if isinstance(found, bytes) else None,
        result_problem=found if isinstance(found, str) else "",
        head=looked.head or "",
        tree=looked.tree,
        trouble=_history_trouble(looked, run),
        lines=lines,
        error=error,
    )
    await engine.report(report)


def _moving_branches(engine: Engine, run: Run) -> set[str]:
    """Branches of other runs that golemd itself may have moved since this run's phase began."""
    state = engine.state
    live = {branch_of(config_of(engine, other), other) for other in state.runs.values() if other.id != run.id}
    since = run.phase.started_at
    return live | {row.branch for row in state.ended.values() if row.branch and row.updated_at >= since}


def _history_trouble(looked: workspace.Examined, run: Run) -> str:
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


def _last_lines(engine: Engine, run: Run, attempt: Attempt) -> tuple[str, ...]:
    """The decisive end of an attempt's output, clean and without secrets."""
    passed, values = _passed(engine, run, attempt) if attempt.kind is AttemptKind.VERIFY else ((), {})
    hidden = secrets(engine.parts.environ, passed, values)
    lines = engine.parts.runner.tail(attempt.id, EVIDENCE_LINES)
    return tuple(masked(line, hidden) for line in lines)


def _spawn_error(engine: Engine, attempt: Attempt) -> str:
    ended = engine.parts.runner.result(attempt.id)
    if ended is None or ended.errno is None:
        return ""
    return f"the program could not be started ({ended.stage}): {os.strerror(ended.errno)}. See [agents] in golem.toml."


# --- workspaces --------------------------------------------------------------------------------------------------


async def _enter(engine: Engine, effect: plan.Enter) -> None:
    """Make the workspace ready: a new worktree for a new run, the one that stands for a run that has one."""
    run = engine.state.runs[effect.id]
    item = engine.state.items[run.item]
    config, place, git = config_of(engine, run), workspace_of(engine, run), engine.parts.git
    root = worktree_root(engine)
    branch = run.branch or branch_of(config, run)
    base_branch = run.base_branch or item.base or config.base_branch or engine.state.projects[run.project].base_branch
    if run.state is RunState.CREATED or _may_rebase(run):
        dependencies = [(each, branch) for each in item.dependencies if (branch := engine.state.known(each).branch)]
        ready = await workspace.prepare_worktree(
            git, place, branch_of(config, run), base_branch, dependencies, worktree_root=root, keep_as=run.id
        )
        base, head, tree = ready.base_commit, ready.head, ready.tree
        branch = branch_of(config, run)
    else:
        there = await workspace.reopen_worktree(git, place, branch, worktree_root=root, keep_as=run.id)
        base, head, tree = run.base_commit, there.head, there.tree
    refs = await workspace.refs_digest(git, place.root)
    report = cmd.ReportEntered(
        run=run.id,
        base_branch=base_branch,
        base_commit=base,
        branch=branch,
        workspace=str(place.path),
        head=head,
        tree=tree,
        refs=refs,
        environment=_environment_names(engine),
    )
    await engine.report(report)


def _may_rebase(run: Run) -> bool:
    """Whether the item was promoted and nothing is committed yet: then the base is taken afresh."""
    promoted = run.index == len(run.pipeline.pre_phases) > 0
    return promoted and run.phase.number == 0 and run.head == run.base_commit


def _environment_names(engine: Engine) -> tuple[str, ...]:
    general = engine.parts.settings.environment
    return tuple(sorted({*general.pass_env, *general.variables}))


async def _commit(engine: Engine, effect: plan.Commit) -> None:
    run = engine.state.runs[effect.id]
    item, phase, place = engine.state.items[run.item], run.phase, workspace_of(engine, run)
    message = _message(item, phase)
    trailers = (("Golem-Run", run.id), ("Golem-Attempt", phase.accepted), ("Golem-Tree", phase.tree))
    done = await workspace.commit_phase(
        engine.parts.git, place, run.branch, phase.start_head, phase.base_tree, phase.tree, message, trailers
    )
    now = await workspace.current(engine.parts.git, place)
    report = cmd.ReportCommitted(
        run=run.id,
        attempt=phase.accepted,
        head=now.head,
        tree=now.tree,
        commit=done.commit or "",
        message=message.splitlines()[0],
        files=done.files,
        insertions=done.insertions,
        deletions=done.deletions,
    )
    await engine.report(report)


def _message(item: Item, phase: Phase) -> str:
    """`[WRK-42][build] summary`: the subject on one line, the whole summary below when it says more."""
    prefix = f"[{item.id}][{phase.name}] "
    text = (phase.commit_summary or phase.summary).removeprefix(prefix).strip() or item.title
    first = " ".join(text.splitlines()[0].split())
    room = max(20, SUBJECT_LENGTH - len(prefix))
    subject = prefix + (first if len(first) <= room else first[: room - 1].rstrip() + "…")
    whole = phase.summary.strip()
    return f"{subject}\n\n{whole}" if whole and whole != first else subject


async def _keep(engine: Engine, effect: plan.Keep) -> None:
    run = engine.state.runs[effect.run]
    attempt = engine.state.attempts[effect.id]
    phase = next(each for each in run.phases if each.name == attempt.phase)
    place = workspace_of(engine, run)
    back = await workspace.put_back(
        engine.parts.git, place, run.branch, phase.start_head, phase.start_tree, name=attempt.id
    )
    await engine.report(_kept_report(run.id, "put_back", attempt.id, back.kept))


async def _tidy(engine: Engine, effect: plan.Tidy) -> None:
    run = engine.state.runs[effect.id]
    place = workspace_of(engine, run)
    kept = await workspace.remove_worktree(engine.parts.git, place, worktree_root=worktree_root(engine), keep_as=run.id)
    await engine.report(_kept_report(run.id, "removed", "", kept))


def _kept_report(run: str, then: str, attempt: str, kept: workspace.Kept) -> cmd.ReportKept:
    listed = tuple(f"{each.path} ({each.why})" for each in kept.listed[:50])
    return cmd.ReportKept(
        run=run, then=then, attempt=attempt, ref=kept.ref or "", commit=kept.commit or "", listed=listed
    )


# --- starting up -------------------------------------------------------------------------------------------------


async def clean_up(engine: Engine) -> None:
    """Before anything is started: a dead daemon's git ends, and processes of attempts that are over are ended."""
    places = [workspace_of(engine, run) for run in engine.state.runs.values() if run.workspace]
    cleared = await workspace.clear_dead_git(engine.parts.instance, places)
    if cleared.ended or cleared.locks:
        log.warning("an earlier daemon left git at work: ended %s, removed %s", cleared.ended, cleared.locks)
    over = (AttemptState.ACCEPTED, AttemptState.REJECTED, AttemptState.LOST)
    live = {attempt.id for attempt in engine.state.attempts.values() if attempt.state not in over}
    swept = await engine.parts.runner.sweep(live)
    if swept:
        log.warning("ended %d processes that attempts of an earlier daemon had left", len(swept))


_EFFECTS: Final[dict[type[plan.Effect], Callable[[Any, Any], Awaitable[None]]]] = {
    plan.Spawn: _spawn,
    plan.Watch: _watch,
    plan.Stop: _stop,
    plan.Fence: _fence,
    plan.Examine: _examine,
    plan.Enter: _enter,
    plan.Commit: _commit,
    plan.Keep: _keep,
    plan.Tidy: _tidy,
}
