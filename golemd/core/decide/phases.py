"""Phases: enter, verify, commit, and what comes after one."""

from __future__ import annotations

from msgspec.structs import replace

from golemd.api import events as ev
from golemd.api.config import Workspace
from golemd.api.events import Event
from golemd.api.model import (
    Content,
    GateKind,
    Item,
    NoteKind,
    Phase,
    PhaseState,
    Run,
    RunState,
    Stage,
    Status,
    WorktreeState,
)
from golemd.api.words import count
from golemd.core import budgets
from golemd.core import commands as cmd
from golemd.core.configuration import digest
from golemd.core.decide import staleness, triage
from golemd.core.decide.common import (
    NOTHING,
    Decided,
    about,
    cause_of,
    config_of,
    definition_of,
    fail,
    is_over,
    open_gate,
)
from golemd.core.decide.launching import plan_attempt
from golemd.core.decide.worktrees import made
from golemd.core.state import State


def content_digest(content: Content) -> str:
    """What `content` in gate.decide is compared with."""
    return digest(content)


def entered(state: State, command: cmd.ReportEntered, now_us: int) -> Decided:
    """The workspace is ready: pin the run if it is not pinned yet, and plan the phase's attempt."""
    run = state.runs.get(command.run)
    if run is None or not _is_entering(run):
        return NOTHING
    item = state.items[run.item]
    events: list[Event] = []
    if run.state is RunState.CREATED or run.base_commit != command.base_commit:
        events.append(_bind(state, item, run, command))
    config = config_of(state, run)
    wanted = config.workspace if config.execution.workspace == "worktree" else Workspace()
    is_new = run.worktree is WorktreeState.UNKNOWN and wanted != Workspace()
    if is_new:
        events.append(made(run, len(wanted.setup), command))
    if not (is_new and wanted.setup):  # when it is set up, it is entered again
        events += _begun(state, item, run, command, now_us)
    return Decided(about(item, *events, cause=cause_of(state, item.id)))


def _begun(state: State, item: Item, run: Run, report: cmd.ReportEntered, now_us: int) -> tuple[Event, ...]:
    """The phase's attempt, or the question whether it may begin; a held item is entered again when it is resumed."""
    asked = staleness.asked(item, run, report)
    if asked is not None or item.is_held:
        return () if asked is None else (asked,)
    if budgets.day_is_spent(state, item.project, now_us) is not None:
        return (ev.PhaseReset(run=run.id, phase=run.phase.name, reason="the budget of the day is spent"),)
    start = ("", "", report.refs) if run.phase.resumes else (report.head, report.tree, report.refs)
    planned = plan_attempt(run.id, definition_of(run, run.phase), run.phase, *start)
    return (replace(planned, warnings=staleness.warning(run, report)),)


def _is_entering(run: Run) -> bool:
    """Whether the run waits for its workspace; one whose item is blocked meanwhile is asked again later."""
    waits = run.phase.stage is Stage.ENTER and run.phase.state is PhaseState.RUNNING
    waits = waits and run.worktree is not WorktreeState.MADE
    return waits and not is_over(run) and run.state is not RunState.AWAITING


def _bind(state: State, item: Item, run: Run, report: cmd.ReportEntered) -> ev.RunBound:
    config = config_of(state, run)
    agents = sorted({each.agent for each in run.pipeline.all_phases if each.agent})
    inputs = {"title": item.title, "description": item.description, "vars": item.vars, "base": item.base}
    return ev.RunBound(
        run=run.id,
        pipeline=run.pipeline,
        pipeline_digest=digest(run.pipeline),
        config_digest=run.config_digest,
        bindings={agent: digest(config.agents.get(agent)) for agent in agents},
        inputs_digest=digest(inputs),
        base_branch=report.base_branch,
        base_commit=report.base_commit,
        branch=report.branch,
        workspace=report.workspace,
        environment=report.environment,
    )


def trouble(state: State, command: cmd.ReportTrouble, now_us: int) -> Decided:
    """Something about the workspace needs a human."""
    run = state.runs.get(command.run)
    if run is None or is_over(run) or run.state is RunState.AWAITING:
        return NOTHING
    item = state.items[run.item]
    hint = f". {command.hint[0].upper()}{command.hint[1:]}" if command.hint else ""
    reason = f"{command.doing}: {command.message.rstrip('.')}{hint}"
    return Decided(about(item, *fail(item, run, "trouble", reason), cause=cause_of(state, item.id)))


# --- verifying and committing ------------------------------------------------------------------------------------


def verify_or_commit(run: Run, phase: Phase, tree: str) -> tuple[Event, ...]:
    """What follows a tree that is to be taken: the verify commands on it, or at once its commit."""
    commands = definition_of(run, phase).verify or ()
    return (ev.PhaseVerifying(run=run.id, phase=phase.name, tree=tree, commands=len(commands)),)


def committed(state: State, command: cmd.ReportCommitted, now_us: int) -> Decided:
    """The work is in git: another round, a human's approval, or the end of the phase."""
    run = state.runs.get(command.run)
    if run is None or is_over(run):
        return NOTHING
    item = state.items[run.item]
    phase = next((each for each in run.phases if each.accepted == command.attempt), run.phase)
    at_work = phase.state in (PhaseState.RUNNING, PhaseState.VERIFYING)
    if phase.stage is not Stage.COMMIT or not (at_work or phase.state is PhaseState.SKIPPED):
        return NOTHING
    created = ev.CommitCreated(
        run=run.id,
        phase=phase.name,
        attempt=command.attempt,
        head=command.head,
        tree=command.tree,
        commit=command.commit,
        message=command.message if command.commit else "",
        files=command.files,
        insertions=command.insertions,
        deletions=command.deletions,
    )
    if not at_work:
        after: tuple[Event, ...] = ()  # it was left meanwhile
    else:
        after = after_commit(state, item, run, command.head, command.tree)
    return Decided(about(item, created, *after, cause=cause_of(state, item.id)))


def after_commit(state: State, item: Item, run: Run, head: str, tree: str) -> tuple[Event, ...]:
    """What follows when the work of the phase under way is safe: another round, an approval, or its end."""
    if run.phase.more_rounds:
        return next_round(state, item, run, run.phase.summary)
    return next_approval(state, item, run, content=Content(commit=head, tree=tree))


def next_round(state: State, item: Item, run: Run, summary: str) -> tuple[Event, ...]:
    """The same phase again, with the summary of the round that has ended; a gate at the last that is allowed."""
    phase = run.phase
    bound = config_of(state, run).execution.max_rounds
    if phase.rounds + 1 >= bound:
        reason = f"it is not complete after {count(bound, 'round')} (max_rounds)."
        return fail(item, run, "rounds", reason, phase.accepted)
    reset = ev.PhaseReset(run=run.id, phase=phase.name, reason="next round", note_kind=NoteKind.ROUND, note=summary)
    return (reset,)


def next_approval(
    state: State, item: Item, run: Run, *, content: Content | None = None, approved: str = ""
) -> tuple[Event, ...]:
    """Ask for the next approval that this tree does not have yet; when it has all, the phase is completed."""
    phase = run.phase
    about_now = content or Content(commit=run.head, tree=phase.tree)
    given = {key for key, tree in phase.approvals if tree == about_now.tree} | ({approved} if approved else set())
    for key in definition_of(run, phase).gate:
        if key not in given:
            named = "" if key == "approval" else f" ({key})"
            says = f" Its agent says: {phase.summary}" if phase.summary else ""
            question = f"Approve {phase.name}{named}?{says}"
            return (open_gate(item, run, GateKind.APPROVAL, key, question, about_now, phase.accepted),)
    completed = ev.PhaseCompleted(run=run.id, phase=phase.name, summary=phase.summary, commit=about_now.commit)
    return completed, *after_phase(state, item, run, about_now.commit)


def after_phase(state: State, item: Item, run: Run, commit: str = "") -> tuple[Event, ...]:
    """What follows the end of the phase under way: the item is ready, or done, or its next phase is next."""
    after = run.index + 1
    if after >= len(run.phases):
        return () if item.is_held else completion(run.id, commit or run.head)
    if after == run.pipeline.promoted_at:
        moved = ev.ItemMoved(to=Status.READY, reason="scoped")
        return moved, *triage.guarded(state, item, status=Status.READY)
    return ()


def completion(run: str, head: str) -> tuple[Event, ...]:
    """The end of a run of which nothing is left to do; that of a paused item comes when it is resumed."""
    return ev.RunCompleted(run=run, commit=head), ev.ItemCompleted(commit=head)


def skip(state: State, item: Item, run: Run, reason: str) -> tuple[Event, ...]:
    """Leave the phase under way out and go on behind it; behind triage with what is known of the item."""
    skipped = ev.PhaseSkipped(run=run.id, phase=run.phase.name, reason=reason)
    if triage.is_triage(run):
        return skipped, *triage.onward(state, item, run)
    return skipped, *after_phase(state, item, run)


def filed(state: State, command: cmd.ReportFiled, now_us: int) -> Decided:
    """The final report of an ended run is on disk."""
    run = state.runs.get(command.run)
    if run is None or run.reported or not state.is_put_away(run):
        return NOTHING
    written = ev.ReportWritten(run=run.id, through=command.through, digests=command.digests)
    return Decided(about(state.items[run.item], written, cause=cause_of(state, run.item)))
